// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/connection_limit.hpp>
#include <troupe/clock.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <utility>

namespace troupe::pools {

/// The right to one connection that is not idle: in its pool, and under the shared limit if there
/// is one.
struct connection_right {
  semaphore::permit own;
  semaphore::permit shared;
};

/// What a shared limit knows of a pool.
class limited {
public:
  /// `limit`: null if there is none.
  explicit limited(connection_limit* limit);
  limited(const limited&) = delete;
  limited& operator=(const limited&) = delete;
  virtual ~limited();

  [[nodiscard]] virtual std::size_t idle_count() const noexcept = 0;
  /// When the one that has been idle for longest was used; if there is one.
  [[nodiscard]] virtual time_point oldest_idle() const noexcept = 0;
  virtual void close_oldest_idle() noexcept = 0;

protected:
  [[nodiscard]] bool is_limited() const noexcept { return limit_ != nullptr; }

  [[nodiscard]] auto acquire_shared() noexcept { return limit_->permits_.acquire(); }

  /// What is wanted a right for without waiting.
  enum class purpose { open, check };

  /// Whether that may be now, and for opening, without closing another; `permit` has the right
  /// then, if there is a limit.
  [[nodiscard]] bool try_acquire_shared(semaphore::permit& permit, purpose what);

  /// Closes idle connections until there is room for one more, which has its right already.
  void make_room() noexcept;

private:
  connection_limit* limit_;
};

} // namespace troupe::pools
