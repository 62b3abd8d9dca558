// SPDX-License-Identifier: BSD-3-Clause
// Cancellation where it is least expected: while unwinding, in destructors, with
// deadlines that have passed, and as far down as it goes.

#include "support/at_end.hpp"
#include "support/sanitized.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::at_end;

namespace {

template <class F>
struct on_destruction {
  F f;
  ~on_destruction() { f(); }
};
template <class F>
on_destruction(F) -> on_destruction<F>;

constexpr int deep_levels = troupe_test::sanitized ? 20'000 : 200'000;

/// A chain of tasks, each of which waits for the next to start.
task<> start_chain(task_status<>&, nursery& n, int left) {
  if (left == 0)
    co_await sleep_forever();
  co_await n.start(start_chain, std::ref(n), left - 1);
}

} // namespace

BOOST_AUTO_TEST_SUITE(cancel_corners)

BOOST_AUTO_TEST_CASE(a_deadline_that_has_passed_cancels_the_first_checkpoint) {
  run_virtually([]() -> task<> {
    co_await sleep_for(5s);
    event set;
    set.set();
    for (const auto when : {current_time(), current_time() - 1s}) {
      bool got = false;
      const bool ended = co_await move_on_at(when, [&]() -> task<> {
        BOOST_TEST(is_cancelled());
        BOOST_TEST((current_cancel_reason()->cause == cancel_cause::deadline));
        co_await set.wait(); // would not wait
        got = true;
      });
      BOOST_TEST(!ended);
      BOOST_TEST(!got);
    }
    BOOST_TEST(!co_await move_on_after(0s, [&]() -> task<> { co_await set.wait(); }));
    BOOST_TEST(!co_await move_on_after(-1s, [&]() -> task<> { co_await set.wait(); }));
    // without a checkpoint there is nothing to cancel
    BOOST_TEST(co_await move_on_after(0s, []() -> task<> { co_return; }));
  });
}

BOOST_AUTO_TEST_CASE(a_deadline_that_is_moved_into_the_past_cancels_the_next_checkpoint) {
  run_virtually([]() -> task<> {
    co_await sleep_for(5s);
    event set;
    set.set();
    bool got = false;
    const bool ended = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      co_await set.wait();
      s.deadline(current_time() - 1s);
      BOOST_TEST(s.cancel_called());
      co_await set.wait();
      got = true;
    });
    BOOST_TEST(!ended);
    BOOST_TEST(!got);
  });
}

BOOST_AUTO_TEST_CASE(a_shield_raised_while_unwinding_does_not_stop_the_unwinding) {
  run_virtually([]() -> task<> {
    bool between = false, inner_ended = false;
    const bool outer = co_await with_cancel_scope([&](cancel_scope& o) -> task<> {
      inner_ended = co_await with_cancel_scope([&](cancel_scope& i) -> task<> {
        co_await with_nursery([&](nursery&) -> task<> {
          on_destruction late{[&] { i.shield(true); }};
          o.cancel();
          co_await checkpoint();
        });
        between = true; // the nursery was not cancelled, so it does not come back
      });
      inner_ended = true;
    });
    BOOST_TEST(!outer);
    BOOST_TEST(!between);
    BOOST_TEST(!inner_ended);
  });
}

BOOST_AUTO_TEST_CASE(a_shield_raised_in_a_clean_up_does_not_bring_the_body_back) {
  run_virtually([]() -> task<> {
    bool between = false;
    const bool outer = co_await with_cancel_scope([&](cancel_scope& o) -> task<> {
      co_await with_cancel_scope([&](cancel_scope& i) -> task<> {
        const std::string got = co_await with_cleanup(
          [&]() -> task<std::string> {
            o.cancel();
            co_await checkpoint();
            co_return "never";
          },
          [&]() -> task<> {
            i.shield(true);
            co_return;
          });
        between = true;
      });
    });
    BOOST_TEST(!outer);
    BOOST_TEST(!between);
  });
}

BOOST_AUTO_TEST_CASE(cancel_from_a_destructor_while_unwinding_goes_further_out) {
  run_virtually([]() -> task<> {
    std::string log;
    const bool outer = co_await with_cancel_scope([&](cancel_scope& o) -> task<> {
      const bool inner = co_await with_cancel_scope([&](cancel_scope& i) -> task<> {
        on_destruction more{[&] { o.cancel("as well"); }};
        i.cancel();
        co_await checkpoint();
      });
      log += inner ? '!' : '?'; // both are cancelled: the outer one has it
    });
    BOOST_TEST(!outer);
    BOOST_TEST(log.empty());
  });
}

BOOST_AUTO_TEST_CASE(a_destructor_may_cancel_a_sibling_and_its_own_nursery) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto sibling = n.start_soon([&]() -> task<> {
        at_end e{log, 's'};
        co_await sleep_forever();
      });
      auto third = n.start_soon([&]() -> task<> {
        at_end e{log, 't'};
        co_await sleep_forever();
      });
      auto first = n.start_soon([&]() -> task<> {
        on_destruction more{[&] {
          sibling.cancel();
          n.cancel();
        }};
        co_await sleep_forever();
      });
      co_await checkpoint();
      first.cancel();
      co_await sleep_forever();
    });
    BOOST_TEST(log == "st");
  });
}

BOOST_AUTO_TEST_CASE(of_two_that_are_cancelled_at_once_the_outer_one_catches) {
  run_virtually([]() -> task<> {
    bool two = true, three = true, after = false;
    const bool one = co_await with_cancel_scope([&](cancel_scope&) -> task<> {
      two = co_await with_cancel_scope([&](cancel_scope& s2) -> task<> {
        three = co_await with_cancel_scope([&](cancel_scope& s3) -> task<> {
          s3.cancel();
          s2.cancel();
          co_await sleep_forever();
        });
        after = true;
      });
    });
    BOOST_TEST(one);
    BOOST_TEST(!two);
    BOOST_TEST(three); // never told
    BOOST_TEST(!after);
  });
}

BOOST_AUTO_TEST_CASE(p08_of_two_deadlines_in_one_tick_the_outer_one_wins) {
  run_virtually([]() -> task<> {
    const auto at = current_time() + 1s;
    for (const bool outer_first : {true, false}) {
      bool inner = true;
      const bool outer = co_await with_cancel_scope([&](cancel_scope& o) -> task<> {
        if (outer_first)
          o.deadline(at);
        inner = co_await with_cancel_scope([&](cancel_scope& i) -> task<> {
          i.deadline(at);
          if (!outer_first)
            o.deadline(at);
          co_await sleep_forever();
        });
        BOOST_ERROR("the outer one has the same deadline");
      });
      BOOST_TEST(!outer);
      BOOST_TEST(inner);
    }
  });
}

BOOST_AUTO_TEST_CASE(p08_a_deadline_that_was_set_before_a_sleep_of_the_same_tick_wins) {
  run_virtually([]() -> task<> {
    BOOST_TEST(!co_await move_on_after(1s, []() -> task<> { co_await sleep_for(1s); }));
    // set later, it finds the result of the sleep on its way
    BOOST_TEST(co_await with_cancel_scope([](cancel_scope& s) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([]() -> task<> { co_await sleep_for(1s); });
        co_await checkpoint();
        s.deadline(current_time() + 1s);
      });
    }));
  });
}

BOOST_AUTO_TEST_CASE(a_scope_that_is_left_does_not_cancel_what_comes_after) {
  run_virtually([]() -> task<> {
    BOOST_TEST(co_await with_cancel_scope([](cancel_scope& s) -> task<> {
      s.cancel();
      co_return; // no checkpoint: it ends as it was
    }));
    co_await checkpoint();
    BOOST_TEST(!is_cancelled());
  });
}

BOOST_AUTO_TEST_CASE(a_failure_passes_through_a_cancelled_scope) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(static_cast<void>(co_await with_cancel_scope([](cancel_scope& s) -> task<> {
                        s.cancel();
                        throw std::domain_error("mine");
                        co_return;
                      })),
                      std::domain_error);
  });
}

BOOST_AUTO_TEST_CASE(a_shield_does_not_protect_from_its_own_scope_or_those_inside) {
  run_virtually([]() -> task<> {
    std::string log;
    const bool outer = co_await with_cancel_scope([&](cancel_scope& o) -> task<> {
      const bool inner = co_await with_cancel_scope([&](cancel_scope& i) -> task<> {
        i.shield(true);
        o.cancel();
        co_await checkpoint();
        log += '1';
        const bool innermost = co_await with_cancel_scope([](cancel_scope& s) -> task<> {
          s.cancel();
          co_await checkpoint();
        });
        log += innermost ? '!' : '2';
        co_await checkpoint();
        log += '3';
        i.cancel();
        co_await checkpoint();
        log += '!';
      });
      log += inner ? '!' : '?';
      co_await checkpoint();
    });
    BOOST_TEST(!outer);
    // the inner scope is unwound, and behind it the outer one is cancelled as well
    BOOST_TEST(log == "123");
  });
}

BOOST_AUTO_TEST_CASE(a_shield_can_be_raised_and_lowered_as_often_as_wanted) {
  run_virtually([]() -> task<> {
    int passed = 0;
    const bool outer = co_await with_cancel_scope([&](cancel_scope& o) -> task<> {
      co_await with_cancel_scope([&](cancel_scope& i) -> task<> {
        o.cancel();
        for (int round = 0; round < 3; ++round) {
          i.shield(true);
          co_await checkpoint();
          ++passed;
          i.shield(false);
          BOOST_TEST(is_cancelled());
        }
        co_await checkpoint();
        passed = -1;
      });
    });
    BOOST_TEST(!outer);
    BOOST_TEST(passed == 3);
  });
}

BOOST_AUTO_TEST_CASE(a_shielded_nursery_keeps_its_children_until_the_shield_falls) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_cancel_scope([&](cancel_scope& outer) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        outer.cancel();
        n.scope().shield(true);
        n.start_soon([&]() -> task<> {
          at_end e{log, 'c'};
          log += 's';
          co_await sleep_forever();
        });
        co_await sleep_for(1s);
        BOOST_TEST(log == "s");
        n.scope().shield(false);
        co_await shielded([]() -> task<> { co_await sleep_for(1s); });
        BOOST_TEST(log == "sc");
      });
    });
    BOOST_TEST(log == "sc");
  });
}

BOOST_AUTO_TEST_CASE(cancellation_reaches_all_below_at_once) {
  run_virtually([]() -> task<> {
    int ended = 0;
    struct count {
      int& n;
      ~count() { ++n; }
    };
    co_await with_nursery([&](nursery& top) -> task<> {
      for (int i = 0; i < 2; ++i)
        top.start_soon([&]() -> task<> {
          co_await with_nursery([&](nursery& n) -> task<> {
            for (int k = 0; k < 2; ++k)
              n.start_soon([&]() -> task<> {
                count c{ended};
                co_await sleep_forever();
              });
            co_return;
          });
        });
      co_await checkpoint();
      co_await checkpoint();
      top.cancel();
    });
    BOOST_TEST(ended == 4);
  });
}

BOOST_AUTO_TEST_CASE(a_chain_of_starts_is_cancelled_without_recursion) {
  run_virtually([]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      BOOST_TEST(!co_await move_on_after(
        1s, [&]() -> task<> { co_await n.start(start_chain, std::ref(n), deep_levels); }));
      BOOST_TEST(n.size() == 0U);
    });
  });
}

BOOST_AUTO_TEST_CASE(a_clean_up_may_be_cancelled_by_a_scope_of_its_own) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await move_on_after(1s, [&]() -> task<> {
      co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                            [&]() -> task<> {
                              const bool in_time = co_await move_on_after(
                                1s, []() -> task<> { co_await sleep_forever(); });
                              log += in_time ? '!' : 'c';
                              co_await checkpoint();
                              log += 'd';
                            });
      log += '!';
    });
    BOOST_TEST(log == "cd");
  });
}

BOOST_AUTO_TEST_CASE(clean_ups_nest_inner_first_and_each_has_its_own_time) {
  run_virtually([]() -> task<> {
    std::string log;
    const auto begin = current_time();
    co_await move_on_after(1s, [&]() -> task<> {
      co_await with_cleanup(
        [&]() -> task<> {
          co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                [&]() -> task<> {
                                  co_await sleep_for(2s);
                                  log += 'i';
                                },
                                3s);
          log += '!';
        },
        [&]() -> task<> {
          co_await sleep_for(2s);
          log += 'o';
        },
        3s);
      log += '!';
    });
    BOOST_TEST(log == "io");
    BOOST_TEST((current_time() - begin == 5s));
  });
}

BOOST_AUTO_TEST_CASE(p02_a_failure_of_the_body_survives_a_cancellation_in_the_clean_up) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    bool cleaned = false;
    BOOST_CHECK_THROW(static_cast<void>(co_await move_on_after(
                        2s,
                        [&]() -> task<> {
                          co_await with_cleanup(
                            []() -> task<> {
                              co_await sleep_for(1s);
                              throw std::domain_error("body");
                            },
                            [&]() -> task<> {
                              co_await sleep_for(3s); // the deadline comes in between
                              cleaned = true;
                            });
                        })),
                      std::domain_error);
    BOOST_TEST(cleaned);
    BOOST_TEST((current_time() - begin == 4s));
  });
}

BOOST_AUTO_TEST_CASE(a_clean_up_runs_in_a_scope_that_was_cancelled_before) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.cancel();
      co_await with_cleanup(
        [&]() -> task<> {
          log += 'b';
          co_await sleep_for(1s);
          log += '!';
        },
        [&]() -> task<> {
          co_await sleep_for(1s);
          log += 'c';
        });
      log += '!';
    });
    BOOST_TEST(log == "bc");
  });
}

BOOST_AUTO_TEST_CASE(scopes_nest_as_deep_as_wanted) {
  run_virtually([]() -> task<> {
    struct nest {
      static task<> scopes(int left) {
        if (left == 0)
          co_await sleep_forever();
        static_cast<void>(co_await move_on_after(1h, [left] { return scopes(left - 1); }));
      }
    };
    BOOST_TEST(!co_await move_on_after(1s, [] { return nest::scopes(deep_levels); }));
  });
}

BOOST_AUTO_TEST_CASE(effective_deadline_is_that_of_the_tightest_up_to_a_shield) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    BOOST_TEST((current_effective_deadline() == time_point::max()));
    co_await move_on_after(5s, [&]() -> task<> {
      BOOST_TEST((current_effective_deadline() == begin + 5s));
      co_await with_nursery([&](nursery& n) -> task<> {
        n.scope().deadline(begin + 4s);
        n.start_soon([&]() -> task<> {
          BOOST_TEST((current_effective_deadline() == begin + 4s));
          co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
            s.shield(true);
            BOOST_TEST((current_effective_deadline() == time_point::max()));
            s.deadline(begin + 9s);
            BOOST_TEST((current_effective_deadline() == begin + 9s));
            s.shield(false);
            BOOST_TEST((current_effective_deadline() == begin + 4s));
            s.cancel();
            BOOST_TEST((current_effective_deadline() == time_point::min()));
            co_return;
          });
        });
        co_return;
      });
    });
    BOOST_TEST((current_effective_deadline() == time_point::max()));
  });
}

BOOST_AUTO_TEST_SUITE_END()
