// SPDX-License-Identifier: BSD-3-Clause
// Unix sockets, pipes, standard streams and inherited descriptors.
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/stream_pair.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::echo;
using troupe_test::read_text;
using troupe_test::temporary_directory;
using troupe_test::with_unix_pair;

namespace {

/// A directory that goes with its object.
std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

} // namespace

BOOST_AUTO_TEST_SUITE(descriptor_streams)

BOOST_AUTO_TEST_CASE(unix_socket_serves_and_its_file_goes) {
  const temporary_directory dir;
  const std::string path = dir / "echo.sock";
  run([&]() -> task<> {
    unix_listen_options options;
    options.permissions = 0600;
    unix_listener listener(path, options);
    struct stat what {};
    BOOST_TEST(::stat(path.c_str(), &what) == 0);
    BOOST_TEST((what.st_mode & 0777) == 0600U);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        unix_stream peer = co_await listener.accept();
        BOOST_TEST(peer.peer_credentials().process == ::getpid());
        BOOST_TEST(peer.peer() == path + " (process " + std::to_string(::getpid()) + ")");
        BOOST_TEST(peer.local() == path);
        co_await echo(peer);
      });
      unix_stream client = co_await open_unix_stream(path);
      BOOST_TEST(client.peer() == path);
      co_await client.write_all("hello");
      BOOST_TEST(co_await read_text(client) == "hello");
      co_await client.send_eof();
      BOOST_TEST(co_await read_text(client) == "");
    });
  });
  BOOST_TEST(::access(path.c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(unix_socket_that_is_in_use_is_left_alone_and_a_stale_one_replaced) {
  const temporary_directory dir;
  const std::string path = dir / "x.sock";
  run([&]() -> task<> {
    std::optional<unix_listener> first(path);
    try {
      unix_listener second(path);
      BOOST_ERROR("listening twice");
    } catch (const address_in_use& e) {
      BOOST_TEST(e.what() == "cannot listen on " + path + ": Address already in use");
    }
    unix_stream still_there = co_await open_unix_stream(path);
    first.reset();
    // as a program that was killed leaves it
    const int left = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const auto at = socket_address::unix_path(path);
    BOOST_TEST(::bind(left, at.data(), at.size()) == 0);
    ::close(left);
    BOOST_CHECK_THROW(co_await open_unix_stream(path), connection_refused);
    unix_listen_options keep;
    keep.replace = false;
    BOOST_CHECK_THROW(unix_listener(path, keep), address_in_use);
    unix_listener third(path);
    unix_stream client = co_await open_unix_stream(path);
  });
  // what is no socket is never removed
  run([&]() -> task<> {
    const int file = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
    ::close(file);
    BOOST_CHECK_THROW(unix_listener{path}, address_in_use);
    BOOST_TEST(::access(path.c_str(), F_OK) == 0);
    ::unlink(path.c_str());
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(unix_socket_without_a_file) {
  run([]() -> task<> {
    const std::string name = "@troupe test " + std::to_string(::getpid());
    unix_listener listener(name);
    BOOST_TEST(listener.local() == name);
    unix_stream client = co_await open_unix_stream(name);
    unix_stream server = co_await listener.accept();
    co_await client.write_all("x");
    BOOST_TEST(co_await read_text(server) == "x");
  });
}

BOOST_AUTO_TEST_CASE(serve_unix_serves) {
  const temporary_directory dir;
  const std::string path = dir / "s.sock";
  run([&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      unix_listener listener(path);
      const unix_handler handler = [](unix_stream& s) { return echo(s); };
      n.start_soon([&]() -> task<> { co_await serve_listener(handler, std::move(listener)); });
      unix_stream client = co_await open_unix_stream(path);
      co_await client.write_all("hello");
      BOOST_TEST(co_await read_text(client) == "hello");
      n.cancel();
    });
    BOOST_TEST(::access(path.c_str(), F_OK) != 0);
    const unix_handler handler = [](unix_stream& s) { return echo(s); };
    BOOST_CHECK_THROW(co_await serve_unix(handler, "/no/such/place"), net_error);
  });
}

BOOST_AUTO_TEST_CASE(parts_are_written_as_one) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    const std::vector<std::span<const std::byte>> few{bytes("head "), bytes(""), bytes("body")};
    co_await client.write_all(few);
    BOOST_TEST(co_await read_text(server) == "head body");
    co_await client.write_all(std::span<const std::span<const std::byte>>());
    // more parts than the system takes at once, and more bytes than it keeps
    const std::string block(10'000, 'x');
    std::vector<std::span<const std::byte>> many(100, bytes(block));
    many.emplace_back(bytes("end"));
    std::size_t got = 0;
    std::string last;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await client.write_all(many);
        co_await client.send_eof();
      });
      for (;;) {
        const std::string text = co_await read_text(server, 65536);
        if (text.empty())
          break;
        got += text.size();
        last = text;
      }
    });
    BOOST_TEST(got == 1'000'003U);
    BOOST_TEST(last.ends_with("xend"));
    BOOST_TEST(client.statistics().bytes_written == 1'000'012U);
    BOOST_TEST(server.statistics().bytes_read == 1'000'012U);
  });
}

BOOST_AUTO_TEST_CASE(statistics_count_bytes_and_times) {
  troupe::testing::run_virtually([]() -> task<> {
    auto [client, server] = unix_stream_pair();
    const auto before = server.statistics();
    BOOST_TEST(before.bytes_read == 0U);
    BOOST_TEST((before.last_read == before.opened));
    co_await client.write_all("abc");
    co_await sleep_for(1s);
    co_await read_text(server);
    BOOST_TEST(server.statistics().bytes_read == 3U);
    BOOST_TEST(server.statistics().bytes_written == 0U);
    BOOST_TEST((server.statistics().last_read == before.opened + 1s));
    BOOST_TEST(client.statistics().bytes_written == 3U);
    co_await client.close();
    BOOST_TEST(client.statistics().bytes_written == 3U);
    const auto last = server.statistics().last_read;
    co_await read_text(server);
    BOOST_TEST((server.statistics().last_read == last)); // an end is no news of the peer
  });
}

BOOST_AUTO_TEST_CASE(pipe_carries_bytes_and_its_end) {
  run([]() -> task<> {
    auto ends = make_pipe();
    BOOST_TEST(ends.reader.peer() == "pipe");
    const std::string big(1'000'000, 'x');
    std::size_t got = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await ends.writer.write_all(big);
        co_await ends.writer.send_eof();
      });
      while (const std::size_t size = (co_await read_text(ends.reader, 65536)).size())
        got += size;
    });
    BOOST_TEST(got == big.size());
    BOOST_CHECK_THROW(co_await ends.writer.write_all("x"), stream_closed);
  });
}

BOOST_AUTO_TEST_CASE(pipe_that_nobody_reads_is_an_error_and_no_signal) {
  run([]() -> task<> {
    auto ends = make_pipe();
    co_await ends.reader.close();
    BOOST_CHECK_THROW(co_await ends.writer.write_all("x"), broken_pipe);
    sigset_t pending;
    ::sigpending(&pending);
    BOOST_TEST(::sigismember(&pending, SIGPIPE) == 0);
  });
}

BOOST_AUTO_TEST_CASE(descriptors_of_others_are_taken_over) {
  run([]() -> task<> {
    std::array<int, 2> fds{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()) == 0);
    descriptor_stream here(fds[0], "the parent");
    BOOST_TEST(here.peer() == "the parent");
    BOOST_TEST((::fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
    BOOST_TEST(::write(fds[1], "hi", 2) == 2);
    BOOST_TEST(co_await read_text(here) == "hi");
    ::close(fds[1]);
    BOOST_TEST(co_await read_text(here) == "");
    BOOST_CHECK_THROW(descriptor_stream(-1), net_error);
    // a file is always ready
    descriptor_stream file(::open("/proc/self/stat", O_RDONLY), "a file");
    BOOST_TEST((co_await read_text(file)).starts_with(std::to_string(::getpid()) + " ("));
  });
  BOOST_CHECK_THROW(descriptor_stream(::dup(0)), usage_error);
}

BOOST_AUTO_TEST_CASE(listeners_of_others_are_taken_over) {
  run([]() -> task<> {
    const int tcp = ::socket(AF_INET, SOCK_STREAM, 0);
    BOOST_CHECK_THROW(tcp_listener::adopt(::dup(tcp)), net_error); // does not listen
    const socket_address any("127.0.0.1", 0);
    BOOST_REQUIRE(::bind(tcp, any.data(), any.size()) == 0);
    BOOST_REQUIRE(::listen(tcp, 5) == 0);
    BOOST_CHECK_THROW(unix_listener::adopt(::dup(tcp)), net_error);
    tcp_listener listener = tcp_listener::adopt(tcp);
    tcp_stream client = co_await open_tcp_stream("127.0.0.1", listener.port());
    tcp_stream server = co_await listener.accept();
    co_await client.write_all("x");
    BOOST_TEST(co_await read_text(server) == "x");
  });
}

BOOST_AUTO_TEST_CASE(inherited_descriptors_are_read_from_the_environment) {
  const auto set = [](const char* pid, const char* count, const char* names) {
    ::setenv("LISTEN_PID", pid, 1);
    ::setenv("LISTEN_FDS", count, 1);
    ::setenv("LISTEN_FDNAMES", names, 1);
  };
  const std::string self = std::to_string(::getpid());
  ::unsetenv("LISTEN_PID");
  BOOST_TEST(inherited_descriptors().empty());
  set("1", "2", "");
  BOOST_TEST(inherited_descriptors().empty()); // meant for another process
  set(self.c_str(), "0", "");
  BOOST_TEST(inherited_descriptors().empty());
  BOOST_TEST(::getenv("LISTEN_FDS") == nullptr);
  set(self.c_str(), "two", "");
  try {
    static_cast<void>(inherited_descriptors());
    BOOST_ERROR("'two' is no number");
  } catch (const net_error& e) {
    BOOST_TEST(e.what() == "cannot read LISTEN_FDS (it is 'two'): Invalid argument");
  }
  // descriptor 3 is somebody's; here it stands for an inherited one
  const bool free = ::fcntl(3, F_GETFD) < 0;
  if (free)
    BOOST_REQUIRE(::dup2(0, 3) == 3);
  const int flags = ::fcntl(3, F_GETFD);
  set(self.c_str(), "1", "web");
  const auto got = inherited_descriptors();
  BOOST_REQUIRE(got.size() == 1U);
  BOOST_TEST(got[0].fd == 3);
  BOOST_TEST(got[0].name == "web");
  BOOST_TEST((::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
  BOOST_TEST(inherited_descriptors().empty());
  free ? ::close(3) : ::fcntl(3, F_SETFD, flags);
}

BOOST_AUTO_TEST_SUITE_END()
