// SPDX-License-Identifier: BSD-3-Clause
// Fails the k-th allocation, and the k-th system call of a socket, of small programs,
// for every k.
#include "fault_injection.hpp"
#include "p24_scenarios.hpp"
#include "support/contains.hpp"

#include <troupe/testing/failing_allocations.hpp>
#include <troupe/testing/injection.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <dirent.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

using namespace troupe;
namespace faults = troupe_test::faults;

namespace {

enum class kind { nothing, memory, io, other };

/// What has come out of a run.
kind kind_of(const std::exception_ptr& e) {
  if (testing::is_out_of_memory(e))
    return kind::memory;
  try {
    std::rethrow_exception(e);
  } catch (const std::system_error&) {
    return kind::io;
  } catch (const exception_group& group) {
    const kind first = kind_of(group.failures().front().error);
    for (const auto& f : group.failures())
      if (kind_of(f.error) != first)
        return kind::other;
    return first;
  } catch (...) {
    return kind::other;
  }
}

const char* current_scenario = "";

/// Says where the program was when it should not have ended.
[[noreturn]] void say_where() {
  std::fprintf(stderr, "terminated in '%s', allocation %zu\n", current_scenario,
               testing::allocations.seen());
  std::abort();
}

struct outcome_of_run {
  kind what = kind::nothing;
  std::string text; // of what is none of these
  std::size_t seen = 0;
  long leaked = 0; // blocks
  long left_open = 0;
};

long open_descriptors() noexcept {
  long n = 0;
  if (DIR* all = ::opendir("/proc/self/fd")) {
    while (::readdir(all))
      ++n;
    ::closedir(all);
  }
  return n;
}

/// With system call `k` failing.
outcome_of_run run_once(const p24::scenario& s, p24::ledger& l, std::size_t k) {
  current_scenario = s.name;
  outcome_of_run result;
  std::set_terminate(say_where);
  const long before = testing::allocations.live();
  const long open_before = open_descriptors();
  try {
    run_options options;
    options.loops = s.loops;
    run(options, [&]() -> task<> {
      const testing::armed now(faults::io, k);
      co_await s.body(l);
    });
  } catch (...) {
    result.what = kind_of(std::current_exception());
    if (result.what == kind::other)
      result.text = describe(std::current_exception());
  }
  result.seen = faults::io.seen();
  result.leaked = testing::allocations.live() - before;
  result.left_open = open_descriptors() - open_before;
  return result;
}

void check_after_failure(const p24::scenario& s, const p24::ledger& l, bool finished) {
  p24::check_invariants(s, l, finished);
  BOOST_TEST(l.opened == l.closed + l.unknown);
  BOOST_TEST(l.received <= l.sent + 1); // the sender has not run since
}

void fail_each_allocation(const p24::scenario& s, bool and_all_after, bool whole_run) {
  BOOST_TEST_CONTEXT("scenario '" << s.name << "'") {
    current_scenario = s.name;
    std::set_terminate(say_where);
    std::optional<p24::ledger> l(std::in_place);
    std::optional<long> open; // after the first run
    testing::allocation_options o;
    o.loops = s.loops;
    o.and_all_after = and_all_after;
    o.whole_run = whole_run;
    const auto scenario = [&]() -> task<> { return s.body(l.emplace()); };
    const auto check = [&](const testing::injection& i) {
      BOOST_TEST_CONTEXT("k = " << i.point) {
        check_after_failure(s, *l, i.finished);
        if (!open)
          open = open_descriptors();
        BOOST_TEST(open_descriptors() == *open);
      }
    };
    std::size_t points = 0;
    try {
      points = testing::for_each_allocation(scenario, check, o);
    } catch (...) {
      BOOST_ERROR(describe(std::current_exception()));
    }
    BOOST_TEST(points > 0U);
    BOOST_TEST_MESSAGE(s.name << ": " << points << " allocations");
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(fault_suite)

BOOST_AUTO_TEST_CASE(p24_failing_the_kth_allocation_leaks_hangs_and_lies_nowhere) {
  for (const auto& s : p24::scenarios())
    fail_each_allocation(s, false, false);
}

BOOST_AUTO_TEST_CASE(p24_failing_all_allocations_from_the_kth_on_leaks_hangs_and_lies_nowhere) {
  for (const auto& s : p24::scenarios())
    fail_each_allocation(s, true, false);
}

// A task's exception may be freed by the thread that called run, with blocks of the loop's.
BOOST_AUTO_TEST_CASE(p24_what_the_caller_has_cached_is_no_leak) {
  testing::simulate(1, []() -> task<> { co_await checkpoint(); }).value(); // it caches from now on
  for (const auto& s : p24::scenarios())
    if (s.name == std::string_view("locals and handlers"))
      fail_each_allocation(s, false, false);
}

BOOST_AUTO_TEST_CASE(p24_failing_the_kth_allocation_of_the_runtime_itself) {
  for (const auto& s : p24::scenarios())
    if (s.loops == 2 || s.uses_sockets)
      fail_each_allocation(s, false, true);
}

BOOST_AUTO_TEST_CASE(p24_failing_the_kth_system_call_of_a_socket) {
  for (const auto& s : p24::scenarios()) {
    if (!s.uses_sockets)
      continue;
    // Not EAGAIN: the kernel's is followed by an event, one of ours is not.
    for (const int error : {ECONNRESET, EPIPE, EMFILE, ENOMEM, EINTR, ECONNABORTED}) {
      faults::io_error(error);
      p24::ledger warm_up;
      run_once(s, warm_up, 1);
      for (std::size_t k = 1;; ++k) {
        bool over = false;
        BOOST_TEST_CONTEXT("errno " << error << ", k = " << k) {
          p24::ledger l;
          const auto o = run_once(s, l, k);
          BOOST_TEST((o.what != kind::other), o.text);
          check_after_failure(s, l, o.what == kind::nothing);
          over = o.seen < k;
          BOOST_TEST(o.leaked == 0);
          BOOST_TEST(o.left_open == 0);
        }
        if (over)
          break;
        BOOST_REQUIRE(k < 1000);
      }
    }
  }
}

#if !defined(__SANITIZE_ADDRESS__) // caches nothing then
BOOST_AUTO_TEST_CASE(as_many_tasks_as_have_ended_start_without_malloc) {
  std::size_t seen = 0;
  run_options options;
  options.loops = 1;
  run(options, [&]() -> task<> {
    for (int round = 0; round < 2; ++round) {
      const testing::armed counted(testing::allocations, 0);
      co_await with_nursery([](nursery& n) -> task<> {
        for (int i = 0; i < 5000; ++i)
          n.start_soon(named("a child", []() -> task<> { co_await checkpoint(); }));
        co_return;
      });
      seen = testing::allocations.seen();
    }
  });
  BOOST_TEST(seen < 10U);
}
#endif

// Each element needs memory of its own in the buffer.
struct big {
  int number = 0;
  std::array<char, 600> rest{};
};

BOOST_AUTO_TEST_CASE(p11_p24_no_value_is_lost_when_a_channel_has_no_memory) {
  constexpr int count = 6;
  for (std::size_t k = 1; k < 30; ++k) {
    BOOST_TEST_CONTEXT("k = " << k) {
      int failures = 0;
      int received = 0;
      bool in_order = true;
      run_options options;
      options.loops = 1;
      run(options, [&]() -> task<> {
        auto ends = make_channel<big>(2);
        co_await with_nursery([&](nursery& n) -> task<> {
          n.start_soon([&]() -> task<> {
            for (int i = 0; i < count;) {
              try {
                co_await ends.tx.send(big{i});
                ++i;
              } catch (const std::bad_alloc&) {
                ++failures;
              }
            }
          });
          n.start_soon([&]() -> task<> {
            for (int i = 0; i < count;) {
              try {
                const auto value = co_await ends.rx.receive();
                in_order &= value.number == i++;
                ++received;
              } catch (const std::bad_alloc&) {
                ++failures;
              }
              co_await checkpoint();
            }
          });
          testing::allocations.arm(k);
          co_return;
        });
        testing::allocations.disarm();
        const auto seen = ends.rx.statistics();
        in_order &= seen.sent == count && seen.received == count && seen.buffered == 0;
      });
      BOOST_TEST(in_order);
      BOOST_TEST(received == count);
      BOOST_TEST(failures <= 1);
    }
  }
}

/// What `for_each_allocation` says of a program; empty if it is found to be right.
std::string verdict_of(const std::function<task<>()>& program) {
  try {
    testing::for_each_allocation(program, [](const testing::injection&) {});
  } catch (const testing::test_failure& e) {
    return e.what();
  }
  return {};
}

BOOST_AUTO_TEST_CASE(what_a_program_does_wrong_without_memory_is_found) {
  using troupe_test::contains;
  constexpr std::size_t size = 100;
  std::array<std::unique_ptr<std::string>, 100> kept;
  std::size_t runs = 0;
  const auto leaks = [&]() -> task<> {
    auto& first = kept.at(runs++);
    first = std::make_unique<std::string>(size, 'x');
    co_await checkpoint();
    const std::string second(size, 'y'); // when this fails, the first one is forgotten
    first.reset();
  };
  std::string verdict = verdict_of(leaks);
  BOOST_TEST(contains(verdict, "blocks of memory are left"), verdict);

  const auto disguises = []() -> task<> {
    try {
      const std::string text(size, 'x');
      co_await checkpoint();
    } catch (const std::bad_alloc&) {
      throw std::logic_error("something else");
    }
  };
  verdict = verdict_of(disguises);
  BOOST_TEST(contains(verdict, "allocation "), verdict);
  BOOST_TEST(contains(verdict, "something else"), verdict);

  const auto day = []() -> task<> { // on virtual time
    const std::string text(size, 'x');
    co_await sleep_for(std::chrono::hours(24));
  };
  BOOST_TEST(verdict_of(day) == "");
}

BOOST_AUTO_TEST_SUITE_END()
