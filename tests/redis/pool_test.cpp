// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/outcome.hpp>
#include <troupe/redis/pool.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/troupe.hpp>

#include "support/redis_server.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::redis_server;
using troupe_test::with_redis;
using pool_of_redis = connection_pool<redis::connection>;

namespace {

/// Connections whose server is the test, lent as those of Redis are.
class wired_pool {
public:
  wired_pool() {
    functions_.open = [this]() -> task<redis::connection> {
      auto [client, server] = testing::memory_stream_pair();
      servers_.push_back(std::move(server));
      co_return redis::connection(std::make_unique<testing::memory_stream>(std::move(client)));
    };
  }

  [[nodiscard]] const connection_functions<redis::connection>& functions() const {
    return functions_;
  }
  /// The newest one's server says something.
  void say(const std::string& text) { servers_.back().outgoing()->put(text); }
  void say_ok(std::size_t times) {
    while (times-- != 0)
      say("+OK\r\n");
  }

private:
  connection_functions<redis::connection> functions_ = redis::pooled("redis://nowhere");
  std::vector<testing::memory_stream> servers_;
};

/// Whether a connection is lent again after `use`.
task<bool> is_lent_again(wired_pool& wired, std::function<task<>(redis::connection&)> use) {
  const connection_pool_options options;
  bool again = false;
  co_await with_connection_pool(options, wired.functions(), [&](pool_of_redis& pool) -> task<> {
    {
      auto db = co_await pool.borrow();
      co_await use(*db);
    }
    const auto next = co_await pool.borrow();
    again = pool.statistics().reused == 1;
    BOOST_TEST(pool.statistics().broken == (again ? 0U : 1U));
  });
  co_return again;
}

} // namespace

BOOST_AUTO_TEST_SUITE(redis_pools)

TROUPE_TEST_CASE(p17_a_reply_that_nobody_waited_for_is_not_the_next_ones) {
  wired_pool wired;
  const connection_pool_options options;
  co_await with_connection_pool(options, wired.functions(), [&](pool_of_redis& pool) -> task<> {
    {
      auto db = co_await pool.borrow();
      redis::batch b;
      b.add("get", "a");
      co_await db->send(std::move(b));
      const bool came =
        co_await move_on_after(1s, [&]() -> task<> { static_cast<void>(co_await db->receive()); });
      BOOST_TEST(!came);
    }
    wired.say("$7\r\na's own\r\n");
    auto db = co_await pool.borrow();
    wired.say("$7\r\nb's own\r\n");
    BOOST_TEST((co_await db->command("get", "b")).text() == "b's own");
    BOOST_TEST(pool.statistics().opened == 2U);
    BOOST_TEST(pool.statistics().broken == 1U);
  });
}

TROUPE_TEST_CASE(p17_what_came_and_was_not_read_is_not_the_next_ones) {
  const std::pair<const char*, bool> cases[] = {
    {"+OK\r\n", true},
    {"+OK\r\n+OK\r\n", false},
    {"+OK\r\n+O", false},
    {"+OK\r\n*2\r\n", false}, // of which the reader has taken all
  };
  for (const auto& [said, again] : cases)
    BOOST_TEST_CONTEXT(said) {
      wired_pool wired;
      const bool lent = co_await is_lent_again(wired, [&](redis::connection& db) -> task<> {
        wired.say(said);
        static_cast<void>(co_await db.command("get", "x"));
      });
      BOOST_TEST(lent == again);
    }
  wired_pool wired;
  const bool unasked = co_await is_lent_again(wired, [&](redis::connection& db) -> task<> {
    wired.say("+OK\r\n");
    static_cast<void>(co_await db.receive());
  });
  BOOST_TEST(!unasked);
  const bool by_halves = co_await is_lent_again(wired, [&](redis::connection& db) -> task<> {
    wired.say("*2\r\n");
    redis::batch b;
    b.add("mget", "a", "b");
    co_await db.send(std::move(b));
    const bool came =
      co_await move_on_after(1s, [&]() -> task<> { static_cast<void>(co_await db.receive()); });
    BOOST_TEST(!came);
    wired.say("$1\r\na\r\n$1\r\nb\r\n");
    BOOST_TEST((co_await db.receive()).size() == 2U);
  });
  BOOST_TEST(by_halves);
}

TROUPE_TEST_CASE(p17_a_connection_in_a_state_of_its_own_is_not_lent_again) {
  using words = std::vector<redis::argument>;
  using commands = std::vector<words>;
  const std::pair<commands, bool> cases[] = {
    {{{"get", "multi"}, {"client", "id"}, {"script", "load", "return 1"}}, true},
    {{{"subscribe", "news"}}, false},
    {{{"PSubscribe", "n*"}}, false},
    {{{"monitor"}}, false},
    {{{"SELECT", 3}}, false},
    {{{"auth", "me", "secret"}}, false},
    {{{"hello", 3}}, false},
    {{{"reset"}}, false},
    {{{"client", "REPLY", "on"}}, false},
    {{{"client", "setname", "me"}}, false},
    {{{"quit"}}, false},
    {{{"multi"}}, false},
    {{{"multi"}, {"incr", "a"}}, false},
    {{{"multi"}, {"incr", "a"}, {"exec"}}, true},
    {{{"multi"}, {"incr", "a"}, {"exec", "it"}}, false}, // refused
    {{{"multi"}, {"discard"}}, true},
    {{{"multi"}, {"exec"}, {"multi"}}, false},
    {{{"watch", "a"}}, false},
    {{{"watch", "a"}, {"Unwatch"}}, true},
    {{{"watch", "a"}, {"multi"}, {"exec"}}, true},
    {{{"watch", "a"}, {"multi"}, {"unwatch"}}, false},
    {{{"select", 3}, {"multi"}, {"exec"}}, false},
  };
  for (const auto& [all, again] : cases)
    for (const bool at_once : {true, false}) {
      wired_pool wired;
      const bool lent = co_await is_lent_again(wired, [&](redis::connection& db) -> task<> {
        wired.say_ok(all.size());
        redis::batch b;
        for (const words& one : all) {
          b.append(one);
          if (!at_once)
            static_cast<void>(co_await db.run(std::exchange(b, {})));
        }
        static_cast<void>(co_await db.run(std::move(b)));
      });
      BOOST_TEST(lent == again, all.back().front().text() << " is the last, at once " << at_once);
    }
}

TROUPE_TEST_CASE(p17_a_connection_that_was_taken_over_is_not_lent_again) {
  wired_pool wired;
  const bool moved = co_await is_lent_again(wired, [&](redis::connection& db) -> task<> {
    const redis::connection mine(std::move(db));
    co_return;
  });
  BOOST_TEST(!moved);
  const bool used_below = co_await is_lent_again(
    wired, [&](redis::connection& db) -> task<> { co_await db.over().write_all("PING\r\n"); });
  BOOST_TEST(!used_below);
  const bool as_opened = co_await is_lent_again(wired, [&](redis::connection& db) -> task<> {
    wired.say_ok(1);
    static_cast<void>(co_await db.command("select", 3));
    db.keep_settings(); // as a function that opens would
  });
  BOOST_TEST(as_opened);
}

TROUPE_TEST_CASE(p17_the_database_of_the_pool_is_what_is_lent, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    const connection_pool_options options;
    const auto functions = redis::pooled(server.url() + "/3");
    co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
      for (int i = 1; i <= 3; ++i) {
        auto db = co_await pool.borrow();
        redis::batch b;
        b.add("multi").add("incr", "visits").add("exec");
        const auto replies = co_await db->run(std::move(b));
        BOOST_TEST(replies.back()[0].get<int>() == i);
      }
      BOOST_TEST(pool.statistics().opened == 1U);
      {
        auto db = co_await pool.borrow();
        static_cast<void>(co_await db->command("select", 0));
      }
      auto db = co_await pool.borrow();
      BOOST_TEST((co_await db->command("get", "visits")).get<int>() == 3);
      BOOST_TEST(pool.statistics().opened == 2U);
    });
  });
}

TROUPE_TEST_CASE(many_tasks_share_few_connections, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    connection_pool_options options;
    options.max = 3;
    options.check_after = 0ms; // each is pinged
    const auto functions = redis::pooled(server.path());
    co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 300; ++i)
          n.start_soon([&]() -> task<> {
            auto db = co_await pool.borrow();
            co_await checkpoint(); // or a server that is quick enough has them all served by one
            static_cast<void>(co_await db->command("incr", "count"));
          });
        co_return;
      });
      auto db = co_await pool.borrow();
      BOOST_TEST((co_await db->command("get", "count")).get<int>() == 300);
      BOOST_TEST(pool.statistics().opened == 3U);
      BOOST_TEST(pool.statistics().broken == 0U);
    });
  });
}

TROUPE_TEST_CASE(p17_restarts_are_not_noticed_by_who_borrows_next, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    connection_pool_options options;
    const auto functions = redis::pooled(server.url());
    co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
      const auto works = [&]() -> task<> {
        std::vector<lease<redis::connection>> lent;
        while (lent.size() != 3)
          lent.push_back(co_await pool.borrow());
        for (auto& one : lent)
          BOOST_TEST((co_await one->command("ping")).text() == "PONG");
      };
      co_await works();
      co_await server.stop();
      const auto refused = co_await as_outcome(pool.borrow());
      BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), connection_refused);
      co_await server.start();
      co_await works();
      BOOST_TEST(pool.statistics().broken == 3U);
      { // in the middle of it; its user says nothing
        auto one = co_await pool.borrow();
        co_await server.crash();
        const auto lost = co_await as_outcome(one->command("ping"));
        BOOST_TEST(!lost);
      }
      co_await server.start();
      co_await works();
      { // killed by the server
        std::vector<lease<redis::connection>> lent;
        lent.push_back(co_await pool.borrow());
        lent.push_back(co_await pool.borrow());
        const auto id = (co_await lent[0]->command("client", "id")).get<int>();
        static_cast<void>(co_await lent[1]->command("client", "kill", "id", id));
      }
      co_await works();
      BOOST_TEST(pool.statistics().lent == 0U);
    });
  });
}

TROUPE_TEST_CASE(a_server_that_accepts_and_never_answers_costs_the_limit, .virtual_time = false) {
  const listen_options here{.address = "127.0.0.1"};
  tcp_listener hole(0, here);
  connection_pool_options options;
  options.open_limit = 50ms;
  const auto functions =
    redis::pooled("redis://:password@127.0.0.1:" + std::to_string(hole.port()));
  co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
    const auto late = co_await as_outcome(pool.borrow());
    BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
    BOOST_TEST(pool.statistics().lent + pool.statistics().opening == 0U);
  });
}

TROUPE_TEST_CASE(p17_a_frozen_server_and_cancellation_leave_no_lease, .virtual_time = false) {
  co_await with_redis([](redis_server& server) -> task<> {
    connection_pool_options options;
    options.max = 3;
    options.check_after = 0ms;
    options.check_limit = 20ms;
    options.open_limit = 100ms;
    const auto functions = redis::pooled(server.url());
    std::mt19937 random(11);
    co_await with_connection_pool(options, functions, [&](pool_of_redis& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 300; ++i) {
          n.start_soon([&]() -> task<> {
            co_await move_on_after(std::chrono::microseconds(random() % 20'000), [&]() -> task<> {
              auto db = co_await pool.borrow();
              static_cast<void>(co_await db->command("blpop", "none", 1));
            });
          });
          if (i == 100)
            server.freeze();
          if (i == 200)
            server.thaw();
          const auto now = pool.statistics();
          BOOST_TEST(now.lent + now.idle + now.opening <= 3U);
          co_await checkpoint();
        }
      });
      BOOST_TEST(pool.statistics().lent == 0U);
      BOOST_TEST(pool.statistics().waiting == 0U);
      BOOST_TEST(pool.statistics().opening == 0U);
      auto db = co_await pool.borrow();
      BOOST_TEST((co_await db->command("ping")).text() == "PONG");
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
