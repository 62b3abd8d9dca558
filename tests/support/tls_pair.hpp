// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/certificates.hpp"
#include "support/stream_pair.hpp"

#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace troupe_test {

/// A client that trusts the test's authority.
inline troupe::tls_client_options client_options() {
  troupe::tls_client_options o;
  o.ca_file = certificates::file("ca.crt");
  return o;
}

inline troupe::tls_certificate certificate(const std::string& name) {
  troupe::tls_certificate files;
  files.chain_file = certificates::file(name + ".crt");
  files.key_file = certificates::file(name + ".key");
  files.allow_expired = true;
  return files;
}

inline troupe::tls_server_options server_options(const std::string& name = "server") {
  troupe::tls_server_options o;
  o.certificates.push_back(certificate(name));
  return o;
}

/// A connection in memory, and what lies between its ends.
struct memory_wire {
  memory_wire() : memory_wire(troupe::testing::memory_stream_pair()) {}

  troupe::testing::memory_stream client, server;
  std::shared_ptr<troupe::testing::memory_pipe> to_server = client.outgoing();
  std::shared_ptr<troupe::testing::memory_pipe> to_client = client.incoming();

private:
  explicit memory_wire(std::pair<troupe::testing::memory_stream, troupe::testing::memory_stream> p)
    : client(std::move(p.first)), server(std::move(p.second)) {}
};

/// The two ends of TLS over one.
struct tls_pair {
  memory_wire wire;
  std::optional<troupe::tls_stream> client, server;
  std::exception_ptr client_error, server_error; // of the handshake

  /// Both handshakes; errors are kept.
  troupe::task<> shake_hands(troupe::tls_client_context c, troupe::tls_server_context s,
                             std::string host = "localhost") {
    co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
      n.start_soon([&]() -> troupe::task<> {
        try {
          server.emplace(co_await troupe::tls_accept(std::move(wire.server), s));
        } catch (const std::exception&) {
          server_error = std::current_exception();
        }
      });
      try {
        client.emplace(co_await troupe::tls_connect(std::move(wire.client), host, c));
      } catch (const std::exception&) {
        client_error = std::current_exception();
      }
    });
  }
};

/// Runs `body` with two ends that have shaken hands, on virtual time.
inline void with_tls_pair(std::function<troupe::task<>(tls_pair&)> body,
                          const troupe::tls_client_options& c = client_options(),
                          const troupe::tls_server_options& s = server_options()) {
  troupe::testing::run_virtually([&]() -> troupe::task<> {
    tls_pair p;
    co_await p.shake_hands(troupe::tls_client_context(c), troupe::tls_server_context(s));
    if (p.client_error)
      std::rethrow_exception(p.client_error);
    if (p.server_error)
      std::rethrow_exception(p.server_error);
    co_await body(p);
  });
}

/// Reads until the end, which is a clean one.
inline troupe::task<std::string> read_all(troupe::stream& from, std::size_t at_once = 16384) {
  std::string all, text(at_once, '\0');
  while (const auto n = co_await from.read_some(std::as_writable_bytes(std::span(text))))
    all.append(text, 0, n);
  co_return all;
}

inline std::string what(const std::exception_ptr& error) {
  try {
    if (error)
      std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

} // namespace troupe_test
