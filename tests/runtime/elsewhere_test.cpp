// SPDX-License-Identifier: BSD-3-Clause
// Children on other loops: cancelled at any time, failing, awaited, and with children
// of their own.
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr int visits = 50;

/// Runs on three loops.
template <class F>
auto run_on_three(F fn) {
  return run(run_options{.loops = 3}, std::move(fn));
}

struct counted {
  std::atomic<int>* n;
  explicit counted(std::atomic<int>* x) : n(x) {}
  counted(counted&& o) noexcept : n(std::exchange(o.n, nullptr)) {}
  ~counted() {
    if (n)
      ++*n;
  }
};

task<> sleeper(counted) { co_await sleep_forever(); }

/// Grows a tree: three children, each on another loop, `depth` levels down.
task<> grow(std::atomic<int>* ended, int depth) {
  counted c(ended);
  co_await with_nursery([&](nursery& n) -> task<> {
    if (depth > 0)
      for (unsigned i = 0; i < 3; ++i)
        n.start_on(i, grow, ended, depth - 1);
    co_await sleep_forever();
  });
}

task<> fail_with(int number) {
  co_await checkpoint();
  throw std::runtime_error(std::to_string(number));
}

} // namespace

BOOST_AUTO_TEST_SUITE(elsewhere_suite)

BOOST_AUTO_TEST_CASE(p04_cancelled_before_it_has_arrived_a_child_runs_to_its_first_checkpoint) {
  for (int round = 0; round < visits; ++round)
    run_on_three([]() -> task<> {
      std::atomic<int> began{0}, went_on{0};
      co_await with_nursery([&](nursery& n) -> task<> {
        auto job = [](std::atomic<int>* b, std::atomic<int>* w) -> task<> {
          ++*b;
          co_await checkpoint();
          ++*w;
        };
        auto by_handle = n.start_on(0, job, &began, &went_on); // cannot run before we wait
        by_handle.cancel();
        BOOST_CHECK_THROW(co_await by_handle, task_cancelled);
        n.cancel();
        for (unsigned i = 0; i < 3; ++i)
          n.start_on(i, job, &began, &went_on);
      });
      BOOST_TEST(began == 4);
      BOOST_TEST(went_on == 0);
    });
}

BOOST_AUTO_TEST_CASE(p03_a_result_that_is_on_its_way_home_is_not_lost_to_a_cancellation) {
  int delivered = 0;
  for (int round = 0; round < visits; ++round)
    run_on_three([&]() -> task<> {
      std::atomic<bool> returned{false};
      co_await with_nursery([&](nursery& n) -> task<> {
        auto h = n.start_on(
          1,
          [](std::atomic<bool>* r) -> task<std::string> {
            *r = true;
            co_return "a result that is too long for the small buffer";
          },
          &returned);
        while (!returned)
          ; // this loop does not see the message meanwhile
        h.cancel();
        co_await shielded([&]() -> task<> {
          BOOST_TEST(co_await h == "a result that is too long for the small buffer");
        });
        BOOST_TEST(!h.cancelled());
        ++delivered;
      });
    });
  BOOST_TEST(delivered == visits);
}

BOOST_AUTO_TEST_CASE(p06_a_cancellation_races_the_end_of_the_child) {
  for (int round = 0; round < visits; ++round)
    run_on_three([round]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        auto h = n.start_on(
          1 + static_cast<unsigned>(round) % 2,
          [](int steps) -> task<int> {
            for (int i = 0; i < steps; ++i)
              co_await checkpoint();
            co_return steps;
          },
          round);
        for (int i = 0; i < round % 7; ++i)
          co_await checkpoint();
        h.cancel();
        bool cut_off = false;
        int got = -1;
        try {
          got = co_await h;
        } catch (const task_cancelled&) {
          cut_off = true;
        }
        BOOST_TEST((cut_off || got == round)); // one or the other
        BOOST_TEST(cut_off == h.cancelled());
      });
    });
}

BOOST_AUTO_TEST_CASE(p01_a_tree_over_three_loops_ends_with_its_top) {
  for (int round = 0; round < visits / 5; ++round) {
    std::atomic<int> ended{0};
    run_on_three([&]() -> task<> {
      co_await move_on_after(1ms, [&]() -> task<> { co_await grow(&ended, 4); });
      const int so_far = ended;
      // all that has begun is over: nothing ends later
      co_await sleep_for(1ms);
      BOOST_TEST(ended == so_far);
    });
    BOOST_TEST(ended > 0);
  }
}

BOOST_AUTO_TEST_CASE(p02_failures_on_three_loops_arrive_as_many_as_they_are) {
  for (int round = 0; round < visits; ++round)
    run_on_three([]() -> task<> {
      try {
        co_await with_nursery({.always_group = true}, [](nursery& n) -> task<> {
          for (int i = 0; i < 6; ++i)
            n.start_on(
              static_cast<unsigned>(i),
              [](int x) -> task<> { co_await shielded([x] { return fail_with(x); }); }, i);
          co_return;
        });
        BOOST_ERROR("not thrown");
      } catch (const exception_group& g) {
        BOOST_TEST(g.size() == 6U);
      }
    });
}

BOOST_AUTO_TEST_CASE(the_reason_of_a_cancellation_is_known_over_there) {
  run_on_three([]() -> task<> {
    auto ask = []() -> task<cancel_reason> {
      cancel_reason why;
      co_await shielded([&]() -> task<> {
        while (!current_cancel_reason())
          co_await checkpoint();
        why = *current_cancel_reason();
      });
      co_return why;
    };
    task_handle<cancel_reason> asked, late;
    co_await with_nursery([&](nursery& n) -> task<> {
      asked = n.start_on(1, ask);
      n.cancel("closing time");
      co_return;
    });
    const auto why = co_await asked;
    BOOST_TEST((why.cause == cancel_cause::requested));
    BOOST_TEST(why.message == "closing time");
    BOOST_TEST(!why.origin.empty()); // who asked
    co_await move_on_after(1ms, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        late = n.start_on(2, ask);
        co_return;
      });
    });
    BOOST_TEST(((co_await late).cause == cancel_cause::deadline));
  });
}

BOOST_AUTO_TEST_CASE(p09_a_clean_up_over_there_is_waited_for) {
  for (int round = 0; round < visits; ++round) {
    std::atomic<int> cleaned{0};
    run_on_three([&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < 3; ++i)
          n.start_on(
            i,
            [](std::atomic<int>* c) -> task<> {
              co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                                    [c]() -> task<> {
                                      co_await checkpoint();
                                      ++*c;
                                    });
            },
            &cleaned);
        co_await checkpoint();
        n.cancel();
      });
      BOOST_TEST(cleaned == 3);
    });
  }
}

BOOST_AUTO_TEST_CASE(a_deadline_counts_over_there) {
  run_on_three([]() -> task<> {
    const auto when = current_time() + 1h;
    co_await move_on_at(when, [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        auto h =
          n.start_on(1, []() -> task<time_point> { co_return current_effective_deadline(); });
        BOOST_TEST((co_await h == when));
      });
    });
  });
}

BOOST_AUTO_TEST_CASE(what_a_child_was_given_is_destroyed_before_its_nursery_ends) {
  for (int round = 0; round < visits; ++round)
    run_on_three([]() -> task<> {
      std::atomic<int> gone{0};
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < 3; ++i)
          n.start_on(i, sleeper, counted(&gone));
        n.start_on(
          1, [](counted) -> task<> { co_return; }, counted(&gone));
        auto held = n.start_on(
          2, [](counted) -> task<> { co_return; }, counted(&gone));
        co_await held;
        n.cancel();
      });
      BOOST_TEST(gone == 5);
    });
}

BOOST_AUTO_TEST_CASE(an_error_handler_hears_of_failures_from_other_loops_at_home) {
  run_on_three([]() -> task<> {
    const auto home = std::this_thread::get_id();
    int heard = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.on_error<std::runtime_error>([&](const std::runtime_error&, std::string_view who) {
        BOOST_TEST((std::this_thread::get_id() == home));
        BOOST_TEST(who == "bad");
        ++heard;
      });
      for (unsigned i = 0; i < 3; ++i)
        n.start_on(i, named("bad", fail_with), 1);
      co_return;
    });
    BOOST_TEST(heard == 3);
  });
}

BOOST_AUTO_TEST_CASE(a_handle_of_a_child_over_there_is_awaited_by_several_and_outlives_all) {
  run_on_three([]() -> task<> {
    task_handle<int> h;
    int sum = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      h = n.start_on(1, []() -> task<int> {
        co_await sleep_for(1ms);
        co_return 7;
      });
      for (int i = 0; i < 3; ++i)
        n.start_soon([&]() -> task<> { sum += co_await h; });
      co_return;
    });
    BOOST_TEST(sum == 21);
    BOOST_TEST(co_await h == 7);
    h.cancel();
    BOOST_TEST(!h.cancelled());
  });
}

BOOST_AUTO_TEST_CASE(a_shield_over_there_holds_and_one_here_holds_it_for_the_child) {
  run_on_three([]() -> task<> {
    std::atomic<bool> finished{false}, cut_off{false};
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_on(
          1,
          [](std::atomic<bool>* f) -> task<> {
            co_await shielded([f]() -> task<> {
              for (int i = 0; i < 100; ++i)
                co_await checkpoint();
              *f = true;
            });
          },
          &finished);
        n.scope().shield(true);
        auto h = n.start_on(2, []() -> task<> { co_await sleep_forever(); });
        s.cancel();
        co_await sleep_for(1ms);
        BOOST_TEST(!h.done()); // the nursery is shielded
        n.scope().shield(false);
        co_await shielded([&]() -> task<> {
          while (!h.done())
            co_await checkpoint();
        });
        cut_off = h.cancelled();
      });
    });
    BOOST_TEST(finished);
    BOOST_TEST(cut_off);
  });
}

BOOST_AUTO_TEST_CASE(each_task_knows_its_loop_and_can_start_another_at_home) {
  std::atomic<int> as_said{0};
  std::atomic<int> at_home{0};
  const auto home_is = [&](std::thread::id home) -> task<> {
    at_home += std::this_thread::get_id() == home;
    co_return;
  };
  const auto away = [&](unsigned here, unsigned home, std::thread::id thread) -> task<> {
    as_said += current_loop() == here && loop_count() == 3;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(home, home_is, thread);
      co_return;
    });
  };
  run_on_three([&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (unsigned i = 0; i < 3; ++i)
        n.start_on(i, away, i, current_loop(), std::this_thread::get_id());
      co_return;
    });
  });
  BOOST_TEST(as_said == 3);
  BOOST_TEST(at_home == 3);
  BOOST_CHECK_THROW(static_cast<void>(current_loop()), usage_error);
  BOOST_CHECK_THROW(static_cast<void>(loop_count()), usage_error);
}

BOOST_AUTO_TEST_SUITE_END()
