// SPDX-License-Identifier: BSD-3-Clause
#include "shop.hpp"

#include <troupe/actors/connection_pool.hpp>
#include <troupe/buffered_reader.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/serve.hpp>
#include <troupe/tcp.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/time.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using testing::run_virtually;
using troupe_test::functions_of;
using troupe_test::shop;
using troupe_test::wire;

BOOST_AUTO_TEST_SUITE(connection_pools)

BOOST_AUTO_TEST_CASE(a_connection_is_lent_again_and_closed_at_the_end) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      for (int i = 0; i < 3; ++i) {
        auto one = co_await pool.borrow();
        BOOST_TEST(one->number() == 1);
        BOOST_TEST(pool.statistics().lent == 1u);
      }
      BOOST_TEST(pool.statistics().idle == 1u);
      BOOST_TEST(pool.statistics().reused == 2u);
    });
  });
  BOOST_TEST(s.made == 1);
  BOOST_TEST(s.open == 0);
}

BOOST_AUTO_TEST_CASE(p17_never_more_than_max_and_who_waits_is_served_in_order) {
  shop s;
  std::string order;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    options.max = 2;
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (char name = 'a'; name <= 'f'; ++name)
          n.start_soon([&, name]() -> task<> {
            auto one = co_await pool.borrow();
            order += name;
            co_await sleep_for(1s);
          });
        co_await sleep_for(500ms);
        BOOST_TEST(pool.statistics().lent == 2u);
        BOOST_TEST(pool.statistics().waiting == 4u);
      });
    });
  });
  BOOST_TEST(order == "abcdef");
  BOOST_TEST(s.most_open == 2);
}

BOOST_AUTO_TEST_CASE(p17_a_cancelled_wait_takes_nothing_and_a_deadline_says_what_for) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    options.max = 1;
    options.name = "the shop";
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      std::optional<lease<wire>> first(co_await pool.borrow());
      const auto late = co_await as_outcome(pool.borrow(1s));
      BOOST_TEST(describe(late.error()).find("'the shop'") != std::string::npos);
      BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
      co_await with_nursery([&](nursery& n) -> task<> {
        const auto cut_off = n.start_soon([&]() -> task<> { auto one = co_await pool.borrow(); });
        const auto next = n.start_soon([&]() -> task<int> {
          auto one = co_await pool.borrow();
          co_return one->number();
        });
        co_await sleep_for(1s);
        first.reset();    // lent to the one who has waited longest,
        cut_off.cancel(); // which goes now
        BOOST_TEST(co_await next == 1);
      });
      BOOST_TEST(pool.statistics().lent == 0u);
    });
  });
  BOOST_TEST(s.made == 1);
}

BOOST_AUTO_TEST_CASE(p17_a_broken_connection_is_never_lent_again) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      { // discarded
        auto one = co_await pool.borrow();
        one.discard();
      }
      try { // an exception
        auto one = co_await pool.borrow();
        BOOST_TEST(one->number() == 2);
        throw std::runtime_error("in the middle of it");
      } catch (const std::runtime_error&) { // NOLINT(bugprone-empty-catch)
      }
      co_await move_on_after(1s, [&]() -> task<> { // cancelled
        auto one = co_await pool.borrow();
        BOOST_TEST(one->number() == 3);
        co_await sleep_forever();
      });
      BOOST_TEST(s.open == 0);
      auto one = co_await pool.borrow();
      BOOST_TEST(one->number() == 4);
      BOOST_TEST(pool.statistics().broken == 3u);
    });
  });
}

BOOST_AUTO_TEST_CASE(one_that_was_idle_is_checked_before_it_is_lent) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    options.check_after = 5s;
    options.check_every = 1h;
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      { const auto one = co_await pool.borrow(); }
      s.sick = true;
      co_await sleep_for(4s);
      {
        auto one = co_await pool.borrow(); // not long enough
        BOOST_TEST(one->number() == 1);
      }
      co_await sleep_for(6s);
      auto one = co_await pool.borrow();
      BOOST_TEST(one->number() == 2);
    });
  });
}

BOOST_AUTO_TEST_CASE(idle_ones_are_checked_closed_when_old_and_kept_up_to_the_minimum) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    options.min = 2;
    options.idle_limit = 60s;
    options.check_every = 10s;
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      co_await sleep_for(1s);
      BOOST_TEST(pool.statistics().idle == 2u); // before anybody has asked
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 5; ++i)
          n.start_soon([&]() -> task<> {
            auto one = co_await pool.borrow();
            co_await sleep_for(1s);
          });
        co_return;
      });
      BOOST_TEST(pool.statistics().idle == 5u);
      co_await sleep_for(70s);
      BOOST_TEST(pool.statistics().idle == 2u);
      s.sick = true;
      co_await sleep_for(9s);
      s.sick = false;
      co_await sleep_for(2s);
      BOOST_TEST(pool.statistics().idle == 2u); // others
      BOOST_TEST(pool.statistics().broken >= 2u);
    });
  });
  BOOST_TEST(s.open == 0);
}

BOOST_AUTO_TEST_CASE(one_that_is_too_old_is_replaced) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    options.max_age = 1min;
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      {
        auto one = co_await pool.borrow();
        co_await sleep_for(2min);
      }
      BOOST_TEST(s.open == 0);
      { auto one = co_await pool.borrow(); }
      BOOST_TEST(s.open == 1);
      co_await sleep_for(2min);
      BOOST_TEST(s.open == 0);
    });
  });
}

BOOST_AUTO_TEST_CASE(goodbye_is_said_to_good_ones_and_only_the_end_waits_for_it) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    options.max = 3;
    options.max_age = 1min;
    auto functions = functions_of(s);
    std::vector<int> said;
    duration takes = 10min; // longer than it may
    functions.close = [&](wire& w) -> task<> {
      said.push_back(w.number());
      co_await sleep_for(takes);
      throw std::runtime_error("nobody hears of it");
    };
    const auto three = [](connection_pool<wire>& pool) -> task<> {
      auto a = co_await pool.borrow();
      auto b = co_await pool.borrow();
      auto c = co_await pool.borrow();
    };
    time_point end;
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      {
        auto one = co_await pool.borrow();
        one.discard(); // nobody knows what state it is in
      }
      BOOST_TEST(s.open == 0);
      {
        auto one = co_await pool.borrow();
        one.retire();
      }
      co_await sleep_for(100ms);
      BOOST_TEST((said == std::vector{2}));
      BOOST_TEST(pool.statistics().broken == 1u); // the discarded one
      co_await sleep_for(1s);
      BOOST_TEST(s.open == 0);
      said.clear();
      co_await three(pool);
      co_await sleep_for(1min + 100ms);
      std::sort(said.begin(), said.end());
      BOOST_TEST((said == std::vector{3, 4, 5}));
      BOOST_TEST(s.open == 3); // they are at it
      const auto before = current_time();
      co_await three(pool);
      BOOST_TEST((current_time() - before < 100ms));
      BOOST_TEST(s.open == 6);
      co_await sleep_for(1s);
      BOOST_TEST(s.open == 3);
      takes = 1ms; // and throws
      said.clear();
      end = current_time();
    });
    BOOST_TEST(said.size() == 3u);
    BOOST_TEST((current_time() - end == 1ms)); // all at once
    BOOST_TEST(s.open == 0);

    takes = 10min;
    said.clear();
    const auto before = current_time();
    co_await move_on_after(30s, [&]() -> task<> {
      co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
        co_await three(pool);
        co_await sleep_forever();
      });
    });
    BOOST_TEST(said.size() == 3u); // also when it is cancelled
    BOOST_TEST((current_time() - before == 31s));
  });
  BOOST_TEST(s.open == 0);
}

BOOST_AUTO_TEST_CASE(who_cannot_open_one_is_told_and_the_next_one_tries_again) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    options.max = 1;
    options.min = 1;
    const auto functions = functions_of(s);
    s.refuses = true;
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      const auto refused = co_await as_outcome(pool.borrow());
      BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), connection_refused);
      s.refuses = false;
      co_await sleep_for(2s);
      BOOST_TEST(pool.statistics().idle == 1u); // the minimum was tried again
      auto one = co_await pool.borrow();
      BOOST_TEST(pool.statistics().open_errors >= 1u);
    });
  });
}

BOOST_AUTO_TEST_CASE(close_all_closes_also_what_is_lent_when_it_comes_back) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      {
        auto lent = co_await pool.borrow();
        { auto idle = co_await pool.borrow(); }
        pool.close_all();
        BOOST_TEST(s.open == 1);
      }
      BOOST_TEST(s.open == 0);
    });
  });
}

BOOST_AUTO_TEST_CASE(p17_one_that_is_seen_to_be_broken_is_not_kept_nor_lent) {
  shop s;
  run_virtually([&]() -> task<> {
    connection_pool_options options;
    auto functions = functions_of(s);
    int broken = 0;
    functions.usable = [&](wire& w) { return w.number() != broken; };
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      {
        auto one = co_await pool.borrow();
        broken = 1; // its user has noticed, and says nothing
      }
      BOOST_TEST(s.open == 0);
      {
        auto two = co_await pool.borrow();
        BOOST_TEST(two->number() == 2);
      }
      broken = 2; // while it is idle, and too short for a check
      auto three = co_await pool.borrow();
      BOOST_TEST(three->number() == 3);
      BOOST_TEST(pool.statistics().broken == 2u);
      BOOST_TEST(s.open == 1);
    });
    broken = 0;
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      try {
        auto one = co_await pool.borrow();
        throw std::runtime_error("which the connection has survived");
      } catch (const std::runtime_error&) { // NOLINT(bugprone-empty-catch)
      }
      co_await move_on_after(1s, [&]() -> task<> {
        auto one = co_await pool.borrow();
        co_await sleep_forever();
      });
      BOOST_TEST(pool.statistics().opened == 1u);
      BOOST_TEST(pool.statistics().idle == 1u);
    });
  });
}

BOOST_AUTO_TEST_CASE(a_server_that_never_answers_holds_nobody_for_ever) {
  shop s;
  run_virtually([&]() -> task<> {
    bool hangs = false;
    auto functions = functions_of(s);
    const auto open = functions.open;
    functions.open = [&, open]() -> task<wire> {
      if (hangs)
        co_await sleep_forever();
      co_return co_await open();
    };
    functions.check = [&](wire&) -> task<bool> {
      if (hangs)
        co_await sleep_forever();
      co_return true;
    };
    connection_pool_options options;
    options.name = "the shop";
    options.max = 1;
    options.min = 1;
    options.open_limit = 10s;
    options.check_limit = 2s;
    options.check_every = 20s;
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      { const auto warm = co_await pool.borrow(); }
      hangs = true;
      co_await sleep_for(5s);
      const auto begin = current_time();
      const auto late = co_await as_outcome(pool.borrow());
      BOOST_TEST((current_time() - begin == 12s)); // the check, and a new one
      BOOST_CHECK_THROW(std::rethrow_exception(late.error()), timeout_error);
      BOOST_TEST(describe(late.error()).find("opening a connection of 'the shop'")
                 != std::string::npos);
      co_await sleep_for(100s); // the keeper tries in vain
      hangs = false;
      co_await sleep_for(12s);
      BOOST_TEST(pool.statistics().idle == 1u);
      { const auto again = co_await pool.borrow(); }
      hangs = true;
      co_await sleep_for(21s); // it is checked while it is idle
      hangs = false;
      co_await sleep_for(12s);
      BOOST_TEST(pool.statistics().idle == 1u);
      BOOST_TEST(pool.statistics().lent == 0u);
    });
  });
}

BOOST_AUTO_TEST_CASE(options_that_make_no_sense_are_refused) {
  shop s;
  run_virtually([&]() -> task<> {
    const auto functions = functions_of(s);
    connection_pool_options options;
    options.min = 11;
    const auto body = [](connection_pool<wire>&) -> task<> { co_return; };
    const auto refused = co_await as_outcome(with_connection_pool(options, functions, body));
    BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), std::invalid_argument);
  });
}

BOOST_AUTO_TEST_CASE(p17_holds_at_every_step_of_a_random_crowd) {
  shop s;
  run_virtually([&]() -> task<> {
    std::mt19937 random(42);
    connection_pool_options options;
    options.max = 5;
    options.min = 2;
    options.idle_limit = 50ms;
    options.check_after = 0ms;
    options.check_every = 20ms;
    const auto functions = functions_of(s);
    co_await with_connection_pool(options, functions, [&](connection_pool<wire>& pool) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 300; ++i) {
          n.start_soon([&]() -> task<> {
            co_await move_on_after(std::chrono::milliseconds(random() % 200), [&]() -> task<> {
              auto one = co_await pool.borrow();
              co_await sleep_for(std::chrono::milliseconds(random() % 20));
              if (random() % 5 == 0)
                one.discard();
            });
          });
          s.sick = random() % 10 == 0;
          s.refuses = false;
          const auto now = pool.statistics();
          BOOST_TEST(now.lent + now.idle + now.opening <= 5u);
          co_await sleep_for(std::chrono::milliseconds(random() % 5));
        }
      });
      BOOST_TEST(pool.statistics().lent == 0u);
      BOOST_TEST(pool.statistics().waiting == 0u);
    });
  });
  BOOST_TEST(s.most_open <= 5);
  BOOST_TEST(s.open == 0);
}

BOOST_AUTO_TEST_CASE(lends_tcp_streams_to_an_echo_server) {
  run([]() -> task<> {
    tcp_listener listener(0, {.address = "127.0.0.1"});
    const auto port = listener.port();
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto echo = [](tcp_stream& peer) -> task<> {
        buffered_reader in(peer);
        while (auto line = co_await in.read_line())
          co_await peer.write_all(*line + "\n");
      };
      n.start_soon([&]() -> task<> { co_await serve_listener(echo, std::move(listener)); });
      connection_functions<tcp_stream> functions;
      functions.open = [port]() { return open_tcp_stream("127.0.0.1", port); };
      connection_pool_options options;
      options.max = 2;
      co_await with_connection_pool(options, functions,
                                    [&](connection_pool<tcp_stream>& pool) -> task<> {
                                      co_await with_nursery([&](nursery& clients) -> task<> {
                                        for (int i = 0; i < 5; ++i)
                                          clients.start_soon([&, i]() -> task<> {
                                            const std::string said = "client " + std::to_string(i);
                                            auto server = co_await pool.borrow();
                                            co_await server->write_all(said + "\n");
                                            buffered_reader in(*server);
                                            BOOST_TEST((co_await in.read_line()).value() == said);
                                          });
                                        co_return;
                                      });
                                      BOOST_TEST(pool.statistics().opened == 2u);
                                      BOOST_TEST(pool.statistics().reused == 3u);
                                    });
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
