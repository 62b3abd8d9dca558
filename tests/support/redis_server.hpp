// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/server_program.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/cleanup.hpp>

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <string>

namespace troupe_test {

/// A Redis server of a test's own, of Debian's package, which keeps nothing. It listens on a Unix
/// socket and on a port of 127.0.0.1.
class redis_server {
public:
  explicit redis_server(troupe::nursery& n)
    : program_(n, "Ready to accept connections"), port_(free_port()) {}

  [[nodiscard]] static const char* program() { return "/usr/bin/redis-server"; }

  troupe::task<> start() {
    const std::vector<std::string> argv{program(),
                                        "--port",
                                        std::to_string(port_),
                                        "--bind",
                                        "127.0.0.1",
                                        "--unixsocket",
                                        path(),
                                        "--dir",
                                        directory_.path().native(),
                                        "--save",
                                        "",
                                        "--appendonly",
                                        "no",
                                        "--daemonize",
                                        "no"};
    troupe::command what(argv);
    what.arg("--requirepass").arg(password_);
    co_await program_.start(std::move(what));
  }
  troupe::task<> stop() { co_await program_.end(SIGTERM); }
  troupe::task<> crash() { co_await program_.end(SIGKILL); }
  /// Nothing of it answers any more, or does again.
  void freeze() { program_.send_signal(SIGSTOP); }
  void thaw() { program_.send_signal(SIGCONT); }
  /// From the next start on.
  void password(std::string p) { password_ = std::move(p); }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string path() const { return directory_ / "redis.sock"; }
  [[nodiscard]] std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

private:
  temporary_directory directory_;
  server_program program_;
  std::uint16_t port_;
  std::string password_;
};

/// Runs `body(server)` beside a server. Gives false if there is none on this machine.
template <class Body>
troupe::task<bool> with_redis(Body body) {
  if (::access(redis_server::program(), X_OK) != 0) {
    BOOST_TEST_MESSAGE("skipped: Redis is not installed");
    co_return false;
  }
  co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
    redis_server server(n);
    co_await troupe::with_cleanup(
      [&]() -> troupe::task<> {
        co_await server.start();
        co_await body(server);
      },
      [&]() -> troupe::task<> { co_await server.crash(); }, std::chrono::seconds(30));
  });
  co_return true;
}

} // namespace troupe_test
