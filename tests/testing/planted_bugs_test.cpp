// SPDX-License-Identifier: BSD-3-Clause
// Small services, each as it should be and with a bug that is known from real ones: the first
// holds under all seeds that are tried, the second is found, and the test prints in which run.
#include <troupe/testing/explore.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace planted {

struct ask_balance {};
struct ask_total {};

} // namespace planted

TROUPE_MESSAGES(planted_bugs, 61000, planted::ask_balance, planted::ask_total)

namespace {

using namespace planted;

void demand(bool holds, const char* what) {
  if (!holds)
    throw std::logic_error(what);
}

/// The bell of a worker that sleeps while there is nothing to do.
task<> job_queue(bool lost_wake_up) {
  std::vector<int> jobs;
  std::unique_ptr<event> bell;
  int done = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("worker", [&]() -> task<> {
      while (done != 3) {
        if (jobs.empty()) {
          if (lost_wake_up)
            co_await checkpoint(); // it says that it goes to sleep; who rings now is not heard
          bell = std::make_unique<event>();
          co_await bell->wait();
          bell.reset();
        }
        for (; !jobs.empty(); jobs.pop_back())
          ++done;
      }
    }));
    n.start_soon(named("boss", [&]() -> task<> {
      for (int i = 0; i < 3; ++i) {
        jobs.push_back(i);
        if (bell)
          bell->set();
        co_await checkpoint();
      }
    }));
    co_return;
  });
}

/// Gives a lease back on all paths.
struct given_back {
  send_channel<int>& to;
  int lease;

  ~given_back() { static_cast<void>(to.try_send(lease)); }
};

/// Connections lent by a pool, to users whose work fails now and then.
task<> lending(bool leaked_lease) {
  auto free = make_channel<int>(2);
  co_await free.tx.send(1);
  co_await free.tx.send(2);
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 6; ++i)
      n.start_soon(named("user", [&]() -> task<> {
        try {
          const int lease = co_await free.rx.receive();
          if (leaked_lease) {
            co_await sleep_for(1ms);
            co_await free.tx.send(lease); // if nothing has happened
          } else {
            const given_back always{free.tx, lease};
            co_await sleep_for(1ms);
          }
        } catch (const std::runtime_error&) { // "no network": by plan
        }
      }));
    co_return;
  });
}

/// Children that end tell the one who starts them again.
task<> restarting(bool missed_restart) {
  auto ended = make_channel<std::size_t>(1);
  std::vector<int> lives(3);
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto child = [&](std::size_t i) -> task<> {
      ++lives[i];
      co_await sleep_for(1ms);
      if (missed_restart)
        static_cast<void>(ended.tx.try_send(i)); // full: it will hardly matter
      else
        co_await ended.tx.send(i);
    };
    for (std::size_t i = 0; i < lives.size(); ++i)
      n.start_soon(child, i);
    for (int ends = 0; ends < 6; ++ends) {
      const std::size_t i = co_await ended.rx.receive();
      co_await checkpoint(); // a line in the log
      if (lives[i] < 2)
        n.start_soon(child, i);
    }
  });
}

/// A server that says "busy" when the answer takes long.
task<> answering(bool double_reply) {
  auto replies = make_channel<int>(100);
  std::map<int, int> heard;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int id = 0; id < 4; ++id)
      n.start_soon([&, id]() -> task<> {
        bool replied = false;
        co_await with_nursery([&](nursery& both) -> task<> {
          both.start_on(1, [&]() -> task<> {
            co_await sleep_for(std::chrono::milliseconds(random_bits() % 20));
            if (double_reply || !std::exchange(replied, true))
              co_await replies.tx.send(id);
          });
          co_await sleep_for(10ms);
          if (!std::exchange(replied, true))
            co_await replies.tx.send(id);
        });
      });
    co_return;
  });
  replies.tx.close();
  while (const auto id = co_await replies.rx.next())
    ++heard[*id];
  for (const auto& [id, times] : heard)
    demand(times == 1, "answered twice");
}

/// Jobs that fail are to be reported.
task<> reporting(bool swallowed_exception) {
  int done = 0;
  int failed = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 5; ++i)
      n.start_soon(named("job", [&]() -> task<> {
        try {
          co_await sleep_for(1ms);
          ++done;
        } catch (const std::runtime_error&) {
          failed += swallowed_exception ? 0 : 1;
        }
      }));
    co_return;
  });
  demand(done + failed == 5, "a job has neither come to its end nor failed");
}

/// Two accounts that ask each other.
task<> two_mailboxes(bool deadlock) {
  caf::actor one, other;
  const auto account = [&](mailbox& in, caf::actor& next) -> task<> {
    const auto total = [&](ask_total) -> task<int> {
      const int theirs = co_await request<int>(next, duration::max(), ask_balance{});
      co_return theirs + 100;
    };
    const auto balance = [](ask_balance) { return 100; };
    if (deadlock)
      co_await in.serve(total, balance); // one after the other
    else
      co_await in.serve(concurrent{4}, total, balance);
  };
  co_await with_nursery([&](nursery& n) -> task<> {
    one = n.start_actor_on(0, account, std::ref(other)).address();
    other = n.start_actor_on(1, account, std::ref(one)).address();
    co_await with_nursery([&](nursery& clients) -> task<> {
      for (const auto& a : {one, other})
        clients.start_soon([a]() -> task<> {
          demand(co_await request<int>(a, duration::max(), ask_total{}) == 200, "money is lost");
        });
      co_return;
    });
    n.cancel("that was all");
  });
}

/// Money that comes back when the shop has not answered in time.
task<> paying(bool time_out_race) {
  int paid = 0;
  int given_back = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    event answered;
    const auto shop = n.start_on(1, [&]() -> task<> {
      co_await sleep_for(10ms);
      ++paid;
      answered.set();
    });
    const bool in_time =
      co_await move_on_after(10ms, [&]() -> task<> { co_await answered.wait(); });
    if (in_time)
      co_return;
    if (!time_out_race) {
      shop.cancel("too late");
      try {
        co_await shop;
      } catch (const task_cancelled&) {
      }
    }
    given_back += time_out_race || paid == 0 ? 1 : 0;
  });
  demand(paid + given_back == 1, "paid, and given back");
}

std::size_t waiting_lines = 0; // looked at by an invariant, from before the first step

struct as_new {
  ~as_new() { waiting_lines = 0; }
};

/// Lines for one who reads slowly.
task<> delivering(bool unbounded_queue) {
  auto lines = make_channel<int>(unbounded_queue ? 1000 : 4);
  const as_new afterwards;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      for (int i = 0; i < 40; ++i) {
        co_await lines.tx.send(i);
        waiting_lines = lines.tx.statistics().buffered;
        co_await sleep_for(std::chrono::milliseconds(random_bits() % 3));
      }
      lines.tx.close();
    });
    while (co_await lines.rx.next())
      co_await sleep_for(std::chrono::milliseconds(random_bits() % 4));
  });
}

/// Names of those who can be called.
task<> registering(bool stale_entry) {
  std::set<int> names;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 3; ++i)
      n.start_soon(named("member", [&, i]() -> task<> {
        names.insert(i);
        if (stale_entry) {
          co_await sleep_for(10ms);
          names.erase(i);
        } else
          co_await with_cleanup([]() -> task<> { co_await sleep_for(10ms); },
                                [&]() -> task<> {
                                  names.erase(i);
                                  co_return;
                                });
      }));
    co_return;
  });
  demand(names.empty(), "one has gone and can still be called");
}

/// A history that is written in batches.
task<> remembering(bool lost_line) {
  std::set<int> acknowledged;
  std::set<int> disk;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("store", [&]() -> task<> {
      std::set<int> batch;
      for (int line = 0; line < 20; ++line) {
        batch.insert(line);
        if (lost_line)
          acknowledged.insert(line); // it is as good as written
        if (batch.size() == 5) {
          co_await sleep_for(1ms); // fsync
          disk.merge(batch);
          if (!lost_line)
            acknowledged = disk;
          batch.clear();
        }
        co_await checkpoint();
      }
    }));
    co_return;
  });
  for (const int line : acknowledged)
    demand(disk.contains(line), "an acknowledged line is lost");
}

struct planted_bug {
  const char* name;
  task<> (*program)(bool bug);
  const char* why;
  std::vector<fault> faults = {};
  std::vector<invariant> invariants = {};
};

std::vector<planted_bug> all_bugs() {
  const auto no_network = [](const char* tasks) {
    return fails(tasks, when::sometimes(0.1), std::runtime_error("no network"));
  };
  return {
    {"lost wake-up", job_queue, "deadlock"},
    {"leaked lease", lending, "deadlock", {no_network("user")}},
    {"missed restart", restarting, "deadlock"},
    {"double reply", answering, "answered twice"},
    {"swallowed exception", reporting, "neither come to its end", {no_network("job")}},
    {"deadlock between two mailboxes", two_mailboxes, "deadlock"},
    {"time-out race", paying, "paid, and given back"},
    {"unbounded queue",
     delivering,
     "few lines wait",
     {},
     {{"few lines wait", [] { return waiting_lines <= 4; }}}},
    {"stale registry entry",
     registering,
     "can still be called",
     {is_cancelled_at("member", when::sometimes(0.1))}},
    {"lost acknowledged line",
     remembering,
     "an acknowledged line is lost",
     {is_cancelled_at("store", when::sometimes(0.05))}},
  };
}

explore_options options_for(const planted_bug& b, schedule order) {
  explore_options o;
  o.simulation.order = order;
  o.simulation.shuffle_ready = true;
  o.simulation.faults = b.faults;
  o.simulation.invariants = b.invariants;
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(planted_bugs)

BOOST_AUTO_TEST_CASE(each_is_found) {
  for (const auto& bug : all_bugs())
    for (const auto& [order, called] :
         {std::pair(schedule::random, "random"), std::pair(schedule::priorities, "priorities")}) {
      const exploration e =
        explore([&bug] { return bug.program(true); }, 500, options_for(bug, order));
      BOOST_TEST_REQUIRE(e.failure.has_value(), bug.name);
      BOOST_TEST(e.failure->why().find(bug.why) != std::string::npos,
                 bug.name << ": " << e.failure->why());
      BOOST_TEST_MESSAGE(bug.name << ", " << called << ": run " << e.runs
                                  << ", TROUPE_SEED=" << e.replay);
    }
}

BOOST_AUTO_TEST_CASE(without_them_nothing_is_found) {
  for (const auto& bug : all_bugs())
    for (const schedule order : {schedule::random, schedule::priorities}) {
      const exploration e =
        explore([&bug] { return bug.program(false); }, 500, options_for(bug, order));
      BOOST_TEST(!e.failure.has_value(), bug.name << ": " << e.text());
      BOOST_TEST(e.runs == 500U);
    }
}

BOOST_AUTO_TEST_SUITE_END()
