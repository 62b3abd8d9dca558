// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/network.hpp>

#include <array>
#include <atomic>
#include <stdexcept>

namespace troupe::detail {

namespace {

/// Each has descriptors of its own.
constinit std::array<std::atomic<network*>, 256> networks{};

} // namespace

network::network() {
  for (std::size_t i = 0; i < networks.size(); ++i) {
    first_ = first_descriptor + static_cast<int>(i) * most_descriptors;
    network* none = nullptr;
    if (networks[i].compare_exchange_strong(none, this))
      return;
  }
  throw std::runtime_error("troupe: there are too many simulated networks");
}

network::~network() {
  networks[static_cast<std::size_t>((first_ - first_descriptor) / most_descriptors)] = nullptr;
}

network* network::find(int fd) noexcept {
  return networks[static_cast<std::size_t>((fd - first_descriptor) / most_descriptors)
                  % networks.size()];
}

} // namespace troupe::detail
