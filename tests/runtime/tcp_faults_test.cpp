// SPDX-License-Identifier: BSD-3-Clause
// Bad clients, too many of them, and bad handlers: the service lives.
#include "support/loopback.hpp"
#include "support/sanitized.hpp"
#include "support/stream_pair.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::echo;
using troupe_test::loopback;
using troupe_test::read_text;
using troupe_test::sanitized;

namespace {

/// Bytes of this process that are in memory.
double resident() {
  long pages = 0;
  long resident_pages = 0;
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  if (f && std::fscanf(f, "%ld %ld", &pages, &resident_pages) != 2)
    resident_pages = 0;
  if (f)
    std::fclose(f);
  return static_cast<double>(resident_pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// Reads until the connection ends, however it ends.
task<> read_to_the_end(stream& from) {
  try {
    while (!(co_await read_text(from)).empty()) {
    }
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch): this too is an end
  }
}

task<> echo_lines(stream& peer) {
  buffered_reader lines(peer, 100);
  while (const auto line = co_await lines.read_line())
    co_await peer.write_all(*line + "\n");
}

using client_part = std::function<task<>(std::uint16_t port)>;

/// Runs a server in a nursery, and cancels it when `clients` have ended. Gives what the
/// server has reported.
task<std::vector<std::string>> with_server(tcp_handler handler, client_part clients) {
  tcp_listener listener(0, loopback);
  const auto port = listener.port();
  std::vector<std::string> reports;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&]() -> task<> {
      serve_options options;
      options.connection_limit = 100'000;
      options.on_failure = [&](const std::exception_ptr& e, std::string_view name) {
        reports.push_back(std::string(name) + ": " + describe(e));
      };
      co_await serve_listener(handler, std::move(listener), options);
    });
    co_await clients(port);
  });
  co_return reports;
}

/// Both ends of as many connections as there may be, up to 10,000.
std::size_t as_many_as_possible() {
  const std::size_t limit = raise_descriptor_limit();
  return std::min<std::size_t>(sanitized ? 500 : 10'000, (limit - 100) / 2);
}

/// Opens `count` connections, lets each say something, holds them all, leaves.
task<> crowd(std::uint16_t port, std::size_t count, std::size_t& ended, double& peak) {
  event leave;
  std::size_t answered = 0;
  event all_answered;
  const std::size_t before = ended;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (std::size_t i = 0; i < count; ++i) {
      n.start_soon([&]() -> task<> {
        tcp_stream client = co_await open_tcp_stream("127.0.0.1", port);
        co_await client.write_all("hello\n");
        const std::string answer = co_await read_text(client);
        if (answer != "hello\n")
          throw std::runtime_error("a wrong answer: " + answer);
        if (++answered == count)
          all_answered.set();
        co_await leave.wait();
      });
      if (i % 64 == 0)
        co_await checkpoint(); // the backlog is finite
    }
    co_await all_answered.wait();
    peak = std::max(peak, resident());
    leave.set();
  });
  while (ended != before + count)
    co_await checkpoint();
  co_await sleep_for(1ms); // the loop has nothing to do
}

class counts_its_end {
public:
  explicit counts_its_end(std::size_t& n) noexcept : ended_(n) {}
  counts_its_end(const counts_its_end&) = delete;
  counts_its_end& operator=(const counts_its_end&) = delete;
  ~counts_its_end() { ++ended_; }

private:
  std::size_t& ended_;
};

void rounds_of_connections(task<> (*serve)(stream&)) {
  run_options options;
  options.loops = 1;
  run(options, [&]() -> task<> {
    const std::size_t count = as_many_as_possible();
    std::size_t ended = 0;
    auto handler = [&ended, serve](tcp_stream& peer) -> task<> {
      const counts_its_end here(ended);
      co_await serve(peer);
    };
    const auto reports = co_await with_server(handler, [&](std::uint16_t port) -> task<> {
      double peak = 0;
      co_await crowd(port, 100, ended, peak); // what is made once
      const double base = resident();
      const long blocks = detail::blocks_in_use();
      peak = 0;
      std::vector<double> after;
      for (int round = 0; round < 3; ++round) {
        co_await crowd(port, count, ended, peak);
        after.push_back(resident());
        BOOST_TEST(detail::blocks_in_use() == blocks);
      }
      BOOST_TEST_MESSAGE(count << " connections, MB: before " << base / 1e6 << ", with them "
                               << peak / 1e6 << ", after each round " << after[0] / 1e6 << ' '
                               << after[1] / 1e6 << ' ' << after[2] / 1e6);
      if (!sanitized && count >= 5000) {
        // What stays is Asio's record of each socket, and what lies between these. It is
        // used again.
        const double each = (after[0] - base) / static_cast<double>(2 * count);
        BOOST_TEST(each < 2048);
        BOOST_TEST(after[0] - base < 0.6 * (peak - base));
        BOOST_TEST(after[2] - after[0] < 0.1 * (peak - base));
      }
    });
    BOOST_TEST(reports.empty());
  });
}

/// A client outside of the runtime, on blocking sockets.
class raw_client {
public:
  raw_client() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;
  ~raw_client() { leave(); }

  bool connect(std::uint16_t port) const {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  bool say() const { return ::send(fd_, "x", 1, MSG_NOSIGNAL) == 1; }
  [[nodiscard]] bool hears() const {
    char c = 0;
    return ::recv(fd_, &c, 1, 0) == 1 && c == 'x';
  }
  void leave() {
    if (fd_ >= 0)
      ::close(std::exchange(fd_, -1));
  }

private:
  int fd_;
};

/// Lets this process have no more descriptors than it has, and `more`.
class few_descriptors {
public:
  explicit few_descriptors(int highest, int more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit low = before_;
    low.rlim_cur = static_cast<rlim_t>(highest + 1 + more);
    ::setrlimit(RLIMIT_NOFILE, &low);
  }
  few_descriptors(const few_descriptors&) = delete;
  few_descriptors& operator=(const few_descriptors&) = delete;
  ~few_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
  rlimit before_{};
};

constexpr std::size_t room = 4; // accepted connections when descriptors are few
constexpr int round_trips = 200;
std::atomic<std::size_t> steps{0};

} // namespace

BOOST_AUTO_TEST_SUITE(tcp_faults)

BOOST_AUTO_TEST_CASE(p09_memory_returns_after_ten_thousand_connections) {
  rounds_of_connections([](stream& s) -> task<> { return echo(s); });
}

BOOST_AUTO_TEST_CASE(p09_memory_returns_after_ten_thousand_connections_that_read_lines) {
  rounds_of_connections([](stream& s) -> task<> { return echo_lines(s); });
}

BOOST_AUTO_TEST_CASE(p09_memory_returns_after_ten_thousand_connections_with_small_buffers) {
  rounds_of_connections([](stream& peer) -> task<> {
    std::array<std::byte, 2500> buffer;
    while (const auto n = co_await peer.read_some(buffer))
      co_await peer.write_all(std::span(buffer).first(n));
  });
}

BOOST_AUTO_TEST_CASE(out_of_descriptors_serves_who_is_there_does_not_spin_and_goes_on) {
  std::vector<std::string> reports;
  troupe::testing::virtual_clock time;
  run_options options;
  options.loops = 1;
  options.time = &time;
  options.debug = true; // counts steps
  std::vector<raw_client> clients(12);
  steps = 0;
  detail::after_step = [](detail::loop&) noexcept { ++steps; };
  duration took{};
  std::string failure = "the clients did not come to their end";
  run(options, [&]() -> task<> {
    tcp_listener listener(0, loopback);
    const auto port = listener.port();
    const int spare = ::dup(0);
    std::optional<few_descriptors> few(std::in_place, spare, static_cast<int>(room));
    ::close(spare); // one more than `room`
    std::thread outside;
    const auto began = current_time();
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      auto script = [&clients, &failure, port, over = s.remote()] {
        const auto check = [&] {
          for (auto& c : clients)
            if (!c.connect(port) || !c.say())
              return "a client could not connect";
          for (std::size_t i = 0; i <= room; ++i)
            if (!clients[i].hears())
              return "one that was accepted is not served";
          for (int i = 0; i < round_trips; ++i) // the others wait in the meantime
            if (!clients[0].say() || !clients[0].hears())
              return "one that was accepted is no longer served";
          for (std::size_t i = room + 1; i < clients.size(); ++i) {
            clients[i - 1].leave();
            if (!clients[i].hears())
              return "one that waited is not served when others have left";
          }
          return "";
        };
        failure = check();
        over.cancel();
      };
      outside = std::thread(script);
      serve_options serving;
      serving.on_failure = [&](const std::exception_ptr& e, std::string_view name) {
        reports.push_back(std::string(name) + ": " + describe(e));
      };
      co_await serve_listener(echo, std::move(listener), serving);
    });
    outside.join();
    took = current_time() - began;
  });
  detail::after_step = nullptr;
  BOOST_TEST(failure == "");
  BOOST_REQUIRE(reports.size() == 1U);
  BOOST_TEST(reports[0].find("acceptor of 127.0.0.1:") == 0U);
  BOOST_TEST(reports[0].find("Too many open files") != std::string::npos);
  // Each message takes at most two steps, and accepting is tried 20 times a second.
  const auto tries = static_cast<std::size_t>(took / 50ms);
  BOOST_TEST(steps < tries + 2 * round_trips + 10 * clients.size());
}

BOOST_AUTO_TEST_CASE(out_of_descriptors_a_client_is_told) {
  run_options options;
  options.loops = 1;
  run(options, []() -> task<> {
    tcp_listener listener(0, loopback);
    const int highest = ::dup(0);
    const few_descriptors few(highest, 0);
    BOOST_CHECK_THROW(co_await open_tcp_stream("127.0.0.1", listener.port()), too_many_files);
    ::close(highest);
    tcp_stream client = co_await open_tcp_stream("127.0.0.1", listener.port());
  });
}

BOOST_AUTO_TEST_CASE(a_client_that_never_reads_holds_up_only_itself) {
  troupe::testing::run_virtually([]() -> task<> {
    const auto reports = co_await with_server(echo, [](std::uint16_t port) -> task<> {
      tcp_stream deaf = co_await open_tcp_stream("127.0.0.1", port);
      tcp_stream good = co_await open_tcp_stream("127.0.0.1", port);
      const std::string much(65536, 'x');
      // until the server can no longer write, and does not read either
      while (co_await move_on_after(20ms, [&] { return deaf.write_all(much); })) {
      }
      for (int i = 0; i < 100; ++i) {
        co_await good.write_all("still there?");
        BOOST_TEST(co_await read_text(good) == "still there?");
      }
    }); // and the server ends, although its write does not
    BOOST_TEST(reports.empty());
  });
}

BOOST_AUTO_TEST_CASE(clients_that_leave_in_mid_line_are_no_failures) {
  run_options options;
  options.loops = 1;
  run(options, []() -> task<> {
    const long blocks = detail::blocks_in_use();
    const auto reports = co_await with_server(echo_lines, [](std::uint16_t port) -> task<> {
      for (int i = 0; i < 100; ++i) {
        tcp_stream leaver = co_await open_tcp_stream("127.0.0.1", port);
        co_await leaver.write_all("whole\nin mid-");
        if (i % 3 == 0)
          leaver.abort();
        else if (i % 3 == 1)
          co_await leaver.close();
        else
          co_await leaver.send_eof();
        if (i % 3 == 2)
          co_await read_to_the_end(leaver);
      }
      tcp_stream good = co_await open_tcp_stream("127.0.0.1", port);
      co_await good.write_all("hello\n");
      BOOST_TEST(co_await read_text(good) == "hello\n");
    });
    BOOST_TEST(reports.empty());
    BOOST_TEST(detail::blocks_in_use() == blocks);
  });
}

BOOST_AUTO_TEST_CASE(a_line_beyond_the_limit_ends_its_connection_and_is_reported_once) {
  run_options options;
  options.loops = 1;
  run(options, []() -> task<> {
    std::string name;
    const auto reports = co_await with_server(echo_lines, [&](std::uint16_t port) -> task<> {
      tcp_stream bad = co_await open_tcp_stream("127.0.0.1", port);
      tcp_stream good = co_await open_tcp_stream("127.0.0.1", port);
      name = bad.local();
      co_await bad.write_all(std::string(101, 'x') + "\xff\xfe\n");
      co_await read_to_the_end(bad);
      co_await good.write_all("\xff\xfe\xed\xa0\x80\n"); // bytes are bytes
      BOOST_TEST(co_await read_text(good) == "\xff\xfe\xed\xa0\x80\n");
    });
    BOOST_REQUIRE(reports.size() == 1U);
    BOOST_TEST(reports[0].find("connection from " + name + ": ") == 0U);
    BOOST_TEST(reports[0].find("longer than the limit of 100 bytes") != std::string::npos);
  });
}

BOOST_AUTO_TEST_CASE(handlers_that_throw_anything_in_any_way_are_reported_once_each) {
  run_options options;
  options.loops = 1;
  run(options, []() -> task<> {
    const long blocks = detail::blocks_in_use();
    int calls = 0;
    tcp_handler handler = [&calls](tcp_stream& peer) -> task<> {
      switch (calls++ % 4) {
      case 0: throw std::runtime_error("at once, in a task");
      case 1: co_await peer.write_all("x"); throw 7;
      case 2:
        co_await with_nursery([](nursery& n) -> task<> {
          for (int i = 0; i < 2; ++i)
            n.start_soon([]() -> task<> {
              throw std::runtime_error("in a child");
              co_return;
            });
          co_return;
        });
        break;
      default:
        co_await with_cleanup([&peer]() -> task<> { co_await echo(peer); },
                              []() -> task<> {
                                co_await checkpoint();
                                throw std::runtime_error("in a clean-up");
                              });
      }
    };
    tcp_handler plain = [&](tcp_stream& peer) -> task<> {
      if (calls % 5 == 4) {
        ++calls;
        throw std::runtime_error("before there is a task");
      }
      return handler(peer);
    };
    const auto reports = co_await with_server(plain, [](std::uint16_t port) -> task<> {
      for (int i = 0; i < 60; ++i) {
        tcp_stream client = co_await open_tcp_stream("127.0.0.1", port);
        co_await client.send_eof();
        co_await read_to_the_end(client);
      }
    });
    BOOST_TEST(reports.size() == 60U);
    BOOST_TEST(detail::blocks_in_use() == blocks);
  });
}

BOOST_AUTO_TEST_SUITE_END()
