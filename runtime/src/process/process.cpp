// SPDX-License-Identifier: BSD-3-Clause
#include "child_process.hpp"

#include <troupe/error.hpp>
#include <troupe/thread.hpp>

#include <cstring>

namespace troupe {

using namespace detail;

std::string to_string(const exit_status& status) {
  if (status.signal() == 0)
    return "exit code " + std::to_string(status.code());
  const char* name = ::sigabbrev_np(status.signal());
  std::string text = name ? std::string("SIG") + name : "signal " + std::to_string(status.signal());
  if (status.core_dumped())
    text += " (core dumped)";
  return text;
}

namespace {

/// The last lines of what a program has complained about.
std::string_view tail(std::string_view text) {
  constexpr std::size_t limit = 1000;
  while (text.ends_with('\n'))
    text.remove_suffix(1);
  if (text.size() <= limit)
    return text;
  text.remove_prefix(text.size() - limit);
  if (const auto line = text.find('\n'); line != std::string_view::npos)
    text.remove_prefix(line + 1);
  return text;
}

std::string failure_text(const std::string& command, exit_status status, std::string_view errors) {
  std::string text = "'" + command + "' has failed with " + to_string(status);
  if (const auto last = tail(errors); !last.empty())
    (text += ": ") += last;
  return text;
}

constexpr default_io for_streams{child_io::pipe, child_io::pipe, child_io::inherit};

} // namespace

process_failed::process_failed(std::string command, exit_status status, std::string_view errors)
  : std::runtime_error(failure_text(command, status, errors)), command_(std::move(command)),
    status_(status) {}

process detail::process_access::start(const command& what, const default_io& io) {
  loop& home = require_loop("process");
  return process(*child_ptr(new child_process(home, what, spawn(what, io))));
}

task<process> detail::process_access::open(const command& what, const default_io& io) {
  loop& home = require_loop("open_process");
  const auto start = [&] { return spawn(what, io); };
  spawned started = co_await to_thread(start);
  co_return process(*child_ptr(new child_process(home, what, std::move(started))));
}

task<process> open_process(command what) {
  co_return co_await process_access::open(what, for_streams);
}

process::process(const command& what) : process(process_access::start(what, for_streams)) {}
process::process(child_process& started) noexcept : child_(&started) {
  intrusive_ptr_add_ref(child_);
}
process::~process() {
  if (child_) {
    child_->end();
    intrusive_ptr_release(child_);
  }
}

child_process& process::child(const char* what) const {
  if (!child_)
    throw usage_error(std::string("troupe: ") + what + ": the process was moved from");
  return *child_;
}

int process::pid() const noexcept { return child_ ? child_->pid() : -1; }

stream& process::end_of(std::size_t which, const char* what) const {
  if (descriptor_stream* end = child(what).end_of(which))
    return *end;
  throw usage_error(std::string("troupe: ") + what + ": this is no pipe of " + child(what).label());
}

stream& process::std_in() const { return end_of(0, "process::std_in"); }
stream& process::std_out() const { return end_of(1, "process::std_out"); }
stream& process::std_err() const { return end_of(2, "process::std_err"); }

task<exit_status> process::wait() { return child("process::wait").wait(); }

std::optional<exit_status> process::status() const noexcept {
  if (!child_)
    return std::nullopt;
  child_->reap();
  return child_->status();
}

bool process::send_signal(int number) { return child("process::send_signal").send_signal(number); }

task<exit_status> process::stop(duration grace) { return child("process::stop").stop(grace); }
task<exit_status> process::stop() { return stop(child("process::stop").grace()); }

} // namespace troupe
