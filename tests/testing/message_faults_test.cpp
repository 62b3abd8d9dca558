// SPDX-License-Identifier: BSD-3-Clause
#include "support/contains.hpp"

#include <troupe/actor.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/live_faults.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/stateful_actor.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;

namespace {

simulation_options with(fault f) {
  simulation_options o;
  o.order = schedule::in_turn;
  o.faults.push_back(std::move(f));
  return o;
}

using numbers = std::vector<int>;

struct arrival {
  int number = 0;
  duration at{};
};

/// Sends 1 to 4, a second apart, to a task; gives what arrives and when.
task<std::vector<arrival>> to_a_task() {
  std::vector<arrival> seen;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto collect = [&](mailbox& in) -> task<> {
      co_await move_on_after(30s, [&]() -> task<> {
        co_await in.serve([&](int i) { seen.push_back({i, current_time().time_since_epoch()}); });
      });
    };
    const caf::actor to = n.start_actor(named("collector", collect)).address();
    for (int i = 1; i <= 4; ++i) {
      send(to, i);
      co_await sleep_for(1s);
    }
  });
  co_return seen;
}

struct collector_state {
  static inline const char* name = "collector";
};

/// The same, to an ordinary actor.
task<std::vector<arrival>> to_an_actor() {
  std::vector<arrival> seen;
  const caf::actor to =
    actor_system().spawn([&seen](caf::stateful_actor<collector_state>* self) -> caf::behavior {
      self->set_exit_handler([](caf::exit_msg&) {}); // it ends only when it is made to
      return {
        [&seen](int i) {
          seen.push_back({i, current_time().time_since_epoch()});
        },
        [self](const std::string&) { self->quit(); },
      };
    });
  for (int i = 1; i <= 4; ++i) {
    send(to, i);
    co_await sleep_for(1s);
  }
  co_await sleep_for(20s);
  send(to, std::string("end"));
  co_return seen;
}

numbers of(const std::vector<arrival>& seen) {
  numbers all;
  for (const arrival& a : seen)
    all.push_back(a.number);
  return all;
}

/// Runs `program` under simulation and in a real run, with `f` in force in both.
template <class F, class Check>
void in_both(const fault& f, F program, Check check) {
  const auto r = simulate(1, program, with(f));
  BOOST_TEST(r.why() == "");
  if (r.result)
    check(*r.result);
  live_faults live;
  live.add("plan", {f});
  live.on("plan");
  check(run_virtually(program));
  BOOST_TEST(live.unmatched("plan") == "");
}

/// Both kinds of receivers see the same.
void check_both(const fault& f, const numbers& expected) {
  for (const auto& program : {to_a_task, to_an_actor})
    in_both(f, program, [&](const std::vector<arrival>& seen) {
      BOOST_TEST(of(seen) == expected, boost::test_tools::per_element());
    });
}

} // namespace

BOOST_AUTO_TEST_SUITE(message_faults)

BOOST_AUTO_TEST_CASE(message_is_lost) { check_both(drops("collector", when::at(2)), {1, 3, 4}); }

BOOST_AUTO_TEST_CASE(message_comes_later) {
  check_both(delays("coll*", when::at(1), 2500ms), {2, 3, 1, 4});
  const auto seen = simulate(1, to_a_task, with(delays("collector", when::at(1), 2500ms))).value();
  BOOST_TEST((seen[2].at == 2500ms));
}

BOOST_AUTO_TEST_CASE(message_comes_twice) {
  check_both(duplicates("collector", when::at(3)), {1, 2, 3, 3, 4});
}

BOOST_AUTO_TEST_CASE(message_is_overtaken_by_the_next) {
  check_both(reorders("collector", when::at(2), 10s), {1, 3, 2, 4});
}

BOOST_AUTO_TEST_CASE(message_that_nothing_overtakes_comes_in_the_end) {
  check_both(reorders("collector", when::at(4), 10s), {1, 2, 3, 4});
  const auto seen = simulate(1, to_a_task, with(reorders("collector", when::at(4), 10s))).value();
  BOOST_TEST((seen[3].at == 13s));
}

BOOST_AUTO_TEST_CASE(messages_by_chance_follow_from_the_seed) {
  const fault f = drops("collector", when::sometimes(0.5));
  for (const auto& program : {to_a_task, to_an_actor}) {
    std::vector<int> lost(5);
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      const auto one = simulate(seed, program, with(f));
      const auto other = simulate(seed, program, with(f));
      BOOST_TEST(one.hash == other.hash);
      ++lost[4 - one.result.value().size()];
    }
    BOOST_TEST(lost[1] + lost[2] + lost[3] > 20);
  }
}

BOOST_AUTO_TEST_CASE(task_that_is_an_actor_ends_with_the_reason) {
  const auto program = []() -> task<std::string> {
    std::string reason;
    caf::actor watch; // has to live until it has heard
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto wait = [](mailbox& in) -> task<> { co_await in.serve([](int) {}); };
      const caf::actor to = n.start_actor(named("worker", wait)).address();
      watch = actor_system().spawn([&reason, to](caf::event_based_actor* self) -> caf::behavior {
        self->monitor(to);
        self->set_down_handler([&reason, self](caf::down_msg& m) {
          reason = caf::to_string(m.reason);
          self->quit();
        });
        return [](int) {};
      });
      co_await sleep_for(1s);
      send(to, 1);
      send(to, 2);
    });
    co_await sleep_for(1s);
    co_return reason;
  };
  in_both(exits("worker", when::at(2), caf::exit_reason::out_of_workers), program,
          [](const std::string& reason) {
            BOOST_TEST(reason == caf::to_string(caf::make_error(caf::exit_reason::out_of_workers)));
          });
}

BOOST_AUTO_TEST_CASE(ordinary_actor_ends_with_the_reason_though_it_traps_exits) {
  std::string reason;
  const auto program = [&]() -> task<numbers> {
    numbers seen;
    const caf::actor to =
      actor_system().spawn([&seen](caf::stateful_actor<collector_state>* self) -> caf::behavior {
        self->set_exit_handler([](caf::exit_msg&) {});
        return [&seen](int i) { seen.push_back(i); };
      });
    const caf::actor watch =
      actor_system().spawn([&reason, to](caf::event_based_actor* self) -> caf::behavior {
        self->monitor(to);
        self->set_down_handler([&reason, self](caf::down_msg& m) {
          reason = caf::to_string(m.reason);
          self->quit();
        });
        return [](int) {};
      });
    co_await sleep_for(1s);
    for (int i = 1; i <= 4; ++i) {
      send(to, i);
      co_await sleep_for(1s);
    }
    co_return seen;
  };
  in_both(exits("collector", when::at(3), caf::exit_reason::unknown), program,
          [&](const numbers& seen) {
            BOOST_TEST(seen == (numbers{1, 2}), boost::test_tools::per_element());
            BOOST_TEST(std::exchange(reason, "")
                       == caf::to_string(caf::make_error(caf::exit_reason::unknown)));
          });
}

BOOST_AUTO_TEST_CASE(lost_request_has_no_answer) {
  const auto program = []() -> task<std::string> {
    std::string what = "answered";
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto twice = [](mailbox& in) -> task<> {
        co_await in.serve([](int i) { return 2 * i; });
      };
      const caf::actor to = n.start_actor(named("server", twice)).address();
      try {
        static_cast<void>(co_await request<int>(to, 1s, 21));
      } catch (const timeout_error&) {
        what = "timed out";
      }
      n.cancel();
    });
    co_return what;
  };
  const auto gives = [&](const fault& f, const std::string& expected) {
    in_both(f, program, [&](const std::string& what) { BOOST_TEST(what == expected); });
  };
  gives(drops("server", when::at(1)), "timed out");
  gives(drops("*", when::at(1), traffic::answers), "timed out");
  gives(duplicates("server", when::at(1)), "answered");
}

BOOST_AUTO_TEST_CASE(message_that_waits_for_room_can_be_lost) {
  const auto program = []() -> task<numbers> {
    numbers seen;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto collect = [&](mailbox& in) -> task<> {
        in.bound(1, when_full::wait);
        co_await move_on_after(
          10s, [&]() -> task<> { co_await in.serve([&](int i) { seen.push_back(i); }); });
      };
      const caf::actor to = n.start_actor(named("collector", collect)).address();
      for (int i = 1; i <= 4; ++i)
        co_await send_when_room(to, i);
    });
    co_return seen;
  };
  const auto r = simulate(1, program, with(drops("collector", when::at(2)))).value();
  BOOST_TEST(r == (numbers{1, 3, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(event_log_says_what_has_become_of_a_message) {
  const auto program = []() -> task<> {
    static_cast<void>(co_await to_a_task());
    throw std::logic_error("as ever");
  };
  simulation_options o = with(drops("collector", when::at(2)));
  o.log_size = 1000;
  const auto r = simulate(1, program, o);
  BOOST_TEST(contains(r.log, "by plan, is lost, message 2: collector"));
}

BOOST_AUTO_TEST_CASE(plan_that_names_no_receiver_is_an_error) {
  const auto r = simulate(1, to_a_task, with(drops("colector", when::at(2))));
  BOOST_TEST(contains(r.why(), "the fault plan names 'colector'"));
}

BOOST_AUTO_TEST_CASE(impossible_fault_of_messages_is_an_error) {
  for (const fault& f : {delays("*", when::at(1), 0s), reorders("*", when::at(1), -1s),
                         drops("*", when::at_byte(3)), drops("*", when{})})
    BOOST_CHECK_THROW(static_cast<void>(simulate(1, to_a_task, with(f))), usage_error);
}

BOOST_AUTO_TEST_CASE(explore_finds_a_lost_acknowledgement) {
  // The server counts what it has acknowledged; a client that asks again is counted twice.
  const auto program = []() -> task<> {
    int done = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto serve = [&](mailbox& in) -> task<> {
        co_await in.serve([&](int) { return ++done; });
      };
      const caf::actor to = n.start_actor(named("server", serve)).address();
      const auto ask = [to]() -> task<> {
        for (int tries = 0; tries < 5; ++tries) {
          bool late = false;
          try {
            static_cast<void>(co_await request<int>(to, 1s, 1));
          } catch (const timeout_error&) {
            late = true;
          }
          if (!late)
            co_return;
        }
      };
      co_await ask();
      n.cancel();
    });
    if (done != 1)
      throw std::runtime_error("done twice");
  };
  explore_options o;
  explore(program, 50, o).verify();
  o.simulation.faults = {drops("server", when::sometimes(0.1)),
                         drops("*", when::sometimes(0.1), traffic::answers)};
  const exploration e = explore(program, 200, o);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST(contains(e.failure->why(), "done twice"));
}

BOOST_AUTO_TEST_SUITE_END()
