// SPDX-License-Identifier: BSD-3-Clause
#include "supervised.hpp"

#include <troupe/actors/supervisor.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using namespace troupe_test;
using testing::run_virtually;

BOOST_AUTO_TEST_SUITE(supervisors)

BOOST_AUTO_TEST_CASE(p15_children_start_in_order_and_stop_in_reverse_when_cancelled) {
  std::string log;
  run_virtually([&]() -> task<> {
    co_await move_on_after(1s, [&]() -> task<> {
      std::vector<child_spec> children;
      for (const char* name : {"a", "b", "c"})
        children.push_back(sleeper(log, name));
      co_await supervise(quiet(), children);
    });
  });
  BOOST_TEST(log == "+a+b+c-c-b-a");
}

BOOST_AUTO_TEST_CASE(p15_a_child_is_stopped_when_the_one_behind_it_has_ended_its_clean_up) {
  std::string log;
  run_virtually([&]() -> task<> {
    const auto slow = [&log](std::string name) -> child_spec {
      return {.name = name, .start = [&log, name]() -> task<> {
                co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                      [&]() -> task<> {
                                        log += "(" + name;
                                        co_await sleep_for(1s);
                                        log += ")";
                                      });
              }};
    };
    co_await move_on_after(1s, [&]() -> task<> {
      const std::vector<child_spec> children{slow("a"), slow("b")};
      co_await supervise(quiet(), children);
    });
  });
  BOOST_TEST(log == "(b)(a)");
}

BOOST_AUTO_TEST_CASE(p15_a_child_is_started_when_the_one_before_is_ready) {
  std::string log;
  run_virtually([&]() -> task<> {
    const child_spec slow{.name = "slow", .start = [&](task_status<>& status) -> task<> {
                            co_await sleep_for(1s);
                            log += "ready ";
                            status.started();
                            co_await sleep_forever();
                          }};
    co_await move_on_after(2s, [&]() -> task<> {
      const std::vector<child_spec> children{slow, sleeper(log, "next")};
      co_await supervise(quiet(), children);
    });
  });
  BOOST_TEST(log == "ready +next-next");
}

BOOST_AUTO_TEST_CASE(p16_a_life_begins_when_the_clean_up_of_the_last_one_has_ended) {
  std::string log;
  run_virtually([&]() -> task<> {
    const child_spec slow{.name = "slow", .start = [&]() -> task<> {
                            co_await with_cleanup(
                              [&]() -> task<> {
                                log += "+";
                                co_await sleep_for(1s);
                                throw std::runtime_error("crash");
                              },
                              [&]() -> task<> {
                                log += "(";
                                co_await sleep_for(1s);
                                log += ")";
                              });
                          }};
    supervisor_options options = quiet();
    options.intensity = 2;
    co_await move_on_after(3500ms, [&]() -> task<> {
      const std::vector<child_spec> children{slow};
      co_await supervise(options, children);
    });
  });
  BOOST_TEST(log == "+()+()");
}

BOOST_AUTO_TEST_CASE(a_soft_stop_gives_each_child_its_grace_in_reverse_order) {
  std::string log;
  run_virtually([&]() -> task<> {
    const auto polite = [&log](std::string name, duration grace) -> child_spec {
      return {.name = name,
              .start = [&log, name]() -> task<> {
                const trace t(log, name);
                co_await stopping();
                co_await sleep_for(1s);
                log += " bye ";
              },
              .grace = grace};
    };
    supervisor_options options = quiet();
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec patient = polite("a", 5s);
      const child_spec hurried = polite("b", 500ms);
      co_await s.start_child(patient);
      co_await s.start_child(hurried);
      co_await s.stop_child("b");
      co_await s.stop_child("a");
    });
  });
  BOOST_TEST(log == "+a+b-b bye -a");
}

BOOST_AUTO_TEST_CASE(a_soft_stop_takes_no_longer_than_the_child_does) {
  run_virtually([&]() -> task<> {
    const auto serving = []() -> task<> {
      co_await with_nursery([](nursery& n) -> task<> {
        n.start_soon([]() -> task<> { co_await stopping(); });
        co_return;
      });
    };
    const std::vector<child_spec> children{
      {.name = "serves", .start = serving, .grace = 5s},
      {.name = "serves, too", .start = serving, .grace = 5s},
    };
    supervisor_options options = quiet();
    const auto begin = current_time();
    co_await move_on_after(1s, [&]() -> task<> { co_await supervise(options, children); });
    BOOST_TEST((current_time() - begin == 1s));
  });
}

BOOST_AUTO_TEST_CASE(a_soft_stop_does_not_wait_for_a_child_to_start) {
  run_virtually([]() -> task<> {
    int lives = 0;
    const auto slow = [&](task_status<>& ready) -> task<> {
      if (++lives == 1) {
        ready.started();
        co_await sleep_for(1s);
        throw std::runtime_error("the first life ends");
      }
      co_await sleep_for(1h);
      ready.started();
    };
    for (const int lived : {1, 0}) { // the start, and a restart
      lives = lived;
      const auto begin = current_time();
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          supervisor_options options = quiet();
          const std::vector<child_spec> children{{.name = "slow", .start = slow}};
          co_await supervise(options, children);
        });
        co_await sleep_for(3s);
        n.stop(10h);
      });
      BOOST_TEST((current_time() - begin == 3s));
      BOOST_TEST(lives == 2);
    }
  });
}

BOOST_AUTO_TEST_CASE(p15_one_restart_too_many_is_thrown_with_its_cause_and_stops_the_others) {
  std::string log;
  int lives = 0;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    options.name = "shop";
    options.intensity = 3;
    options.period = 10s;
    const std::vector<child_spec> children{sleeper(log, "a"), crasher("db", lives, 1s)};
    bool thrown = false;
    try {
      co_await supervise(options, children);
    } catch (const restart_limit_reached& e) {
      thrown = true;
      const std::string text = e.what();
      BOOST_TEST(text.find("'shop'") != text.npos);
      BOOST_TEST(text.find("'db'") != text.npos);
      BOOST_TEST(text.find("crash 4") != text.npos);
      BOOST_CHECK_THROW(std::rethrow_exception(e.cause()), std::runtime_error);
    }
    BOOST_TEST(thrown);
  });
  BOOST_TEST(lives == 4); // the first life, and three more
  BOOST_TEST(log == "+a-a");
}

BOOST_AUTO_TEST_CASE(p15_restarts_that_are_far_apart_go_on_for_ever) {
  int lives = 0;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    options.intensity = 1;
    options.period = 5s;
    co_await move_on_after(1h, [&]() -> task<> {
      const std::vector<child_spec> children{crasher("c", lives, 6s)};
      co_await supervise(options, children);
    });
  });
  BOOST_TEST(lives == 600);
}

BOOST_AUTO_TEST_CASE(p15_giving_up_is_a_failure_of_the_child_that_the_supervisor_above_restarts) {
  int lives = 0;
  std::vector<std::string> events;
  run_virtually([&]() -> task<> {
    supervisor_options above;
    above.intensity = 2;
    above.on_event = [&](const supervisor_event& e) {
      if (e.what == supervisor_event::kind::restarted)
        events.push_back(e.child);
    };
    const child_spec below{.name = "below", .start = [&]() -> task<> {
                             const std::vector<child_spec> children{crasher("c", lives, 0s)};
                             co_await supervise(quiet(), children);
                           }};
    const std::vector<child_spec> children{below};
    bool thrown = false;
    try {
      co_await supervise(above, children);
    } catch (const restart_limit_reached& e) {
      thrown = true;
      BOOST_CHECK_THROW(std::rethrow_exception(e.cause()), restart_limit_reached);
    }
    BOOST_TEST(thrown);
  });
  BOOST_TEST(lives == 6); // twice in each of three lives of the one below
  BOOST_TEST(events == (std::vector<std::string>{"below", "below"}));
}

BOOST_AUTO_TEST_CASE(a_backoff_makes_each_restart_later_and_begins_anew_after_a_good_life) {
  std::vector<duration> at;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    options.intensity = 100;
    retry_policy policy;
    policy.first_delay = 1s;
    policy.factor = 2;
    policy.jitter = 0;
    policy.max_delay = 4s;
    policy.reset_after = 60s;
    options.backoff = policy;
    const time_point begin = current_time();
    const child_spec c{.name = "c", .start = [&]() -> task<> {
                         at.push_back(current_time() - begin);
                         co_await sleep_for(at.size() == 5 ? 60s : 0s);
                         throw std::runtime_error("crash");
                       }};
    co_await move_on_after(73s, [&]() -> task<> {
      const std::vector<child_spec> children{c};
      co_await supervise(options, children);
    });
  });
  const std::vector<duration> expected{0s, 1s, 3s, 7s, 11s, 72s};
  BOOST_TEST((at == expected));
}

BOOST_AUTO_TEST_CASE(while_one_child_waits_for_its_restart_others_are_looked_after) {
  int slow = 0, quick = 0;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    options.intensity = 1000;
    retry_policy policy;
    policy.first_delay = 10s;
    policy.factor = 1;
    policy.jitter = 0;
    options.backoff = policy;
    co_await move_on_after(95s, [&]() -> task<> {
      const std::vector<child_spec> children{crasher("slow", slow, 0s),
                                             crasher("quick", quick, 5s)};
      co_await supervise(options, children);
    });
  });
  BOOST_TEST(slow == 10);
  BOOST_TEST(quick == 7);
}

BOOST_AUTO_TEST_CASE(a_child_that_cannot_be_started_is_thrown_and_forgotten) {
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec bad{.name = "bad", .start = [](task_status<>&) -> task<> {
                             co_await checkpoint();
                             throw std::runtime_error("no such disk");
                           }};
      const child_spec silent{.name = "silent",
                              .start = [](task_status<>&) -> task<> { co_return; }};
      BOOST_TEST(describe((co_await as_outcome(s.start_child(bad))).error()) == "no such disk");
      const auto never_ready = co_await as_outcome(s.start_child(silent));
      BOOST_CHECK_THROW(std::rethrow_exception(never_ready.error()), start_error);
      BOOST_TEST(s.children().empty());
    });
  });
}

BOOST_AUTO_TEST_CASE(cancelling_a_start_leaves_no_child) {
  std::string log;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec slow{.name = "slow", .start = [&](task_status<>&) -> task<> {
                              const trace t(log, "slow");
                              co_await sleep_forever();
                            }};
      co_await move_on_after(1s, [&]() { return s.start_child(slow); });
      co_await sleep_for(1s);
      BOOST_TEST(s.children().empty());
    });
  });
  BOOST_TEST(log == "+slow-slow");
}

BOOST_AUTO_TEST_CASE(a_restart_that_fails_before_it_is_ready_counts_as_a_failure) {
  int lives = 0;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    options.intensity = 4;
    const child_spec c{.name = "c", .start = [&](task_status<>& status) -> task<> {
                         if (++lives != 1 && lives != 4)
                           throw std::runtime_error("not yet");
                         status.started();
                         co_await sleep_for(1s);
                         if (lives == 1)
                           throw std::runtime_error("crash");
                         co_await sleep_forever();
                       }};
    co_await move_on_after(10s, [&]() -> task<> {
      const std::vector<child_spec> children{c};
      co_await supervise(options, children);
    });
  });
  BOOST_TEST(lives == 4);
}

BOOST_AUTO_TEST_CASE(a_body_with_a_value_gives_it_and_its_failure_stops_the_children) {
  std::string log;
  run_virtually([&]() -> task<> {
    supervisor_options options = quiet();
    const int value = co_await with_supervisor(options, [&](supervisor&) -> task<int> {
      co_await checkpoint();
      co_return 42;
    });
    BOOST_TEST(value == 42);
    bool thrown = false;
    try {
      co_await with_supervisor(options, [&](supervisor& s) -> task<> {
        const child_spec a = sleeper(log, "a");
        co_await s.start_child(a);
        throw std::runtime_error("the body");
      });
    } catch (const std::runtime_error& e) {
      thrown = std::string(e.what()) == "the body";
    }
    BOOST_TEST(thrown);
  });
  BOOST_TEST(log == "+a-a");
}

BOOST_AUTO_TEST_CASE(p15_ten_thousand_children_are_restarted_together) {
  std::size_t lives = 0;
  run_virtually([&]() -> task<> {
    constexpr std::size_t count = 10'000;
    supervisor_options options = quiet();
    options.restart_strategy = strategy::one_for_all;
    event fail;
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      for (std::size_t i = 0; i < count; ++i) {
        const child_spec c{.name = std::to_string(i), .start = [&, i]() -> task<> {
                             if (++lives > count || i != count / 2)
                               co_await sleep_forever();
                             co_await fail.wait();
                             throw std::runtime_error("crash");
                           }};
        co_await s.start_child(c);
      }
      fail.set();
      co_await sleep_for(1s);
      BOOST_TEST(lives == 2 * count);
      static_cast<void>(s.events()); // nobody listens
      for (const child_info& c : s.children())
        co_await s.stop_child(c.name);
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
