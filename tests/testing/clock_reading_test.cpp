// SPDX-License-Identifier: BSD-3-Clause
#include "clock_reading_library.hpp"
#include "support/contains.hpp"

#include <troupe/testing/injection.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <openssl/x509.h>

#include <chrono>
#include <ctime>
#include <functional>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;

namespace {

/// Of a simulated program in which a task called 'reader' makes this call.
std::string failure_of(const std::function<void()>& call, bool on_thread = false,
                       const simulation_options& options = {}) {
  bool goes_on = false;
  const auto r = simulate(
    1,
    [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(named("reader", [&]() -> task<> {
          co_await sleep_for(1h);
          if (on_thread)
            co_await to_thread(call);
          else
            call();
          co_await sleep_for(1h);
          goes_on = true;
        }));
        co_return;
      });
    },
    options);
  BOOST_TEST(r.failed() == !goes_on);
  return r.why();
}

void read_steady() { static_cast<void>(std::chrono::steady_clock::now()); }
void read_system() { static_cast<void>(std::chrono::system_clock::now()); }
void read_time() { static_cast<void>(std::time(nullptr)); }
void read_timespec() {
  std::timespec now{};
  static_cast<void>(std::timespec_get(&now, TIME_UTC));
}

} // namespace

BOOST_AUTO_TEST_SUITE(clock_reading)

BOOST_AUTO_TEST_CASE(the_clock_of_the_machine_is_refused_by_the_name_of_the_call) {
  const auto text = failure_of(read_steady);
  BOOST_TEST(contains(text, "task 'reader' has read the machine's clock"), text);
  BOOST_TEST(contains(text, "std::chrono::steady_clock::now"), text);
  BOOST_TEST(contains(failure_of(read_system), "std::chrono::system_clock::now"));
  BOOST_TEST(contains(failure_of(read_time), "std::time"));
  BOOST_TEST(contains(failure_of(read_timespec), "std::timespec_get"));
  BOOST_TEST(contains(failure_of([] {
                        timeval now{};
                        ::gettimeofday(&now, nullptr);
                      }),
                      "gettimeofday"));
  BOOST_TEST(contains(failure_of([] {
                        timespec now{};
                        ::clock_gettime(CLOCK_REALTIME, &now);
                      }),
                      "clock_gettime(CLOCK_REALTIME)"));
}

BOOST_AUTO_TEST_CASE(calls_on_threads_are_the_program_as_well) {
  const auto text = failure_of(read_steady, true);
  BOOST_TEST(contains(text, "a call on a thread has read the machine's clock"), text);
}

BOOST_AUTO_TEST_CASE(the_clocks_of_the_simulation_are_not_refused) {
  const auto look = [] {
    static_cast<void>(current_time());
    static_cast<void>(current_wall_time());
  };
  BOOST_TEST(failure_of(look) == "");
  BOOST_TEST(failure_of(look, true) == "");
}

BOOST_AUTO_TEST_CASE(libraries_of_the_program_are_the_program_as_well) {
  BOOST_TEST(contains(failure_of(troupe_test::library_reads_steady_clock), "steady_clock::now"));
  BOOST_TEST(contains(failure_of(troupe_test::library_reads_time), "std::time"));
}

BOOST_AUTO_TEST_CASE(a_program_reads_the_clock_where_it_is_let) {
  simulation_options options;
  options.may_read_clocks = true;
  for (const auto call : {read_steady, read_system, read_time})
    BOOST_TEST(failure_of(call, false, options) == "");

  const auto scenario = []() -> task<> {
    read_steady();
    co_await checkpoint();
  };
  checkpoint_options cuts;
  BOOST_CHECK_THROW(for_each_checkpoint(
                      scenario, [](const injection&) {}, cuts),
                    test_failure);
  cuts.may_read_clocks = true;
  BOOST_TEST(for_each_checkpoint(
               scenario, [](const injection&) {}, cuts)
             > 0);
}

BOOST_AUTO_TEST_CASE(libraries_of_the_system_may_look_at_the_clock_for_themselves) {
  const auto look = [] { ::ASN1_TIME_free(::X509_gmtime_adj(nullptr, 0)); };
  BOOST_TEST(failure_of(look) == "");
}

BOOST_AUTO_TEST_CASE(in_real_runs_the_clock_is_read_as_ever) {
  const auto before = std::chrono::steady_clock::now();
  const auto year = std::chrono::system_clock::now();
  run([&]() -> task<> {
    co_await sleep_for(1ms);
    BOOST_TEST((std::chrono::steady_clock::now() - before >= 1ms));
    BOOST_TEST((std::chrono::system_clock::now() >= year));
    BOOST_TEST(std::time(nullptr) >= std::chrono::system_clock::to_time_t(year));
    timeval now{};
    BOOST_TEST(::gettimeofday(&now, nullptr) == 0);
    BOOST_TEST(now.tv_sec >= std::chrono::system_clock::to_time_t(year));
    std::timespec now_too{};
    BOOST_TEST(std::timespec_get(&now_too, TIME_UTC) == TIME_UTC);
    BOOST_TEST(now_too.tv_sec >= now.tv_sec);
    timespec never{};
    BOOST_TEST(::clock_gettime(clockid_t{1'000'000}, &never) != 0);
  });
}

BOOST_AUTO_TEST_SUITE_END()
