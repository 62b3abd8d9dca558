// SPDX-License-Identifier: BSD-3-Clause
#include "network_kernel.hpp"

#include "../net/poller.hpp"
#include "simulator.hpp"

#include <troupe/detail/runtime.hpp>
#include <troupe/random.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>

namespace troupe::testing {

using troupe::detail::loop;

namespace {

bool covers(const sim_socket& s, const socket_address& address) {
  if (s.local.port() != address.port())
    return false;
  if (s.local == socket_address::any_ipv6(address.port()))
    return s.dual || address.is_ipv6();
  return s.local == address
         || (address.is_ipv4() && s.local == socket_address::any_ipv4(address.port()));
}

/// Whether who gets it waits for those that were sent before it: not to hear what it has sent
/// itself, or that all is over.
bool is_in_order(const packet& p) {
  return p.kind == packet_kind::syn_ack || p.kind == packet_kind::data
         || p.kind == packet_kind::fin;
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

void network_agent::expect_by(key k, time_point when) {
  if (when > k.first)
    return;
  if (auto found = coming_.extract(k))
    expect(std::move(found.mapped()), when);
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
  news there_are;
  {
    const std::lock_guard lock(net_.mutex);
    there_are.swap(news_);
  }
  tell_now(there_are);
}

void network_agent::tell_now(const news& all) noexcept {
  for (const auto& [s, events] : all)
    if (s->agent == this && s->watcher)
      s->watcher->ready(events);
}

void network_agent::expired() noexcept {
  news there_are;
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
    there_are.swap(news_); // now: what comes next is posted, and told by that
  }
  tell_now(there_are);
}

std::unique_lock<internal::quiet_mutex> simulated_network::kernel::enter() {
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

std::unique_lock<internal::quiet_mutex> simulated_network::kernel::change() {
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
  int index = static_cast<int>(sockets.size());
  if (free_.empty()) {
    sockets.push_back(s);
  } else {
    index = free_.front();
    free_.pop_front();
    sockets[static_cast<std::size_t>(index)] = s;
  }
  s->fd = first_descriptor + index;
  name(s, socket_address(s->local));
  return index;
}

void simulated_network::kernel::remove(int index) {
  auto& s = sockets[static_cast<std::size_t>(index)];
  --hosts[s->host].descriptors;
  unname(s);
  s->fd = -1;
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

std::uint64_t simulated_network::kernel::bits() noexcept {
  if (random_ == 0)
    random_ = random_bits();
  random_ += 0x9e3779b97f4a7c15U; // SplitMix64
  std::uint64_t x = random_;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ x >> 31U;
}

double simulated_network::kernel::fraction() noexcept {
  return internal::fraction_of(internal::simulator::leave_to_chance(bits()));
}

bool simulated_network::kernel::chance(double of) noexcept {
  return internal::simulator::happens(of, bits());
}

duration simulated_network::kernel::part_of(duration d) noexcept {
  return duration(static_cast<duration::rep>(static_cast<double>(d.count()) * fraction()));
}

std::uint16_t simulated_network::kernel::free_port(std::size_t host) {
  auto& h = hosts[host];
  for (int tries = 0; tries < 16'384; ++tries) {
    const std::uint16_t port = h.next_port;
    h.next_port = port == 65'535 ? 49'152 : static_cast<std::uint16_t>(port + 1);
    if (h.sockets_of(port).empty())
      return port;
  }
  return 0;
}

socket_ref simulated_network::kernel::find(std::size_t host, socket_use use,
                                           const socket_address& address) {
  socket_ref best;
  const auto& all = hosts[host].receivers;
  for (auto r = all.lower_bound({address.port(), 0}); r != all.end(); ++r) {
    const socket_ref& s = r->second;
    if (r->first.first != address.port())
      break;
    if (s->use == use && covers(*s, address) && (!best || s->backlog.size() < best->backlog.size()))
      best = s;
  }
  return best;
}

void simulated_network::kernel::name(const socket_ref& s, const socket_address& local) {
  unname(s);
  s->local = local;
  if (s->fd < 0 || local.empty())
    return;
  auto& h = hosts[s->host];
  h.ports.emplace(local.port(), s.get());
  if (s->use == socket_use::listening || s->use == socket_use::datagrams)
    h.receivers.emplace(std::pair(local.port(), s->fd), s);
}

void simulated_network::kernel::unname(const socket_ref& s) {
  if (s->local.empty())
    return;
  auto& h = hosts[s->host];
  h.ports.erase({s->local.port(), s.get()});
  h.receivers.erase({s->local.port(), s->fd});
}

void simulated_network::kernel::use(const socket_ref& s, socket_use as) {
  s->use = as;
  name(s, socket_address(s->local));
}

troupe::detail::stream_fault simulated_network::kernel::ask_plans(sim_socket& s, std::size_t far,
                                                                  std::uint16_t far_port,
                                                                  std::size_t size,
                                                                  bool reading) const {
  if (!troupe::detail::faults_in_force())
    return {};
  const auto end = [this](std::size_t host, std::uint16_t port) {
    return hosts[host].name + ":" + std::to_string(port);
  };
  const std::string here = end(s.host, s.local.port());
  const std::string there = end(far, far_port);
  const std::string name = reading ? there + " > " + here : here + " > " + there;
  return troupe::detail::ask_stream({name, s.fault_number.value(),
                                     reading ? s.taken_in_all : s.sent, size, reading,
                                     s.is_datagram});
}

void simulated_network::kernel::send(packet p, std::size_t from, std::size_t to) {
  loop* here = loop::current();
  if (!here)
    return;
  network_agent& agent = agent_of(*here);
  sim_link& l = link(from, to);
  const bool is_datagram = p.kind == packet_kind::datagram;
  const bool of_connection = p.from && !is_datagram;
  if (p.number == 0 && is_in_order(p))
    p.number = ++p.from->numbered;
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
  when += l.how.latency;
  if (l.how.jitter > duration::zero() && l.how.shape == jitter_shape::even)
    when += part_of(l.how.jitter);
  else if (l.how.jitter > duration::zero())
    when += duration(static_cast<duration::rep>(static_cast<double>(l.how.jitter.count())
                                                * -std::log(1 - fraction())));
  const bool is_lost = l.how.loss > 0 && chance(l.how.loss);
  if (is_lost)
    ++lost;
  if (is_datagram) {
    if (!is_lost)
      send_alone(std::move(p), to, when);
    return;
  }
  if (of_connection && p.pause == duration::zero())
    p.not_before = p.from->last_arrival;
  if (is_lost)
    return lose(std::move(p));
  if (of_connection) {
    when = std::max(when, p.not_before);
    p.from->last_arrival = std::max(when, p.from->last_arrival);
  }
  agent.expect(std::move(p), when);
}

void simulated_network::kernel::send_alone(packet p, std::size_t to, time_point when) {
  using fate = troupe::detail::message_fault::fate;
  network_agent& agent = agent_of(*loop::current());
  const socket_ref s = p.from;
  const socket_address target = p.target;
  const link_options& how = link(s->host, to).how;
  const auto f = ask_plans(*s, to, target.port(), p.bytes.size(), false);
  if (f.datagram == fate::is_lost) {
    ++lost;
    return;
  }
  if (f.datagram == fate::comes_later || f.datagram == fate::is_overtaken)
    when += f.stall;
  if (f.datagram == fate::comes_twice)
    agent.expect(p, when);
  if (how.reorder > 0 && chance(how.reorder))
    when += part_of(4 * (how.latency + how.jitter)) + std::chrono::microseconds(1);
  if (how.duplicate > 0 && chance(how.duplicate))
    agent.expect(p, when + part_of(how.latency + how.jitter));
  const auto key = agent.expect(std::move(p), when);
  if (f.datagram == fate::is_overtaken)
    s->overtaken.push_back({&agent, key, target});
  else if (f.datagram != fate::comes_later)
    std::erase_if(s->overtaken, [&](const auto& o) {
      if (o.target != target || !o.agent->is_here())
        return false;
      o.agent->expect_by(o.key, when); // behind this one
      return true;
    });
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
    s->patience_ends = s->patience->expect({packet_kind::give_up, nullptr, s},
                                           deadline_after(s->patience->now(), limit));
  }
}

void simulated_network::kernel::renewed(const socket_ref& s) {
  if (s->patience && s->patience->is_here())
    s->patience->forget(s->patience_ends);
  s->patience = nullptr;
}

} // namespace troupe::testing
