// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/dead_letters.hpp>
#include <troupe/detail/recycler.hpp>
#include <troupe/detail/runtime.hpp>
#include <troupe/detail/signal_bell.hpp>
#include <troupe/nursery.hpp>
#include <troupe/task_tree.hpp>
#include <troupe/testing/run_test.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>

#include <caf/actor_system.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace troupe::detail {

namespace {

namespace fs = std::filesystem;

/// The entries of a directory of /proc by number, and what `describe` says of each.
template <class Describe>
std::map<int, std::string> numbered(const char* directory, Describe describe) {
  std::map<int, std::string> found;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    int number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    const std::string what = describe(entry.path());
    if (!what.empty()) // gone meanwhile
      found.emplace(number, what);
  }
  return found;
}

std::map<int, std::string> descriptors() {
  return numbered("/proc/self/fd", [](const fs::path& p) -> std::string {
    std::error_code gone;
    const std::string target = fs::read_symlink(p, gone);
    // the one that lists them
    return target.ends_with("/fd") && target.starts_with("/proc/") ? std::string() : target;
  });
}

std::map<int, std::string> threads() {
  return numbered("/proc/self/task", [](const fs::path& p) {
    std::string name;
    std::getline(std::ifstream(p / "comm"), name);
    return name;
  });
}

std::string count_of(std::size_t n, const std::string& what) {
  return std::to_string(n) + ' ' + what + (n == 1 ? "" : "s");
}

void add_new(std::vector<std::string>& leaks, const char* kind,
             const std::map<int, std::string>& before, const std::map<int, std::string>& after) {
  for (const auto& [number, what] : after) {
    const auto known = before.find(number);
    if (known == before.end() || known->second != what)
      leaks.push_back(std::string(kind) + ' ' + std::to_string(number) + ": " + what);
  }
}

/// The first thread of a program may bring one of the sanitizer's along.
void start_first_thread() {
  static const bool started = (std::thread([] {}).join(), true);
  static_cast<void>(started);
}

/// A thread that was joined is listed until the kernel has cleared it away.
void let_threads_go(const std::map<int, std::string>& before) {
  const auto patience = clock::now() + std::chrono::seconds(1);
  const auto others = [&] {
    const auto now = threads();
    return std::any_of(now.begin(), now.end(),
                       [&](const auto& t) { return before.count(t.first) == 0; });
  };
  while (others() && clock::now() < patience)
    std::this_thread::yield();
}

} // namespace

struct leak_check::impl {
  /// On loop `l`, where `own` tasks belong to this check.
  void look_at(loop& l, std::size_t own) {
    const std::string where = " of loop " + std::to_string(l.index());
    if (l.load() > own) {
      leaks.push_back(count_of(l.load() - own, "task") + where + ':');
      leaks.push_back(dump_task_tree());
    }
    if (const std::size_t n = l.timers().size())
      leaks.push_back(count_of(n, "timer") + where);
  }

  void look_at_actors() {
    auto& system = actor_system();
    if (const std::size_t n = system.registry().running()) { // of ordinary ones alone
      leaks.push_back(count_of(n, "CAF actor") + " still running");
      system.await_actors_before_shutdown(false); // it would be for ever
    }
    if (const auto n = dead_letter_count())
      leaks.push_back(count_of(n, "message") + " that nobody has read (dead letters)");
  }

  std::map<int, std::string> descriptors_before = descriptors();
  std::map<int, std::string> threads_before = threads();
  long blocks_before = blocks_in_use_by_all();
  std::vector<std::string> leaks;
};

leak_check::leak_check(bool on) {
  if (!on)
    return;
  start_first_thread();
  impl_ = std::make_unique<impl>();
}

leak_check::~leak_check() = default;

task<> leak_check::look_inside() {
  if (!impl_)
    co_return;
  co_await testing::wait_all_tasks_blocked(); // who was told to end has done so
  loop& here = *loop::current();
  runtime& rt = here.owner();
  impl_->look_at(here, 1); // the root
  if (rt.host())
    impl_->look_at_actors();
  for (unsigned i = 1; i < rt.size(); ++i)
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(
        i,
        [](impl* of) -> task<> {
          of->look_at(*loop::current(), 1);
          co_return;
        },
        impl_.get());
      co_return;
    });
}

void leak_check::done(std::string_view test) {
  if (!impl_)
    return;
  auto& leaks = impl_->leaks;
  if (const long n = blocks_in_use_by_all() - impl_->blocks_before; n > 0)
    leaks.push_back(count_of(static_cast<std::size_t>(n), "coroutine frame")
                    + " (or task blocks) not destroyed");
  auto open = descriptors();
  open.erase(signal_bell()); // stays by design
  add_new(leaks, "descriptor", impl_->descriptors_before, open);
  let_threads_go(impl_->threads_before);
  add_new(leaks, "thread", impl_->threads_before, threads());
  if (leaks.empty())
    return;
  std::string text = "test '" + std::string(test) + "' has leaked:";
  for (const auto& l : leaks)
    text += "\n  " + l;
  throw testing::test_failure(text);
}

} // namespace troupe::detail
