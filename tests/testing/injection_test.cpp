// SPDX-License-Identifier: BSD-3-Clause
// What is wrong with a program that is cut off at each of its checkpoints is found, and said.
#include "support/contains.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/event.hpp>
#include <troupe/nursery.hpp>
#include <troupe/tcp.hpp>
#include <troupe/testing/injection.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/time.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;

namespace {

constexpr std::array every_cut{cut::scope, cut::task, cut::sibling, cut::failure};

void anything(const injection& /*at*/) {}

/// What is said of `scenario`; empty if it is found to be right.
std::string verdict_of(const std::function<task<>()>& scenario, checkpoint_options how,
                       const injection_check& check = anything) {
  try {
    for_each_checkpoint(scenario, check, how);
  } catch (const test_failure& e) {
    return e.what();
  }
  return {};
}

task<> three_steps() {
  for (int i = 0; i < 3; ++i)
    co_await sleep_for(1ms);
}

} // namespace

BOOST_AUTO_TEST_SUITE(injections)

BOOST_AUTO_TEST_CASE(a_program_that_is_right_is_cut_off_in_each_of_its_checkpoints) {
  for (const cut how : every_cut) {
    checkpoint_options options;
    options.how = how;
    int finished = 0;
    const auto count = [&](const injection& at) { finished += at.finished; };
    const std::size_t points = for_each_checkpoint(three_steps, count, options);
    BOOST_TEST(points >= 3U);
    BOOST_TEST(points <= 6U);
    BOOST_TEST(finished >= 1);
    BOOST_TEST(finished <= 3); // at the end, when nothing is left to be cut off
  }
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_left_is_found) {
  for (const cut how : every_cut) {
    std::optional<task<>> kept;
    const auto leaks = [&]() -> task<> {
      co_await three_steps();
      kept.emplace(three_steps());
    };
    checkpoint_options options;
    options.how = how;
    BOOST_TEST(contains(verdict_of(leaks, options), "1 coroutine frame"));
  }
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_left_is_found) {
  int kept = -1;
  const auto leaks = [&]() -> task<> {
    co_await checkpoint();
    kept = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  };
  const std::string verdict = verdict_of(leaks, {});
  ::close(kept);
  BOOST_TEST(contains(verdict, "descriptor " + std::to_string(kept) + ": /dev/null"), verdict);
}

BOOST_AUTO_TEST_CASE(a_check_that_fails_is_said_with_its_point) {
  for (const cut how : every_cut) {
    int open = 0;
    const auto forgets = [&]() -> task<> {
      open = 1;
      co_await sleep_for(1ms);
      co_await sleep_for(1ms);
      open = 0; // not when it is cut off
    };
    checkpoint_options options;
    options.how = how;
    const std::string verdict = verdict_of(forgets, options, [&](const injection&) {
      if (open != 0)
        throw std::logic_error("left open");
    });
    BOOST_TEST(contains(verdict, "cut off after step "), verdict);
    BOOST_TEST(contains(verdict, "left open"), verdict);
  }
}

BOOST_AUTO_TEST_CASE(another_failure_than_was_made_is_found) {
  const auto disguises = []() -> task<> {
    try {
      co_await three_steps();
    } catch (const std::exception&) {
      throw std::logic_error("something else");
    }
  };
  checkpoint_options options;
  options.how = cut::failure;
  BOOST_TEST(contains(verdict_of(disguises, options), "something else"));
  options.how = cut::scope; // throws nothing that it could disguise
  BOOST_TEST(verdict_of(disguises, options) == "");
}

BOOST_AUTO_TEST_CASE(a_task_below_fails_too_and_all_failures_may_be_the_one_that_was_made) {
  const auto parents = []() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      n.start_soon(three_steps);
      n.start_soon(three_steps);
      co_return;
    });
  };
  checkpoint_options options;
  options.how = cut::failure;
  std::size_t failed = 0;
  const std::size_t points = for_each_checkpoint(
    parents, [&](const injection& at) { failed += !at.finished; }, options);
  BOOST_TEST(points >= 6U);
  BOOST_TEST(failed >= 6U);
}

BOOST_AUTO_TEST_CASE(it_fails_with_what_was_asked_for) {
  int heard = 0;
  const auto hears = [&]() -> task<> {
    try {
      co_await three_steps();
    } catch (const std::domain_error& e) {
      heard += e.what() == std::string("as asked");
    }
  };
  checkpoint_options options;
  options.how = cut::failure;
  options.error = std::make_exception_ptr(std::domain_error("as asked"));
  BOOST_TEST(verdict_of(hears, options) == "");
  BOOST_TEST(heard == 3);
}

BOOST_AUTO_TEST_CASE(a_program_that_does_not_end_after_a_failure_is_found) {
  const auto waits_for_ever = []() -> task<> {
    event answered;
    bool failed = false;
    try {
      co_await three_steps();
      answered.set();
    } catch (const std::exception&) {
      failed = true;
    }
    if (failed)
      co_await answered.wait();
  };
  checkpoint_options options;
  options.how = cut::failure;
  const std::string verdict = verdict_of(waits_for_ever, options);
  BOOST_TEST(contains(verdict, "cut off after step 1: "), verdict);
  BOOST_TEST(contains(verdict, "deadlock"), verdict);
}

BOOST_AUTO_TEST_CASE(an_invariant_holds_after_each_step) {
  int in_use = 0;
  const auto uses_too_much = [&]() -> task<> {
    in_use = 0;
    co_await checkpoint();
    in_use = 2;
    co_await checkpoint();
    in_use = 0;
  };
  checkpoint_options options;
  options.invariants = {{"one at the most", [&] { return in_use <= 1; }}};
  const std::string verdict = verdict_of(uses_too_much, options);
  BOOST_TEST(contains(verdict, "one at the most"), verdict);
}

BOOST_AUTO_TEST_CASE(a_service_on_a_simulated_network_is_cut_off_too) {
  simulated_network net;
  net.add_host("server");
  net.add_host("client");
  int answered = 0;
  const auto answer = []() -> task<> {
    tcp_listener listener(80);
    tcp_stream client = co_await listener.accept();
    std::array<std::byte, 8> text{};
    const std::size_t got = co_await client.read_some(text);
    co_await client.write_all(std::span(text).first(got));
  };
  const auto ask = [&]() -> task<> {
    co_await sleep_for(1ms); // until it listens
    tcp_stream there = co_await open_tcp_stream("server", 80);
    co_await there.write_all("hello");
    std::array<std::byte, 8> text{};
    answered += co_await there.read_some(text) == 5;
  };
  const auto asks = [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await net.on("server", answer); });
      co_await net.on("client", ask);
    });
  };
  for (const cut how : every_cut) {
    checkpoint_options options;
    options.how = how;
    options.network = &net;
    answered = 0;
    BOOST_TEST(verdict_of(asks, options) == "");
    BOOST_TEST(answered >= 1);
  }
}

BOOST_AUTO_TEST_SUITE_END()
