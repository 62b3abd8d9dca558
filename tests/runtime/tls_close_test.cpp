// SPDX-License-Identifier: BSD-3-Clause
// How a connection ends: cleanly, cut off, cancelled, with a peer that says nothing.
#include "support/tls_pair.hpp"

#include <troupe/testing/wait_all_tasks_blocked.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>

using namespace troupe;
using namespace troupe_test;
using troupe::testing::run_virtually;
using namespace std::chrono_literals;
using troupe::testing::wait_all_tasks_blocked;

BOOST_AUTO_TEST_SUITE(tls_close)

BOOST_AUTO_TEST_CASE(close_is_a_clean_end_for_the_other_side) {
  with_tls_pair([](tls_pair& p) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        BOOST_TEST(co_await read_all(*p.server) == "last words");
        co_await p.server->close();
      });
      const auto before = current_time();
      co_await p.client->write_all("last words");
      co_await p.client->close();
      co_await p.client->close();
      BOOST_TEST((current_time() == before));
    });
    BOOST_CHECK_THROW(co_await read_text(*p.client), stream_closed);
    BOOST_CHECK_THROW(co_await p.client->write_all("x"), stream_closed);
    BOOST_CHECK_THROW(co_await p.client->send_eof(), stream_closed);
  });
}

BOOST_AUTO_TEST_CASE(both_can_close_at_once_and_what_is_under_way_is_dropped) {
  with_tls_pair([](tls_pair& p) -> task<> {
    co_await p.client->write_all(std::string(20'000, 'x'));
    const auto before = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await p.client->close(); });
      n.start_soon([&]() -> task<> { co_await p.server->close(); });
      co_return;
    });
    BOOST_TEST((current_time() == before));
  });
}

BOOST_AUTO_TEST_CASE(p20_truncation_is_not_a_clean_end) {
  // at any byte of the last two records: data and close_notify
  for (std::size_t cut = 0;; ++cut) {
    bool whole = false;
    with_tls_pair([&](tls_pair& p) -> task<> {
      auto& pipe = *p.wire.to_client;
      BOOST_TEST(pipe.bytes().size() > 0U); // tickets
      const std::size_t before = pipe.bytes().size();
      co_await p.server->write_all("important");
      co_await p.server->send_eof();
      whole = before + cut >= pipe.bytes().size();
      pipe.bytes(std::string(pipe.bytes().substr(0, before + cut)));
      pipe.end();
      std::string got;
      try {
        for (std::string part; !(part = co_await read_text(*p.client)).empty();)
          got += part;
        BOOST_TEST(whole, "a clean end after " << cut << " bytes");
        BOOST_TEST(got == "important");
      } catch (const tls_truncated& e) {
        BOOST_TEST(!whole);
        BOOST_TEST(e.what()
                   == "cannot read from localhost (the server): the connection was cut: it "
                      "has ended without close_notify");
        BOOST_TEST((got.empty() || got == "important"));
      }
      if (!whole) { // and so it stays
        BOOST_CHECK_THROW(co_await read_text(*p.client), tls_truncated);
        BOOST_CHECK_THROW(co_await p.client->write_all("x"), tls_truncated);
      }
    });
    if (whole)
      break;
  }
}

BOOST_AUTO_TEST_CASE(p20_destroying_a_stream_is_truncation_for_the_other_side) {
  with_tls_pair([](tls_pair& p) -> task<> {
    co_await p.server->write_all("half");
    p.server.reset();
    BOOST_TEST(co_await read_text(*p.client) == "half");
    BOOST_CHECK_THROW(co_await read_text(*p.client), tls_truncated);
  });
}

BOOST_AUTO_TEST_CASE(p20_close_meets_its_deadline_against_a_silent_peer) {
  auto options = client_options();
  options.shutdown_limit = 3s;
  with_tls_pair(
    [](tls_pair& p) -> task<> {
      const auto before = current_time();
      co_await p.client->close(); // the server lives and says nothing
      BOOST_TEST((current_time() - before == 3s));
      BOOST_TEST(co_await read_text(*p.server) == "");
    },
    options);
}

BOOST_AUTO_TEST_CASE(p20_close_meets_its_deadline_against_a_peer_that_never_stops_talking) {
  with_tls_pair([](tls_pair& p) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        const std::string noise(1000, 'x');
        for (;;) {
          co_await p.server->write_all(noise);
          co_await sleep_for(10ms);
        }
      });
      const auto before = current_time();
      co_await p.client->close();
      BOOST_TEST((current_time() - before == default_tls_shutdown_limit));
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(p20_close_meets_its_deadline_against_a_peer_that_reads_nothing) {
  with_tls_pair([](tls_pair& p) -> task<> {
    p.wire.to_server->capacity(0);
    const auto before = current_time();
    co_await p.client->close();
    BOOST_TEST((current_time() - before == default_tls_shutdown_limit));
  });
}

BOOST_AUTO_TEST_CASE(without_a_limit_close_does_not_wait) {
  auto options = client_options();
  options.shutdown_limit = 0s;
  with_tls_pair(
    [](tls_pair& p) -> task<> {
      const auto before = current_time();
      co_await p.client->close();
      BOOST_TEST((current_time() == before));
      BOOST_TEST(co_await read_text(*p.server) == "");
    },
    options);
}

BOOST_AUTO_TEST_CASE(closing_sends_those_away_who_wait) {
  with_tls_pair([](tls_pair& p) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(
        [&]() -> task<> { BOOST_CHECK_THROW(co_await read_text(*p.client), stream_closed); });
      co_await wait_all_tasks_blocked();
      n.start_soon([&]() -> task<> {
        BOOST_TEST(co_await read_all(*p.server) == "");
        co_await sleep_for(1s);
        co_await p.server->write_all("late");
        co_await sleep_for(1s);
        co_await p.server->close();
      });
      const auto before = current_time();
      n.start_soon([&]() -> task<> { // a second one waits for the first
        co_await checkpoint();
        co_await p.client->close();
        BOOST_TEST((current_time() - before == 2s));
      });
      co_await p.client->close();
      BOOST_TEST((current_time() - before == 2s));
    });
  });
}

BOOST_AUTO_TEST_CASE(closing_cuts_off_a_write_that_waits) {
  with_tls_pair([](tls_pair& p) -> task<> {
    p.wire.to_server->capacity(10);
    const std::string much(100'000, 'x');
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(
        [&]() -> task<> { BOOST_CHECK_THROW(co_await p.client->write_all(much), stream_closed); });
      co_await wait_all_tasks_blocked();
      co_await p.client->close();
    });
    BOOST_CHECK_THROW(co_await read_all(*p.server), tls_truncated);
  });
}

BOOST_AUTO_TEST_CASE(aborting_and_destroying_send_those_away_who_wait) {
  for (const bool destroy : {false, true})
    with_tls_pair([&](tls_pair& p) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon(
          [&]() -> task<> { BOOST_CHECK_THROW(co_await read_text(*p.client), net_error); });
        co_await wait_all_tasks_blocked();
        if (destroy)
          p.client.reset();
        else
          p.client->abort();
        co_await wait_all_tasks_blocked();
        BOOST_CHECK_THROW(co_await read_text(*p.server), connection_reset);
      });
    });
}

BOOST_AUTO_TEST_CASE(p03_cancelled_read_has_read_nothing) {
  // the record comes byte by byte, and each read is cancelled while it waits for the next
  with_tls_pair([](tls_pair& p) -> task<> {
    auto& pipe = *p.wire.to_client;
    const std::size_t before = pipe.bytes().size();
    co_await p.server->write_all("precious");
    const std::string record(pipe.bytes().substr(before));
    pipe.bytes(std::string(pipe.bytes().substr(0, before)));
    for (const char c : record.substr(0, record.size() - 1)) {
      pipe.put({&c, 1});
      co_await with_nursery([&](nursery& n) -> task<> {
        auto reader = n.start_soon([&]() -> task<> {
          co_await read_text(*p.client, 300);
          BOOST_ERROR("the read came back");
        });
        co_await wait_all_tasks_blocked();
        reader.cancel();
      });
    }
    pipe.put({&record.back(), 1});
    BOOST_TEST(co_await read_text(*p.client, 300) == "precious");
  });
}

BOOST_AUTO_TEST_CASE(p03_cancelled_write_can_have_written_a_part) {
  with_tls_pair([](tls_pair& p) -> task<> {
    p.wire.to_server->capacity(1000);
    const std::string much(100'000, 'x');
    co_await with_nursery([&](nursery& n) -> task<> {
      auto writer = n.start_soon([&]() -> task<> { co_await p.client->write_all(much); });
      co_await wait_all_tasks_blocked();
      BOOST_TEST(!writer.done());
      writer.cancel();
    });
    BOOST_CHECK_THROW(co_await p.client->write_all("x"), usage_error);
    BOOST_CHECK_THROW(co_await p.client->send_eof(), usage_error);
    co_await p.server->write_all("still here");
    BOOST_TEST(co_await read_text(*p.client) == "still here");
    const auto before = current_time();
    co_await p.client->close();
    BOOST_TEST((current_time() == before)); // there is no way to say goodbye
    BOOST_CHECK_THROW(co_await read_all(*p.server), tls_truncated);
  });
}

BOOST_AUTO_TEST_CASE(p09_cancelled_close_closes_at_once) {
  with_tls_pair([](tls_pair& p) -> task<> {
    const bool ended = co_await move_on_after(1s, [&] { return p.client->close(); });
    BOOST_TEST(!ended);
    BOOST_CHECK_THROW(co_await read_text(*p.client), stream_closed);
    BOOST_TEST(p.wire.to_server->ended());
    BOOST_TEST(co_await read_text(*p.server) == "");
    co_await p.client->close();
  });
}

BOOST_AUTO_TEST_CASE(p09_cancelled_handshake_closes_the_transport) {
  run_virtually([]() -> task<> {
    tls_pair p;
    const tls_client_context c(client_options());
    const bool done = (co_await move_on_after(
                         1s, [&] { return tls_connect(std::move(p.wire.client), "localhost", c); }))
                        .has_value();
    BOOST_TEST(!done);
    BOOST_TEST(p.wire.to_server->ended());
    BOOST_TEST(p.wire.to_client->closed());
  });
}

BOOST_AUTO_TEST_CASE(a_record_that_was_changed_on_its_way_is_found_out) {
  with_tls_pair([](tls_pair& p) -> task<> {
    const std::size_t before = p.wire.to_server->bytes().size();
    co_await p.client->write_all("pay 100");
    std::string changed(p.wire.to_server->bytes());
    changed[before + 8] = static_cast<char>(changed[before + 8] ^ 1);
    p.wire.to_server->bytes(changed);
    try {
      co_await read_text(*p.server);
      BOOST_ERROR("it was read");
    } catch (const tls_error& e) {
      BOOST_TEST(e.what()
                 == "cannot read from the client: a record was changed on its way (bad "
                    "record MAC)");
    }
    BOOST_CHECK_THROW(co_await p.server->write_all("x"), tls_error);
    try { // the alert
      co_await read_text(*p.client);
      BOOST_ERROR("nothing was said");
    } catch (const tls_error& e) {
      BOOST_TEST(std::string(e.what()).ends_with("the other side says: bad record mac"));
    }
  });
}

BOOST_AUTO_TEST_CASE(a_reset_keeps_its_type) {
  with_tls_pair([](tls_pair& p) -> task<> {
    p.wire.to_client->reset();
    p.wire.to_server->reset();
    BOOST_CHECK_THROW(co_await p.client->write_all("x"), connection_reset);
    BOOST_CHECK_THROW(co_await p.client->write_all("x"), connection_reset);
    BOOST_CHECK_THROW(co_await read_text(*p.server), connection_reset);
    co_await p.client->close();
  });
}

BOOST_AUTO_TEST_SUITE_END()
