// SPDX-License-Identifier: BSD-3-Clause
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

task<int> deep(int n) {
  if (n == 0) {
    co_await checkpoint();
    co_return 0;
  }
  co_return 1 + co_await deep(n - 1);
}

task<> deep_sleep(int n) {
  if (n == 0)
    co_await sleep_forever();
  co_await deep_sleep(n - 1);
}

task<> deep_nurseries(int n) {
  if (n == 0)
    co_await sleep_forever();
  co_await with_nursery([n](nursery& s) -> task<> {
    s.start_soon(deep_nurseries, n - 1);
    co_return;
  });
}

constexpr int depth = troupe_test::sanitized ? 100'000 : 1'000'000;

} // namespace

BOOST_AUTO_TEST_SUITE(cancel_scope_suite)

BOOST_AUTO_TEST_CASE(p08_a_deadline_is_never_early_and_the_tightest_wins) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    bool inner = true;
    const bool outer = co_await move_on_after(1s, [&]() -> task<> {
      BOOST_TEST((current_effective_deadline() == begin + 1s));
      inner = co_await move_on_after(5s, []() -> task<> { co_await sleep_for(10s); });
      BOOST_ERROR("the outer deadline ends both");
    });
    BOOST_TEST(!outer);
    BOOST_TEST(inner);
    BOOST_TEST((current_time() - begin == 1s));
  });
}

BOOST_AUTO_TEST_CASE(a_body_that_ends_in_time_gives_its_value) {
  run_virtually([]() -> task<> {
    auto v = co_await move_on_after(2s, []() -> task<int> {
      co_await sleep_for(1s);
      co_return 7;
    });
    BOOST_TEST(v.value() == 7);
    auto none = co_await move_on_after(1s, []() -> task<int> {
      co_await sleep_for(2s);
      co_return 7;
    });
    BOOST_TEST(!none.has_value());
  });
}

BOOST_AUTO_TEST_CASE(fail_after_names_the_scope_and_what_was_cut_off) {
  run_virtually([]() -> task<> {
    try {
      co_await fail_after(
        1s, []() -> task<> { co_await sleep_forever(); }, "the query");
      BOOST_ERROR("not thrown");
    } catch (const timeout_error& e) {
      const std::string what = e.what();
      BOOST_TEST(what.find("the query") != std::string::npos);
      BOOST_TEST(what.find("sleep") != std::string::npos);
    }
    BOOST_TEST(co_await fail_after(1s, []() -> task<int> { co_return 3; }) == 3);
  });
}

BOOST_AUTO_TEST_CASE(p04_cancellation_is_level_triggered_and_idempotent) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel("first");
      s.cancel("second");
      BOOST_TEST(s.reason()->message == "first");
      BOOST_TEST(is_cancelled());
      log += 'a'; // up to the next checkpoint
      at_end e{log, 'b'};
      co_await checkpoint();
      log += '!';
    });
    BOOST_TEST(log == "ab");
    BOOST_TEST(!is_cancelled());
  });
}

BOOST_AUTO_TEST_CASE(frames_are_destroyed_from_the_inside_out) {
  run_virtually([]() -> task<> {
    std::string log;
    auto inner = [&]() -> task<> {
      at_end e{log, '1'};
      co_await sleep_forever();
    };
    auto middle = [&]() -> task<> {
      at_end e{log, '2'};
      co_await inner();
    };
    co_await move_on_after(1s, [&]() -> task<> {
      at_end e{log, '3'};
      co_await middle();
    });
    BOOST_TEST(log == "123");
  });
}

BOOST_AUTO_TEST_CASE(a_catch_all_does_not_see_cancellation) {
  run_virtually([]() -> task<> {
    bool caught = false;
    co_await move_on_after(1s, [&]() -> task<> {
      try {
        co_await sleep_forever();
      } catch (...) {
        caught = true;
      }
    });
    BOOST_TEST(!caught);
  });
}

BOOST_AUTO_TEST_CASE(an_inner_cancel_stays_inside) {
  run_virtually([]() -> task<> {
    bool after = false;
    const bool outer = co_await with_cancel_scope([&](cancel_scope&) -> task<> {
      const bool inner = co_await with_cancel_scope([](cancel_scope& s) -> task<> {
        s.cancel();
        co_await checkpoint();
      });
      BOOST_TEST(!inner);
      co_await checkpoint();
      after = true;
    });
    BOOST_TEST(outer);
    BOOST_TEST(after);
  });
}

BOOST_AUTO_TEST_CASE(a_shield_keeps_cancellation_out_until_its_end) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      co_await shielded([&]() -> task<> {
        co_await sleep_for(1s);
        log += 's';
      });
      log += 'a';
      co_await checkpoint();
      log += '!';
    });
    BOOST_TEST(log == "sa");
  });
}

BOOST_AUTO_TEST_CASE(lifting_a_shield_lets_the_cancellation_in) {
  run_virtually([]() -> task<> {
    bool ended = true;
    co_await with_nursery([&](nursery& n) -> task<> {
      cancel_scope* inner = nullptr;
      auto h = n.start_soon([&]() -> task<> {
        ended = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
          s.shield(true);
          inner = &s;
          co_await sleep_for(1h);
        });
      });
      co_await checkpoint();
      h.cancel();
      co_await sleep_for(1s);
      BOOST_TEST(!h.done());
      inner->shield(false);
      co_await sleep_for(1s);
      BOOST_TEST(h.cancelled());
    });
  });
}

BOOST_AUTO_TEST_CASE(a_deadline_may_be_changed_while_inside) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.deadline(begin + 1s);
      s.deadline(begin + 3s);
      co_await sleep_forever();
    });
    BOOST_TEST((current_time() - begin == 3s));
  });
}

BOOST_AUTO_TEST_CASE(the_reason_can_be_read_in_destructors_and_clean_up) {
  run_virtually([]() -> task<> {
    std::string in_destructor, in_cleanup;
    struct ask {
      std::string& into;
      ~ask() {
        if (const auto* r = current_cancel_reason())
          into = to_string(*r);
      }
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        ask a{in_destructor};
        co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                              [&]() -> task<> {
                                in_cleanup = current_cancel_reason()->message;
                                co_return;
                              });
      });
      co_await checkpoint();
      n.cancel("closing time");
    });
    BOOST_TEST(in_cleanup == "closing time");
    BOOST_TEST(in_destructor.find("requested: closing time") == 0U);
  });
}

BOOST_AUTO_TEST_CASE(p09_a_clean_up_is_shielded_and_bounded) {
  run_virtually([]() -> task<> {
    const auto begin = current_time();
    try {
      co_await move_on_after(1s, []() -> task<> {
        co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                              []() -> task<> { co_await sleep_forever(); }, 2s);
      });
      BOOST_ERROR("not thrown");
    } catch (const cleanup_timeout& e) {
      BOOST_TEST(std::string(e.what()).find("sleep") != std::string::npos);
    }
    BOOST_TEST((current_time() - begin == 3s));
  });
}

BOOST_AUTO_TEST_CASE(clean_up_runs_however_the_body_ends) {
  run_virtually([]() -> task<> {
    int runs = 0;
    auto cleanup = [&]() -> task<> {
      co_await checkpoint();
      ++runs;
    };
    BOOST_TEST(co_await with_cleanup([]() -> task<int> { co_return 4; }, cleanup) == 4);
    BOOST_CHECK_THROW(co_await with_cleanup(
                        []() -> task<> {
                          throw std::domain_error("b");
                          co_return;
                        },
                        cleanup),
                      std::domain_error);
    BOOST_CHECK_THROW(co_await with_cleanup(
                        []() -> task<> {
                          throw std::domain_error("b");
                          co_return;
                        },
                        []() -> task<> {
                          throw std::range_error("c");
                          co_return;
                        }),
                      exception_group);
    BOOST_TEST(runs == 2);
  });
}

BOOST_AUTO_TEST_CASE(a_nursery_waits_for_its_children_while_it_is_unwound) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await move_on_after(1s, [&]() -> task<> {
      at_end outer{log, 'o'};
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> {
          co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                [&]() -> task<> {
                                  co_await sleep_for(1s);
                                  log += 'c';
                                });
        });
        at_end body{log, 'b'};
        co_await sleep_forever();
      });
    });
    BOOST_TEST(log == "bco");
  });
}

BOOST_AUTO_TEST_CASE(a_nursery_whose_children_had_all_ended_gives_its_result) {
  run_virtually([]() -> task<> {
    int got = 0;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      got = co_await with_nursery([&](nursery& n) -> task<int> {
        n.start_soon([&]() -> task<> {
          s.cancel();
          co_return;
        });
        co_return 3;
      });
    });
    BOOST_TEST(got == 3);
  });
}

BOOST_AUTO_TEST_CASE(a_million_deep) {
  run_virtually([]() -> task<> {
    BOOST_TEST(co_await deep(depth) == depth);
    BOOST_TEST(!co_await move_on_after(1s, [] { return deep_sleep(depth); }));
    BOOST_TEST(!co_await move_on_after(1s, [] { return deep_nurseries(depth); }));
  });
}

BOOST_AUTO_TEST_CASE(sleeps_wake_in_the_order_of_their_deadlines) {
  run_virtually([]() -> task<> {
    std::string log;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i : {3, 1, 2, 0})
        n.start_soon(
          [&](int s) -> task<> {
            const auto begin = current_time();
            co_await sleep_for(std::chrono::seconds(s));
            BOOST_TEST((current_time() - begin >= std::chrono::seconds(s)));
            log += static_cast<char>('0' + s);
          },
          i);
      co_return;
    });
    BOOST_TEST(log == "0123");
  });
}

BOOST_AUTO_TEST_SUITE_END()
