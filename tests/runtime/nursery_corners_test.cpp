// SPDX-License-Identifier: BSD-3-Clause
// Nurseries, handles and start() where it is least expected.

#include "support/at_end.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::at_end;

namespace {

task<> fail(std::string text) {
  throw std::runtime_error(text);
  co_return;
}

} // namespace

BOOST_AUTO_TEST_SUITE(nursery_corners)

BOOST_AUTO_TEST_CASE(siblings_take_turns) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (const char c : {'a', 'b'})
        n.start_soon(
          [&](char me) -> task<> {
            for (int i = 0; i < 3; ++i) {
              log += me;
              co_await checkpoint();
            }
          },
          c);
      co_return;
    });
    BOOST_TEST(log == "ababab"); // p10: first in, first out
  });
}

BOOST_AUTO_TEST_CASE(p02_failures_of_body_and_child_arrive_both) {
  run_virtually([]() -> task<> {
    try {
      co_await with_nursery([](nursery& n) -> task<> {
        n.start_soon(fail, "child");
        throw std::logic_error("body");
        co_return;
      });
      BOOST_ERROR("not thrown");
    } catch (const exception_group& g) {
      BOOST_TEST(g.size() == 2U);
      BOOST_TEST(g.find<std::logic_error>() != nullptr);
      BOOST_TEST(g.find<std::runtime_error>() != nullptr);
    }
  });
}

BOOST_AUTO_TEST_CASE(p02_groups_nest_as_nurseries_do) {
  run_virtually([]() -> task<> {
    try {
      co_await with_nursery([](nursery& outer) -> task<> {
        outer.start_soon(named("inner", []() -> task<> {
          co_await with_nursery([](nursery& n) -> task<> {
            n.start_soon(fail, "1");
            n.start_soon(fail, "2");
            co_return;
          });
        }));
        throw std::logic_error("3");
        co_return;
      });
      BOOST_ERROR("not thrown");
    } catch (const exception_group& g) {
      BOOST_TEST(g.size() == 2U);
      BOOST_TEST(g.failures()[0].task == "inner");
      BOOST_TEST(g.flatten().size() == 3U);
      BOOST_TEST(g.find<std::runtime_error>() != nullptr);
      const auto [mine, rest] = g.split<std::runtime_error>();
      BOOST_TEST(mine.size() == 2U);
      BOOST_TEST(rest.size() == 1U);
    }
  });
}

BOOST_AUTO_TEST_CASE(what_is_no_exception_type_of_std_is_a_failure_too) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(co_await with_nursery([](nursery& n) -> task<> {
                        n.start_soon([]() -> task<> {
                          throw 7;
                          co_return;
                        });
                        co_await sleep_forever();
                      }),
                      int);
  });
}

BOOST_AUTO_TEST_CASE(use_after_it_has_closed_is_refused) {
  run_virtually([]() -> task<> {
    bool tried = false;
    co_await with_nursery([&](nursery& outer) -> task<> {
      event closed;
      nursery* inner = nullptr;
      co_await with_cancel_scope([&](cancel_scope&) -> task<> {
        co_await with_nursery([&](nursery& n) -> task<> {
          inner = &n;
          // scheduled before the nursery closes, and runs before its opener goes on
          n.start_soon([&]() -> task<> {
            outer.start_soon([&]() -> task<> {
              tried = true;
              BOOST_CHECK_THROW(inner->start_soon(fail, "late"), usage_error);
              BOOST_CHECK_THROW(inner->start_service(fail, "late"), usage_error);
              BOOST_CHECK_THROW(inner->start_on(0, fail, "late"), usage_error);
              BOOST_CHECK_THROW(inner->stop(1s), usage_error);
              BOOST_CHECK_THROW(co_await inner->start([](task_status<>&) -> task<> { co_return; }),
                                usage_error);
            });
            co_return;
          });
          co_return;
        });
      });
    });
    BOOST_TEST(tried);
  });
}

BOOST_AUTO_TEST_CASE(a_nursery_in_a_cancelled_scope_runs_up_to_the_first_checkpoints) {
  run_virtually([]() -> task<> {
    std::string log;
    const bool ended = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          log += 'c';
          co_await checkpoint();
          log += '!';
        });
        log += 'b';
        co_return;
      });
      log += '!';
    });
    BOOST_TEST(!ended);
    BOOST_TEST(log == "bc");
  });
}

BOOST_AUTO_TEST_CASE(a_body_with_a_value_that_is_cut_off_by_its_nursery_throws) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(static_cast<void>(co_await with_nursery([](nursery& n) -> task<int> {
                        n.cancel();
                        co_await checkpoint();
                        co_return 1;
                      })),
                      task_cancelled);
    // cut off from further out, it does not come back at all
    bool back = false;
    const bool ended = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      static_cast<void>(co_await with_nursery([&](nursery&) -> task<int> {
        s.cancel();
        co_await checkpoint();
        co_return 1;
      }));
      back = true;
    });
    BOOST_TEST(!ended);
    BOOST_TEST(!back);
  });
}

BOOST_AUTO_TEST_CASE(a_destructor_of_a_cancelled_body_may_still_start_a_child) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      struct starter {
        nursery& n;
        std::string& log;
        ~starter() {
          n.start_soon([&l = log]() -> task<> {
            l += 's';
            co_await checkpoint();
            l += '!';
          });
        }
      } s{n, log};
      n.cancel();
      co_await checkpoint();
    });
    BOOST_TEST(log == "s");
  });
}

BOOST_AUTO_TEST_CASE(any_number_of_children_may_cancel_the_nursery_or_fail_at_once) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      for (int i = 0; i < 3; ++i)
        n.start_soon([&]() -> task<> {
          co_await shielded([]() -> task<> { co_await sleep_for(1s); });
          n.cancel();
        });
      co_return;
    });
    const auto begin = current_time();
    try {
      co_await with_nursery([](nursery& n) -> task<> {
        for (int i = 1; i <= 3; ++i)
          n.start_soon(
            [](int seconds) -> task<> {
              co_await shielded(
                [=]() -> task<> { co_await sleep_for(std::chrono::seconds(seconds)); });
              throw std::runtime_error("boo");
            },
            i);
        co_return;
      });
      BOOST_ERROR("not thrown");
    } catch (const exception_group& g) {
      BOOST_TEST(g.size() == 3U);
    }
    BOOST_TEST((current_time() - begin == 3s));
  });
}

BOOST_AUTO_TEST_CASE(a_handle_is_awaited_by_several_tasks) {
  run_virtually([]() -> task<> {
    int sum = 0, cancelled = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([]() -> task<int> {
        co_await sleep_for(1s);
        co_return 7;
      });
      for (int i = 0; i < 3; ++i)
        n.start_soon([&, h]() -> task<> { sum += co_await h; });
      // one of those that wait goes away
      n.start_soon([&, h]() -> task<> {
        if (!co_await move_on_after(500ms, [&]() -> task<> { sum += 100 * co_await h; }))
          ++cancelled;
      });
      co_return;
    });
    BOOST_TEST(sum == 21);
    BOOST_TEST(cancelled == 1);
  });
}

BOOST_AUTO_TEST_CASE(a_handle_that_outlives_its_nursery_still_tells_the_end) {
  run_virtually([]() -> task<> {
    task_handle<void> failed, cut, done;
    try {
      co_await with_nursery([&](nursery& n) -> task<> {
        cut = n.start_soon(named("cut", []() -> task<> { co_await sleep_forever(); }));
        done = n.start_soon([]() -> task<> { co_return; });
        failed = n.start_soon(fail, "gone wrong");
        co_return;
      });
    } catch (const std::runtime_error&) {
    }
    BOOST_TEST(done.done());
    BOOST_TEST(!done.cancelled());
    BOOST_TEST(cut.cancelled());
    BOOST_TEST(cut.name() == "cut");
    BOOST_TEST(describe(failed.error()) == "gone wrong");
    cut.cancel("too late"); // no effect
    failed.cancel();
    BOOST_CHECK_THROW(co_await cut, task_cancelled);
    BOOST_CHECK_THROW(co_await failed, std::runtime_error);
    co_await done;
  });
}

BOOST_AUTO_TEST_CASE(cancelling_a_child_before_it_has_run_lets_it_reach_its_first_checkpoint) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([&]() -> task<> {
        at_end e{log, 'e'};
        log += 'b';
        co_await checkpoint();
        log += '!';
      });
      auto quick = n.start_soon([]() -> task<int> { co_return 3; });
      h.cancel();
      quick.cancel();
      BOOST_TEST(co_await quick == 3); // it had no checkpoint
      BOOST_TEST(!quick.cancelled());
      BOOST_CHECK_THROW(co_await h, task_cancelled);
    });
    BOOST_TEST(log == "be");
  });
}

BOOST_AUTO_TEST_CASE(a_cancelled_child_does_not_cancel_its_siblings) {
  run_virtually([]() -> task<> {
    bool lived = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([]() -> task<> { co_await sleep_forever(); });
      n.start_soon([&]() -> task<> {
        co_await sleep_for(2s);
        lived = true;
      });
      co_await sleep_for(1s);
      h.cancel();
    });
    BOOST_TEST(lived);
  });
}

BOOST_AUTO_TEST_CASE(a_child_may_cancel_itself_by_its_handle) {
  run_virtually([]() -> task<> {
    bool before = false, after = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      task_handle<void> me;
      me = n.start_soon([&]() -> task<> {
        me.cancel("had enough");
        before = true;
        co_await checkpoint();
        after = true;
      });
      BOOST_CHECK_THROW(co_await me, task_cancelled);
    });
    BOOST_TEST(before);
    BOOST_TEST(!after);
  });
}

BOOST_AUTO_TEST_CASE(a_child_can_start_siblings_after_the_body_has_ended) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await sleep_for(1s);
        n.start_soon([&]() -> task<> {
          co_await sleep_for(1s);
          log += '2';
        });
        log += '1';
      });
      co_return;
    });
    BOOST_TEST(log == "12");
  });
}

BOOST_AUTO_TEST_CASE(an_error_handler_may_start_a_replacement) {
  run_virtually([]() -> task<> {
    int tries = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      std::function<task<>()> worker = [&]() -> task<> {
        if (++tries < 3)
          throw std::runtime_error("again");
        co_return;
      };
      n.on_error<std::runtime_error>([&](const std::runtime_error&) { n.start_soon(worker); });
      n.start_soon(worker);
      co_await sleep_for(1s); // the replacements use what is declared here
    });
    BOOST_TEST(tries == 3);
  });
}

BOOST_AUTO_TEST_CASE(error_handlers_are_asked_in_their_order_and_only_for_their_type) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.on_error<std::logic_error>([&](const std::logic_error&) { log += 'l'; });
      n.on_error<std::runtime_error>([&](const std::runtime_error&) { log += 'r'; });
      n.on_error<std::exception>([&](const std::exception&) { log += 'e'; });
      n.start_soon(fail, "x");
      n.start_soon([]() -> task<> {
        throw std::domain_error("a logic_error");
        co_return;
      });
      n.start_soon([]() -> task<> {
        throw std::bad_alloc();
        co_return;
      });
      co_return;
    });
    BOOST_TEST(log == "rle");
  });
}

BOOST_AUTO_TEST_CASE(an_error_handler_does_not_see_the_body) {
  run_virtually([]() -> task<> {
    bool seen = false;
    BOOST_CHECK_THROW(co_await with_nursery([&](nursery& n) -> task<> {
                        n.on_error<std::runtime_error>(
                          [&](const std::runtime_error&) { seen = true; });
                        throw std::runtime_error("body");
                        co_return;
                      }),
                      std::runtime_error);
    BOOST_TEST(!seen);
  });
}

BOOST_AUTO_TEST_CASE(an_error_handler_may_add_error_handlers) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.on_error<std::logic_error>([&](const std::logic_error&) {
        log += 'a';
        for (int i = 0; i < 10; ++i)
          n.on_error<std::runtime_error>(
            [&, i](const std::runtime_error&) { log += char('0' + i); });
        log += 'b';
      });
      n.start_soon([]() -> task<> {
        throw std::logic_error("first");
        co_return;
      });
      n.start_soon(fail, "second");
      co_return;
    });
    BOOST_TEST(log == "ab0");
  });
}

BOOST_AUTO_TEST_CASE(a_service_that_fails_is_a_failure_and_may_outlive_its_cancellation) {
  run_virtually([]() -> task<> {
    std::string log;
    BOOST_CHECK_THROW(co_await with_nursery([&](nursery& n) -> task<> {
                        n.start_service([&]() -> task<> {
                          co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                                [&]() -> task<> {
                                                  co_await sleep_for(1s);
                                                  log += 's';
                                                });
                        });
                        n.start_service(fail, "service");
                        at_end b{log, 'b'};
                        co_await sleep_forever();
                      }),
                      std::runtime_error);
    BOOST_TEST(log == "bs");
  });
}

BOOST_AUTO_TEST_CASE(a_name_may_be_given_wherever_a_task_is_started) {
  run(run_options{.loops = 2}, []() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      auto job = []() -> task<> { co_return; };
      BOOST_TEST(n.start_soon(named("one", job)).name() == "one");
      BOOST_TEST(n.start_service(named("two", job)).name() == "two");
      BOOST_TEST(n.start_on(1, named("three", job)).name() == "three");
      BOOST_TEST(n.start_elsewhere(named("four", job)).name() == "four");
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(a_member_function_and_a_reference_wrapper_can_be_started) {
  run_virtually([]() -> task<> {
    struct account {
      int total = 0;
      task<> add(int n) {
        co_await checkpoint();
        total += n;
      }
    } a;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(&account::add, &a, 1);
      n.start_soon(&account::add, std::ref(a), 10);
      n.start_soon(&account::add, a, 100); // a copy, which lives with the child
      co_return;
    });
    BOOST_TEST(a.total == 11);
  });
}

BOOST_AUTO_TEST_SUITE_END()
