// SPDX-License-Identifier: BSD-3-Clause
// The worker's side: no loops, one thread, blocking calls.
#include "worker_protocol.hpp"

#include <troupe/error.hpp>
#include <troupe/process_function.hpp>

#include <cxxabi.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <memory>

namespace troupe {

namespace detail {

namespace {

/// Before and after `main` only; between, nobody changes it.
std::map<std::string, const process_job*>& jobs() {
  static std::map<std::string, const process_job*> all;
  return all;
}

} // namespace

process_job::process_job(std::string_view name) : name_(name) {
  if (!jobs().try_emplace(name_, this).second)
    throw usage_error("troupe: there are two process functions '" + name_ + "'");
}

process_job::~process_job() { jobs().erase(name_); }

const process_job* find_process_job(const std::string& name) noexcept {
  const auto found = jobs().find(name);
  return found == jobs().end() ? nullptr : found->second;
}

namespace {

/// False at the end, or if the other side is gone.
bool read_all(void* to, std::size_t size) noexcept {
  auto* at = static_cast<char*>(to);
  while (size != 0) {
    const ssize_t n = ::read(worker_requests, at, size);
    if (n > 0) {
      at += n;
      size -= static_cast<std::size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool write_all(const void* from, std::size_t size) noexcept {
  const auto* at = static_cast<const char*>(from);
  while (size != 0) {
    const ssize_t n = ::write(worker_answers, at, size);
    if (n >= 0) {
      at += n;
      size -= static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

struct answer {
  answer_kind kind = answer_kind::value;
  std::string type;
  std::vector<char> text; // or the value
};

std::string current_exception_type() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (!type)
    return "an unknown exception";
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
    abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), std::free);
  return name ? name.get() : type->name();
}

answer call(const process_job& job, std::span<const char> arguments) {
  answer a;
  try {
    a.text = job.call(arguments);
  } catch (const std::exception& e) {
    a.kind = answer_kind::exception;
    a.type = current_exception_type();
    const std::string_view what = e.what();
    a.text.assign(what.begin(), what.end());
  } catch (...) {
    a.kind = answer_kind::exception;
    a.type = current_exception_type();
  }
  return a;
}

bool respond(const answer& a) noexcept {
  const answer_header header{a.kind, a.type.size(), a.text.size()};
  return write_all(&header, sizeof header) && write_all(a.type.data(), a.type.size())
         && write_all(a.text.data(), a.text.size());
}

int work() {
  // What is left of a parent that has crashed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGINT, SIG_IGN); // NOLINT: Ctrl-C is for the parent, which then ends this
  ::fcntl(worker_requests, F_SETFD, FD_CLOEXEC);
  ::fcntl(worker_answers, F_SETFD, FD_CLOEXEC);
  request_header header{};
  while (read_all(&header, sizeof header)) {
    std::string name(header.name_size, '\0');
    std::vector<char> arguments(header.size);
    if (!read_all(name.data(), name.size()) || !read_all(arguments.data(), arguments.size()))
      break;
    const process_job* job = find_process_job(name);
    const answer a = job ? call(*job, arguments) : answer{answer_kind::unknown_function, {}, {}};
    std::cout.flush();
    std::fflush(stdout);
    if (!respond(a))
      break;
  }
  return EXIT_SUCCESS;
}

} // namespace

} // namespace detail

std::optional<int> run_process_worker(int argc, char** argv) {
  if (argc != 2 || argv[1] != detail::worker_argument)
    return std::nullopt;
  if (::fcntl(detail::worker_requests, F_GETFD) < 0
      || ::fcntl(detail::worker_answers, F_GETFD) < 0) {
    std::cerr << argv[0] << ": " << detail::worker_argument << " is for worker processes\n";
    return 2;
  }
  return detail::work();
}

} // namespace troupe
