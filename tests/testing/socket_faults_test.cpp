// SPDX-License-Identifier: BSD-3-Clause
// Plans that are switched on in real runs, and the sockets of the machine.
#include "support/certificates.hpp"
#include "support/contains.hpp"
#include "support/loopback.hpp"
#include "support/stream_pair.hpp"
#include "support/tls_pair.hpp"

#include <troupe/testing/live_faults.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using troupe_test::contains;
using troupe_test::echo;
using troupe_test::loopback;
using troupe_test::read_text;

namespace {

/// The two ends of a connection, and what plans call its directions.
struct connection {
  std::unique_ptr<stream> client, server;
  std::string to_server, to_client;
  bool can_be_reset; // as its system sees it
};

task<connection> over_tcp() {
  tcp_listener l(0, loopback);
  auto client = std::make_unique<tcp_stream>(co_await open_tcp_stream("127.0.0.1", l.port()));
  auto server = std::make_unique<tcp_stream>(co_await l.accept());
  const std::string forth = client->local() + " > " + client->peer();
  const std::string back = client->peer() + " > " + client->local();
  co_return connection{std::move(client), std::move(server), forth, back, true};
}

task<connection> over_a_unix_socket() {
  const std::string path = "@troupe socket faults " + std::to_string(::getpid());
  unix_listener l(path);
  auto client = std::make_unique<unix_stream>(co_await open_unix_stream(path));
  auto server = std::make_unique<unix_stream>(co_await l.accept());
  const std::string who = path + " (process " + std::to_string(::getpid()) + ")";
  const std::string forth = who + " > " + path;
  const std::string back = path + " > " + who;
  co_return connection{std::move(client), std::move(server), forth, back, false};
}

/// In a real run, on virtual time.
template <class F>
void with_both(F body) {
  for (const auto& connect : {over_tcp, over_a_unix_socket})
    run_virtually([&]() -> task<> {
      connection c = co_await connect();
      co_await body(c);
    });
}

/// A plan of one fault after the other, and what has struck.
class plan {
public:
  explicit plan(fault f) { instead(std::move(f)); }

  void instead(fault f) {
    if (!name_.empty())
      off();
    name_ += "'";
    faults_.add(name_, {std::move(f)});
  }
  void on() { faults_.on(name_); }
  void off() { faults_.off(name_); }
  [[nodiscard]] std::string unmatched() const { return faults_.unmatched(name_); }
  [[nodiscard]] const std::vector<std::string>& log() const noexcept { return log_; }

private:
  std::vector<std::string> log_;
  live_faults faults_{1, [this](const std::string& what) { log_.push_back(what); }};
  std::string name_;
};

/// What a task that reads to the end has got.
struct read_result {
  std::string bytes;
  std::size_t largest = 0; // of the pieces
  std::string error;
};

task<> read_to_end(stream& s, read_result& to) {
  try {
    for (std::string text = co_await read_text(s); !text.empty(); text = co_await read_text(s)) {
      to.bytes += text;
      to.largest = std::max(to.largest, text.size());
    }
  } catch (const net_error& e) {
    to.error = e.code().message();
  }
}

/// Writes `text` and reads until as much has come back, or no more comes.
task<std::string> there_and_back(stream& s, const std::string& text, std::size_t& largest) {
  co_await s.write_all(text);
  std::string back;
  for (bool more = true; more && back.size() < text.size();) {
    const std::string piece = co_await read_text(s);
    more = !piece.empty();
    largest = std::max(largest, piece.size());
    back += piece;
  }
  co_return back;
}

/// As above, where Boost.Test may be asked; gives the largest piece.
task<std::size_t> there_and_back(stream& s, std::string text) {
  std::size_t largest = 0;
  const std::string back = co_await there_and_back(s, text, largest);
  BOOST_TEST(back == text);
  co_return largest;
}

/// Runs `client` while the other end echoes.
template <class F>
task<> beside_an_echo(connection& c, F client) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("echo", [&]() -> task<> { co_await echo(*c.server); }));
    co_await client();
    co_await c.client->close();
  });
}

std::size_t descriptors() {
  return static_cast<std::size_t>(std::distance(
    std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

/// A client that is none of this library's, as in another program.
class stranger {
public:
  explicit stranger(const socket_address& to) : fd_(::socket(to.family(), SOCK_STREAM, 0)) {
    BOOST_REQUIRE(::connect(fd_, to.data(), to.size()) == 0);
  }
  stranger(const stranger&) = delete;
  stranger& operator=(const stranger&) = delete;
  ~stranger() { ::close(fd_); }

  void say(std::string_view text) const {
    BOOST_REQUIRE(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL)
                  == static_cast<ssize_t>(text.size()));
  }

private:
  int fd_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(socket_faults)

BOOST_AUTO_TEST_CASE(echo_is_short_while_a_plan_is_on_and_not_before_or_after) {
  with_both([](connection& c) -> task<> {
    plan p(shortens(c.to_server, when::sometimes(1), 2));
    co_await beside_an_echo(c, [&]() -> task<> {
      BOOST_TEST(co_await there_and_back(*c.client, "hello world") == 11U);
      BOOST_TEST(p.log().empty());
      p.on();
      BOOST_TEST(co_await there_and_back(*c.client, "hello world") <= 11U);
      BOOST_TEST(p.log().size() >= 12U); // six writes and six reads
      BOOST_TEST(contains(p.log().front(), "by plan, is short, write 1: " + c.to_server));
      p.off();
      const auto struck = p.log().size();
      BOOST_TEST(co_await there_and_back(*c.client, "hello world") == 11U);
      BOOST_TEST(p.log().size() == struck);
    });
    BOOST_TEST(p.unmatched() == "");
  });
}

BOOST_AUTO_TEST_CASE(reads_are_short_in_the_direction_that_is_named) {
  with_both([](connection& c) -> task<> {
    plan p(shortens(c.to_client, when::sometimes(1), 3));
    p.on();
    co_await beside_an_echo(
      c, [&]() -> task<> { BOOST_TEST(co_await there_and_back(*c.client, "hello world") == 3U); });
    for (const std::string& line : p.log())
      BOOST_TEST(contains(line, c.to_client));
  });
}

BOOST_AUTO_TEST_CASE(connection_is_reset_where_a_byte_moves_counted_from_when_it_was_switched_on) {
  with_both([](connection& c) -> task<> {
    plan p(resets(c.to_server, when::at_byte(4)));
    read_result server, client;
    std::string error;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { co_await read_to_end(*c.server, server); });
      n.start_soon([&]() -> task<> { co_await read_to_end(*c.client, client); });
      co_await c.client->write_all("hello ");
      co_await sleep_for(1s);
      p.on();
      try {
        co_await c.client->write_all("world");
      } catch (const connection_reset& e) {
        error = e.what();
      }
    });
    BOOST_TEST(contains(error, "cannot write to " + c.client->peer()));
    BOOST_TEST(server.bytes == "hello wor");
    BOOST_TEST(contains(server.error, c.can_be_reset ? "reset" : ""));
    BOOST_TEST(contains(client.error, "reset")); // who waited on this side
    BOOST_CHECK_THROW(co_await c.client->write_all("more"), connection_reset);
    BOOST_CHECK_THROW(static_cast<void>(co_await read_text(*c.client)), connection_reset);
    co_await c.client->send_eof();
    co_await c.client->close();
    BOOST_TEST(p.log() == std::vector<std::string>{"by plan, is reset, byte 4: " + c.to_server},
               boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(connection_is_reset_at_the_nth_write_each_time_that_it_is_switched_on) {
  for (int round = 0; round < 2; ++round)
    with_both([](connection& c) -> task<> {
      plan p(resets(c.to_server, when::at(3)));
      read_result server;
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> { co_await read_to_end(*c.server, server); });
        for (int i = 0; i < 3; ++i) { // never the third since then
          p.on();
          co_await c.client->write_all("1");
          co_await c.client->write_all("2");
          p.off();
        }
        p.on();
        co_await c.client->write_all("1");
        co_await c.client->write_all("2");
        BOOST_CHECK_THROW(co_await c.client->write_all("3"), connection_reset);
      });
      BOOST_TEST(server.bytes == "12121212");
    });
}

BOOST_AUTO_TEST_CASE(bytes_stall_once_and_come_later_in_order) {
  with_both([](connection& c) -> task<> {
    plan p(stalls(c.to_server, when::at(2), 20s));
    p.on();
    co_await beside_an_echo(c, [&]() -> task<> {
      const auto begin = current_time();
      co_await there_and_back(*c.client, "at once");
      BOOST_TEST((current_time() - begin < 1s));
      co_await there_and_back(*c.client, "later");
      BOOST_TEST((current_time() - begin >= 20s));
      BOOST_TEST((current_time() - begin < 30s)); // not again where it is read
      co_await there_and_back(*c.client, "at once");
      BOOST_TEST((current_time() - begin < 30s));
    });
    BOOST_TEST(p.log() == std::vector<std::string>{"by plan, stalls, write 2: " + c.to_server},
               boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(each_write_stalls_once) {
  with_both([](connection& c) -> task<> {
    plan p(stalls(c.to_server, when::sometimes(1), 5s));
    p.on();
    co_await beside_an_echo(c, [&]() -> task<> {
      const auto begin = current_time();
      co_await there_and_back(*c.client, "hello");
      co_await there_and_back(*c.client, "world");
      BOOST_TEST((current_time() - begin == 10s));
    });
  });
}

BOOST_AUTO_TEST_CASE(what_stalls_comes_when_it_would_have_though_the_plan_is_off) {
  with_both([](connection& c) -> task<> {
    plan p(stalls(c.to_server, when::at(1), 20s));
    p.on();
    co_await beside_an_echo(c, [&]() -> task<> {
      const auto begin = current_time();
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> { co_await there_and_back(*c.client, "later"); });
        co_await sleep_for(1s);
        p.off();
        co_await c.server->write_all("wakes who waits"); // and is read by nobody yet
        std::string text(15, ' ');
        std::size_t got = 0;
        while (got < text.size())
          got += co_await c.client->read_some(std::as_writable_bytes(std::span(text).subspan(got)));
      });
      BOOST_TEST((current_time() - begin == 20s));
    });
  });
}

BOOST_AUTO_TEST_CASE(who_stalls_can_be_cancelled_and_hears_of_a_close) {
  with_both([](connection& c) -> task<> {
    plan p(stalls(c.to_server, when::sometimes(1), 20s));
    p.on();
    const auto begin = current_time();
    BOOST_TEST(
      !co_await move_on_after(5s, [&]() -> task<> { co_await c.client->write_all("never"); }));
    BOOST_TEST((current_time() - begin == 5s));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        BOOST_CHECK_THROW(co_await c.client->write_all("nor this"), stream_closed);
      });
      co_await sleep_for(2s);
      co_await c.client->close();
    });
    BOOST_TEST((current_time() - begin == 7s));
    read_result server;
    co_await read_to_end(*c.server, server);
    BOOST_TEST(server.bytes == "");
  });
}

BOOST_AUTO_TEST_CASE(much_that_moves_in_short_writes_and_reads_arrives_whole) {
  with_both([](connection& c) -> task<> {
    plan slow(stalls(c.to_client, when::sometimes(0.01), 1ms));
    plan p(shortens("*", when::sometimes(0.5), 1000));
    slow.on();
    p.on();
    std::string all(1'000'000, ' ');
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = static_cast<char>('a' + i % 23);
    read_result client;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await echo(*c.server);
        co_await c.server->send_eof();
      });
      n.start_soon([&]() -> task<> { co_await read_to_end(*c.client, client); });
      const std::array<std::span<const std::byte>, 3> parts = {
        std::as_bytes(std::span(all)).first(10), {}, std::as_bytes(std::span(all)).subspan(10)};
      co_await c.client->write_all(parts);
      co_await c.client->send_eof();
    });
    BOOST_TEST((client.bytes == all));
    BOOST_TEST(!p.log().empty());
  });
}

BOOST_AUTO_TEST_CASE(what_another_program_writes_is_struck_where_it_is_read) {
  const auto check = [](stream& s, const stranger& peer) -> task<> {
    const std::string name = s.peer() + " > " + s.local();
    plan p(stalls(name, when::at(1), 20s));
    p.on();
    peer.say("hello ");
    const auto begin = current_time();
    BOOST_TEST(co_await read_text(s) == "hello ");
    BOOST_TEST((current_time() - begin == 20s));

    p.instead(shortens(name, when::at_byte(3), 1));
    p.on();
    peer.say("world");
    BOOST_TEST(co_await read_text(s) == "w");
    BOOST_TEST(co_await read_text(s) == "o");
    BOOST_TEST(co_await read_text(s) == "r");
    BOOST_TEST(co_await read_text(s) == "ld");

    p.instead(resets(name, when::at_byte(4)));
    p.on();
    peer.say("good bye");
    BOOST_TEST(co_await read_text(s) == "goo");
    BOOST_CHECK_THROW(static_cast<void>(co_await read_text(s)), connection_reset);
    BOOST_CHECK_THROW(co_await s.write_all("no"), connection_reset);
    BOOST_TEST(p.log().back() == "by plan, is reset, byte 4: " + name);
  };
  run_virtually([&]() -> task<> {
    tcp_listener l(0, loopback);
    const stranger peer(socket_address("127.0.0.1", l.port()));
    tcp_stream s = co_await l.accept();
    co_await check(s, peer);
  });
  run_virtually([&]() -> task<> {
    const std::string path = "@troupe socket faults " + std::to_string(::getpid());
    unix_listener l(path);
    const stranger peer(socket_address::unix_path(path));
    unix_stream s = co_await l.accept();
    co_await check(s, peer);
  });
}

BOOST_AUTO_TEST_CASE(who_waits_already_when_a_plan_is_switched_on_is_concerned) {
  run_virtually([]() -> task<> {
    tcp_listener l(0, loopback);
    const stranger peer(socket_address("127.0.0.1", l.port()));
    tcp_stream s = co_await l.accept();
    plan p(shortens("*", when::at(1), 2));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { BOOST_TEST(co_await read_text(s) == "he"); });
      co_await sleep_for(1s);
      p.on();
      peer.say("hello");
    });
    BOOST_TEST(co_await read_text(s) == "llo");
  });
}

BOOST_AUTO_TEST_CASE(end_of_a_stream_is_no_byte_and_no_read) {
  run_virtually([]() -> task<> {
    tcp_listener l(0, loopback);
    std::optional<stranger> peer(socket_address("127.0.0.1", l.port()));
    tcp_stream s = co_await l.accept();
    plan p(resets(s.peer() + " > *", when::at(1)));
    p.on();
    peer.reset();
    BOOST_TEST(co_await read_text(s) == "");
    BOOST_TEST(p.log().empty());
  });
}

BOOST_AUTO_TEST_CASE(tls_over_tcp_is_struck_as_what_carries_it) {
  run_virtually([]() -> task<> {
    connection c = co_await over_tcp();
    auto& tcp_client = static_cast<tcp_stream&>(*c.client);
    auto& tcp_server = static_cast<tcp_stream&>(*c.server);
    plan p(shortens("*", when::sometimes(1), 7));
    p.on();
    std::optional<tls_stream> client, server;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        server.emplace(co_await tls_accept(std::move(tcp_server),
                                           tls_server_context(troupe_test::server_options())));
      });
      client.emplace(co_await tls_connect(std::move(tcp_client), "localhost",
                                          tls_client_context(troupe_test::client_options())));
    });
    BOOST_TEST(p.log().size() > 100U); // the handshake, in pieces
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        try {
          co_await echo(*server);
        } catch (const connection_reset&) { // NOLINT(bugprone-empty-catch): in the end
        }
      });
      co_await there_and_back(*client, "hello");
      p.instead(resets(c.to_server, when::at(1)));
      p.on();
      BOOST_CHECK_THROW(co_await client->write_all("world"), connection_reset);
    });
  });
}

BOOST_AUTO_TEST_CASE(plan_that_names_no_stream_says_so) {
  with_both([](connection& c) -> task<> {
    plan p(resets("10.1.2.3:* > *", when::at(1)));
    p.on();
    co_await beside_an_echo(c, [&]() -> task<> { co_await there_and_back(*c.client, "hello"); });
    BOOST_TEST(p.unmatched() == "10.1.2.3:* > *");
    BOOST_TEST(p.log().empty());
  });
}

BOOST_AUTO_TEST_CASE(nothing_is_left_of_connections_that_were_reset) {
  run_virtually([]() -> task<> {
    {
      const connection first = co_await over_tcp(); // what is made once
    }
    const std::size_t before = descriptors();
    plan p(resets("*", when::sometimes(0.3)));
    p.on();
    for (int i = 0; i < 50; ++i) {
      const auto connect = i % 2 == 0 ? over_tcp : over_a_unix_socket;
      connection c = co_await connect();
      read_result server;
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&]() -> task<> { co_await read_to_end(*c.server, server); });
        try {
          for (int k = 0; k < 10; ++k)
            co_await c.client->write_all("hello");
        } catch (const connection_reset&) { // NOLINT(bugprone-empty-catch): by plan
        }
        co_await c.client->close();
      });
    }
    BOOST_TEST(p.log().size() > 20U);
    BOOST_TEST(descriptors() == before);
  });
}

BOOST_AUTO_TEST_CASE(switched_by_another_thread_while_echoes_run_on_several_loops) {
  live_faults trouble(1);
  trouble.add("short", {shortens("*", when::sometimes(0.5), 1)});
  trouble.add("late", {stalls("*", when::sometimes(0.1), 100us)});
  std::atomic<bool> over{false};
  std::atomic<int> answers{0};
  std::thread switches([&] {
    for (int i = 0; !over; ++i) {
      const std::string name = i % 2 == 0 ? "short" : "late";
      trouble.on(name);
      for (int k = 0; k < 100; ++k)
        std::this_thread::yield();
      trouble.off(name);
    }
  });
  run(run_options{.loops = 3}, [&]() -> task<> {
    tcp_listener l(0, loopback);
    const auto port = l.port();
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        serve_options options;
        options.spread = true;
        co_await serve_listener(echo, std::move(l), options);
      });
      co_await with_nursery([&](nursery& clients) -> task<> {
        for (unsigned i = 0; i < 6; ++i)
          clients.start_on(i % 3, [port, &answers]() -> task<> {
            const std::string text = "hello world";
            tcp_stream s = co_await open_tcp_stream("127.0.0.1", port);
            for (int k = 0; k < 200; ++k) {
              std::size_t largest = 0;
              const std::string back = co_await there_and_back(s, text, largest);
              answers += back == text ? 1 : 0;
            }
          });
        co_return;
      });
      n.cancel();
    });
  });
  over = true;
  switches.join();
  BOOST_TEST(answers == 1200);
}

BOOST_AUTO_TEST_SUITE_END()
