// SPDX-License-Identifier: BSD-3-Clause
#include "network_kernel.hpp"

#include <troupe/error.hpp>
#include <troupe/time.hpp>

#include <cerrno>

namespace troupe::testing {

using std::string_view;

simulated_network::simulated_network(network_options options)
  : kernel_(std::make_unique<kernel>(std::move(options), descriptor(0))) {
  add_host("localhost", {"10.255.255.254"});
}

simulated_network::simulated_network() : simulated_network(network_options()) {}

simulated_network::~simulated_network() = default;

void simulated_network::add_host(std::string name, const std::vector<std::string>& addresses) {
  const auto lock = kernel_->change();
  if (kernel_->names.contains(name))
    throw usage_error("troupe: simulated_network: there is a host '" + name + "' already");
  sim_host h;
  for (const auto& a : addresses) {
    h.addresses.emplace_back(a, std::uint16_t{0});
    if (kernel_->host_of(h.addresses.back(), kernel_->hosts.size()) != kernel_->hosts.size())
      throw usage_error("troupe: simulated_network: another host has the address " + a);
  }
  while (h.addresses.empty()) {
    const unsigned n = kernel_->next_address++;
    const socket_address next("10." + std::to_string(n / 65'536 % 256) + "."
                                + std::to_string(n / 256 % 256) + "." + std::to_string(n % 256),
                              0);
    if (kernel_->host_of(next, kernel_->hosts.size()) == kernel_->hosts.size())
      h.addresses.push_back(next);
  }
  h.name = name;
  kernel_->hosts.push_back(std::move(h));
  kernel_->names.emplace(std::move(name), kernel_->hosts.size() - 1);
}

void simulated_network::add_name(std::string name, string_view host) {
  const std::size_t h = find_host(host);
  const auto lock = kernel_->change();
  kernel_->names[std::move(name)] = h;
}

std::size_t simulated_network::find_host(string_view name) const {
  const std::lock_guard lock(kernel_->mutex);
  const std::size_t h = kernel_->named(name);
  if (h == kernel_->hosts.size())
    throw usage_error("troupe: simulated_network: there is no host '" + std::string(name) + "'");
  return h;
}

void simulated_network::link(string_view from, string_view to, link_options options) {
  const std::size_t a = find_host(from);
  const std::size_t b = find_host(to);
  const auto lock = kernel_->change();
  kernel_->link(a, b).how = options;
}

void simulated_network::partition_one_way(string_view from, string_view to) {
  const std::size_t a = find_host(from);
  const std::size_t b = find_host(to);
  const auto lock = kernel_->change();
  kernel_->link(a, b).cut = a != b;
}

void simulated_network::partition(string_view one, string_view other) {
  partition_one_way(one, other);
  partition_one_way(other, one);
}

void simulated_network::isolate(string_view host) {
  const std::size_t h = find_host(host);
  const auto lock = kernel_->change();
  for (std::size_t other = 0; other < kernel_->hosts.size(); ++other)
    if (other != h)
      kernel_->link(h, other).cut = kernel_->link(other, h).cut = true;
}

void simulated_network::heal(string_view one, string_view other) {
  const std::size_t a = find_host(one);
  const std::size_t b = find_host(other);
  const auto lock = kernel_->change();
  kernel_->link(a, b).cut = kernel_->link(b, a).cut = false;
  kernel_->release_held_back();
}

void simulated_network::heal() {
  const auto lock = kernel_->change();
  for (std::size_t a = 0; a < kernel_->hosts.size(); ++a)
    for (std::size_t b = 0; b < kernel_->hosts.size(); ++b)
      kernel_->link(a, b).cut = false;
  kernel_->release_held_back();
}

void simulated_network::reset(string_view one, string_view other) {
  const std::size_t a = find_host(one);
  const std::size_t b = find_host(other);
  const auto lock = kernel_->change();
  for (const auto& s : kernel_->sockets)
    if (s && s->use == socket_use::connected
        && ((s->host == a && s->far_host == b) || (s->host == b && s->far_host == a)))
      kernel_->break_off(s, ECONNRESET);
}

void simulated_network::reset_after(string_view from, string_view to, std::uint64_t bytes) {
  const std::size_t a = find_host(from);
  const std::size_t b = find_host(to);
  const auto lock = kernel_->change();
  kernel_->reset_next[{a, b}] = bytes;
}

void simulated_network::refuse(string_view host, bool on) {
  const std::size_t h = find_host(host);
  const auto lock = kernel_->change();
  kernel_->hosts[h].refuses = on;
}

void simulated_network::descriptor_limit(string_view host, std::size_t sockets) {
  const std::size_t h = find_host(host);
  const auto lock = kernel_->change();
  kernel_->hosts[h].descriptor_limit = sockets;
}

void simulated_network::crash(string_view host) {
  const std::size_t h = find_host(host);
  const auto lock = kernel_->change();
  for (const auto& s : kernel_->sockets) {
    if (!s || s->host != h)
      continue;
    for (const auto& waiting : std::exchange(s->backlog, {}))
      kernel_->break_off(waiting, ENETDOWN);
    s->datagrams.clear();
    s->received.clear();
    kernel_->break_off(s, ENETDOWN);
    kernel_->use(s, socket_use::fresh);
  }
}

std::uint64_t simulated_network::arrived() const noexcept {
  const std::lock_guard lock(kernel_->mutex);
  return kernel_->arrived;
}

std::uint64_t simulated_network::lost() const noexcept {
  const std::lock_guard lock(kernel_->mutex);
  return kernel_->lost;
}

task<std::vector<socket_address>> simulated_network::resolve(std::string host, std::uint16_t port) {
  duration lookup;
  {
    const auto lock = kernel_->enter();
    lookup = kernel_->options.lookup;
  }
  co_await sleep_for(lookup);
  std::vector<socket_address> found;
  const std::lock_guard lock(kernel_->mutex);
  const std::size_t h = kernel_->named(host);
  if (host == "localhost")
    found.emplace_back("127.0.0.1", port);
  else if (h != kernel_->hosts.size())
    for (const auto& a : kernel_->hosts[h].addresses)
      found.push_back(a.with_port(port));
  co_return found;
}

} // namespace troupe::testing
