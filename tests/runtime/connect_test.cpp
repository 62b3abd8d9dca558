// SPDX-License-Identifier: BSD-3-Clause
// Names and "happy eyeballs", against a name server of the test's own.
#include <troupe/troupe.hpp>

#include "support/loopback.hpp"
#include "support/stream_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::localhost;
using troupe_test::read_text;

namespace {

/// Answers questions for names of `zone`: their IPv4 and IPv6 addresses. Names that are not
/// there do not exist; "silent" gets no answer.
class name_server {
public:
  using addresses = std::vector<std::string>;

  explicit name_server(std::map<std::string, addresses> zone) : zone_(std::move(zone)) {}

  task<> serve() {
    std::array<std::byte, 600> buffer{};
    for (;;) {
      const datagram d = co_await socket_.receive(buffer);
      const std::string question(reinterpret_cast<const char*>(buffer.data()), d.size);
      const std::string answer = reply(question);
      ++asked_;
      if (!answer.empty())
        co_await socket_.send_to(d.from, answer);
    }
  }

  [[nodiscard]] resolve_options options() const {
    return {.servers = localhost + ":" + std::to_string(socket_.port()),
            .attempt_limit = 20s,
            .attempts = 1};
  }
  [[nodiscard]] int asked() const { return asked_; }

private:
  [[nodiscard]] std::string reply(const std::string& question) const {
    std::string name;
    std::size_t at = 12;
    while (at < question.size() && question[at] != 0) {
      const auto length = static_cast<std::size_t>(question[at]);
      name += (name.empty() ? "" : ".") + question.substr(at + 1, length);
      at += length + 1;
    }
    const auto type = static_cast<unsigned char>(question[at + 2]);
    if (name == "silent")
      return {};
    const auto found = zone_.find(name);
    std::string answers;
    char count = 0;
    if (found != zone_.end())
      for (const std::string& a : found->second) {
        const bool v6 = a.find(':') != a.npos;
        if (type != (v6 ? 28 : 1))
          continue;
        std::string raw(v6 ? 16 : 4, '\0');
        ::inet_pton(v6 ? AF_INET6 : AF_INET, a.c_str(), raw.data());
        answers += std::string("\xC0\x0C\0", 3) + static_cast<char>(type)
                   + std::string("\0\1\0\0\0\1\0", 7) + static_cast<char>(raw.size()) + raw;
        ++count;
      }
    std::string head = question.substr(0, 2);
    head += '\x85';
    head += found == zone_.end() ? '\x83' : '\x80'; // 3: no such name
    head += std::string("\0\1\0", 3) + count + std::string(4, '\0');
    return head + question.substr(12, at + 5 - 12) + answers;
  }

  std::map<std::string, addresses> zone_;
  udp_socket socket_{0, localhost};
  int asked_ = 0;
};

/// Runs `body` beside a name server.
void with_names(std::map<std::string, name_server::addresses> zone,
                const std::function<task<>(name_server&)>& body) {
  run(run_options{.loops = 1}, [&]() -> task<> {
    name_server names(std::move(zone));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> { co_await names.serve(); });
      co_await body(names);
    });
  });
}

std::vector<std::string> hosts(const std::vector<socket_address>& all) {
  std::vector<std::string> result;
  for (const auto& a : all)
    result.push_back(a.host());
  return result;
}

/// An address that does not answer: whose backlog is full.
class black_hole {
public:
  explicit black_hole(const std::string& host) {
    const socket_address any(host, 0);
    BOOST_REQUIRE(::bind(listening_, any.data(), any.size()) == 0);
    BOOST_REQUIRE(::listen(listening_, 0) == 0);
    socket_address at;
    socklen_t size = socket_address::capacity;
    BOOST_REQUIRE(::getsockname(listening_, at.data(), &size) == 0);
    at.size(size);
    port_ = at.port();
    for (int& fd : fill_) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      static_cast<void>(::connect(fd, at.data(), at.size()));
    }
  }
  black_hole(const black_hole&) = delete;
  black_hole& operator=(const black_hole&) = delete;
  ~black_hole() {
    ::close(listening_);
    for (const int fd : fill_)
      ::close(fd);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

private:
  int listening_ = ::socket(AF_INET, SOCK_STREAM, 0);
  std::array<int, 3> fill_{};
  std::uint16_t port_ = 0;
};

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd)
    count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(names)

BOOST_AUTO_TEST_CASE(numeric_addresses_are_answered_at_once) {
  run([]() -> task<> {
    const auto v4 = co_await resolve("10.1.2.3", 80);
    BOOST_REQUIRE(v4.size() == 1U);
    BOOST_TEST(v4[0].text() == "10.1.2.3:80");
    BOOST_TEST((co_await resolve("::1", 80))[0].text() == "[::1]:80");
  });
}

BOOST_AUTO_TEST_CASE(name_has_addresses_of_both_families) {
  with_names({{"both.test", {"127.0.0.5", "::1"}}}, [](name_server& names) -> task<> {
    const auto options = names.options();
    auto all = co_await resolve("both.test", 99, options);
    BOOST_TEST(all.size() == 2U);
    BOOST_TEST(all[0].port() == 99);
    auto found = hosts(all);
    std::sort(found.begin(), found.end());
    BOOST_TEST(found == (std::vector<std::string>{"127.0.0.5", "::1"}));
  });
}

BOOST_AUTO_TEST_CASE(localhost_needs_no_server) {
  run([]() -> task<> {
    const auto found = hosts(co_await resolve("localhost", 1));
    BOOST_TEST(!found.empty());
    for (const auto& host : found)
      BOOST_TEST((host == "127.0.0.1" || host == "::1"));
  });
}

BOOST_AUTO_TEST_CASE(name_that_does_not_exist_is_named) {
  with_names({}, [](name_server& names) -> task<> {
    const auto options = names.options();
    try {
      co_await resolve("nowhere.test", 1, options);
      BOOST_ERROR("found");
    } catch (const name_not_found& e) {
      BOOST_TEST(e.address() == "nowhere.test");
      BOOST_TEST(e.what() == "cannot find nowhere.test: Domain name not found");
    }
  });
}

BOOST_AUTO_TEST_CASE(resolver_that_hangs_can_be_cancelled_and_leaves_nothing) {
  with_names({}, [](name_server& names) -> task<> {
    const auto options = names.options();
    const int before = open_descriptors();
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 10; ++i)
        n.start_soon([&]() -> task<> {
          co_await resolve("silent", 1, options);
          BOOST_ERROR("answered");
        });
      while (names.asked() < 10)
        co_await checkpoint();
      BOOST_TEST(open_descriptors() > before);
      n.cancel();
    });
    BOOST_TEST(open_descriptors() == before);
  });
}

BOOST_AUTO_TEST_CASE(resolver_that_hangs_is_given_up_after_its_time) {
  with_names({}, [](name_server& names) -> task<> {
    auto options = names.options();
    options.attempt_limit = 10ms;
    try {
      co_await resolve("silent", 1, options);
      BOOST_ERROR("answered");
    } catch (const name_not_found& e) {
      BOOST_TEST(e.what() == "cannot find silent: Timeout while contacting DNS servers");
    }
  });
}

BOOST_AUTO_TEST_CASE(nobody_at_the_name_server_is_an_error) {
  run([]() -> task<> {
    resolve_options options;
    {
      udp_socket free(0, localhost);
      options.servers = free.local();
    }
    options.attempts = 1;
    BOOST_CHECK_THROW(co_await resolve("x.test", 1, options), name_not_found);
    options.servers = "no address";
    BOOST_CHECK_THROW(co_await resolve("x.test", 1, options), name_not_found);
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(connecting)

BOOST_AUTO_TEST_CASE(next_address_is_tried_when_one_refuses) {
  with_names({{"two.test", {"127.0.0.2", "127.0.0.3", "::1"}}}, [](name_server& names) -> task<> {
    tcp_listener listener(0, {.address = "127.0.0.3"});
    connect_options options;
    options.resolve = names.options();
    options.attempt_delay = 1h; // none is needed
    tcp_stream client = co_await open_tcp_stream("two.test", listener.port(), options);
    BOOST_TEST(client.peer() == listener.local());
  });
}

BOOST_AUTO_TEST_CASE(slow_address_does_not_hold_up_the_next_one) {
  with_names({{"slow.test", {"127.0.0.2", "127.0.0.3"}}}, [](name_server& names) -> task<> {
    const black_hole slow("127.0.0.2");
    const black_hole slow_too("127.0.0.3");
    connect_options options;
    options.resolve = names.options();
    options.attempt_delay = 5ms;
    // whichever comes first: the other one listens
    for (const auto& [hole, other] : {std::pair(&slow, "127.0.0.3"), {&slow_too, "127.0.0.2"}}) {
      tcp_listener listener(hole->port(), {.address = other});
      tcp_stream client = co_await open_tcp_stream("slow.test", hole->port(), options);
      BOOST_TEST(client.peer() == listener.local());
    }
    // neither answers: cancelled, it leaves nothing behind
    const int before = open_descriptors();
    BOOST_TEST(!co_await move_on_after(
      30ms, [&]() -> task<> { co_await open_tcp_stream("slow.test", slow.port(), options); }));
    BOOST_TEST(open_descriptors() == before);
  });
}

BOOST_AUTO_TEST_CASE(failure_of_all_addresses_lists_them) {
  with_names({{"none.test", {"127.0.0.2", "127.0.0.3"}}}, [](name_server& names) -> task<> {
    std::uint16_t port = 0;
    {
      tcp_listener listener(0);
      port = listener.port();
    }
    connect_options options;
    options.resolve = names.options();
    try {
      co_await open_tcp_stream("none.test", port, options);
      BOOST_ERROR("connected");
    } catch (const connection_refused& e) {
      const std::string at = ":" + std::to_string(port);
      BOOST_TEST(e.address() == "none.test" + at);
      const std::string text = e.what();
      BOOST_TEST(text.starts_with("cannot connect to none.test" + at + " ("));
      for (const char* host : {"127.0.0.2", "127.0.0.3"})
        BOOST_TEST(text.find(host + at + ": Connection refused") != text.npos);
      BOOST_TEST(text.ends_with("): Connection refused"));
    }
  });
}

BOOST_AUTO_TEST_CASE(own_address_can_be_chosen) {
  run([]() -> task<> {
    tcp_listener listener(0, {.address = "127.0.0.1"});
    connect_options options;
    options.local_address = "127.0.0.9";
    tcp_stream client = co_await open_tcp_stream(localhost, listener.port(), options);
    BOOST_TEST(client.local().starts_with("127.0.0.9:"));
    options.local_address = "192.0.2.1";
    BOOST_CHECK_THROW(co_await open_tcp_stream(localhost, listener.port(), options),
                      address_not_available);
    client.no_delay(false);
    client.keepalive({.idle = 30s, .interval = 5s, .count = 3});
    co_await client.close();
    BOOST_CHECK_THROW(client.no_delay(true), stream_closed);
  });
}

BOOST_AUTO_TEST_CASE(known_address_needs_no_name) {
  run([]() -> task<> {
    tcp_listener listener(0, {.address = "127.0.0.1"});
    const socket_address at(localhost, listener.port());
    tcp_stream client = co_await open_tcp_stream(at);
    BOOST_TEST(client.peer() == at.text());
    listener.close();
    BOOST_CHECK_THROW(co_await open_tcp_stream(at), connection_refused);
  });
}

BOOST_AUTO_TEST_SUITE_END()
