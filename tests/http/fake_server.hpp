// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/buffered_reader.hpp>
#include <troupe/http/client_session.hpp>
#include <troupe/net_error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe_test {

/// The next request of a client, with its body if it has a `Content-Length`; nothing when the
/// client has gone.
inline troupe::task<std::optional<std::string>> read_request(troupe::buffered_reader& in) {
  std::string text;
  try {
    text = co_await in.read_until("\r\n\r\n");
  } catch (const troupe::net_error&) {
    co_return std::nullopt;
  }
  if (const std::size_t at = text.find("Content-Length: "); at != text.npos)
    text += co_await in.read_exactly(std::stoul(text.substr(at + 16)));
  co_return text;
}

/// A whole response.
inline std::string reply(std::string_view body, std::string_view status = "200 OK",
                         std::string_view more = {}) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size())
         + "\r\n" + std::string(more) + "\r\n" + std::string(body);
}

inline std::string redirect_to(std::string_view where, std::string_view status = "302 Found") {
  return reply("", status, "Location: " + std::string(where) + "\r\n");
}

/// What a server can be like, in memory: `options()` is for client sessions that are to talk to
/// it, whatever host they ask for.
class fake_server {
public:
  using connection_handler = std::function<troupe::task<>(
    troupe::buffered_reader& in, troupe::testing::memory_stream& out, int number)>;
  using request_handler = std::function<std::string(const std::string& request)>;

  /// Answers each request of each connection, until the client goes.
  fake_server(troupe::nursery& n, request_handler answer)
    : nursery_(n),
      handler_([this, answer = std::move(answer)](troupe::buffered_reader& in,
                                                  troupe::testing::memory_stream& out,
                                                  int) { return serve(in, out, answer); }) {}

  /// Has each connection, by its number from 1, handled.
  fake_server(troupe::nursery& n, connection_handler handler)
    : nursery_(n), handler_(std::move(handler)) {}

  fake_server(const fake_server&) = delete;
  fake_server& operator=(const fake_server&) = delete;

  [[nodiscard]] troupe::http::client_options options() {
    troupe::http::client_options o;
    o.connect = [this](const troupe::http::url& where) { return connect(where); };
    return o;
  }

  std::vector<std::string> requests; // heads, with their bodies
  std::vector<std::string> hosts;    // that connections were for
  int connections = 0;
  int open = 0;
  int most_open = 0;
  troupe::testing::memory_stream_options streams;

private:
  troupe::task<std::unique_ptr<troupe::stream>> connect(const troupe::http::url& where) {
    co_await troupe::sleep_for(std::chrono::milliseconds(1));
    auto [client, server] = troupe::testing::memory_stream_pair(streams);
    hosts.push_back(where.scheme + "://" + where.authority());
    nursery_.start_soon(
      [](fake_server& self, troupe::testing::memory_stream end) -> troupe::task<> {
        co_await self.handle(end);
      },
      std::ref(*this), std::move(server));
    co_return std::make_unique<troupe::testing::memory_stream>(std::move(client));
  }

  troupe::task<> handle(troupe::testing::memory_stream& end) {
    const int number = ++connections;
    most_open = std::max(most_open, ++open);
    struct gone {
      int& n;
      ~gone() { --n; }
    } const at_the_end{open};
    troupe::buffered_reader in(end);
    const auto result = co_await troupe::as_outcome(handler_(in, end, number));
    if (result.failed() && !result.code())
      std::rethrow_exception(result.error()); // what a client does to it is no failure
    co_await end.close();
  }

  troupe::task<> serve(troupe::buffered_reader& in, troupe::testing::memory_stream& out,
                       const request_handler& answer) {
    for (;;) {
      const auto request = co_await read_request(in);
      if (!request)
        co_return;
      requests.push_back(*request);
      co_await out.write_all(answer(*request));
    }
  }

  troupe::nursery& nursery_;
  connection_handler handler_;
};

/// Gives `text` to every connection's first request, and then ends it, or resets it.
inline fake_server::connection_handler says(std::string text, bool reset = false) {
  return
    [text = std::move(text), reset](troupe::buffered_reader& in,
                                    troupe::testing::memory_stream& out, int) -> troupe::task<> {
      static_cast<void>(co_await read_request(in));
      co_await out.write_all(text);
      co_await troupe::sleep_for(std::chrono::milliseconds(10));
      if (reset)
        out.abort();
    };
}

/// Runs `body(server, session)` with a server that answers, or handles connections, so.
template <class Handler, class Body>
troupe::task<> with_server(Handler handler, Body body,
                           std::function<void(troupe::http::client_options&)> change = {}) {
  co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
    fake_server server(n, std::move(handler));
    auto options = server.options();
    if (change)
      change(options);
    co_await troupe::http::with_client_session(
      options, [&](troupe::http::client_session& session) -> troupe::task<> {
        co_await body(server, session);
      });
    n.cancel("the test is over");
  });
}

} // namespace troupe_test
