// SPDX-License-Identifier: BSD-3-Clause
#include "runtime/actor_messages.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace messages;
using troupe::testing::run_virtually;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<mailbox>);
static_assert(detail::message_type<add> && detail::message_type<int>);
static_assert(!detail::message_type<std::thread>);

namespace {

task<> counter(mailbox& in) {
  int total = 0;
  co_await in.serve([&](add msg) { total += msg.by; }, [&](get) -> int { return total; },
                    [&](get_slowly) -> task<int> {
                      co_await sleep_for(1s);
                      co_return total;
                    },
                    [](fail f) -> int { throw std::runtime_error(f.why); },
                    [&](stop) { in.close(); });
}

/// A child that never ends by itself would keep its nursery: end it with the body.
template <class Body>
task<> with_counter(Body body) {
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto c = n.start_actor(counter);
    co_await body(c.address());
    n.cancel();
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(actors)

BOOST_AUTO_TEST_CASE(serves_messages_and_requests_in_order) {
  run([]() -> task<> {
    co_await with_counter([](caf::actor c) -> task<> {
      for (int i = 1; i <= 100; ++i)
        send(c, add{i});
      BOOST_TEST(co_await request<int>(c, forever, get{}) == 5050);
    });
  });
}

BOOST_AUTO_TEST_CASE(handler_that_is_a_coroutine_answers_when_it_is_done) {
  run_virtually([]() -> task<> {
    co_await with_counter([](caf::actor c) -> task<> {
      const auto begin = current_time();
      send(c, add{7});
      BOOST_TEST(co_await request<int>(c, forever, get_slowly{}) == 7);
      BOOST_TEST((current_time() - begin == 1s));
    });
  });
}

BOOST_AUTO_TEST_CASE(p13_request_times_out_and_the_late_answer_is_dropped) {
  run_virtually([]() -> task<> {
    co_await with_counter([](caf::actor c) -> task<> {
      BOOST_CHECK_EXCEPTION(co_await request<int>(c, 10ms, get_slowly{}), timeout_error,
                            [](const timeout_error& e) {
                              return std::string(e.what()).find("counter") != std::string::npos;
                            });
      send(c, add{1});
      BOOST_TEST(co_await request<int>(c, forever, get{}) == 1);
    });
  });
}

BOOST_AUTO_TEST_CASE(failing_handler_answers_and_fails_the_task) {
  BOOST_CHECK_EXCEPTION(
    run([]() -> task<> {
      co_await with_nursery([](nursery& n) -> task<> {
        const auto c = n.start_actor(counter);
        co_await shielded([&]() -> task<> {
          try {
            co_await request<int>(c, forever, message<fail>("no such thing"));
            BOOST_ERROR("answered");
          } catch (const actor_error& e) {
            BOOST_TEST(std::string(e.what()).find("no such thing") != std::string::npos);
          }
        });
      });
    }),
    std::runtime_error, [](const auto& e) { return std::string(e.what()) == "no such thing"; });
}

BOOST_AUTO_TEST_CASE(message_without_a_handler_is_answered_by_an_error) {
  run([]() -> task<> {
    co_await with_counter([](caf::actor c) -> task<> {
      BOOST_CHECK_THROW(co_await request<int>(c, forever, std::string("what?")),
                        unexpected_message);
      BOOST_CHECK_THROW(co_await request<std::string>(c, forever, get{}), unexpected_message);
    });
  });
}

BOOST_AUTO_TEST_CASE(request_to_an_ended_actor_says_so) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto c = n.start_actor(counter);
      send(c, stop{});
      co_await c;
      BOOST_CHECK_THROW(co_await request<int>(c, forever, get{}), actor_down);
      BOOST_CHECK_THROW(co_await request<int>(caf::actor(), forever, get{}), actor_down);
    });
  });
}

BOOST_AUTO_TEST_CASE(p13_request_in_the_mailbox_when_the_task_ends_is_answered) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto deaf = n.start_actor([](mailbox& in) -> task<> {
        co_await in.receive([](stop) {}); // and leaves the request where it is
      });
      n.start_soon(
        [](caf::actor to) -> task<> {
          co_await checkpoint();
          send(to, stop{});
        },
        deaf.address());
      BOOST_CHECK_THROW(co_await request<int>(deaf, forever, get{}), actor_down);
    });
  });
}

BOOST_AUTO_TEST_CASE(receive_takes_what_it_asks_for_and_leaves_the_rest) {
  run([]() -> task<> {
    mailbox in = this_mailbox();
    send(self(), add{1});
    send(self(), number{2});
    send(self(), add{3});
    BOOST_TEST((co_await in.receive<number>()).value == 2);
    std::vector<int> seen;
    co_await in.receive([&](add a) { seen.push_back(a.by); });
    co_await in.receive([&](const add& a) { seen.push_back(a.by); });
    BOOST_TEST(seen == (std::vector<int>{1, 3}), boost::test_tools::per_element());
    BOOST_TEST(in.statistics().size == 0U);
    BOOST_TEST(in.statistics().received == 3U);
  });
}

BOOST_AUTO_TEST_CASE(receive_gives_up_after_its_timeout) {
  run_virtually([]() -> task<> {
    mailbox in = this_mailbox();
    const auto begin = current_time();
    BOOST_TEST(!(co_await in.receive(5s, [](add) {})));
    BOOST_TEST((current_time() - begin == 5s));
    send(self(), add{1});
    BOOST_TEST(co_await in.receive(5s, [](add) {}));
    BOOST_TEST(!(co_await in.receive(0s, [](add) {})));
  });
}

BOOST_AUTO_TEST_CASE(messages_of_several_values_and_tuples_as_answers) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto a = n.start_actor([](mailbox& in) -> task<> {
        co_await in.serve(
          [](int x, std::string s) -> std::tuple<std::string, int> {
            return {std::move(s), x};
          },
          [](caf::message) -> caf::message { return caf::make_message(1, 2, 3); });
      });
      const auto [text, x] =
        co_await request<std::tuple<std::string, int>>(a, forever, 5, std::string("five"));
      BOOST_TEST(text == "five");
      BOOST_TEST(x == 5);
      const auto any = co_await request<caf::message>(a, forever, add{1});
      BOOST_TEST(any.size() == 3U);
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(concurrent_service_runs_coroutines_up_to_its_limit) {
  run_virtually([]() -> task<> {
    int running = 0;
    int most = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto a = n.start_actor([&](mailbox& in) -> task<> {
        co_await in.serve(concurrent{3}, [&](number x) -> task<int> {
          most = std::max(most, ++running);
          co_await sleep_for(1s);
          --running;
          co_return x.value * 2;
        });
      });
      const auto begin = current_time();
      int sum = 0;
      co_await with_nursery([&](nursery& askers) -> task<> {
        for (int i = 0; i < 9; ++i)
          askers.start_soon(
            [&sum](caf::actor to, int x) -> task<> {
              sum += co_await request<int>(to, forever, number{x});
            },
            a.address(), i);
        co_return;
      });
      BOOST_TEST(sum == 72);
      BOOST_TEST(most == 3);
      BOOST_TEST((current_time() - begin == 3s));
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(request_across_loops) {
  run(run_options{.loops = 2}, []() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto there = n.start_actor_on(1, counter);
      for (int i = 0; i < 1000; ++i) {
        send(there, add{1});
        const int total = co_await request<int>(there, forever, get{});
        BOOST_REQUIRE(total == i + 1);
      }
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(p12_messages_of_one_sender_stay_in_order_across_loops) {
  run(run_options{.loops = 3}, []() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      mailbox in = this_mailbox();
      constexpr int each = 2000;
      for (unsigned from = 0; from < 3; ++from)
        n.start_on(
          from,
          [](caf::actor to, int sender) -> task<> {
            for (int i = 0; i < each; ++i) {
              send(to, sender, i);
              if (i % 64 == 0)
                co_await checkpoint();
            }
          },
          self(), static_cast<int>(from));
      int next[3] = {};
      for (int i = 0; i < 3 * each; ++i)
        co_await in.receive([&](int sender, int x) { BOOST_REQUIRE(x == next[sender]++); });
    });
  });
}

BOOST_AUTO_TEST_CASE(urgent_messages_come_first_and_control_before_them) {
  run([]() -> task<> {
    mailbox in = this_mailbox();
    const caf::actor me = self();
    send(me, 1);
    send_urgent(me, 2);
    send(me, 3);
    send_urgent(me, 4);
    std::vector<int> seen;
    for (int i = 0; i < 4; ++i)
      co_await in.receive([&](int x) { seen.push_back(x); });
    BOOST_TEST(seen == (std::vector<int>{2, 4, 1, 3}), boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(thread_asks_with_a_future) {
  run(run_options{.loops = 1}, []() -> task<> {
    co_await with_counter([](caf::actor c) -> task<> {
      event done;
      int answer = 0;
      bool down = false;
      mailbox in = this_mailbox();
      std::thread outside([&, me = self()] {
        send(c, add{5});
        answer = ask<int>(c, forever, get{}).get();
        try {
          ask<int>(c, 1h, std::string("unknown")).get();
        } catch (const unexpected_message&) {
          down = true;
        }
        send(me, stop{});
      });
      co_await in.receive([](stop) {});
      outside.join();
      BOOST_TEST(answer == 5);
      BOOST_TEST(down);
      BOOST_CHECK_THROW(static_cast<void>(ask<int>(c, forever, get{})), usage_error);
    });
  });
}

BOOST_AUTO_TEST_CASE(p13_cancelled_request_ends_and_its_answer_is_dropped) {
  run_virtually([]() -> task<> {
    co_await with_counter([](caf::actor c) -> task<> {
      bool came_back = false;
      co_await move_on_after(10ms, [&]() -> task<> {
        co_await request<int>(c, forever, get_slowly{});
        came_back = true;
      });
      BOOST_TEST(!came_back);
      send(c, add{3});
      BOOST_TEST(co_await request<int>(c, forever, get{}) == 3);
    });
  });
}

BOOST_AUTO_TEST_CASE(p13_handler_that_is_cut_off_answers_the_one_who_asked) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto c = n.start_actor(counter);
      n.start_soon(
        [](actor_handle<void> h) -> task<> {
          co_await sleep_for(10ms);
          h.cancel("enough");
        },
        c);
      BOOST_CHECK_THROW(co_await request<int>(c, forever, get_slowly{}), actor_down);
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
