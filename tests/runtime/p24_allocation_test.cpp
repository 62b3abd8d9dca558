// SPDX-License-Identifier: BSD-3-Clause
// Fails the k-th allocation, and the k-th system call of a socket, of small programs,
// for every k.
#include "fault_injection.hpp"
#include "p24_scenarios.hpp"

#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <dirent.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <system_error>

using namespace troupe;
namespace faults = troupe_test::faults;

namespace {

enum class kind { nothing, memory, io, other };

/// What has come out of a run.
kind kind_of(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::bad_alloc&) {
    return kind::memory;
  } catch (const std::system_error& error) {
    return error.code() == std::errc::not_enough_memory ? kind::memory : kind::io;
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
std::size_t current_k = 0;

/// Says where the program was when it should not have ended.
[[noreturn]] void say_where() {
  std::fprintf(stderr, "terminated in '%s', k = %zu\n", current_scenario, current_k);
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

outcome_of_run run_once(const p24::scenario& s, p24::ledger& l, faults::injector& what,
                        std::size_t k, bool and_all_after, bool whole_run) {
  current_scenario = s.name;
  current_k = k;
  outcome_of_run result;
  std::set_terminate(say_where);
  const long before = faults::live_blocks();
  const long open_before = open_descriptors();
  try {
    run_options options;
    options.loops = s.loops;
    if (whole_run) {
      const faults::armed now(what, k, and_all_after);
      run(options, [&]() { return s.body(l); });
    } else {
      run(options, [&]() -> task<> {
        const faults::armed now(what, k, and_all_after);
        co_await s.body(l);
      });
    }
  } catch (...) {
    result.what = kind_of(std::current_exception());
    if (result.what == kind::other)
      result.text = describe(std::current_exception());
  }
  result.seen = what.seen();
  result.leaked = faults::live_blocks() - before;
  result.left_open = open_descriptors() - open_before;
  return result;
}

void check_invariants(const p24::scenario& s, const p24::ledger& l, bool finished) {
  BOOST_TEST(l.alive == 0);
  BOOST_TEST(l.opened == l.closed + l.unknown);
  BOOST_TEST(!l.out_of_order);
  BOOST_TEST(!l.early);
  BOOST_TEST(l.received <= l.sent + 1); // the sender has not run since
  if (finished)
    BOOST_TEST(l.result == s.result);
}

/// Runs `s` until no allocation is left to fail.
void fail_each_allocation(const p24::scenario& s, bool and_all_after, bool whole_run) {
  BOOST_TEST_CONTEXT("scenario '" << s.name << "'") {
    for (int warm_up = 0; warm_up < 2; ++warm_up) {
      p24::ledger l;
      const auto o = run_once(s, l, faults::allocations, 0, false, whole_run);
      BOOST_TEST((o.what == kind::nothing), o.text);
      check_invariants(s, l, true);
    }
    for (std::size_t k = 1;; ++k) {
      bool over = false;
      BOOST_TEST_CONTEXT("k = " << k) {
        p24::ledger l;
        const auto o = run_once(s, l, faults::allocations, k, and_all_after, whole_run);
        BOOST_TEST((o.what == kind::nothing || o.what == kind::memory), o.text);
        check_invariants(s, l, o.what == kind::nothing);
        over = o.seen < k;
        BOOST_TEST(o.leaked == 0);
        BOOST_TEST(o.left_open == 0);
      }
      if (over) {
        BOOST_TEST_MESSAGE(s.name << ": " << k - 1 << " allocations");
        BOOST_TEST(k > 1);
        break;
      }
      BOOST_REQUIRE(k < 10000);
    }
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
      run_once(s, warm_up, faults::io, 1, false, false);
      for (std::size_t k = 1;; ++k) {
        bool over = false;
        BOOST_TEST_CONTEXT("errno " << error << ", k = " << k) {
          p24::ledger l;
          const auto o = run_once(s, l, faults::io, k, false, false);
          BOOST_TEST((o.what != kind::other), o.text);
          check_invariants(s, l, o.what == kind::nothing);
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
          faults::allocations.arm(k);
          co_return;
        });
        faults::allocations.disarm();
        const auto seen = ends.rx.statistics();
        in_order &= seen.sent == count && seen.received == count && seen.buffered == 0;
      });
      BOOST_TEST(in_order);
      BOOST_TEST(received == count);
      BOOST_TEST(failures <= 1);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
