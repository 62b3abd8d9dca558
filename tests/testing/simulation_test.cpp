// SPDX-License-Identifier: BSD-3-Clause
#include "support/contains.hpp"
#include "testing/simulated_programs.hpp"

#include <troupe/testing/simulation.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;

namespace {

simulation_options on(unsigned loops) {
  simulation_options o;
  o.loops = loops;
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(simulations)

BOOST_AUTO_TEST_CASE(p22_same_seed_makes_the_same_run_and_another_one_another) {
  for (const auto& [name, program] : simulated_programs()) {
    BOOST_TEST_CONTEXT(name) {
      std::set<std::uint64_t> hashes;
      for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const auto first = simulate(seed, program, on(3));
        const auto second = simulate(seed, program, on(3));
        BOOST_TEST(first.why() == "");
        BOOST_TEST(first.hash == second.hash);
        BOOST_TEST(first.steps == second.steps);
        BOOST_TEST(first.elapsed.count() == second.elapsed.count());
        hashes.insert(first.hash);
      }
      BOOST_TEST(hashes.size() > 10);
    }
  }
}

BOOST_AUTO_TEST_CASE(p22_event_log_is_the_same_text_each_time) {
  const auto fails = []() -> task<> {
    co_await every_kind_of_step();
    throw std::runtime_error("as planned");
  };
  const auto first = simulate(7, fails, on(3));
  const auto second = simulate(7, fails, on(3));
  BOOST_TEST(first.why() == "as planned");
  BOOST_TEST(first.text() == second.text());
  BOOST_TEST(contains(first.text(), "loop 1: "));
  BOOST_TEST(contains(first.text(), "waits for sleep"));
}

BOOST_AUTO_TEST_CASE(text_says_what_to_give_to_simulate_again) {
  const auto fails = []() -> task<> {
    co_await every_kind_of_step();
    throw std::runtime_error("as planned");
  };
  simulation_options o = on(3);
  const auto first = simulate(7, fails, o);
  std::ostringstream hash;
  hash << std::hex << first.hash;
  BOOST_TEST(
    contains(first.text(), "It comes back with seed 7, its hash is " + hash.str() + ".\n"));
  o.choices = {{1}, {0}, {2}};
  const auto second = simulate(7, fails, o);
  BOOST_TEST(
    contains(second.text(), "It comes back with seed 7 and the choices {1}, {0}, {2}, its "));
  o.choices.resize(1'000'000); // more than there are to make
  BOOST_TEST(simulate(7, fails, o).given == simulate(7, fails, o).choices.size());
}

BOOST_AUTO_TEST_CASE(everything_runs_on_the_calling_thread) {
  const auto here = std::this_thread::get_id();
  const auto r = simulate(
    1,
    [&]() -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < 4; ++i)
          n.start_on(i, [&]() -> task<> {
            if (std::this_thread::get_id() != here)
              throw std::runtime_error("another thread");
            co_await sleep_for(1s);
          });
        co_await to_thread([&] {
          if (std::this_thread::get_id() != here)
            throw std::runtime_error("another thread");
        });
      });
    },
    on(4));
  BOOST_TEST(r.why() == "");
}

BOOST_AUTO_TEST_CASE(value_and_failure_come_out) {
  auto r = simulate(1, []() -> task<std::string> { co_return "seven"; });
  BOOST_TEST(!r.failed());
  BOOST_TEST(std::move(r).value() == "seven");
  const auto failing = simulate(1, []() -> task<> {
    co_await checkpoint();
    throw std::out_of_range("eight");
  });
  BOOST_TEST(failing.failed());
  BOOST_CHECK_THROW(failing.value(), std::out_of_range);
}

BOOST_AUTO_TEST_CASE(time_is_virtual_in_tasks_and_in_jobs_for_threads) {
  const auto began = std::chrono::steady_clock::now();
  const auto r = simulate(1, []() -> task<> {
    const auto begin = current_time();
    co_await sleep_for(24h);
    const auto then = co_await to_thread([] { return current_time(); });
    if (then - begin != 24h)
      throw std::runtime_error("the time in a job is another");
  });
  BOOST_TEST(r.why() == "");
  BOOST_TEST((r.elapsed == 24h));
  BOOST_TEST((std::chrono::steady_clock::now() - began < 1h));
}

BOOST_AUTO_TEST_CASE(random_bits_come_from_the_seed) {
  const auto draw = []() -> task<std::uint64_t> {
    const auto in_job = co_await to_thread([] { return random_bits(); });
    co_return random_bits() ^ in_job;
  };
  const auto one = simulate(1, draw).value();
  BOOST_TEST(simulate(1, draw).value() == one);
  BOOST_TEST(simulate(2, draw).value() != one);
}

BOOST_AUTO_TEST_CASE(steps_can_take_time) {
  simulation_options o = on(1);
  o.step_time = 1ms;
  const auto r = simulate(
    1,
    []() -> task<> {
      for (int i = 0; i < 100; ++i)
        co_await checkpoint();
    },
    o);
  BOOST_TEST((r.elapsed > 10ms));
  BOOST_TEST((r.elapsed < 110ms));
}

BOOST_AUTO_TEST_CASE(one_loop_keeps_the_order_of_what_is_ready_unless_asked) {
  const auto order_with = [](std::uint64_t seed, bool shuffle) {
    simulation_options o = on(1);
    o.shuffle_ready = shuffle;
    return simulate(
             seed,
             []() -> task<std::string> {
               std::string order;
               co_await with_nursery([&](nursery& n) -> task<> {
                 for (const char c : {'a', 'b', 'c', 'd'})
                   n.start_soon([&order, c]() -> task<> {
                     order += c;
                     co_return;
                   });
                 co_return;
               });
               co_return order;
             },
             o)
      .value();
  };
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    BOOST_TEST(order_with(seed, false) == "abcd");
    orders.insert(order_with(seed, true));
  }
  BOOST_TEST(orders.size() > 20); // of 24
}

BOOST_AUTO_TEST_CASE(deadlock_is_reported_with_the_tasks_and_everything_ends) {
  int alive = 0;
  const auto r = simulate(1, [&]() -> task<> {
    struct counted {
      explicit counted(int& n) : count(n) { ++count; }
      counted(const counted&) = delete;
      counted& operator=(const counted&) = delete;
      ~counted() { --count; }
      int& count;
    };
    event never;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("hopeful", [&]() -> task<> {
        const counted here(alive);
        co_await never.wait();
      }));
      co_return;
    });
  });
  BOOST_CHECK_THROW(r.value(), test_failure);
  BOOST_TEST(contains(r.why(), "deadlock"));
  BOOST_TEST(contains(r.why(), "hopeful: waiting for an event"));
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(deadlock_names_the_tasks_that_wait_for_each_other) {
  const auto locks = simulate(1, []() -> task<> {
    mutex a, b;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto both = [](mutex& first, mutex& second) -> task<> {
        const auto one = co_await first.lock();
        co_await sleep_for(1s);
        const auto two = co_await second.lock();
      };
      n.start_on(0, named("left", both), std::ref(a), std::ref(b));
      n.start_on(1, named("right", both), std::ref(b), std::ref(a));
      n.start_soon(named("bystander", []() -> task<> { co_await sleep_forever(); }));
      co_return;
    });
  });
  BOOST_TEST(contains(locks.why(), "the last for the first:\n  left, for a mutex\n"
                                   "  right, for a mutex\n"));
  const auto mailboxes = simulate(1, []() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      event begin;
      caf::actor ping, pong;
      const auto asks = [&begin](mailbox& in, caf::actor* other) -> task<> {
        co_await begin.wait();
        co_await in.serve([other](int x) -> task<int> {
          co_return co_await request<int>(*other, duration::max(), x);
        });
      };
      ping = n.start_actor(named("ping", asks), &pong).address();
      pong = n.start_actor(named("pong", asks), &ping).address();
      begin.set();
      co_await request<int>(ping, duration::max(), 1);
    });
  });
  BOOST_TEST(contains(mailboxes.why(), "the last for the first:\n  ping, for an answer\n"
                                       "  pong, for an answer\n"));
  const auto parent = simulate(1, []() -> task<> {
    mutex m;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto held = co_await m.lock();
      co_await with_nursery([&](nursery& inner) -> task<> {
        inner.start_soon(
          named("child", [&]() -> task<> { const auto wanted = co_await m.lock(); }));
        co_return;
      });
      n.cancel();
    });
  });
  BOOST_TEST(contains(parent.why(), ", for children\n  child, for a mutex\n"));
}

BOOST_AUTO_TEST_CASE(program_without_an_end_is_reported) {
  simulation_options o = on(2);
  o.max_steps = 1000;
  const auto r = simulate(
    1,
    []() -> task<> {
      for (;;)
        co_await checkpoint();
    },
    o);
  BOOST_TEST(contains(r.why(), "no end after 1000 steps"));
}

BOOST_AUTO_TEST_CASE(task_that_cannot_be_ended_is_left_behind) {
#if defined(__SANITIZE_ADDRESS__)
  BOOST_TEST_MESSAGE("not under a leak check");
#else
  const auto r = simulate(
    1, []() -> task<> { co_await shielded([]() -> task<> { co_await sleep_forever(); }); });
  BOOST_TEST(contains(r.why(), "deadlock"));
#endif
}

BOOST_AUTO_TEST_CASE(invariants_are_looked_at_after_each_step) {
  int balance = 0;
  simulation_options o = on(1);
  o.invariants.push_back({"no debts", [&] { return balance >= 0; }});
  const auto r = simulate(
    1,
    [&]() -> task<> {
      co_await checkpoint();
      balance = -1;
      co_await checkpoint();
      balance = 0; // too late
      co_await checkpoint();
    },
    o);
  BOOST_TEST(contains(r.why(), "the invariant 'no debts' does not hold"));
  BOOST_TEST(balance == -1);
}

BOOST_AUTO_TEST_CASE(nobody_is_starved_by_those_who_yield_for_ever) {
  for (const schedule s : {schedule::in_turn, schedule::random, schedule::priorities}) {
    simulation_options o = on(2);
    o.order = s;
    const auto r = simulate(
      5,
      []() -> task<> {
        std::atomic<bool> over = false;
        co_await with_nursery([&](nursery& n) -> task<> {
          n.start_on(1, [&]() -> task<> {
            while (!over)
              co_await checkpoint();
          });
          n.start_on(0, [&]() -> task<> {
            co_await checkpoint();
            over = true;
          });
          while (!over)
            co_await checkpoint();
        });
      },
      o);
    BOOST_TEST(r.why() == "");
  }
}

BOOST_AUTO_TEST_CASE(the_real_machine_is_refused_by_name) {
  const auto refused = [](auto call) {
    return simulate(1, [call]() -> task<> { co_await call(); }).why();
  };
  BOOST_TEST(contains(refused([]() -> task<> {
                        const tcp_listener l(0);
                        co_return;
                      }),
                      "tcp_listener under simulation"));
  BOOST_TEST(contains(refused([]() -> task<> {
                        const auto ends = unix_stream_pair();
                        co_return;
                      }),
                      "unix_stream_pair under simulation"));
  BOOST_TEST(contains(refused([]() -> task<> { co_await open_process(command("true")); }),
                      "open_process under simulation"));
  BOOST_TEST(contains(refused([]() -> task<> {
                        const signal_receiver r({SIGUSR1});
                        co_return;
                      }),
                      "signal_receiver under simulation"));
  BOOST_TEST(contains(refused([]() -> task<> { co_await wait_readable(0); }),
                      "wait_readable under simulation"));
  BOOST_TEST(contains(refused([]() -> task<> { co_await to_thread([] { from_thread([] {}); }); }),
                      "from_thread under simulation"));
}

BOOST_AUTO_TEST_CASE(simulating_inside_of_a_task_is_refused) {
  run(run_options{.loops = 1}, []() -> task<> {
    BOOST_CHECK_THROW(static_cast<void>(simulate(1, []() -> task<> { co_return; })), usage_error);
    co_return;
  });
}

BOOST_AUTO_TEST_SUITE_END()
