// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/websocket.hpp>
#include <troupe/http/websocket_handshake.hpp>
#include <troupe/nursery.hpp>
#include <troupe/testing/memory_stream.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace troupe_test {

/// Both ends of a WebSocket in memory, and the pipes between them.
struct websocket_ends {
  std::optional<troupe::http::websocket> client, server;
  std::shared_ptr<troupe::testing::memory_pipe> to_server, to_client;
};

inline std::unique_ptr<troupe::stream> owned(troupe::testing::memory_stream s) {
  return std::make_unique<troupe::testing::memory_stream>(std::move(s));
}

inline troupe::task<websocket_ends> open_ends(troupe::http::websocket_client_options client,
                                              troupe::http::websocket_server_options server,
                                              std::size_t capacity = 65536) {
  troupe::testing::memory_stream_options options;
  options.capacity = capacity;
  auto [c, s] = troupe::testing::memory_stream_pair(options);
  websocket_ends ends;
  ends.to_server = c.outgoing();
  ends.to_client = s.outgoing();
  auto there = owned(std::move(s));
  auto here = owned(std::move(c));
  co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
    n.start_soon([&]() -> troupe::task<> {
      ends.server = co_await troupe::http::accept_websocket(std::move(there), std::move(server));
    });
    ends.client = co_await troupe::http::connect_websocket(
      std::move(here), "ws://the.server/chat?room=1", std::move(client));
  });
  co_return ends;
}

// No default arguments: g++ 12 destroys braced temporaries in an await twice.
inline troupe::task<websocket_ends> open_ends(troupe::http::websocket_server_options server) {
  return open_ends(troupe::http::websocket_client_options{}, std::move(server));
}
inline troupe::task<websocket_ends> open_ends(std::size_t capacity = 65536) {
  return open_ends(troupe::http::websocket_client_options{},
                   troupe::http::websocket_server_options{}, capacity);
}
/// Compressed, or not.
inline troupe::task<websocket_ends> open_ends_that(bool deflate) {
  troupe::http::websocket_client_options client;
  client.socket.deflate = deflate;
  troupe::http::websocket_server_options server;
  server.socket.deflate = deflate;
  return open_ends(std::move(client), std::move(server));
}

/// The request of RFC 6455, with something replaced or added.
inline std::string asking(const std::string& what = {}, const std::string& by = {}) {
  std::string r = "GET /chat HTTP/1.1\r\n"
                  "Host: server.example.com\r\n"
                  "Upgrade: websocket\r\n"
                  "Connection: keep-alive, Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                  "Sec-WebSocket-Version: 13\r\n"
                  "\r\n";
  if (const auto at = r.find(what); !what.empty())
    r.replace(at, what.size(), by);
  return r;
}

/// What a client sends: a frame with a mask of zeros, which hides nothing.
inline std::string client_frame(unsigned first_byte, std::string_view data) {
  std::string f(1, static_cast<char>(first_byte));
  if (data.size() < 126) {
    f.push_back(static_cast<char>(0x80U | data.size()));
  } else {
    f.push_back(static_cast<char>(0x80U | 126U));
    f.push_back(static_cast<char>(data.size() >> 8U));
    f.push_back(static_cast<char>(data.size() & 0xFFU));
  }
  f.append(4, '\0');
  f.append(data);
  return f;
}

} // namespace troupe_test
