// SPDX-License-Identifier: BSD-3-Clause
#include "network_kernel.hpp"

#include "../net/poller.hpp"

#include <troupe/detail/runtime.hpp>
#include <troupe/random.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>

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

bool covers(const sim_socket& s, const socket_address& address) {
  if (s.local.port() != address.port())
    return false;
  if (s.local == socket_address::any_ipv6(address.port()))
    return s.dual || address.is_ipv6();
  return s.local == address
         || (address.is_ipv4() && s.local == socket_address::any_ipv4(address.port()));
}

bool is_loopback(const socket_address& a) {
  const std::string host = a.host();
  return host == "::1" || host.starts_with("127.");
}

} // namespace

network_agent::key network_agent::expect(packet p, time_point when) {
  const key k{when, sequence_++};
  const bool first = coming_.empty() || k < coming_.begin()->first;
  coming_.emplace(k, std::move(p));
  if (first && !busy_)
    arm();
  return k;
}

void network_agent::arm() {
  if (armed())
    home_.timers().remove(*this);
  if (!coming_.empty())
    home_.timers().add(*this, coming_.begin()->first.first);
}

void network_agent::tell(const socket_ref& s, std::uint32_t events) {
  news_.emplace_back(s, events);
  if (news_.size() == 1 && !busy_)
    home_.post(*this);
}

void network_agent::tell_now() noexcept {
  std::vector<std::pair<socket_ref, std::uint32_t>> news;
  {
    const std::lock_guard lock(net_.mutex);
    news.swap(news_);
  }
  for (const auto& [s, events] : news)
    if (s->agent == this && s->watcher)
      s->watcher->ready(events);
}

void network_agent::expired() noexcept {
  {
    const std::lock_guard lock(net_.mutex);
    const bool posted = !news_.empty(); // and will be told then
    busy_ = !posted;
    const time_point now = home_.now();
    while (!coming_.empty() && coming_.begin()->first.first <= now) {
      packet p = std::move(coming_.begin()->second);
      coming_.erase(coming_.begin());
      net_.arrive(p);
    }
    arm();
    if (!std::exchange(busy_, false))
      return;
  }
  tell_now();
}

std::unique_lock<std::mutex> simulated_network::kernel::enter() {
  std::unique_lock lock(mutex);
  const loop* here = loop::current();
  const std::uint64_t run = here ? here->owner().key_of(0) : run_;
  if (run != run_) {
    forget_run();
    before_ = {hosts, links_, reset_next};
    run_ = run;
  }
  return lock;
}

std::unique_lock<std::mutex> simulated_network::kernel::change() {
  if (loop::current())
    return enter();
  std::unique_lock lock(mutex);
  forget_run();
  return lock;
}

void simulated_network::kernel::forget_run() {
  if (run_ == 0)
    return;
  run_ = 0;
  hosts = before_.hosts;
  std::erase_if(names, [this](const auto& n) { return n.second >= hosts.size(); });
  links_ = before_.links;
  reset_next = before_.reset_next;
  sockets.clear();
  free_.clear();
  for (const socket_ref& s : std::exchange(holding_back_, {}))
    s->held_back.clear(); // these refer to their socket
  agents_.clear();
  random_ = options.seed;
  arrived = lost = 0;
}

const socket_ref& simulated_network::kernel::at(int index) const noexcept {
  static const socket_ref none;
  const auto i = static_cast<std::size_t>(index);
  return index >= 0 && i < sockets.size() ? sockets[i] : none;
}

int simulated_network::kernel::add(const socket_ref& s) {
  auto& host = hosts[s->host];
  if (host.descriptors >= host.descriptor_limit
      || (free_.empty() && sockets.size() >= most_descriptors))
    return -1;
  ++host.descriptors;
  if (!free_.empty()) {
    const int index = free_.front();
    free_.pop_front();
    sockets[static_cast<std::size_t>(index)] = s;
    return index;
  }
  sockets.push_back(s);
  return static_cast<int>(sockets.size() - 1);
}

void simulated_network::kernel::remove(int index) {
  auto& s = sockets[static_cast<std::size_t>(index)];
  --hosts[s->host].descriptors;
  s.reset();
  free_.push_back(index);
}

sim_link& simulated_network::kernel::link(std::size_t from, std::size_t to) {
  const auto [l, made] = links_.try_emplace({from, to});
  if (made && from != to)
    l->second.how = options.links;
  else if (made)
    l->second.how.latency = duration::zero();
  return l->second;
}

std::size_t simulated_network::kernel::host_of(const socket_address& address,
                                               std::size_t from) const {
  if (is_loopback(address))
    return from;
  const auto bare = address.with_port(0);
  for (std::size_t h = 0; h < hosts.size(); ++h)
    for (const auto& a : hosts[h].addresses)
      if (a == bare)
        return h;
  return hosts.size();
}

std::size_t simulated_network::kernel::named(std::string_view name) const {
  const auto found = names.find(name);
  return found == names.end() ? hosts.size() : found->second;
}

network_agent& simulated_network::kernel::agent_of(loop& l) {
  auto& a = agents_[l.key()];
  if (!a)
    a = std::make_unique<network_agent>(*this, l);
  return *a;
}

double simulated_network::kernel::fraction() noexcept {
  if (random_ == 0)
    random_ = random_bits();
  random_ += 0x9e3779b97f4a7c15U; // SplitMix64
  std::uint64_t x = random_;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  x ^= x >> 31U;
  return static_cast<double>(x >> 11U) / 9007199254740992.0; // 2^53
}

std::uint16_t simulated_network::kernel::free_port(std::size_t host) {
  auto& next = hosts[host].next_port;
  for (int tries = 0; tries < 16'384; ++tries) {
    const std::uint16_t port = next;
    next = port == 65'535 ? 49'152 : static_cast<std::uint16_t>(port + 1);
    if (std::none_of(sockets.begin(), sockets.end(), [&](const socket_ref& s) {
          return s && s->host == host && s->local.port() == port;
        }))
      return port;
  }
  return 0;
}

socket_ref simulated_network::kernel::find(std::size_t host, socket_use use,
                                           const socket_address& address) {
  socket_ref best;
  for (const auto& s : sockets)
    if (s && s->host == host && s->use == use && covers(*s, address)
        && (!best || s->backlog.size() < best->backlog.size()))
      best = s;
  return best;
}

void simulated_network::kernel::send(packet p, std::size_t from, std::size_t to) {
  loop* here = loop::current();
  if (!here)
    return;
  network_agent& agent = agent_of(*here);
  sim_link& l = link(from, to);
  const bool is_datagram = p.kind == packet_kind::datagram;
  const bool of_connection = p.from && !is_datagram;
  if (l.cut && !of_connection) { // nobody sends it again
    ++lost;
    return;
  }
  if (of_connection && (l.cut || !p.from->held_back.empty())) {
    const socket_ref s = p.from;
    if (s->held_back.empty()) {
      holding_back_.push_back(s);
      if (s->use == socket_use::connected)
        be_patient(s, options.retransmit_limit);
    }
    s->held_back.push_back(std::move(p));
    return;
  }
  const time_point now = agent.now();
  time_point when = now;
  if (l.how.bandwidth != 0) {
    constexpr double header = 40;
    const double seconds =
      (static_cast<double>(p.bytes.size()) + header) / static_cast<double>(l.how.bandwidth);
    l.free_at = std::max(l.free_at, now)
                + std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
    when = l.free_at;
  }
  const auto some = [&](duration d) {
    return duration(static_cast<duration::rep>(static_cast<double>(d.count()) * fraction()));
  };
  when += l.how.latency;
  if (l.how.jitter > duration::zero() && l.how.shape == jitter_shape::even)
    when += some(l.how.jitter);
  else if (l.how.jitter > duration::zero())
    when += duration(static_cast<duration::rep>(static_cast<double>(l.how.jitter.count())
                                                * -std::log(1 - fraction())));
  const bool lose = l.how.loss > 0 && fraction() < l.how.loss;
  if (lose)
    ++lost;
  if (is_datagram) {
    if (lose)
      return;
    if (l.how.reorder > 0 && fraction() < l.how.reorder)
      when += some(4 * (l.how.latency + l.how.jitter)) + std::chrono::microseconds(1);
    if (l.how.duplicate > 0 && fraction() < l.how.duplicate)
      agent.expect(p, when + some(l.how.latency + l.how.jitter));
  } else {
    if (lose)
      when += options.retransmit_after;
    if (of_connection) { // in order
      when = std::max(when, p.from->last_arrival);
      p.from->last_arrival = when;
    }
  }
  agent.expect(std::move(p), when);
}

void simulated_network::kernel::release_held_back() {
  const auto holding = std::exchange(holding_back_, {});
  for (const auto& s : holding) {
    if (link(s->host, s->far_host).cut) {
      holding_back_.push_back(s);
      continue;
    }
    if (s->use != socket_use::connecting)
      renewed(s);
    for (auto& p : std::exchange(s->held_back, {}))
      send(std::move(p), s->host, s->far_host);
  }
}

void simulated_network::kernel::be_patient(const socket_ref& s, duration limit) {
  renewed(s);
  if (loop* here = loop::current()) {
    s->patience = &agent_of(*here);
    s->patience_ends =
      s->patience->expect({packet_kind::give_up, nullptr, s},
                          troupe::detail::deadline_after(s->patience->now(), limit));
  }
}

void simulated_network::kernel::renewed(const socket_ref& s) {
  if (s->patience && s->patience->is_here())
    s->patience->forget(s->patience_ends);
  s->patience = nullptr;
}

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
  arrive_at(p.to, p);
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
    s->received.push_back(std::move(p.bytes));
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
  break_off(s, ECONNRESET);
  if (far)
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
  tell(s, gone);
}

void simulated_network::kernel::close(const socket_ref& s) {
  renewed(s);
  s->closed = true;
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
