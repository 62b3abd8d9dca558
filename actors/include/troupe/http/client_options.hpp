// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/http/headers.hpp>
#include <troupe/http/url.hpp>
#include <troupe/stream.hpp>
#include <troupe/tls_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace troupe::http {

/// How long a request may take: `timeout_error` says which limit was passed, and for what.
struct client_timeouts {
  duration total = std::chrono::minutes(5);    ///< from the call to the end of the response's body
  duration connect = std::chrono::seconds(30); ///< for opening a connection, TLS included
  duration read = duration::max();             ///< for the server to be silent when it is its turn
};

/// How a client session works. Give a variable: g++ 12 destroys braced temporaries in an await
/// twice.
struct client_options {
  std::size_t limit = 100;                        ///< connections, to all servers together
  std::size_t limit_per_host = 0;                 ///< to each scheme, host and port; 0: no other
  duration keep_alive = std::chrono::seconds(30); ///< one that is idle for so long is closed
  client_timeouts timeouts = {};
  http::headers headers = {};        ///< of all requests that have none of that name themselves
  std::string user_agent = "troupe"; ///< empty: none is sent
  int max_redirects = 10;            ///< 0: none is followed; one more is `redirect_error`
  bool allow_downgrade = false;      ///< whether a redirect may lead from https to http
  bool cookies = true;               ///< whether cookies are kept and sent
  std::size_t max_head = 65536;      ///< bytes of a response's head; more is `bad_response`
  std::size_t max_body = std::size_t{16} << 20U; ///< bytes that `text` keeps of a body

  /// For https; else one that trusts the system's authorities, made when first needed.
  std::optional<tls_client_context> tls = {};

  /// All connections go to this Unix socket, whatever host the URLs name.
  std::string unix_socket = {};

  /// Opens the connection for a URL, without TLS, instead of TCP: a proxy, or a stream in memory
  /// for tests.
  std::function<task<std::unique_ptr<stream>>(const url&)> connect = {};
};

/// What a client session has done so far, and has open.
struct client_statistics {
  std::uint64_t requests = 0;   ///< sent, redirects and those sent again included
  std::uint64_t opened = 0;     ///< connections
  std::uint64_t reused = 0;     ///< requests on a connection that had served another
  std::uint64_t sent_again = 0; ///< after a connection that was kept had turned out dead
  std::uint64_t redirects = 0;
  std::size_t connections = 0; ///< now
  std::size_t idle = 0;        ///< of them
};

} // namespace troupe::http
