// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/seen_elsewhere.hpp>
#include <troupe/semaphore.hpp>

#include <cstddef>

namespace troupe {

/// Tokens that tasks borrow, to limit how many do something at the same time. The
/// number of tokens can be changed while they are borrowed. First come, first
/// served. For tasks of any loop.
///
/// After Trio's `CapacityLimiter`.
class capacity_limiter {
public:
  /// Throws `std::invalid_argument` if `total` is 0.
  explicit capacity_limiter(std::size_t total);
  capacity_limiter(const capacity_limiter&) = delete;
  capacity_limiter& operator=(const capacity_limiter&) = delete;

  using token = held<capacity_limiter>;

  // a moment ago, if it is asked on another loop
  [[nodiscard]] std::size_t total() const noexcept { return total_; }
  [[nodiscard]] std::size_t borrowed() const noexcept { return borrowed_; }
  [[nodiscard]] std::size_t available() const noexcept {
    const std::size_t total = total_, borrowed = borrowed_;
    return borrowed < total ? total - borrowed : 0;
  }

  /// Changes the number of tokens. Those borrowed beyond it stay borrowed until
  /// they are given back. Throws `std::invalid_argument` if it is 0.
  void total(std::size_t tokens);

  /// Waits for a token. A checkpoint.
  [[nodiscard]] auto acquire() noexcept { return acquire_op(*this); }

  /// A token if there is one now, else an empty one. Not a checkpoint. Throws
  /// `usage_error` on another loop.
  [[nodiscard]] token try_acquire() {
    home_.check("a capacity_limiter");
    return take(detail::current_task_block()) ? token(*this) : token();
  }

private:
  friend token;

  void give_back() noexcept {
    home_.at_home("a capacity_limiter", [this] {
      --borrowed_;
      wake_next();
    });
  }
  void wake_next() noexcept;
  bool take(const detail::task_block* by) noexcept {
    if (borrowed_ >= total_)
      return false;
    ++borrowed_;
    holder_.set(total_ == 1 ? by : nullptr);
    return true;
  }

  class acquire_op final : public detail::waiting_op<acquire_op> {
  public:
    explicit acquire_op(capacity_limiter& l) noexcept
      : waiting_op("a capacity_limiter"), limiter_(l) {}
    token await_resume() const noexcept { return token(limiter_); }
    detail::home_loop& home() noexcept { return limiter_.home_; }
    detail::waiter_list& queue() noexcept { return limiter_.waiters_; }
    [[nodiscard]] bool try_now() const noexcept { return limiter_.take(task()); }
    [[nodiscard]] const detail::task_block* waits_for_task() const noexcept override {
      return limiter_.holder_.get();
    }

  private:
    capacity_limiter& limiter_;
  };

  detail::waiter_list waiters_;
  detail::home_loop home_;
  detail::seen_elsewhere<std::size_t> total_;
  detail::seen_elsewhere<std::size_t> borrowed_ = 0;
  detail::holder holder_; // of the only token
};

} // namespace troupe
