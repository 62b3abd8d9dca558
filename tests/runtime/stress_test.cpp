// SPDX-License-Identifier: BSD-3-Clause
// Random trees of tasks on one to four loops, on virtual time. What a tree does follows
// from its seed; what must hold however its tasks interleave is counted. A failing seed is
// printed, and TROUPE_SEED=n runs that tree alone.
#include "support/sanitized.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

/// Splitmix64: small, and the same everywhere.
class dice {
public:
  explicit dice(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t operator()() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  int below(int n) noexcept { return static_cast<int>((*this)() % static_cast<unsigned>(n)); }
  bool one_in(int n) noexcept { return below(n) == 0; }

private:
  std::uint64_t state_;
};

/// The model: what was begun has to be ended, what was thrown has to arrive.
struct model {
  static constexpr int most_tasks = 150;
  static constexpr int most_failures = 4096;

  std::atomic<int> tasks{0};
  std::atomic<int> alive{0}; // objects in frames
  std::atomic<int> shields_begun{0};
  std::atomic<int> shields_ended{0};
  std::atomic<int> cleanups_due{0};
  std::atomic<int> cleanups_ended{0};
  std::atomic<int> failures{0};
  std::array<std::atomic<int>, most_failures> arrived{};

  void wrong(const std::string& what) {
    const std::lock_guard lock(mutex_);
    if (problem_.empty())
      problem_ = what;
  }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; } // at the end

private:
  std::mutex mutex_;
  std::string problem_;
};

struct failure : std::runtime_error {
  explicit failure(int n) : std::runtime_error("failure " + std::to_string(n)), number(n) {}
  int number;
};

[[noreturn]] void fail(model& m) { throw failure(m.failures++); }

/// A failure has come to somebody who deals with it.
void arrive(model& m, const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const failure& f) {
    ++m.arrived[static_cast<std::size_t>(f.number)];
  } catch (const exception_group& group) {
    for (const auto& f : group.failures())
      arrive(m, f.error);
  } catch (const start_error&) { // NOLINT(bugprone-empty-catch): a child was cancelled
  } catch (const std::exception& other) {
    m.wrong(std::string("this should not have been thrown: ") + other.what());
  }
}

class tracked {
public:
  explicit tracked(std::atomic<int>& n) noexcept : count_(n) { ++count_; }
  tracked(const tracked&) = delete;
  tracked& operator=(const tracked&) = delete;
  ~tracked() { --count_; }

private:
  std::atomic<int>& count_;
};

/// The children of one nursery; none may be left when this goes.
struct brood {
  explicit brood(model& of) noexcept : m(of) {}
  brood(const brood&) = delete;
  brood& operator=(const brood&) = delete;
  ~brood() {
    if (alive != 0)
      m.wrong("a child has outlived its nursery");
  }

  model& m;
  std::atomic<int> alive{0};
};

/// Never shorter, and on virtual time never longer.
task<> sleep_exactly(model& m, duration d) {
  const auto until = current_time() + d;
  co_await sleep_for(d);
  if (current_time() != until)
    m.wrong("a sleep has ended at the wrong time");
}

task<> act(model& m, dice d, int depth, nursery* around);

std::uint64_t value_of(dice d) noexcept { return d() ^ 1U; }

task<std::uint64_t> child(brood& b, dice d, int depth, nursery* around) {
  const tracked in_nursery(b.alive);
  const tracked here(b.m.alive);
  ++b.m.tasks;
  co_await act(b.m, d, depth, around);
  co_return value_of(d);
}

task<std::uint64_t> far_child(brood& b, dice d, int depth, canceller nursery_of_it) {
  const tracked in_nursery(b.alive);
  const tracked here(b.m.alive);
  ++b.m.tasks;
  co_await act(b.m, d, depth, nullptr);
  if (value_of(d) % 6 == 0)
    nursery_of_it.cancel("a child on another loop");
  co_return value_of(d);
}

task<> starting_child(task_status<std::uint64_t>& status, brood& b, dice d, int depth) {
  const tracked in_nursery(b.alive);
  const tracked here(b.m.alive);
  ++b.m.tasks;
  co_await act(b.m, d, depth, nullptr);
  status.started(value_of(d));
  co_await act(b.m, d, depth, nullptr);
}

/// `handled`: a failure also goes to the nursery's handler.
task<> use_child(model& m, dice& d, nursery& n, bool handled, task_handle<std::uint64_t> handle,
                 dice of_child) {
  switch (d.below(5)) {
  case 0: handle.cancel("its parent"); break;
  case 1: n.cancel("the body"); break;
  case 2: n.stop(1us * d.below(50), "the body"); break;
  default:
    try {
      if (co_await handle != value_of(of_child))
        m.wrong("a wrong result");
    } catch (const task_cancelled&) { // NOLINT(bugprone-empty-catch): alone, by its handle
    } catch (const failure&) {
      if (!handled)
        throw;
    }
  }
}

task<> open_nursery(model& m, dice d, int depth) {
  brood b(m);
  const bool deals_with_failures = d.one_in(2);
  try {
    nursery_options options;
    options.always_group = d.one_in(4);
    co_await with_nursery(options, [&](nursery& n) -> task<> {
      const tracked here(m.alive);
      const bool handled = d.one_in(8);
      if (handled)
        n.on_error<failure>(
          [&m](const failure& f) { ++m.arrived[static_cast<std::size_t>(f.number)]; });
      for (int children = 1 + d.below(4); children != 0; --children) {
        const dice theirs(d());
        switch (d.below(6)) {
        case 0: {
          auto h = n.start_on(static_cast<unsigned>(d.below(4)), far_child, std::ref(b), theirs,
                              depth, n.scope().remote());
          if (d.one_in(3))
            co_await use_child(m, d, n, handled, h, theirs);
          break;
        }
        case 1: {
          const auto value = co_await n.start(starting_child, std::ref(b), theirs, depth);
          dice after = theirs;
          if (value != value_of(after))
            m.wrong("a wrong value from start");
          break;
        }
        case 2: n.start_service(child, std::ref(b), theirs, depth, nullptr); break;
        default: {
          auto h = n.start_soon(child, std::ref(b), theirs, depth, &n);
          if (d.one_in(4))
            co_await use_child(m, d, n, handled, h, theirs);
        }
        }
      }
      co_await act(m, dice(d()), 0, nullptr);
    });
  } catch (...) {
    if (!deals_with_failures)
      throw;
    arrive(m, std::current_exception());
  }
}

task<> within_deadline(model& m, dice d, int depth) {
  const auto end = current_time() + 1us * d.below(40);
  const bool in_time =
    co_await move_on_at(end, [&m, d, depth]() -> task<> { co_await act(m, d, depth, nullptr); });
  if (!in_time && current_time() < end)
    m.wrong("a deadline was early");
}

task<> shielded_part(model& m, dice d) {
  co_await shielded([&m, &d]() -> task<> {
    const tracked here(m.alive);
    ++m.shields_begun;
    co_await sleep_exactly(m, 1us * d.below(20));
    co_await checkpoint();
    ++m.shields_ended;
  });
}

task<> cleaned_up(model& m, dice d, int depth) {
  co_await with_cleanup(
    [&m, &d, depth]() -> task<> {
      const tracked here(m.alive);
      ++m.cleanups_due;
      co_await act(m, dice(d()), depth, nullptr);
    },
    [&m, &d]() -> task<> {
      co_await checkpoint();
      co_await sleep_exactly(m, 1us * d.below(10));
      ++m.cleanups_ended;
    });
}

/// What a task does: some actions in a row, which may nest up to `depth`.
task<> act(model& m, dice d, int depth, nursery* around) {
  const tracked here(m.alive);
  const bool nest = depth > 0 && m.tasks < model::most_tasks;
  for (int actions = 1 + d.below(3); actions != 0; --actions) {
    switch (d.below(nest ? 12 : 6)) {
    case 0:
    case 1: co_await sleep_exactly(m, 1us * d.below(30)); break;
    case 2: co_await checkpoint(); break;
    case 3: co_await shielded_part(m, dice(d())); break;
    case 4:
      if (d.one_in(5))
        fail(m);
      break;
    case 5:
      if (around && d.one_in(4))
        around->cancel("a child");
      break;
    case 6: co_await within_deadline(m, dice(d()), depth - 1); break;
    case 7: co_await cleaned_up(m, dice(d()), depth - 1); break;
    case 8:
      co_await gather(act(m, dice(d()), depth - 1, nullptr), act(m, dice(d()), depth - 1, nullptr));
      break;
    default: co_await open_nursery(m, dice(d()), depth - 1);
    }
  }
}

char current_seed[64] = "";

void out_of_time(int) {
  static_cast<void>(::write(2, current_seed, sizeof current_seed));
  std::abort();
}

struct totals {
  int tasks = 0;
  int failures = 0;
  int cleanups = 0;
  int shields = 0;
};

void grow_tree(std::uint64_t seed, totals& sum) {
  const auto loops = static_cast<unsigned>(1 + seed % 4);
  std::snprintf(current_seed, sizeof current_seed, "hangs with TROUPE_SEED=%llu\n",
                static_cast<unsigned long long>(seed));
  auto m = std::make_unique<model>();
  try {
    troupe::testing::run_virtually(
      [&]() -> task<> {
        dice d(seed);
        // now and then the whole tree is cancelled
        co_await move_on_after(d.one_in(3) ? 1us * d.below(200) : 1h,
                               [&]() -> task<> { co_await open_nursery(*m, dice(d()), 4); });
      },
      loops);
  } catch (...) {
    arrive(*m, std::current_exception());
  }
  sum.tasks += m->tasks;
  sum.failures += m->failures;
  sum.cleanups += m->cleanups_due;
  sum.shields += m->shields_begun;
  BOOST_TEST(m->problem() == "");
  BOOST_TEST(m->alive == 0);
  BOOST_TEST(m->shields_begun == m->shields_ended);
  BOOST_TEST(m->cleanups_due == m->cleanups_ended);
  for (std::size_t i = 0; i < static_cast<std::size_t>(m->failures); ++i)
    BOOST_TEST(m->arrived[i] == 1, "failure " << i << " has arrived " << m->arrived[i] << " times");
}

constexpr std::uint64_t trees = troupe_test::sanitized ? 300 : 2500;

} // namespace

BOOST_AUTO_TEST_SUITE(stress_suite)

BOOST_AUTO_TEST_CASE(p01_p02_p08_p09_random_trees_keep_all_promises) {
  const auto before = std::signal(SIGALRM, out_of_time);
  totals sum;
  const char* only = std::getenv("TROUPE_SEED");
  const std::uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1;
  for (std::uint64_t seed = first; seed < (only ? first + 1 : first + trees); ++seed) {
    BOOST_TEST_CONTEXT("TROUPE_SEED=" << seed) {
      ::alarm(40);
      grow_tree(seed, sum);
    }
  }
  ::alarm(0);
  std::signal(SIGALRM, before);
  BOOST_TEST_MESSAGE(sum.tasks << " tasks, " << sum.failures << " failures, " << sum.cleanups
                               << " clean-ups, " << sum.shields << " shielded parts");
}

BOOST_AUTO_TEST_SUITE_END()
