// SPDX-License-Identifier: BSD-3-Clause
// What packets do where they arrive, or when they were lost.
#include "network_kernel.hpp"

#include "../net/poller.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::testing {

using troupe::detail::loop;

namespace {

/// What epoll says of a connection that is no more.
constexpr std::uint32_t gone = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP;

const char* name_of(packet_kind k) {
  switch (k) {
  case packet_kind::syn: return "syn";
  case packet_kind::syn_ack: return "syn ack";
  case packet_kind::refused: return "refused";
  case packet_kind::data: return "data";
  case packet_kind::ack: return "ack";
  case packet_kind::fin: return "fin";
  case packet_kind::reset: return "reset";
  case packet_kind::datagram: return "datagram";
  case packet_kind::give_up: return "given up";
  }
  return "";
}

} // namespace

void simulated_network::kernel::log(const packet& p, time_point now) const {
  if (!options.log)
    return;
  std::string line = std::to_string(now.time_since_epoch().count()) + " ";
  const auto end = [&](const socket_ref& s, const socket_address& a) {
    return s ? hosts[s->host].name + " " + (s->local.empty() ? "" : s->local.text()) : a.text();
  };
  line += end(p.from, p.source) + " > " + end(p.to, p.target) + ": " + name_of(p.kind);
  if (!p.bytes.empty())
    line += " " + std::to_string(p.bytes.size());
  if (p.count != 0)
    line += " " + std::to_string(p.count);
  options.log(line);
}

void simulated_network::kernel::answer(const packet& p, packet_kind with) {
  if (p.from && !p.from->closed)
    send({with, nullptr, p.from}, p.to ? p.to->host : p.from->far_host, p.from->host);
}

void simulated_network::kernel::arrive(packet& p) {
  if (p.lost)
    return send_again(p);
  ++arrived;
  log(p, agent_of(*loop::current()).now());
  switch (p.kind) {
  case packet_kind::syn: return arrive_syn(p);
  case packet_kind::datagram: return arrive_datagram(p);
  default: break;
  }
  if (!p.to || p.to->closed || p.to->broken) {
    if (p.kind == packet_kind::syn_ack || p.kind == packet_kind::data || p.kind == packet_kind::fin)
      answer(p, packet_kind::reset);
    return;
  }
  const socket_ref to = p.to;
  arrive_in_order(to, p);
}

/// With those that had come before their turn.
void simulated_network::kernel::arrive_in_order(const socket_ref& s, packet& p) {
  if (p.number == 0)
    return arrive_at(s, p);
  if (p.number != s->awaited) {
    auto& kept = s->early[p.number] = std::move(p);
    kept.from = kept.to = nullptr;
    return;
  }
  arrive_at(s, p);
  while (s->early.contains(++s->awaited)) { // none, if it is broken by now
    packet next = std::move(s->early.extract(s->awaited).mapped());
    arrive_at(s, next);
  }
}

/// It is sent again, later each time, until the connection is given up.
void simulated_network::kernel::lose(packet p) {
  constexpr duration longest = std::chrono::minutes(2);
  network_agent& agent = agent_of(*loop::current());
  if (p.pause == duration::zero()) {
    const bool connects = p.kind == packet_kind::syn || p.kind == packet_kind::syn_ack
                          || p.kind == packet_kind::refused;
    const duration limit = connects ? options.connect_limit : options.retransmit_limit;
    p.given_up_at = deadline_after(agent.now(), limit);
    p.pause = std::max(options.retransmit_after, duration(1));
  } else {
    p.pause = std::max(p.pause, std::min(2 * p.pause, longest));
  }
  p.lost = true;
  const time_point when = std::min(deadline_after(agent.now(), p.pause), p.given_up_at);
  agent.expect(std::move(p), when);
}

/// One that was lost. Who would have to send it again for ever, because nothing acknowledges it,
/// gives up after a time.
void simulated_network::kernel::send_again(packet& p) {
  p.lost = false;
  const bool answer = !p.from || p.kind == packet_kind::ack;
  const socket_ref who = answer ? p.to : p.from;
  if (!who || who->broken || (who->closed && (answer || p.kind == packet_kind::syn)))
    return;
  if (p.given_up_at <= agent_of(*loop::current()).now())
    return break_off(who, ETIMEDOUT);
  const std::size_t from = answer ? who->far_host : who->host;
  const std::size_t to = answer ? who->host : who->far_host;
  send(std::move(p), from, to);
}

void simulated_network::kernel::arrive_syn(packet& p) {
  const std::size_t host = p.from->far_host;
  const socket_ref l = hosts[host].refuses ? nullptr : find(host, socket_use::listening, p.target);
  if (!l)
    return send({packet_kind::refused, nullptr, p.from}, host, p.from->host);
  if (p.from->closed)
    return;
  if (l->backlog.size() >= l->backlog_limit) { // it is sent again
    network_agent& a = agent_of(*loop::current());
    const time_point later = a.now() + std::chrono::seconds(1);
    a.expect(std::move(p), later);
    return;
  }
  const auto s = std::make_shared<sim_socket>();
  s->family = l->family;
  s->use = socket_use::connected;
  s->host = host;
  s->local = p.target;
  s->remote = p.from->local;
  s->far_host = p.from->host;
  s->far_end = p.from;
  l->backlog.push_back(s);
  tell(l, EPOLLIN);
  send({packet_kind::syn_ack, s, p.from}, host, p.from->host);
}

void simulated_network::kernel::arrive_datagram(packet& p) {
  const std::size_t target = host_of(p.target, p.from->host);
  if (target == hosts.size())
    return;
  const socket_ref s = find(target, socket_use::datagrams, p.target);
  if (!s) {
    if (!p.from->remote.empty() && !p.from->closed)
      send({packet_kind::refused, nullptr, p.from}, target, p.from->host);
    return;
  }
  if (!s->remote.empty() && s->remote != p.source)
    return;
  if (s->datagram_bytes + p.bytes.size() > options.buffer) {
    ++lost;
    return;
  }
  s->datagram_bytes += p.bytes.size();
  s->datagrams.push_back(std::move(p));
  tell(s, EPOLLIN);
}

void simulated_network::kernel::arrive_at(const socket_ref& s, packet& p) {
  switch (p.kind) {
  case packet_kind::syn_ack:
    if (s->use != socket_use::connecting)
      return;
    renewed(s);
    s->use = socket_use::connected;
    s->far_end = p.from;
    return tell(s, EPOLLOUT);
  case packet_kind::refused:
    renewed(s);
    s->error = ECONNREFUSED;
    s->broken = s->use != socket_use::datagrams;
    return tell(s, s->broken ? gone : EPOLLIN | EPOLLERR);
  case packet_kind::data:
    pass(s, p.bytes.size());
    if (s->broken)
      return;
    if (!p.bytes.empty())
      s->received.push_back(std::move(p.bytes));
    if (p.breaks)
      return break_both(s);
    return tell(s, EPOLLIN);
  case packet_kind::ack: s->unread -= std::min(s->unread, p.count); return tell(s, EPOLLOUT);
  case packet_kind::fin: s->far_ended = true; return tell(s, EPOLLIN | EPOLLRDHUP);
  case packet_kind::reset:
    return break_off(s, s->use == socket_use::connecting ? ECONNREFUSED : ECONNRESET);
  case packet_kind::give_up:
    s->patience = nullptr;
    if (s->use == socket_use::connecting || !s->held_back.empty())
      break_off(s, ETIMEDOUT);
    return;
  default: return;
  }
}

/// Bytes have arrived at `s`.
void simulated_network::kernel::pass(const socket_ref& s, std::size_t bytes) {
  const socket_ref far = s->far_end.lock();
  s->passed += bytes;
  if (far)
    far->passed += bytes;
  if (s->passed < s->reset_at && (!far || far->passed < far->reset_at))
    return;
  break_both(s);
}

void simulated_network::kernel::break_both(const socket_ref& s) {
  break_off(s, ECONNRESET);
  if (const socket_ref far = s->far_end.lock())
    break_off(far, ECONNRESET);
}

void simulated_network::kernel::tell(const socket_ref& s, std::uint32_t events) {
  if (s->agent)
    s->agent->tell(s, events);
}

void simulated_network::kernel::break_off(const socket_ref& s, int error) {
  if (s->broken || s->closed)
    return;
  renewed(s);
  s->broken = true;
  s->error = error;
  s->held_back.clear();
  s->early.clear();
  tell(s, gone);
}

void simulated_network::kernel::close(const socket_ref& s) {
  renewed(s);
  s->closed = true;
  s->early.clear();
  for (const auto& waiting : std::exchange(s->backlog, {})) {
    waiting->drop_at_close = true;
    close(waiting);
  }
  if (s->use != socket_use::connected || s->broken)
    return;
  const bool drop = s->drop_at_close || !s->received.empty();
  if (drop)
    s->held_back.clear();
  if (drop || !s->ended)
    send({drop ? packet_kind::reset : packet_kind::fin, s, s->far_end.lock()}, s->host,
         s->far_host);
}

} // namespace troupe::testing
