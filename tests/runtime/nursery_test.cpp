// SPDX-License-Identifier: BSD-3-Clause
#include "support/at_end.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::at_end;

static_assert(!std::is_copy_constructible_v<nursery>);
static_assert(!std::is_copy_constructible_v<task<>>);
static_assert(std::is_nothrow_move_constructible_v<task<int>>);

namespace {

task<> fail_after_checkpoint(std::string text) {
  co_await checkpoint();
  throw std::runtime_error(text);
}

/// Fails before cancellation can reach it.
task<> fail_at_once(std::string text) {
  throw std::runtime_error(text);
  co_return;
}

} // namespace

BOOST_AUTO_TEST_SUITE(nursery_suite)

BOOST_AUTO_TEST_CASE(p01_ends_only_when_no_child_lives) {
  run_virtually([]() -> task<> {
    int ended = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 10; ++i)
        n.start_soon(
          [&](int seconds) -> task<> {
            co_await sleep_for(std::chrono::seconds(seconds));
            ++ended;
          },
          i);
      BOOST_TEST(n.size() == 10U);
      co_return;
    });
    BOOST_TEST(ended == 10);
  });
}

BOOST_AUTO_TEST_CASE(sibling_is_cancelled_when_child_fails) {
  run_virtually([]() -> task<> {
    std::string log;
    const auto begin = current_time();
    try {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          at_end a{log, 's'};
          co_await sleep_for(1h);
          log += '!';
        });
        n.start_soon(fail_after_checkpoint, "boom");
        at_end b{log, 'b'};
        co_await sleep_forever();
      });
      BOOST_ERROR("not thrown");
    } catch (const std::runtime_error& e) {
      BOOST_TEST(std::string(e.what()) == "boom");
    }
    BOOST_TEST(log.size() == 2U);
    BOOST_TEST((current_time() == begin));
  });
}

BOOST_AUTO_TEST_CASE(body_failure_cancels_the_children) {
  run_virtually([]() -> task<> {
    std::string log;
    BOOST_CHECK_THROW(co_await with_nursery([&](nursery& n) -> task<> {
                        n.start_soon([&]() -> task<> {
                          at_end a{log, 'c'};
                          co_await sleep_forever();
                        });
                        co_await checkpoint();
                        throw std::logic_error("body");
                      }),
                      std::logic_error);
    BOOST_TEST(log == "c");
  });
}

BOOST_AUTO_TEST_CASE(p02_n_failures_arrive_as_n) {
  run_virtually([]() -> task<> {
    try {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 5; ++i)
          n.start_soon(named("task " + std::to_string(i), fail_at_once),
                       "failure " + std::to_string(i));
        co_return;
      });
      BOOST_ERROR("not thrown");
    } catch (const exception_group& g) {
      BOOST_TEST(g.size() == 5U);
      BOOST_TEST(g.failures()[3].task == "task 3");
      BOOST_TEST(describe(g.failures()[3].error) == "failure 3");
      BOOST_TEST(g.find<std::runtime_error>() != nullptr);
      BOOST_TEST(g.find<std::logic_error>() == nullptr);
      BOOST_TEST(g.split<std::runtime_error>().first.size() == 5U);
    }
  });
}

BOOST_AUTO_TEST_CASE(p02_a_failure_while_being_cancelled_is_not_lost) {
  run_virtually([]() -> task<> {
    try {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                []() -> task<> {
                                  throw std::logic_error("clean-up");
                                  co_return;
                                });
        });
        n.start_soon(fail_after_checkpoint, "first");
        co_return;
      });
      BOOST_ERROR("not thrown");
    } catch (const exception_group& g) {
      BOOST_TEST(g.size() == 2U);
      BOOST_TEST(g.find<std::logic_error>() != nullptr);
    }
  });
}

BOOST_AUTO_TEST_CASE(p02_awaiting_a_failed_sibling_does_not_double_the_failure) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(co_await with_nursery([&](nursery& n) -> task<> {
                        auto h = n.start_soon(fail_after_checkpoint, "once");
                        co_await shielded([&]() -> task<> { co_await h; });
                      }),
                      std::runtime_error);
  });
}

BOOST_AUTO_TEST_CASE(always_group_wraps_a_single_failure) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(co_await with_nursery({.name = "strict", .always_group = true},
                                            [&](nursery& n) -> task<> {
                                              n.start_soon(fail_after_checkpoint, "one");
                                              co_return;
                                            }),
                      exception_group);
  });
}

BOOST_AUTO_TEST_CASE(on_error_takes_a_failure_and_lets_the_others_live) {
  run_virtually([]() -> task<> {
    std::vector<std::string> seen;
    bool survived = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.on_error<std::runtime_error>([&](const std::runtime_error& e, std::string_view who) {
        seen.push_back(std::string(who) + ": " + e.what());
      });
      n.start_soon(named("bad", fail_after_checkpoint), "handled");
      n.start_soon([&]() -> task<> {
        co_await sleep_for(1s);
        survived = true;
      });
      co_return;
    });
    BOOST_TEST(seen == std::vector<std::string>{"bad: handled"}, boost::test_tools::per_element());
    BOOST_TEST(survived);
  });
}

BOOST_AUTO_TEST_CASE(what_an_error_handler_throws_takes_the_failures_place) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(co_await with_nursery([&](nursery& n) -> task<> {
                        n.on_error<std::runtime_error>(
                          [](const std::runtime_error&) { throw std::domain_error("worse"); });
                        n.start_soon(fail_after_checkpoint, "bad");
                        co_return;
                      }),
                      std::domain_error);
  });
}

BOOST_AUTO_TEST_CASE(p15_services_end_after_the_others_last_started_first) {
  run_virtually([]() -> task<> {
    std::string log;
    auto service = [&](char c) -> task<> {
      at_end a{log, c};
      co_await sleep_forever();
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service(service, '1');
      n.start_service(service, '2');
      n.start_soon([&]() -> task<> {
        at_end a{log, 'w'};
        co_await sleep_forever();
      });
      co_await sleep_for(1s);
      n.cancel(); // reaches the services only when the worker has ended
    });
    BOOST_TEST(log == "w21");
  });
}

BOOST_AUTO_TEST_CASE(handle_gives_the_result_and_cancels_one) {
  run_virtually([]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon(
        [](int a, std::string b) -> task<std::string> {
          co_await checkpoint();
          co_return b + std::to_string(a);
        },
        1, "x");
      auto stuck = n.start_soon([]() -> task<> { co_await sleep_forever(); });
      BOOST_TEST(co_await h == "x1");
      BOOST_TEST(co_await h == "x1"); // as often as wanted
      stuck.cancel("enough");
      try {
        co_await stuck;
        BOOST_ERROR("not thrown");
      } catch (const task_cancelled& e) {
        BOOST_TEST(std::string(e.what()).find("enough") != std::string::npos);
      }
      BOOST_TEST(stuck.cancelled());
      BOOST_TEST(n.size() == 0U);
    });
  });
}

BOOST_AUTO_TEST_CASE(a_handle_may_outlive_the_nursery) {
  run_virtually([]() -> task<> {
    task_handle<std::unique_ptr<int>> h;
    co_await with_nursery([&](nursery& n) -> task<> {
      h = n.start_soon([]() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(3); });
      co_return;
    });
    auto p = co_await std::move(h);
    BOOST_TEST(*p == 3);
  });
}

BOOST_AUTO_TEST_CASE(arguments_live_as_long_as_the_child) {
  run_virtually([]() -> task<> {
    int target = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      const std::string text = "a string that is too long for the small buffer";
      n.start_soon(
        [](const std::string& stored, int& out) -> task<> {
          co_await sleep_for(1s);
          out = static_cast<int>(stored.size());
        },
        text, std::ref(target));
      co_return;
    });
    BOOST_TEST(target == 46);
  });
}

BOOST_AUTO_TEST_CASE(a_child_of_a_cancelled_nursery_runs_to_its_first_checkpoint) {
  run_virtually([]() -> task<> {
    int before = 0, after = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.cancel();
      n.start_soon([&]() -> task<> {
        ++before;
        co_await checkpoint();
        ++after;
      });
      co_return;
    });
    BOOST_TEST(before == 1);
    BOOST_TEST(after == 0);
  });
}

BOOST_AUTO_TEST_CASE(stop_asks_first_and_cancels_when_the_grace_is_over) {
  run_virtually([]() -> task<> {
    std::string log;
    const auto begin = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await stopping();
        log += 'p'; // polite
      });
      n.start_soon([&]() -> task<> {
        at_end a{log, 's'}; // stubborn
        co_await sleep_forever();
      });
      co_await sleep_for(1s);
      BOOST_TEST(!is_stopping());
      n.stop(5s);
      BOOST_TEST(is_stopping());
      co_await stopping();
    });
    BOOST_TEST(log == "ps");
    BOOST_TEST((current_time() - begin == 6s));
  });
}

BOOST_AUTO_TEST_CASE(stop_asks_what_the_body_has_opened) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    std::string log;
    const auto polite = [&](char name) {
      return [&log, name]() -> task<> {
        co_await stopping();
        log += name;
      };
    };
    co_await with_nursery([&](nursery& around) -> task<> {
      around.start_soon([&]() -> task<> { // not asked: it is outside
        if (!co_await move_on_after(10s, [&]() -> task<> { co_await stopping(); }))
          log += 'o';
      });
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(polite('c'));
        n.start_soon([&]() -> task<> {
          co_await sleep_for(1s);
          n.stop(5s);
        });
        co_await shielded([&]() -> task<> {
          co_await with_nursery([&](nursery& inner) -> task<> {
            inner.start_soon(polite('i'));
            inner.start_service(polite('s'));
            co_await with_nursery([&](nursery& innermost) -> task<> {
              innermost.start_soon([&]() -> task<> {
                co_await with_nursery([&](nursery& deep) -> task<> {
                  deep.start_soon(polite('d'));
                  co_return;
                });
              });
              co_return;
            });
          });
        });
        BOOST_TEST((current_time() - begin == 1s));
      });
    });
    std::sort(log.begin(), log.end());
    BOOST_TEST(log == "cdios");
  });
}

BOOST_AUTO_TEST_CASE(use_from_another_loop_is_refused) {
  run(run_options{.loops = 2}, []() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_on(
        1,
        [](nursery* other) -> task<bool> {
          try {
            other->start_soon([]() -> task<> { co_return; });
          } catch (const usage_error&) {
            co_return true;
          }
          co_return false;
        },
        &n);
      BOOST_TEST(co_await h);
    });
  });
}

BOOST_AUTO_TEST_CASE(children_on_other_loops_are_cancelled_and_fail_like_others) {
  for (int round = 0; round < 20; ++round)
    run(run_options{.loops = 3}, []() -> task<> {
      std::atomic<int> ended{0};
      struct count {
        std::atomic<int>* n;
        explicit count(std::atomic<int>* x) : n(x) {}
        count(count&& o) noexcept : n(std::exchange(o.n, nullptr)) {}
        ~count() {
          if (n)
            ++*n;
        }
      };
      try {
        co_await with_nursery([&](nursery& n) -> task<> {
          for (unsigned i = 0; i < 3; ++i)
            n.start_on(
              i, [](count) -> task<> { co_await sleep_forever(); }, count(&ended));
          n.start_on(1, fail_after_checkpoint, "far away");
          co_return;
        });
        BOOST_ERROR("not thrown");
      } catch (const std::runtime_error& e) {
        BOOST_TEST(std::string(e.what()) == "far away");
      }
      BOOST_TEST(ended == 3);
    });
}

BOOST_AUTO_TEST_CASE(a_child_elsewhere_that_cannot_be_made_leaves_no_load_behind) {
  run_options options;
  options.loops = 2;
  run(options, []() -> task<> {
    const auto before = detail::loop::current()->load();
    co_await with_nursery([](nursery& n) -> task<> {
      const auto fails = []() -> task<> { throw std::runtime_error("not made"); };
      BOOST_CHECK_THROW(n.start_on(1, fails), std::runtime_error);
      co_return;
    });
    BOOST_TEST(detail::loop::current()->load() == before);
  });
}

BOOST_AUTO_TEST_CASE(task_tree_names_tasks_and_what_they_wait_for) {
  run_virtually([]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("sleeper", []() -> task<> { co_await sleep_for(10s); }));
      n.start_soon(fail_after_checkpoint, "x").cancel();
      co_await checkpoint();
      const std::string tree = dump_task_tree();
      BOOST_TEST(tree.find("sleeper: waiting for sleep (10.000 s)") != std::string::npos);
      BOOST_TEST(tree.find("fail_after_checkpoint") != std::string::npos);
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(a_million_children) {
  run_virtually([]() -> task<> {
    long ended = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 1'000'000; ++i)
        n.start_soon(
          [](long& e) -> task<> {
            ++e;
            co_await sleep_forever();
          },
          std::ref(ended));
      co_await checkpoint();
      n.cancel();
    });
    BOOST_TEST(ended == 1'000'000);
  });
}

BOOST_AUTO_TEST_SUITE_END()
