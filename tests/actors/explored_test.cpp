// SPDX-License-Identifier: BSD-3-Clause
// What troupe is made of, in many orders, while tasks fail, are cancelled and stall.
#include <troupe/actors/connection_pool.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/worker_pool.hpp>
#include <troupe/troupe.hpp>

#include "support/explored.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace troupe_test;
using namespace std::chrono_literals;

namespace explored {

struct twice {
  int of;
};

} // namespace explored

TROUPE_MESSAGES(explored_messages, 61100, explored::twice)

namespace {

/// A tree of nurseries on all loops, in which any may fail: none outlives its parent.
task<> grow(int depth, int& alive) {
  struct life {
    int& alive;
    explicit life(int& a) : alive(++a) {}
    life(const life&) = delete;
    life& operator=(const life&) = delete;
    ~life() { --alive; }
  };
  const life mine(alive);
  int below = 0;
  try {
    co_await with_nursery([&](nursery& n) -> task<> {
      if (depth != 0)
        for (std::uint64_t i = random_bits() % 3; i != 3; ++i)
          n.start_on(static_cast<unsigned>(random_bits()), named("leaf", grow), depth - 1,
                     std::ref(below));
      co_await sleep_for(some_time());
      if (random_bits() % 8 == 0)
        n.cancel("enough");
    });
  } catch (const exception_group&) { // several, all by plan: nothing else throws here
  } catch (const by_plan&) {
  }
  demand(below == 0, "a child has outlived its nursery");
}

task<> trees() {
  int alive = 0;
  co_await grow(3, alive);
  demand(alive == 0, "the root is alive");
}

/// Cancelled, a send has sent nothing, and a receive has taken nothing.
task<> channels() {
  auto values = make_channel<int>(2);
  int sent = 0;
  int received = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto send_some = [&](send_channel<int> tx) -> task<> {
      for (int i = 0; i < 4; ++i) {
        co_await tx.send(i);
        ++sent;
      }
    };
    const auto receive_some = [&](receive_channel<int> rx) -> task<> {
      for (int i = 0; i < 4; ++i) {
        const auto value = co_await rx.next();
        if (!value)
          break;
        ++received;
      }
    };
    for (unsigned i = 0; i < 4; ++i) {
      n.start_on(i, named("sender", send_some), values.tx.clone());
      n.start_on(i, named("receiver", receive_some), values.rx.clone());
    }
    values.tx.close();
    for (;;) { // what is left by those who are cancelled
      const auto value = co_await values.rx.next();
      if (!value)
        break;
      ++received;
    }
  });
  demand(sent == received,
         std::to_string(sent) + " were sent, " + std::to_string(received) + " have arrived");
}

/// Each request is answered or has failed, and no answer is that of another.
task<> mailboxes() {
  int over = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto server = n.start_actor_on(
      1, named("server", [](mailbox& in) -> task<> {
        try {
          co_await in.serve(concurrent{2}, [](explored::twice number) -> task<int> {
            co_await sleep_for(some_time());
            co_return number.of * 2;
          });
        } catch (const by_plan&) {
        }
      }));
    co_await with_nursery([&](nursery& clients) -> task<> {
      for (unsigned i = 0; i < 5; ++i)
        clients.start_on(i, [&over, i, to = server.address()]() -> task<> {
          try {
            const int answer =
              co_await request<int>(to, 20ms, explored::twice{static_cast<int>(i)});
            demand(answer == static_cast<int>(i) * 2, "an answer to another request");
          } catch (const actor_error&) { // down, or a failure of the handler
          } catch (const timeout_error&) {
          }
          ++over;
        });
      co_return;
    });
    n.cancel("that was all");
  });
  demand(over == 5, "a request has not ended");
}

/// Two lives of one child never overlap (P16), and children start when those before have (P15).
task<> supervised(strategy how) {
  std::array<int, 3> lives{};
  std::array<bool, 3> began{};
  const auto child = [&](std::size_t i) -> child_spec {
    return {.name = "kid " + std::to_string(i), .start = [&, i](task_status<>& status) -> task<> {
              demand(lives[i]++ == 0, "two lives of one child");
              struct end {
                int& lives;
                ~end() { --lives; }
              } const at_last{lives[i]};
              for (std::size_t before = 0; before < i; ++before)
                demand(began[before], "a child has begun before another was ready");
              began[i] = true;
              status.started();
              for (;;)
                co_await sleep_for(some_time());
            }};
  };
  supervisor_options options;
  options.restart_strategy = how;
  options.intensity = 1000;
  options.on_event = [](const supervisor_event&) {};
  static_cast<void>(co_await move_on_after(50ms, [&]() -> task<> {
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      for (std::size_t i = 0; i < lives.size(); ++i) {
        const child_spec spec = child(i);
        for (bool there = false; !there;) {
          try {
            co_await s.start_child(spec);
            there = true;
          } catch (const by_plan&) {     // before it was ready: then there is no such child
          } catch (const start_error&) { // cancelled
          }
        }
      }
      co_await sleep_for(30ms);
      demand(s.children().size() == 3, "a child was forgotten");
    });
  }));
  for (const int n : lives)
    demand(n == 0, "a child has outlived its supervisor");
}

/// Whoever hears first of a soft stop: what ends because of it is not started again.
task<> stopped_softly() {
  int lives = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      supervisor_options options;
      options.intensity = 0;
      options.on_event = [](const supervisor_event&) {};
      const std::vector<child_spec> children{{.name = "polite", .start = [&]() -> task<> {
                                                ++lives;
                                                co_await stopping();
                                              }}};
      co_await supervise(options, children);
    });
    co_await sleep_for(1ms);
    n.stop(1s);
  });
  demand(lives == 1, "started again");
}

/// Each job is done or has failed, whatever becomes of the workers.
task<> working(bool spread) {
  int done = 0;
  int failed = 0;
  worker_pool_options options;
  options.name = "jobs";
  options.workers = 2;
  options.max_workers = 3;
  options.queue = 4;
  options.spread = spread;
  const auto work = [](int& job) -> task<int> {
    co_await sleep_for(some_time());
    if (random_bits() % 8 == 0)
      throw by_plan();
    co_return job * 2;
  };
  co_await with_worker_pool(options, work, [&](worker_pool<int, int>& pool) -> task<> {
    const auto letters = pool.dead_letters(); // not to stderr
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 8; ++i)
        n.start_soon([&, i]() -> task<> {
          try {
            demand(co_await pool.run(i) == 2 * i, "a wrong result");
            ++done;
          } catch (const by_plan&) {
            ++failed;
          } catch (const worker_lost&) {
            ++failed;
          }
        });
      co_return;
    });
    for (int i = 0; i < 8; ++i)
      co_await pool.submit(i); // nobody waits for these
    co_await pool.drain();
    const auto s = pool.statistics();
    demand(s.queued == 0 && s.busy == 0, "a job is left");
    demand(s.done + s.failed == 16, "a job was counted twice, or not at all");
  });
  demand(done + failed == 8, "a job has neither been done nor failed");
}

/// What an invariant looks at, from before the first step to the end.
const std::function<bool()>* holds = nullptr;

class looked_at {
public:
  explicit looked_at(std::function<bool()> look) : look_(std::move(look)) { holds = &look_; }
  looked_at(const looked_at&) = delete;
  looked_at& operator=(const looked_at&) = delete;
  ~looked_at() { holds = nullptr; }

private:
  std::function<bool()> look_;
};

/// P17: never more than there may be, and none is lost.
task<> lending() {
  int open = 0;
  struct wire {
    int* open;
    explicit wire(int& o) : open(&o) { ++o; }
    wire(wire&& other) noexcept : open(std::exchange(other.open, nullptr)) {}
    wire& operator=(wire&& other) noexcept {
      std::swap(open, other.open);
      return *this;
    }
    ~wire() {
      if (open)
        --*open;
    }
  };
  connection_pool_options options;
  options.max = 2;
  options.min = 1;
  options.max_age = 10ms;
  options.check_after = 1ms;
  options.check_every = 4ms;
  connection_functions<wire> functions;
  functions.open = [&]() -> task<wire> {
    co_await sleep_for(some_time());
    if (random_bits() % 8 == 0)
      throw by_plan();
    co_return wire(open);
  };
  functions.check = [](wire&) -> task<bool> {
    co_await sleep_for(1ms);
    co_return random_bits() % 8 != 0;
  };
  co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
    const looked_at in_bounds([&] {
      const auto s = pool.statistics();
      return s.lent + s.idle + s.opening <= 2 && open <= 2;
    });
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 8; ++i)
        n.start_soon(named("user", [&]() -> task<> {
          try {
            auto mine = co_await pool.borrow();
            co_await sleep_for(some_time());
            if (random_bits() % 8 == 0)
              mine.discard();
          } catch (const by_plan&) {
          }
        }));
      co_return;
    });
    demand(pool.statistics().lent == 0, "a connection was not given back");
    demand(pool.statistics().waiting == 0, "somebody waits who has gone");
  });
  demand(open == 0, "a connection is open");
}

} // namespace

BOOST_AUTO_TEST_SUITE(explored_parts)

BOOST_AUTO_TEST_CASE(trees_of_nurseries) {
  explore_with(trees, {fail("leaf", 0.05), cancel("leaf", 0.05), stall("leaf", 0.05)});
}

BOOST_AUTO_TEST_CASE(channels_between_loops) {
  explore_with(channels, {cancel("sender", 0.1), cancel("receiver", 0.1), stall("sender", 0.1)});
}

BOOST_AUTO_TEST_CASE(mailboxes_and_requests) {
  explore_with(mailboxes, {fail("server", 0.1), cancel("server", 0.05), stall("server", 0.1)});
}

BOOST_AUTO_TEST_CASE(p16_supervisors) {
  for (const strategy how : {strategy::one_for_one, strategy::one_for_all, strategy::rest_for_one,
                             strategy::simple_one_for_one})
    explore_with([how] { return supervised(how); },
                 {fail("kid*", 0.05), cancel("kid*", 0.05), stall("kid*", 0.1)});
}

BOOST_AUTO_TEST_CASE(supervisors_that_are_stopped_softly) {
  explore_with(stopped_softly, {stall("stop of a supervisor", 0.1)});
}

BOOST_AUTO_TEST_CASE(worker_pools) {
  explore_with([] { return working(false); },
               {cancel("jobs worker", 0.05), stall("jobs worker", 0.1)});
}

BOOST_AUTO_TEST_CASE(worker_pools_on_all_loops) {
  explore_with([] { return working(true); },
               {fail("job", 0.05), cancel("jobs worker", 0.05), cancel("job", 0.02),
                cancel("jobs", 0.02), stall("job", 0.1), stall("jobs", 0.1)});
}

BOOST_AUTO_TEST_CASE(p17_connection_pools) {
  explore_with(lending, {fail("user", 0.05), cancel("user", 0.1), stall("user", 0.1)},
               {{"never more than there may be", [] { return !holds || (*holds)(); }}});
}

BOOST_AUTO_TEST_SUITE_END()
