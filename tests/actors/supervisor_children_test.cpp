// SPDX-License-Identifier: BSD-3-Clause
#include "supervised.hpp"

#include <troupe/actors/keeper.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using namespace troupe_test;
using testing::run_virtually;

BOOST_AUTO_TEST_SUITE(supervisor_children)

BOOST_AUTO_TEST_CASE(children_are_stopped_started_deleted_and_listed_by_name) {
  std::string log;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec a = sleeper(log, "a");
      co_await s.start_child(a);
      const auto twice = co_await as_outcome(s.start_child(a));
      BOOST_CHECK_THROW(std::rethrow_exception(twice.error()), supervisor_error);
      const auto running = co_await as_outcome(s.delete_child("a"));
      BOOST_CHECK_THROW(std::rethrow_exception(running.error()), supervisor_error);
      const auto unknown = co_await as_outcome(s.stop_child("x"));
      BOOST_TEST(describe(unknown.error()) == "troupe: supervisor 'supervisor' has no child 'x'");
      co_await s.restart_child("a"); // runs: no effect
      co_await s.stop_child("a");
      BOOST_TEST((s.children().front().now == child_info::state::stopped));
      co_await s.stop_child("a"); // no effect
      co_await s.restart_child("a");
      BOOST_TEST((s.children().front().now == child_info::state::running));
      co_await s.stop_child("a");
      co_await s.delete_child("a");
      BOOST_TEST(s.children().empty());
    });
  });
  BOOST_TEST(log == "+a-a+a-a");
}

BOOST_AUTO_TEST_CASE(a_child_that_is_stopped_can_ask_why) {
  std::vector<std::string> reasons;
  const auto tells_why = [&]() -> task<> {
    co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                          [&]() -> task<> {
                            reasons.push_back(to_string(*current_cancel_reason()));
                            co_return;
                          });
  };
  run_virtually([&]() -> task<> {
    const std::vector<child_spec> children{
      {.name = "plain", .start = tells_why},
      {.name = "with a grace", .start = tells_why, .grace = 1s},
      {.name = "on a loop", .start = tells_why, .loop = 0},
      {.name = "with a status",
       .start = [&](task_status<>& status) -> task<> {
         status.started();
         co_await tells_why();
       }},
      {.name = "an actor", .start = [&](mailbox&) -> task<> { co_await tells_why(); }}};
    const supervisor_options options = quiet();
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      for (const child_spec& c : children)
        co_await s.start_child(c);
      for (const child_spec& c : children)
        co_await s.stop_child(c.name);
    });
  });
  BOOST_TEST(reasons.size() == 5U);
  for (const std::string& why : reasons)
    BOOST_TEST(why.find("its supervisor stops it") != std::string::npos, why);
}

BOOST_AUTO_TEST_CASE(what_was_stopped_by_hand_stays_so_when_all_are_restarted) {
  std::string log;
  int lives = 0;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    options.restart_strategy = strategy::one_for_all;
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec a = sleeper(log, "a");
      const child_spec b = crashes_once("b", lives);
      co_await s.start_child(a);
      co_await s.start_child(b);
      co_await s.stop_child("a");
      co_await sleep_for(2s);
      co_await s.stop_child("b");
    });
  });
  BOOST_TEST(log == "+a-a");
  BOOST_TEST(lives == 2);
}

BOOST_AUTO_TEST_CASE(significant_children_shut_their_supervisor_down) {
  for (const auto when : {auto_shutdown::any_significant, auto_shutdown::all_significant}) {
    std::string log;
    duration took{};
    run_virtually([&]() -> task<> {
      supervisor_options options = quiet();
      options.shutdown = when;
      const auto job = [](std::string name, duration lasts) -> child_spec {
        return {.name = name,
                .start = [lasts]() -> task<> { co_await sleep_for(lasts); },
                .restarts = restart::transient,
                .significant = true};
      };
      const std::vector<child_spec> children{sleeper(log, "a"), job("short", 1s), job("long", 5s)};
      const time_point begin = current_time();
      co_await supervise(options, children);
      took = current_time() - begin;
    });
    BOOST_TEST(log == "+a-a");
    BOOST_TEST((took == (when == auto_shutdown::any_significant ? 1s : 5s)));
  }
}

BOOST_AUTO_TEST_CASE(a_child_that_cannot_be_significant_is_refused) {
  run_virtually([&]() -> task<> {
    std::string log;
    supervisor_options options = quiet();
    options.shutdown = auto_shutdown::any_significant;
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      child_spec a = sleeper(log, "a");
      a.significant = true; // and permanent
      const auto refused = co_await as_outcome(s.start_child(a));
      BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), usage_error);
    });
  });
}

BOOST_AUTO_TEST_CASE(events_are_told_and_those_that_were_missed_are_counted) {
  std::vector<supervisor_event::kind> told;
  std::uint64_t missed = 0;
  run_virtually([&]() -> task<> {
    int lives = 0;
    supervisor_options options = quiet();
    options.intensity = 10;
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      auto all = s.events();
      auto few = s.events(1);
      const child_spec c = crasher("c", lives, 1s);
      co_await s.start_child(c);
      co_await sleep_for(1500ms);
      co_await s.stop_child("c");
      while (const auto e = all.try_receive())
        told.push_back(e->what);
      BOOST_TEST((few.try_receive()->what == supervisor_event::kind::started));
      co_await s.restart_child("c");
      missed = few.try_receive()->missed;
      co_await s.stop_child("c");
    });
  });
  using kind = supervisor_event::kind;
  const std::vector<kind> expected{kind::started, kind::failed, kind::restarted, kind::stopped};
  BOOST_TEST((told == expected));
  BOOST_TEST(missed == 3u);
}

BOOST_AUTO_TEST_CASE(a_kept_value_survives_failures_and_others_do_not) {
  std::vector<int> seen;
  run_virtually([&]() -> task<> {
    keeper<int> count;
    supervisor_options options = quiet();
    options.intensity = 2;
    const child_spec c{.name = "c", .start = [&]() -> task<> {
                         kept<int> value(count, 10);
                         seen.push_back(++*value);
                         co_await checkpoint();
                         throw std::runtime_error("crash");
                       }};
    const std::vector<child_spec> children{c};
    const auto result = co_await as_outcome(supervise(options, children));
    BOOST_CHECK_THROW(std::rethrow_exception(result.error()), restart_limit_reached);
    BOOST_TEST(count.take().value() == 13);
  });
  BOOST_TEST(seen == (std::vector<int>{11, 12, 13}));
}

BOOST_AUTO_TEST_CASE(children_are_actors_and_ordinary_caf_actors) {
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    std::vector<caf::actor> spawned;
    const auto spawn = [&]() {
      return spawned.emplace_back(actor_system().spawn([](caf::event_based_actor* me) {
        return caf::behavior{[=](int) { me->quit(caf::sec::runtime_error); }};
      }));
    };
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec doubler{.name = "doubler", .start = [](mailbox& in) -> task<> {
                                 co_await in.serve([](int x) { return 2 * x; });
                               }};
      const child_spec ordinary{.name = "ordinary", .start = caf_child(spawn)};
      co_await s.start_child(doubler);
      co_await s.start_child(ordinary);
      const caf::actor address = s.children().front().address;
      BOOST_TEST(co_await request<int>(address, 1s, 21) == 42);
      co_await sleep_for(1s);
      BOOST_TEST(spawned.size() == 1u);
      send(spawned.front(), 1); // quits with an error
      co_await sleep_for(1s);
      BOOST_TEST(spawned.size() == 2u);
      co_await s.stop_child("doubler");
      co_await s.stop_child("ordinary");
    });
  });
}

BOOST_AUTO_TEST_CASE(an_ordinary_actor_hears_of_a_soft_stop_as_an_exit_message) {
  run_virtually([]() -> task<> {
    supervisor_options options = quiet();
    std::vector<supervisor_event::kind> events;
    options.on_event = [&](const supervisor_event& e) { events.push_back(e.what); };
    const auto spawn = [] {
      return actor_system().spawn(
        [](caf::event_based_actor*) { return caf::behavior{[](int) {}}; });
    };
    const auto begin = current_time();
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec child{.name = "ordinary", .start = caf_child(spawn), .grace = 5s};
      co_await s.start_child(child);
      co_await s.stop_child("ordinary");
    });
    BOOST_TEST((current_time() == begin));
    BOOST_TEST((events.back() == supervisor_event::kind::stopped));
  });
}

BOOST_AUTO_TEST_SUITE_END()
