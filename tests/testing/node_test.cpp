// SPDX-License-Identifier: BSD-3-Clause
#include "support/contains.hpp"

#include <troupe/testing/eventually.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/node.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;

namespace {

namespace fs = std::filesystem;

constexpr open_mode anew = open_mode::write | open_mode::create | open_mode::truncate;
constexpr open_mode behind = open_mode::append | open_mode::create;

/// Writes with and without a sync, and lets the power fail.
task<> write_half(simulated_disk& d) {
  const fs::path p = d.path() / "log";
  file f = co_await open_file(p, behind);
  co_await f.write_all("synced ");
  co_await f.sync();
  co_await f.write_all("not synced");
  file other = co_await open_file(d.path() / "never synced", anew);
  co_await other.write_all("x");
  co_await f.close();
  co_await other.close();
}

simulated_disk_options strict() {
  simulated_disk_options o;
  o.spares = 0;
  return o;
}

template <class F>
void in_turn(F program) {
  simulate(1, program).value();
}

} // namespace

BOOST_AUTO_TEST_SUITE(disks)

BOOST_AUTO_TEST_CASE(what_was_not_synced_is_lost) {
  in_turn([]() -> task<> {
    simulated_disk d(strict());
    co_await write_half(d);
    d.power_off();
    d.power_on();
    BOOST_TEST(co_await read_file(d.path() / "log") == "synced ");
    BOOST_TEST(!co_await path_exists(d.path() / "never synced"));
  });
}

BOOST_AUTO_TEST_CASE(replaced_file_is_synced_and_renamed_one_is_not) {
  in_turn([]() -> task<> {
    simulated_disk d(strict());
    co_await replace_file(d.path() / "a", "one");
    co_await replace_file(d.path() / "a", "two");
    co_await replace_file(d.path() / "b", "b");
    co_await rename_path(d.path() / "b", d.path() / "c");
    co_await replace_file(d.path() / "e", "e"); // which syncs the directory
    co_await remove_file(d.path() / "e");
    d.power_off();
    d.power_on();
    BOOST_TEST(co_await read_file(d.path() / "a") == "two");
    BOOST_TEST(co_await read_file(d.path() / "c") == "b");
    BOOST_TEST(co_await read_file(d.path() / "e") == "e");
    BOOST_TEST(!co_await path_exists(d.path() / "b"));
  });
}

BOOST_AUTO_TEST_CASE(without_power_nothing_can_be_done) {
  in_turn([]() -> task<> {
    simulated_disk d;
    co_await write_half(d);
    d.power_off();
    std::string what;
    try {
      co_await write_file(d.path() / "log", "late");
    } catch (const file_error& e) {
      what = e.what();
    }
    BOOST_TEST(contains(what, "Input/output error"));
    d.power_on();
    BOOST_TEST((co_await read_file(d.path() / "log")).starts_with("synced "));
  });
}

BOOST_AUTO_TEST_CASE(crash_may_spare_a_part) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 60; ++seed)
    seen.insert(simulate(seed, []() -> task<std::string> {
                  simulated_disk d;
                  co_await write_half(d);
                  d.power_off();
                  d.power_on();
                  co_return co_await read_file(d.path() / "log");
                }).value());
  BOOST_TEST(seen.contains("synced "));
  BOOST_TEST(seen.contains("synced not synced"));
  BOOST_TEST(seen.size() > 4U); // parts of it, too
  for (const std::string& s : seen)
    BOOST_TEST(std::string("synced not synced").starts_with(s));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// Counts what clients tell it, in a file; says the count when it is safe.
task<> count_in(fs::path path, bool sync) {
  const tcp_handler handler = [&path, sync](tcp_stream& peer) -> task<> {
    buffered_reader in(peer, 100);
    while (auto line = co_await in.read_line()) {
      int count = 0;
      const bool there = co_await path_exists(path);
      if (there)
        count = std::stoi(co_await read_file(path));
      ++count;
      if (sync)
        co_await replace_file(path, std::to_string(count));
      else
        co_await write_file(path, std::to_string(count));
      co_await peer.write_all(std::to_string(count) + "\n");
    }
  };
  co_await serve_tcp(handler, 80);
}

/// Asks as long as it takes; gives the count.
task<int> count_once() {
  for (;;) {
    bool late = false;
    try {
      int result = 0;
      const bool done = co_await move_on_after(10s, [&]() -> task<> {
        tcp_stream s = co_await open_tcp_stream("server", 80);
        co_await s.write_all("count\n");
        buffered_reader in(s, 100);
        const auto line = co_await in.read_line();
        result = line ? std::stoi(*line) : 0;
      });
      if (done && result != 0)
        co_return result;
    } catch (const net_error&) {
      late = true;
    }
    if (late)
      co_await sleep_for(1s);
  }
}

struct world {
  simulated_network net;
  simulated_disk disk;
  node server;

  explicit world(bool sync, simulated_disk_options o = {})
    : disk(o),
      server(
        with_hosts(net), "server",
        [this, sync]() -> task<> { co_await count_in(disk.path() / "count", sync); }, &disk) {}

  static simulated_network& with_hosts(simulated_network& net) {
    net.add_host("server");
    net.add_host("client");
    return net;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(nodes)

BOOST_AUTO_TEST_CASE(node_that_crashes_loses_sockets_and_memory_and_comes_back) {
  world w(true, strict());
  simulation_options o;
  o.network = &w.net;
  simulate(
    1,
    [&w]() -> task<> {
      co_await with_nursery([&w](nursery& n) -> task<> {
        n.start_service([&w]() -> task<> { co_await w.server.run(); });
        co_await w.net.on("client", [&w, &n]() -> task<> {
          BOOST_TEST(co_await count_once() == 1);
          BOOST_TEST(co_await count_once() == 2);
          tcp_stream open = co_await open_tcp_stream("server", 80);
          w.server.crash();
          BOOST_TEST(!w.server.is_up());
          n.start_soon([&w]() -> task<> {
            co_await sleep_for(1min);
            w.server.restart();
          });
          const auto begin = current_time();
          BOOST_TEST(co_await count_once() == 3); // what was synced is there
          BOOST_TEST((current_time() - begin >= 1min));
          BOOST_TEST(w.server.starts() == 2U);
          co_await open.write_all("is anybody there\n");
          std::vector<std::byte> buffer(10);
          std::string error;
          try {
            static_cast<void>(co_await open.read_some(buffer));
          } catch (const connection_reset& e) {
            error = e.what();
          }
          BOOST_TEST(error != "");
        });
      });
    },
    o)
    .value();
}

BOOST_AUTO_TEST_CASE(each_node_that_is_named_crashes_at_its_own_nth_checkpoint) {
  simulated_network net;
  net.add_host("server 1");
  net.add_host("server 2");
  simulation_options o;
  o.network = &net;
  o.log_size = 10'000;
  o.faults = {crashes("server*", when::at(10), 1s)};
  const auto r = simulate(
    1,
    [&net]() -> task<> {
      const auto body = []() -> task<> {
        for (int i = 0; i < 20; ++i)
          co_await sleep_for(1s);
      };
      node one(net, "server 1", body);
      node other(net, "server 2", body);
      co_await with_nursery([&](nursery& n) -> task<> {
        for (node* const each : {&one, &other})
          n.start_soon([each]() -> task<> { co_await each->run(); });
        co_return;
      });
      BOOST_TEST(one.starts() == 2U);
      BOOST_TEST(other.starts() == 2U);
      throw std::logic_error("to see the log");
    },
    o);
  BOOST_TEST(contains(r.why(), "to see the log"));
  for (const char* const name : {"server 1", "server 2"})
    BOOST_TEST(
      contains(r.log, std::string("by plan, crashes at checkpoint 10: ") + name + ", in "));
}

BOOST_AUTO_TEST_CASE(node_whose_body_ends_is_over) {
  simulated_network net;
  net.add_host("server");
  simulation_options o;
  o.network = &net;
  simulate(
    1,
    [&net]() -> task<> {
      node n(net, "server", []() -> task<> { co_await sleep_for(1s); });
      co_await n.run();
      BOOST_TEST(n.starts() == 1U);
      node failing(net, "server", []() -> task<> {
        co_await sleep_for(1s);
        throw std::runtime_error("broken");
      });
      std::string what;
      try {
        co_await failing.run();
      } catch (const std::runtime_error& e) {
        what = e.what();
      }
      BOOST_TEST(what == "broken");
    },
    o)
    .value();
}

BOOST_AUTO_TEST_CASE(clean_up_of_a_crashed_node_has_no_effect) {
  simulated_network net;
  net.add_host("server");
  simulated_disk disk(strict());
  simulation_options o;
  o.network = &net;
  std::string cleaned;
  simulate(
    1,
    [&]() -> task<> {
      node n(
        net, "server",
        [&]() -> task<> {
          co_await with_cleanup([]() -> task<> { co_await sleep_for(1h); },
                                [&]() -> task<> {
                                  cleaned = "tried";
                                  co_await write_file(disk.path() / "pid", "gone");
                                  cleaned = "wrote";
                                });
        },
        &disk);
      co_await with_nursery([&](nursery& all) -> task<> {
        all.start_soon([&]() -> task<> { co_await n.run(); });
        co_await sleep_for(1s);
        n.crash(1s);
        co_await sleep_for(2s);
        BOOST_TEST(n.starts() == 2U);
        BOOST_TEST(cleaned == "tried");
        BOOST_TEST(!co_await path_exists(disk.path() / "pid"));
        all.cancel();
      });
    },
    o)
    .value();
}

BOOST_AUTO_TEST_CASE(node_without_a_host_is_an_error) {
  simulated_network net;
  BOOST_CHECK_THROW(node(net, "nowhere", []() -> task<> { co_return; }), usage_error);
}

namespace {

/// Counts to five, and never hears of a number that is not more than the last.
task<> count_to_five(world& w) {
  co_await with_nursery([&w](nursery& n) -> task<> {
    n.start_service([&w]() -> task<> { co_await w.server.run(); });
    co_await w.net.on("client", []() -> task<> {
      int last = 0;
      for (int i = 0; i < 5; ++i) {
        const int now = co_await count_once();
        if (now <= last)
          throw test_failure("an acknowledged count was lost");
        last = now;
      }
    });
  });
}

exploration explore_counting(bool sync, std::uint64_t runs) {
  explore_options o;
  o.simulation.faults = {crashes("server", when{0, 0.02, 3}, 5s)};
  const internal::simulated_program program = [sync](std::uint64_t seed,
                                                     const simulation_options& given) {
    world w(sync);
    simulation_options mine = given;
    mine.network = &w.net;
    return static_cast<simulation_report>(simulate(
      seed, [&w] { return count_to_five(w); }, mine));
  };
  return internal::explore(program, runs, o);
}

} // namespace

BOOST_AUTO_TEST_CASE(explore_finds_a_count_that_was_acknowledged_and_not_synced) {
  explore_counting(true, 50).verify();
  const exploration e = explore_counting(false, 100);
  BOOST_TEST_REQUIRE(e.failure.has_value());
  BOOST_TEST_MESSAGE("a count that was not synced: run " << e.runs);
  BOOST_TEST((contains(e.failure->why(), "lost") || contains(e.failure->why(), "stoi")));
}

BOOST_AUTO_TEST_CASE(planned_crash_is_in_the_event_log_and_names_must_match) {
  world w(true);
  simulation_options o;
  o.network = &w.net;
  o.faults = {crashes("server", when::at(10), 5s)};
  o.log_size = 100'000;
  const auto r = simulate(
    1,
    [&w]() -> task<> {
      co_await count_to_five(w);
      throw std::logic_error("as ever");
    },
    o);
  BOOST_TEST(contains(r.log, "by plan, crashes at checkpoint 10: server"));
  BOOST_TEST(w.server.starts() == 2U);
  world other(true);
  o.network = &other.net;
  o.faults = {crashes("sever", when::at(10), 5s)};
  const auto none = simulate(
    1, [&other] { return count_to_five(other); }, o);
  BOOST_TEST(contains(none.why(), "the fault plan names 'sever'"));
}

BOOST_AUTO_TEST_SUITE_END()
