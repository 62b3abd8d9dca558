// SPDX-License-Identifier: BSD-3-Clause
// P26 for clocks: those of the runtime keep the rules, and a clock that breaks one is found out.
#include <troupe/testing/check_clock.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Jumps to the next timer, and now and then back, for some calls: whoever asks then hears of it,
/// the loop or the one who checks.
class broken_clock final : public troupe::detail::time_source {
public:
  [[nodiscard]] time_point now() const noexcept override {
    return now_ - (++asked_ % 16 >= 12 ? 5us : 0us);
  }
  bool idle(troupe::detail::loop&, time_point next) noexcept override {
    if (next == time_point::max())
      return false; // before the root has come, too
    now_ = next;
    return true;
  }
  void busy(troupe::detail::loop&) noexcept override {}

private:
  time_point now_ = time_point(24h);
  mutable int asked_ = 0;
};

/// Has another time for each thread.
class torn_clock final : public troupe::detail::time_source {
public:
  [[nodiscard]] time_point now() const noexcept override {
    thread_local const duration own = ++threads_ * 1s;
    return troupe::clock::now() + own;
  }
  bool idle(troupe::detail::loop&, time_point next) noexcept override {
    return next != time_point::max(); // looks again until it is time
  }
  void busy(troupe::detail::loop&) noexcept override {}

private:
  static inline std::atomic<int> threads_{0};
};

} // namespace

BOOST_AUTO_TEST_SUITE(check_clock_suite)

BOOST_AUTO_TEST_CASE(p26_virtual_clock_keeps_the_rules) {
  run_virtually([] { return check_clock(); });
  run_virtually([] { return check_clock(); }, 3);
}

BOOST_AUTO_TEST_CASE(p26_real_clock_keeps_the_rules) {
  const run_options three{.loops = 3};
  run(three, [] { return check_clock(); });
}

BOOST_AUTO_TEST_CASE(p26_clock_that_runs_back_is_found_out) {
  broken_clock clock;
  run_options options{.loops = 1};
  options.time = &clock;
  BOOST_CHECK_EXCEPTION(run(options, [] { return check_clock(); }), test_failure, [](auto& e) {
    return std::string(e.what()).starts_with(
      "check_clock: time does not run backwards: it runs back by 5000 ns");
  });
}

BOOST_AUTO_TEST_CASE(p26_clock_that_differs_from_loop_to_loop_is_found_out) {
  torn_clock clock;
  run_options options{.loops = 2};
  options.time = &clock;
  BOOST_CHECK_EXCEPTION(run(options, [] { return check_clock(); }), test_failure, [](auto& e) {
    return std::string(e.what()).starts_with("check_clock: time is one on all loops: it is ");
  });
}

BOOST_AUTO_TEST_SUITE_END()
