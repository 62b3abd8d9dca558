// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/seen_elsewhere.hpp>
#include <troupe/detail/waiter.hpp>

#include <cstddef>

namespace troupe {

/// Where a fixed number of tasks wait for each other, round after round. For
/// tasks of any loop.
class barrier {
public:
  /// Throws `std::invalid_argument` if `parties` is 0.
  explicit barrier(std::size_t parties);
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;

  [[nodiscard]] std::size_t parties() const noexcept { return parties_; }

  /// How many wait now; a moment ago, if it is asked on another loop.
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

  /// Waits until all parties have arrived. True for the one that came last. One
  /// that is cancelled while it waits has not arrived. A checkpoint.
  [[nodiscard]] auto arrive_and_wait() noexcept { return arrive_op(*this); }

private:
  /// True if that was the last one; the others have been woken.
  bool arrive() noexcept;

  class arrive_op final : public detail::waiting_op<arrive_op> {
  public:
    explicit arrive_op(barrier& b) noexcept : waiting_op("a barrier"), barrier_(b) {}
    bool await_resume() const noexcept { return last_; }
    detail::home_loop& home() noexcept { return barrier_.home_; }
    detail::waiter_list& queue() noexcept { return barrier_.waiters_; }
    bool try_now() noexcept { return last_ = barrier_.arrive(); }
    void leave() noexcept override {
      --barrier_.waiting_;
      waiter::leave();
    }

  private:
    barrier& barrier_;
    bool last_ = false;
  };

  detail::waiter_list waiters_;
  detail::home_loop home_;
  std::size_t parties_;
  detail::seen_elsewhere<std::size_t> waiting_ = 0;
};

} // namespace troupe
