// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/simulated_disk.hpp>

#include <functional>
#include <memory>
#include <string>

namespace troupe::testing {

/// A machine of a simulated network with the program that runs on it, whose power can fail:
///
///     node server(net, "server", [&] { return serve_accounts(disk.path() / "accounts"); }, &disk);
///     ...
///     n.start_service([&] { return server.run(); });
///     server.crash();   // its tasks, its sockets, and what it has not synced are gone
///     server.restart(); // the body runs again, and finds what was synced
///
/// Or by plan: `crashes("server", when::sometimes(0.01), 5s)`.
///
/// A crash cancels all tasks of the body, wherever they are. From that moment its sockets and
/// its disk fail for it, so that what clean-ups still do has no effect on others; and what it
/// throws is not heard of. The body runs again when they have come to their end. What the
/// program keeps in memory has to be made in the body: what is outside of it outlives the crash.
///
/// Belongs to the loop on which `run` is awaited.
class node {
public:
  /// There has to be the host. `disk` gets back what was synced at each crash. Both have to
  /// live longer. Throws `usage_error` if there is no such host.
  node(simulated_network& net, std::string host, std::function<task<>()> body,
       simulated_disk* disk = nullptr);
  node(const node&) = delete;
  node& operator=(const node&) = delete;
  ~node();

  /// Runs the body on the host, and again after each crash and restart, until it ends by
  /// itself. Throws what the body throws, `usage_error` if it runs already. A checkpoint if
  /// the body is one.
  [[nodiscard]] task<> run();

  /// The power fails, until `restart`, or for so long. No effect if it is down. Not a checkpoint.
  void crash();
  void crash(duration down_for);

  /// The power is back. No effect if it is up. Not a checkpoint.
  void restart();

  [[nodiscard]] bool is_up() const noexcept;
  /// How many times the body has been started.
  [[nodiscard]] unsigned starts() const noexcept;
  [[nodiscard]] const std::string& host() const noexcept;

private:
  task<> run_once();

  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::testing
