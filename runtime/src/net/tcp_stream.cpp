// SPDX-License-Identifier: BSD-3-Clause
#include "listen.hpp"
#include "system_calls.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/event.hpp>
#include <troupe/nursery.hpp>
#include <troupe/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {

namespace {

using namespace detail;

int whole_seconds(duration d) {
  return static_cast<int>(
    std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(d).count()));
}

void set_option(const tcp_stream& s, int level, int option, int value) {
  if (sys::set_option(s.native_handle(), level, option, value) != 0)
    throw_net_error(errno, "set an option of", s.peer());
}

/// IPv6 and IPv4 in turn, beginning with what is best (RFC 8305, section 4).
std::vector<socket_address> in_turn(const std::vector<socket_address>& best_first) {
  std::vector<socket_address> one;
  std::vector<socket_address> other;
  for (const socket_address& a : best_first)
    (a.family() == best_first.front().family() ? one : other).push_back(a);
  std::vector<socket_address> result;
  for (std::size_t i = 0; i < std::max(one.size(), other.size()); ++i) {
    if (i < one.size())
      result.push_back(one[i]);
    if (i < other.size())
      result.push_back(other[i]);
  }
  return result;
}

/// A failed attempt.
struct failure {
  socket_address to;
  int error;
};

/// What says most about why there is no connection: not that there is no way to an address
/// of the other family.
int most_telling(const std::vector<failure>& all) {
  for (const failure& f : all)
    if (f.error != EHOSTUNREACH && f.error != ENETUNREACH && f.error != EADDRNOTAVAIL
        && f.error != EAFNOSUPPORT)
      return f.error;
  return all.empty() ? EHOSTUNREACH : all.back().error;
}

/// Gives a stream, or the `errno` value in `error`.
task<std::optional<tcp_stream>> attempt(loop& home, socket_address to, const std::string& from,
                                        int& error) {
  owned_fd fd(make_socket(to.family(), SOCK_STREAM));
  error = fd.get() < 0 ? errno : 0;
  if (error != 0)
    co_return std::nullopt;
  const int on = 1; // best effort: a socket without it still works
  sys::set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, on);
  if (!from.empty()) {
    const socket_address local(from, 0);
    if (sys::bind(fd.get(), local) != 0) {
      error = errno;
      co_return std::nullopt;
    }
  }
  const socket_ptr s(new socket_state(home, std::move(fd), to.text(), descriptor_kind::tcp));
  std::optional<tcp_stream> connecting(std::in_place, *s); // closes, whatever happens
  error = co_await connect(*s, to);
  if (error != 0)
    connecting.reset();
  co_return connecting;
}

/// The attempts to reach one host.
struct eyeballs {
  loop& home;
  const connect_options& options;
  std::vector<failure> failures = {};
  std::optional<tcp_stream> connected = {};
};

task<> try_one(eyeballs& e, socket_address to, event& over, nursery& n) {
  int error = 0;
  auto s = co_await attempt(e.home, to, e.options.local_address, error);
  if (s && !e.connected) {
    e.connected = std::move(s);
    n.cancel("another address has answered");
  } else if (!s)
    e.failures.push_back({to, error});
  over.set();
}

task<> try_all(eyeballs& e, const std::vector<socket_address>& addresses) {
  std::vector<event> over(addresses.size());
  co_await with_nursery([&](nursery& n) -> task<> {
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const std::string name = "connect to " + addresses[i].text();
      n.start_soon(named(name, try_one), std::ref(e), addresses[i], std::ref(over[i]), std::ref(n));
      co_await move_on_after(e.options.attempt_delay, [&]() -> task<> { co_await over[i].wait(); });
    }
  });
}

} // namespace

void tcp_stream::no_delay(bool on) { set_option(*this, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0); }

void tcp_stream::keepalive(const keepalive_options& options) {
  set_option(*this, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(options.idle));
  set_option(*this, IPPROTO_TCP, TCP_KEEPINTVL, whole_seconds(options.interval));
  set_option(*this, IPPROTO_TCP, TCP_KEEPCNT, options.count);
  set_option(*this, SOL_SOCKET, SO_KEEPALIVE, 1);
}

task<tcp_stream> open_tcp_stream(socket_address to) {
  int error = 0;
  const std::string any;
  auto s = co_await attempt(require_network_loop("open_tcp_stream"), to, any, error);
  if (!s)
    throw_net_error(error, "connect to", to.text());
  co_return *std::move(s);
}

task<tcp_stream> open_tcp_stream(std::string host, std::uint16_t port) {
  return open_tcp_stream(std::move(host), port, connect_options());
}

task<tcp_stream> open_tcp_stream(std::string host, std::uint16_t port, connect_options options) {
  eyeballs e{require_network_loop("open_tcp_stream"), options};
  const auto addresses = in_turn(co_await resolve(host, port, options.resolve));
  if (addresses.size() == 1) {
    int error = 0;
    e.connected = co_await attempt(e.home, addresses.front(), options.local_address, error);
    if (!e.connected)
      e.failures.push_back({addresses.front(), error});
  } else
    co_await try_all(e, addresses);
  if (e.connected)
    co_return *std::move(e.connected);
  const auto numeric = socket_address::parse(host, port);
  const std::string name = numeric ? numeric->text() : host + ":" + std::to_string(port);
  std::string details;
  for (const failure& f : e.failures)
    if (f.to.text() != name)
      details += (details.empty() ? "" : ", ") + f.to.text() + ": "
                 + std::generic_category().message(f.error);
  throw_net_error(most_telling(e.failures), "connect to", name, details);
}

} // namespace troupe
