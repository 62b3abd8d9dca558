// SPDX-License-Identifier: BSD-3-Clause
// Trying again, staying connected, and finding half-open connections.
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/loopback.hpp"
#include "support/stream_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::loopback;
using troupe_test::read_text;

namespace {

retry_policy exact() {
  retry_policy p;
  p.first_delay = 1s;
  p.max_delay = 10s;
  p.jitter = 0;
  p.attempts = 6;
  return p;
}

connection_refused refused() {
  return {std::make_error_code(std::errc::connection_refused), "connect to", "nowhere"};
}

} // namespace

BOOST_AUTO_TEST_SUITE(retrying)

BOOST_AUTO_TEST_CASE(delays_grow_up_to_their_limit_and_attempts_are_counted) {
  const retry_policy policy = exact();
  backoff b(policy);
  std::vector<duration> delays;
  while (const auto d = b.next())
    delays.push_back(*d);
  BOOST_TEST((delays == std::vector<duration>{1s, 2s, 4s, 8s, 10s}));
  BOOST_TEST(b.failures() == 6U);
  b.reset();
  BOOST_TEST((b.next() == duration(1s)));
  retry_policy for_ever = exact();
  for_ever.attempts = 0;
  backoff endless(for_ever);
  for (int i = 0; i < 10'000; ++i) // no overflow either
    BOOST_REQUIRE((endless.next().value() <= 10s));
}

BOOST_AUTO_TEST_CASE(jitter_only_shortens) {
  retry_policy policy = exact();
  policy.jitter = 0.5;
  bool different = false;
  std::optional<duration> before;
  for (int i = 0; i < 100; ++i) {
    backoff b(policy);
    const duration d = *b.next();
    BOOST_TEST((d <= 1s && d >= 500ms));
    different = different || (before && *before != d);
    before = d;
  }
  BOOST_TEST(different);
}

BOOST_AUTO_TEST_CASE(transient_failures_are_retried_and_others_are_not) {
  run_virtually([]() -> task<> {
    const time_point began = current_time();
    int calls = 0;
    auto policy = exact();
    std::vector<std::string> heard;
    policy.on_retry = [&](const std::exception_ptr& why, duration) {
      heard.push_back(describe(why));
    };
    const int value = co_await retry(policy, [&]() -> task<int> {
      if (++calls < 4)
        throw refused();
      co_return 42;
    });
    BOOST_TEST(value == 42);
    BOOST_TEST(calls == 4);
    BOOST_TEST((current_time() - began == 7s));
    BOOST_TEST(heard
               == std::vector<std::string>(3, "cannot connect to nowhere: Connection refused"));
    calls = 0;
    BOOST_CHECK_THROW(co_await retry(policy,
                                     [&]() -> task<> {
                                       ++calls;
                                       throw std::logic_error("a mistake");
                                       co_return;
                                     }),
                      std::logic_error);
    BOOST_TEST(calls == 1);
    calls = 0;
    BOOST_CHECK_THROW(co_await retry(policy,
                                     [&]() -> task<> {
                                       ++calls;
                                       throw refused();
                                       co_return;
                                     }),
                      connection_refused);
    BOOST_TEST(calls == 6);
  });
}

BOOST_AUTO_TEST_CASE(waiting_for_the_next_attempt_can_be_cancelled) {
  run_virtually([]() -> task<> {
    const auto policy = exact();
    const time_point began = current_time();
    BOOST_TEST(!co_await move_on_after(2500ms, [&]() -> task<> {
      co_await retry(policy, []() -> task<> {
        throw refused();
        co_return;
      });
    }));
    BOOST_TEST((current_time() - began == 2500ms));
  });
}

BOOST_AUTO_TEST_CASE(what_is_transient) {
  const auto is = [](const auto& e) { return is_transient(std::make_exception_ptr(e)); };
  BOOST_TEST(is(refused()));
  BOOST_TEST(is(timeout_error("late")));
  BOOST_TEST(is(incomplete_read_error("x", "", 3)));
  const auto both = [](auto one, auto other) {
    return exception_group(
      {{std::make_exception_ptr(one), "reader"}, {std::make_exception_ptr(other), "writer"}});
  };
  BOOST_TEST(is(both(refused(), timeout_error("late"))));
  BOOST_TEST(!is(both(refused(), usage_error("x"))));
  BOOST_TEST(!is(std::runtime_error("x")));
  BOOST_TEST(!is(usage_error("x")));
  BOOST_TEST(!is(net_error(std::make_error_code(std::errc::permission_denied), "x", "y")));
}

BOOST_AUTO_TEST_CASE(client_survives_a_server_that_restarts) {
  run_virtually([]() -> task<> {
    std::optional<tcp_listener> server(std::in_place, std::uint16_t(0), loopback);
    const auto port = server->port();
    auto policy = exact();
    std::vector<std::string> got;
    int retries = 0;
    policy.on_retry = [&](const std::exception_ptr&, duration) {
      if (++retries == 3) // it is down for a while
        server.emplace(port, loopback);
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        tcp_stream first = co_await server->accept();
        co_await first.write_all("one\n");
        co_await read_text(first); // it has been heard
        server.reset();
        first.abort();
      });
      co_await stay_connected(
        policy, [&]() { return open_tcp_stream("127.0.0.1", port); },
        [&](tcp_stream& s) -> task<> {
          if (got.empty()) {
            buffered_reader in(s);
            got.push_back(co_await in.read_until("\n"));
            co_await s.write_all("thanks");
            co_await in.read_until("\n"); // reset
          } else {
            got.push_back("again");
          }
        });
    });
    BOOST_TEST(got == (std::vector<std::string>{"one\n", "again"}));
    BOOST_TEST(retries == 3);
  });
}

BOOST_AUTO_TEST_CASE(long_session_begins_the_count_anew) {
  run_virtually([]() -> task<> {
    auto policy = exact();
    policy.attempts = 2;
    policy.reset_after = 60s;
    int sessions = 0;
    BOOST_CHECK_THROW(co_await stay_connected(
                        policy, []() -> task<int> { co_return 1; },
                        [&](int) -> task<> {
                          co_await sleep_for(++sessions < 5 ? 60s : 59s);
                          throw refused();
                        }),
                      connection_refused);
    BOOST_TEST(sessions == 5);
  });
}

BOOST_AUTO_TEST_CASE(half_open_connection_is_found) {
  run_virtually([]() -> task<> {
    auto ends = unix_stream_pair(); // nobody at the other end
    const time_point began = current_time();
    int pings = 0;
    const heartbeat_options options{.interval = 10s, .limit = 35s};
    try {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_service([&]() -> task<> {
          co_await heartbeat(ends.first, options, [&]() -> task<> {
            ++pings;
            co_await ends.first.write_all("ping\n");
          });
        });
        co_await read_text(ends.first);
      });
      BOOST_ERROR("not found");
    } catch (const connection_timeout& e) {
      BOOST_TEST(e.what() == "cannot hear from the other end: Connection timed out");
    }
    BOOST_TEST(pings == 3);
    BOOST_TEST((current_time() - began == 35s));
  });
}

BOOST_AUTO_TEST_CASE(peer_that_answers_is_left_alone) {
  run_virtually([]() -> task<> {
    auto ends = unix_stream_pair();
    int pings = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> { co_await troupe_test::echo(ends.second); });
      n.start_service([&]() -> task<> {
        co_await heartbeat(ends.first, heartbeat_options(), [&]() -> task<> {
          ++pings;
          co_await ends.first.write_all("ping\n");
        });
      });
      static_cast<void>(co_await move_on_after(1h, [&]() -> task<> {
        while (!(co_await read_text(ends.first)).empty()) {
        }
      }));
    });
    BOOST_TEST(pings > 200);
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(outcomes)

BOOST_AUTO_TEST_CASE(failures_come_as_values) {
  run([]() -> task<> {
    const auto wrong = co_await as_outcome(open_tcp_stream(std::string("127.0.0.1"), 1));
    BOOST_TEST(!wrong);
    BOOST_TEST(wrong.failed());
    BOOST_TEST((wrong.code() == std::errc::connection_refused));
    auto ends = unix_stream_pair();
    const auto right = co_await as_outcome(ends.first.write_all("x"));
    BOOST_TEST(right.has_value());
    BOOST_TEST((right.code() == std::error_code()));
    const auto text = co_await as_outcome(read_text(ends.second));
    BOOST_TEST(text.value() == "x");
  });
}

BOOST_AUTO_TEST_SUITE_END()
