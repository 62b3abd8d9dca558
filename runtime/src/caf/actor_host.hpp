// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/dead_letters.hpp>
#include <troupe/detail/runtime.hpp>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace troupe::detail {

/// The actor system on the loops of a runtime, and its dead letters.
class caf_host final : public actor_host {
public:
  caf_host(runtime& rt, const configure_actors_fn& configure);
  ~caf_host() override;

  [[nodiscard]] std::size_t running() const noexcept override;
  void wait_for_none() noexcept override;

  /// That of the current loop; makes it. Throws `usage_error` that names `what`.
  [[nodiscard]] static caf_host& current(const char* what);

  [[nodiscard]] caf::actor_system& system() noexcept { return *system_; }

  void subscribe(const caf::actor& reader);
  void publish(const dead_letter& letter) noexcept;
  [[nodiscard]] std::uint64_t dead_letters() const noexcept {
    return dead_letters_.load(std::memory_order_relaxed);
  }

private:
  runtime& runtime_;
  caf::actor_system_config config_;
  std::atomic<std::uint64_t> dead_letters_{0};
  std::mutex mutex_;
  std::vector<caf::actor_addr> readers_;      // guarded by mutex_
  std::unique_ptr<caf::actor_system> system_; // last: to its end, its actors use all of this
};

} // namespace troupe::detail
