// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "allocation_plan.hpp"

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/detail/timer.hpp>
#include <troupe/testing/network.hpp>

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

// The simulated network from inside: sockets, packets between them, and when they arrive.
namespace troupe::testing {

class network_agent;
struct sim_socket;
using socket_ref = std::shared_ptr<sim_socket>;

struct sim_host {
  std::string name;
  std::vector<socket_address> addresses; // without a port
  std::uint16_t next_port = 49'152;
  bool refuses = false;
  std::size_t descriptor_limit = static_cast<std::size_t>(-1);
  std::size_t descriptors = 0; // in use

  std::set<std::pair<std::uint16_t, const sim_socket*>> ports;   // of those that have a descriptor
  std::map<std::pair<std::uint16_t, int>, socket_ref> receivers; // by port and descriptor

  /// Whose local port it is.
  [[nodiscard]] std::vector<const sim_socket*> sockets_of(std::uint16_t port) const {
    std::vector<const sim_socket*> all;
    for (auto p = ports.lower_bound({port, nullptr}); p != ports.end() && p->first == port; ++p)
      all.push_back(p->second);
    return all;
  }
};

struct sim_link {
  link_options how;
  time_point free_at = time_point::min();
  bool cut = false;
};

enum class packet_kind : std::uint8_t {
  syn,      ///< opens a connection
  syn_ack,  ///< it is open
  refused,  ///< nobody listens, or a datagram found nobody
  data,     ///< of a connection
  ack,      ///< so many bytes were read
  fin,      ///< the end of a direction
  reset,    ///< the connection is no more
  datagram, ///<
  give_up,  ///< no packet: the sender's patience has ended
};

struct packet {
  packet_kind kind;
  socket_ref from;
  socket_ref to; // null if who gets it is seen when it arrives
  socket_address source = {};
  socket_address target = {};
  std::string bytes = {};
  std::size_t count = 0; // of `ack`
  bool breaks = false;   // of `data`: the connection is reset behind it

  // of a connection
  std::uint64_t number = 0; // in its direction; 0: in no order
  time_point not_before = time_point::min();
  bool lost = false;           // it does not arrive, but is sent again
  duration pause = {};         // after which it was, the last time
  time_point given_up_at = {}; // if it is lost until then
};

enum class socket_use : std::uint8_t { fresh, connecting, connected, listening, datagrams };

/// A socket. What it is used for says which members mean something.
struct sim_socket {
  int fd = -1; // -1 in a backlog, and when closed
  int family = 0;
  bool is_datagram = false;
  socket_use use = socket_use::fresh;
  std::size_t host = 0;
  socket_address local = {};
  socket_address remote = {};
  network_agent* agent = nullptr; // of the loop that watches it
  troupe::detail::poll_target* watcher = nullptr;
  int error = 0;

  // a connection
  std::size_t far_host = 0;
  std::weak_ptr<sim_socket> far_end = {}; // null until it answers, or gone
  std::deque<std::string> received = {};
  std::size_t taken = 0;  // of the first of these
  std::size_t unread = 0; // at the other side, or on the way there
  time_point last_arrival = time_point::min();
  std::deque<packet> held_back = {}; // while the link is cut
  network_agent* patience = nullptr; // where its end is expected
  std::pair<time_point, std::uint64_t> patience_ends = {};
  std::uint64_t numbered = 0;                 // packets sent
  std::uint64_t awaited = 1;                  // the number of the next one that is received
  std::map<std::uint64_t, packet> early = {}; // by number; without sockets, or it would own this
  std::uint64_t passed = 0;
  std::uint64_t reset_at = UINT64_MAX;
  bool far_ended = false;
  bool ended = false;
  bool broken = false;
  bool closed = false;
  bool drop_at_close = false;
  bool cut_off = false; // by plan: nothing more is sent
  std::uint64_t sent = 0;
  std::uint64_t taken_in_all = 0;
  troupe::detail::stream_number fault_number;
  bool dual = false; // an IPv6 socket that takes IPv4, too
  bool reuse_port = false;

  // a listener
  std::deque<socket_ref> backlog = {};
  std::size_t backlog_limit = 0;

  // for datagrams
  std::deque<packet> datagrams = {};
  std::size_t datagram_bytes = 0;
  struct overtaken_datagram {
    network_agent* agent; // where it is expected
    std::pair<time_point, std::uint64_t> key;
    socket_address target;
  };
  std::vector<overtaken_datagram> overtaken = {}; // by plan; some may have come meanwhile
};

/// What arrives on the sockets of one loop, and the timer that says when.
class network_agent final : public troupe::detail::timer, private troupe::detail::inbox_node {
public:
  network_agent(simulated_network::kernel& net, troupe::detail::loop& home) noexcept
    : net_(net), home_(home) {}

  [[nodiscard]] time_point now() const noexcept { return home_.now(); }
  [[nodiscard]] bool is_here() const noexcept { return troupe::detail::loop::current() == &home_; }

  using key = std::pair<time_point, std::uint64_t>;

  /// Here, with the lock: `p` arrives at `when`.
  key expect(packet p, time_point when);
  /// Here, with the lock: it does not, after all.
  void forget(key k) { coming_.erase(k); }
  /// Here, with the lock: it arrives at `when`, behind what does already, if not before.
  void expect_by(key k, time_point when);

  /// Anywhere, with the lock: `s` has `events` for its watcher, which hears of them when the
  /// lock is free again.
  void tell(const socket_ref& s, std::uint32_t events);

private:
  using news = std::vector<std::pair<socket_ref, std::uint32_t>>;

  // here, without the lock
  void tell_now() noexcept;
  void tell_now(const news& all) noexcept;
  void expired() noexcept override;
  void run() noexcept override { tell_now(); }
  void arm();

  simulated_network::kernel& net_;
  troupe::detail::loop& home_;
  std::map<key, packet> coming_;
  std::uint64_t sequence_ = 0;
  news news_;
  bool busy_ = false; // news will be told
};

class simulated_network::kernel {
public:
  /// `first` is the descriptor with the index 0.
  kernel(network_options o, int first)
    : options(std::move(o)), first_descriptor(first), random_(options.seed) {}
  kernel(const kernel&) = delete;
  kernel& operator=(const kernel&) = delete;
  ~kernel() { forget_run(); }

  /// The lock. In a run, what another run has left behind is gone first.
  [[nodiscard]] std::unique_lock<internal::quiet_mutex> enter();
  /// The same for what changes the network: outside of runs, for all runs to come.
  [[nodiscard]] std::unique_lock<internal::quiet_mutex> change();

  // -- with the lock

  [[nodiscard]] const socket_ref& at(int index) const noexcept;
  int add(const socket_ref& s); ///< gives its index, or -1: there are too many
  void remove(int index);
  [[nodiscard]] sim_link& link(std::size_t from, std::size_t to);
  /// The host that has `address`, as seen from `from`; the number of hosts if none has.
  [[nodiscard]] std::size_t host_of(const socket_address& address, std::size_t from) const;
  [[nodiscard]] std::size_t named(std::string_view name) const; ///< as above
  [[nodiscard]] network_agent& agent_of(troupe::detail::loop& l);
  [[nodiscard]] std::uint64_t bits() noexcept;
  [[nodiscard]] double fraction() noexcept;
  [[nodiscard]] bool chance(double of) noexcept;           ///< whether it happens
  [[nodiscard]] duration part_of(duration d) noexcept;     ///< at random
  [[nodiscard]] std::uint16_t free_port(std::size_t host); ///< or 0
  /// Who listens, or receives, at `address` of `host`; of several, who has the least to do.
  [[nodiscard]] socket_ref find(std::size_t host, socket_use use, const socket_address& address);
  /// `s` has this address from now on, or is used for this.
  void name(const socket_ref& s, const socket_address& local);
  void use(const socket_ref& s, socket_use as);
  void unname(const socket_ref& s);

  /// What `host` says where it sends from to `to`, without a port; empty if it cannot.
  [[nodiscard]] socket_address source_for(std::size_t host, const socket_address& to) const;
  ssize_t send_datagram(const socket_ref& s, const socket_address& to, std::size_t size,
                        std::string bytes);

  /// Sends `p` from host to host. In order, if it belongs to a connection.
  void send(packet p, std::size_t from, std::size_t to);
  /// `p` has arrived, or it is time to send it again.
  void arrive(packet& p);
  /// What the fault plans say of so many bytes, or of a datagram to `far`.
  [[nodiscard]] troupe::detail::stream_fault ask_plans(sim_socket& s, std::size_t far,
                                                       std::uint16_t far_port, std::size_t size,
                                                       bool reading) const;
  /// Events of epoll for `s`.
  void tell(const socket_ref& s, std::uint32_t events);
  /// The connection is no more: `error` is what the next call gives.
  void break_off(const socket_ref& s, int error);
  void close(const socket_ref& s);
  /// After `limit`, `give_up` comes for `s`, unless its patience is `renewed` before.
  void be_patient(const socket_ref& s, duration limit);
  static void renewed(const socket_ref& s);
  /// Sends what was held back and need not be any more.
  void release_held_back();

  network_options options;
  const int first_descriptor;
  mutable internal::quiet_mutex mutex;
  std::vector<sim_host> hosts;
  std::map<std::string, std::size_t, std::less<>> names;
  std::vector<socket_ref> sockets; // by index
  std::map<std::pair<std::size_t, std::size_t>, std::uint64_t> reset_next;
  std::uint64_t arrived = 0;
  std::uint64_t lost = 0;
  unsigned next_address = 1;

private:
  /// What is set for all runs, and changed in one.
  struct state {
    std::vector<sim_host> hosts;
    std::map<std::pair<std::size_t, std::size_t>, sim_link> links;
    std::map<std::pair<std::size_t, std::size_t>, std::uint64_t> reset_next;
  };

  void forget_run();

  void send_alone(packet p, std::size_t to, time_point when);
  void lose(packet p);
  void send_again(packet& p);
  void arrive_in_order(const socket_ref& s, packet& p);
  void arrive_syn(packet& p);
  void arrive_at(const socket_ref& s, packet& p);
  void arrive_datagram(packet& p);
  void answer(const packet& p, packet_kind with);
  void pass(const socket_ref& s, std::size_t bytes);
  void break_both(const socket_ref& s);
  void log(const packet& p, time_point now) const;

  std::map<std::pair<std::size_t, std::size_t>, sim_link> links_;
  std::unordered_map<std::uint64_t, std::unique_ptr<network_agent>> agents_; // by key of loop
  std::deque<int> free_;                                                     // the oldest first
  std::vector<socket_ref> holding_back_; // in the order in which they began
  std::uint64_t random_;
  std::uint64_t run_ = 0; // 0: none yet
  state before_ = {};     // the run began
};

} // namespace troupe::testing
