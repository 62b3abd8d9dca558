// SPDX-License-Identifier: BSD-3-Clause
#include "planned.hpp"
#include "support/contains.hpp"
#include "support/loopback.hpp"
#include "support/stream_pair.hpp"

#include <troupe/detail/recycler.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/injection.hpp>
#include <troupe/testing/live_faults.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/replace_new.hpp>
#include <troupe/testing/simulated_disk.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;
using troupe_test::with;

namespace {

/// How far two come that allocate three blocks each: 3, or -1 - i if block i was not to be had.
struct progress {
  int worker = 0;
  int other = 0;
};

task<> take_blocks(int& reached) {
  std::vector<std::unique_ptr<std::string>> kept;
  kept.reserve(3);
  for (int i = 0; i < 3; ++i) {
    co_await sleep_for(1s);
    try {
      kept.push_back(std::make_unique<std::string>());
      ++reached;
    } catch (const std::bad_alloc&) {
      reached = -1 - i;
      co_return;
    }
  }
}

task<progress> two_workers() {
  progress p;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("worker", [&]() -> task<> { co_await take_blocks(p.worker); }));
    n.start_soon(named("other", [&]() -> task<> { co_await take_blocks(p.other); }));
    co_return;
  });
  co_return p;
}

} // namespace

BOOST_AUTO_TEST_SUITE(memory_faults)

BOOST_AUTO_TEST_CASE(each_allocation_of_a_task_can_fail_and_no_other) {
  std::set<int> places;
  for (std::uint64_t k = 1; k <= 20; ++k) {
    const auto r = simulate(1, two_workers, with({lacks_memory("worker", when::at(k))}));
    if (r.failed()) { // it was in what the task is made of
      BOOST_TEST(is_out_of_memory(r.failure));
      continue;
    }
    BOOST_TEST(r.result->other == 3);
    places.insert(r.result->worker);
  }
  BOOST_TEST((places == std::set<int>{-3, -2, -1, 3}));
}

BOOST_AUTO_TEST_CASE(allocation_that_fails_is_the_same_each_time) {
  const auto plan = with({lacks_memory("*er", when::sometimes(0.2))});
  std::set<int> places;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    troupe::detail::drop_cached_blocks(); // as in a process that has just begun
    const auto r = simulate(seed, two_workers, plan);
    const auto again = simulate(seed, two_workers, plan);
    BOOST_TEST(r.hash == again.hash);
    BOOST_TEST(r.why() == again.why());
    if (!r.failed())
      places.insert(r.result->worker);
  }
  BOOST_TEST((places == std::set<int>{-3, -2, -1, 3}));
}

BOOST_AUTO_TEST_CASE(what_a_plan_allocates_is_not_counted) {
  for (std::uint64_t k = 1; k <= 10; ++k) {
    const fault lacks = lacks_memory("worker", when::at(k));
    const auto alone = simulate(1, two_workers, with({lacks}));
    const auto stalled =
      simulate(1, two_workers, with({stalls("worker", when::sometimes(1), 1s), lacks}));
    BOOST_TEST(alone.why() == stalled.why());
    if (!alone.failed())
      BOOST_TEST(alone.result->worker == stalled.result->worker);
  }
}

BOOST_AUTO_TEST_CASE(event_log_says_which_allocation_has_failed) {
  const auto r = simulate(
    1,
    []() -> task<> {
      co_await with_nursery([](nursery& n) -> task<> {
        n.start_soon(named("worker", []() -> task<> {
          co_await checkpoint();
          static_cast<void>(std::make_unique<std::string>(100, 'x'));
        }));
        co_return;
      });
    },
    with({lacks_memory("worker", when{0, 1, 1})}));
  BOOST_TEST(is_out_of_memory(r.failure));
  BOOST_TEST(contains(r.log, "by plan, lacks memory at allocation 1: worker"));
}

BOOST_AUTO_TEST_CASE(explore_finds_a_lease_that_leaks_for_want_of_memory) {
  const auto leaky = [] {
    return troupe_test::share_a_lease<std::bad_alloc>([] { return std::string(1000, 'x'); });
  };
  explore_options o;
  explore(leaky, 100, o).verify();
  o.simulation.faults = {lacks_memory("user", when::sometimes(0.1))};
  const exploration e = explore(leaky, 1000, o);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST(contains(e.failure->why(), "deadlock"));
}

BOOST_AUTO_TEST_CASE(simulated_network_and_disk_have_memory_of_their_own) {
  int finished = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    simulated_network net;
    net.add_host("client");
    net.add_host("server");
    simulated_disk_options strict;
    strict.spares = 0;
    simulated_disk disk(strict);
    simulation_options o = with({lacks_memory("*", when::sometimes(0.02))});
    o.network = &net;
    const auto r = simulate(
      seed,
      [&]() -> task<> {
        co_await with_nursery([&](nursery& n) -> task<> {
          n.start_soon([&]() -> task<> {
            co_await net.on("server", []() -> task<> {
              tcp_listener l(80);
              tcp_stream s = co_await l.accept();
              co_await s.write_all("hello");
            });
          });
          co_await net.on("client", [&]() -> task<> {
            co_await sleep_for(1s);
            tcp_stream s = co_await open_tcp_stream("server", 80);
            std::vector<std::byte> buffer(10);
            const std::size_t size = co_await s.read_some(buffer);
            file f = co_await open_file(disk.path() / "x", open_mode::write | open_mode::create);
            co_await f.write_all(std::span(buffer).first(size));
            co_await f.sync();
            ++finished;
            disk.power_off();
            disk.power_on();
            const std::string kept = co_await read_file(disk.path() / "x");
            BOOST_TEST(kept == "hello");
          });
        });
      },
      o);
    BOOST_TEST((!r.failed() || is_out_of_memory(r.failure)), r.text());
  }
  BOOST_TEST(finished > 0);
  BOOST_TEST(finished < 50);
}

BOOST_AUTO_TEST_CASE(plan_of_a_real_run_fails_allocations_while_it_is_on) {
  int struck = 0;
  live_faults live(1, [&](const std::string& what) {
    if (contains(what, "by plan, lacks memory at allocation"))
      ++struck;
  });
  live.add("memory", {lacks_memory("worker", when::sometimes(1))});
  virtual_clock time;
  run(run_options{.loops = 1, .time = &time}, [&]() -> task<> {
    event on;
    event off;
    std::string during;
    std::string after;
    const auto block = [] { return std::make_unique<std::string>(100, 'x')->substr(0, 1); };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("worker", [&]() -> task<> {
        co_await on.wait();
        try {
          during = block();
        } catch (const std::bad_alloc&) {
          during = "nothing";
        }
        co_await off.wait();
        after = block();
      }));
      co_await sleep_for(1s);
      live.on("memory");
      co_await sleep_for(1s); // the loop hears of it
      on.set();
      co_await sleep_for(1s);
      live.off("memory");
      off.set();
    });
    BOOST_TEST(during == "nothing");
    BOOST_TEST(after == "x");
  });
  BOOST_TEST(struck >= 1);
  BOOST_TEST(live.unmatched("memory") == "");
}

BOOST_AUTO_TEST_CASE(live_plan_forgets_the_streams_that_have_ended) {
  live_faults live(1);
  live.add("breaks", {resets("*", when::at_byte(1'000'000))});
  live.on("breaks");
  const auto say_something = [](stream& from, stream& to) -> task<> {
    co_await from.write_all("hello");
    BOOST_TEST(co_await troupe_test::read_text(to, 5) == "hello");
  };
  const auto in_memory = [&]() -> task<> {
    auto [a, b] = memory_stream_pair();
    co_await say_something(a, b);
  };
  const auto over_tcp = [&]() -> task<> {
    tcp_listener l(0, troupe_test::loopback);
    auto a = co_await open_tcp_stream("127.0.0.1", l.port());
    auto b = co_await l.accept();
    co_await say_something(a, b);
  };
  const auto times = [](int n, const std::function<task<>()>& what) -> task<long> {
    for (int i = 0; i < n; ++i)
      co_await what();
    co_return allocations.live();
  };
  run([&]() -> task<> {
    for (const std::function<task<>()>& what : {std::function<task<>()>(in_memory), {over_tcp}}) {
      const long before = co_await times(1100, what); // some names of the last ones are kept
      BOOST_TEST(co_await times(200, what) < before + 50);
    }
  });
}

BOOST_AUTO_TEST_CASE(impossible_fault_of_memory_is_an_error) {
  BOOST_CHECK_THROW(
    static_cast<void>(simulate(1, two_workers, with({lacks_memory("worker", when::at_byte(1))}))),
    usage_error);
}

BOOST_AUTO_TEST_SUITE_END()
