// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/network.hpp>
#include <troupe/task_local.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::testing {

/// How jitter is distributed.
enum class jitter_shape {
  even,        ///< from nothing to all of it
  exponential, ///< much is rare: it is the mean
};

/// What the way from one host to another is like. Between a host and itself there is none of
/// this.
struct link_options {
  duration latency = std::chrono::milliseconds(1);
  duration jitter = duration::zero(); ///< so much more, at random
  jitter_shape shape = jitter_shape::even;
  std::uint64_t bandwidth = 0; ///< bytes per second; 0: any number
  double loss = 0;             ///< the part of packets; TCP sends them again, until it gives up
  double duplicate = 0;        ///< the part of datagrams that come twice
  double reorder = 0;          ///< the part of datagrams that others overtake
};

/// How a network is set up.
struct network_options {
  std::uint64_t seed = 1;  ///< of all that is left to chance; 0: as `random_bits` says
  link_options links = {}; ///< between all hosts, unless said otherwise

  std::size_t buffer = 256 * 1024; ///< bytes that a connection holds in each direction, and
                                   ///< a datagram socket
  duration lookup = std::chrono::milliseconds(1);             ///< what finding a name takes
  duration connect_limit = std::chrono::seconds(127);         ///< then it is `connection_timeout`
  duration retransmit_limit = std::chrono::seconds(924);      ///< the same when connected: what is
                                                              ///< lost, or held back, for so long
  duration retransmit_after = std::chrono::milliseconds(200); ///< what was lost; if it is again,
                                                              ///< after twice that, and so on, up
                                                              ///< to two minutes
  /// Hears of each packet that arrives: "when from > to: what". Must not use the network.
  std::function<void(std::string_view)> log = {};
};

/// A network of hosts in memory, for programs that use the ordinary calls: `open_tcp_stream`,
/// `tcp_listener`, `serve_tcp`, `resolve`, `udp_socket`, TLS. They run on it unchanged when
/// `run_options::network` points to it:
///
///     virtual_clock time;
///     simulated_network net;
///     net.add_host("server");
///     net.add_host("client");
///     run({.loops = 1, .time = &time, .network = &net}, [&]() -> task<> {
///       co_await with_nursery([&](nursery& n) -> task<> {
///         n.start_service([&]() -> task<> {
///           co_await net.on("server", [&]() -> task<> { co_await serve_tcp(handler, 80); });
///         });
///         co_await net.on("client", [&]() -> task<> { co_await use("server", 80); });
///       });
///     });
///
/// All that waits, waits for timers of the runtime: on a virtual clock it takes no time, and
/// with one loop the same seed gives the same run. Errors and checkpoints are those of real
/// sockets: only the system calls below are others. Unix sockets and pipes stay the
/// machine's.
///
/// It has to outlive the run, and serves one at a time, also one of `simulate`
/// (`simulation_options::network`). Faults can be set at any time by tasks of the run; what is
/// set before holds for all runs, of which each begins anew, with the seed.
/// All members throw `usage_error` that names a host which there is not.
class simulated_network final : public troupe::detail::network {
public:
  explicit simulated_network(network_options options);
  simulated_network();
  ~simulated_network();

  /// Adds a host that can be found by `name`. Without addresses (numeric) it gets one:
  /// 10.0.0.1, 10.0.0.2 ... Tasks that are not on any host are on one called "localhost".
  void add_host(std::string name, const std::vector<std::string>& addresses = {});

  /// Another name for a host.
  void add_name(std::string name, std::string_view host);

  /// Runs `body()`, a coroutine, on a host: the sockets that it and the tasks it starts make
  /// are there. Not a checkpoint by itself.
  template <class Body>
  [[nodiscard]] auto on(std::string_view host, Body&& body) {
    return here_.with(find_host(host), std::forward<Body>(body));
  }

  /// What the way from one host to another is like from now on, in this direction.
  void link(std::string_view from, std::string_view to, link_options options);

  /// Cuts the way from one host to another, in both directions or in one. Datagrams are lost;
  /// TCP sends again until `heal`, or gives up. What is under way still arrives.
  void partition(std::string_view one, std::string_view other);
  void partition_one_way(std::string_view from, std::string_view to);

  /// Cuts all ways between `host` and the others.
  void isolate(std::string_view host);

  /// Opens what was cut between two hosts, or everywhere; what TCP holds back arrives after
  /// the latency.
  void heal(std::string_view one, std::string_view other);
  void heal();

  /// Resets all connections between two hosts, on both sides, now.
  void reset(std::string_view one, std::string_view other);

  /// Resets the next connection that `from` opens to `to` when `bytes` have passed in both
  /// directions together.
  void reset_after(std::string_view from, std::string_view to, std::uint64_t bytes);

  /// Whether the host refuses all connections, listeners or not.
  void refuse(std::string_view host, bool on = true);

  /// How many sockets a host may have open; one more is `too_many_files`.
  void descriptor_limit(std::string_view host, std::size_t sockets);

  /// The power of a host fails and comes back: its sockets are gone, which the other sides
  /// hear only when they send something (`connection_reset`): half-open connections. What its
  /// own tasks do with their sockets fails with `net_error`; cancel them.
  void crash(std::string_view host);

  /// Packets that have arrived so far, and that were lost.
  [[nodiscard]] std::uint64_t arrived() const noexcept;
  [[nodiscard]] std::uint64_t lost() const noexcept;

  class kernel;

private:
  int socket(int family, int type) noexcept override;
  int set_option(int fd, int level, int option, const void* value) noexcept override;
  int error(int fd) noexcept override;
  int bind(int fd, const socket_address& at) noexcept override;
  int listen(int fd, int backlog) noexcept override;
  int accept(int fd, socket_address& peer) noexcept override;
  int connect(int fd, const socket_address& to) noexcept override;
  ssize_t receive(int fd, msghdr& message) noexcept override;
  ssize_t send(int fd, const msghdr& message) noexcept override;
  int shutdown_writing(int fd) noexcept override;
  void close(int fd) noexcept override;
  [[nodiscard]] socket_address local_address(int fd) const noexcept override;
  void watch(int fd, troupe::detail::loop& home,
             troupe::detail::poll_target& target) noexcept override;
  void forget(int fd) noexcept override;
  [[nodiscard]] task<std::vector<socket_address>> resolve(std::string host,
                                                          std::uint16_t port) override;

  [[nodiscard]] std::size_t find_host(std::string_view name) const;

  std::unique_ptr<kernel> kernel_;
  task_local<std::size_t> here_{0}; // the number of the host
};

} // namespace troupe::testing
