// SPDX-License-Identifier: BSD-3-Clause
#include "testing/simulated_programs.hpp"

#include <troupe/troupe.hpp>

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

// What tasks of several loops share has no lock here: there is one thread.

namespace {

void require(bool holds, const char* what) {
  if (!holds)
    throw std::logic_error(what);
}

/// A tree over three loops, some of which is cancelled.
task<> nurseries() {
  int ended = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (unsigned i = 0; i < 6; ++i)
      n.start_on(i, [&ended, i]() -> task<> {
        static_cast<void>(co_await move_on_after(std::chrono::milliseconds(i), [&]() -> task<> {
          co_await with_nursery([](nursery& inner) -> task<> {
            for (int k = 0; k < 3; ++k)
              inner.start_soon([k]() -> task<> { co_await sleep_for(k * 2ms); });
            co_return;
          });
        }));
        ++ended;
      });
    co_await sleep_for(2ms);
  });
  require(ended == 6, "a child is missing");
}

/// Several senders and receivers on all loops; nothing is lost or doubled.
task<> channels() {
  auto values = make_channel<int>(3);
  int sum = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (unsigned i = 0; i < 3; ++i) {
      n.start_on(
        i,
        [](send_channel<int> tx, int from) -> task<> {
          for (int k = 0; k < 5; ++k) {
            co_await tx.send(from + k);
            if (k == 2)
              co_await sleep_for(1ms);
          }
        },
        values.tx.clone(), static_cast<int>(i) * 5);
      n.start_on(
        i,
        [&sum](receive_channel<int> rx) -> task<> {
          while (const auto v = co_await rx.next())
            sum += *v;
        },
        values.rx.clone());
    }
    values.tx.close();
    values.rx.close();
    co_return;
  });
  require(sum == 105, "the books do not balance");
}

/// Locks, semaphores and conditions that tasks of several loops use.
task<> locks() {
  mutex m;
  semaphore two(2);
  int inside = 0;
  int balance = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (unsigned i = 0; i < 6; ++i)
      n.start_on(i, [&]() -> task<> {
        const auto permit = co_await two.acquire();
        require(++inside <= 2, "too many inside");
        {
          const auto lock = co_await m.lock();
          const int before = balance;
          co_await checkpoint();
          balance = before + 1;
        }
        co_await sleep_for(1ms);
        --inside;
      });
    co_return;
  });
  require(balance == 6, "an update was lost");
}

/// A pool of workers on all loops that take jobs, some of which fail.
task<> pool() {
  auto jobs = make_channel<int>(0);
  auto results = make_channel<int>(100);
  co_await with_nursery([&](nursery& n) -> task<> {
    for (unsigned i = 0; i < 3; ++i)
      n.start_on(
        i,
        [](receive_channel<int> rx, send_channel<int> tx) -> task<> {
          while (const auto job = co_await rx.next()) {
            co_await sleep_for(std::chrono::microseconds(random_bits() % 1000));
            const int done = co_await to_thread([&] { return *job * 2; });
            co_await tx.send(done);
          }
        },
        jobs.rx.clone(), results.tx.clone());
    for (int i = 0; i < 10; ++i)
      co_await jobs.tx.send(i);
    jobs.tx.close();
    jobs.rx.close();
    results.tx.close();
  });
  int sum = 0;
  while (const auto r = co_await results.rx.next())
    sum += *r;
  require(sum == 90, "a result is missing");
}

/// Tasks as actors on all loops and an ordinary CAF actor answer each other.
task<> actors() {
  int sum = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    std::vector<caf::actor> doublers;
    const auto doubler = [](mailbox& in) -> task<> {
      co_await in.serve([](int x) -> int { return 2 * x; });
    };
    for (int i = 0; i < 2; ++i)
      doublers.push_back(n.start_actor(doubler).address());
    doublers.push_back(actor_system().spawn([](caf::event_based_actor*) -> caf::behavior {
      return {[](int x) -> int { return 2 * x; }};
    }));
    for (unsigned i = 0; i < 3; ++i)
      n.start_on(i, [&sum, doublers]() -> task<> {
        for (const auto& d : doublers)
          sum += co_await request<int>(d, 1s, 1);
      });
    co_await sleep_for(10ms);
    for (const auto& d : doublers)
      send_exit(d, caf::exit_reason::user_shutdown);
  });
  require(sum == 18, "an answer is missing");
}

} // namespace

task<> every_kind_of_step() {
  co_await nurseries();
  co_await channels();
  co_await pool();
}

const std::map<std::string, std::function<task<>()>>& simulated_programs() {
  static const std::map<std::string, std::function<task<>()>> all{
    {"nurseries", nurseries}, {"channels", channels}, {"locks", locks},
    {"pool", pool},           {"actors", actors},
  };
  return all;
}
