// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/seen_elsewhere.hpp>
#include <troupe/detail/waiter.hpp>
#include <troupe/error.hpp>

#include <cstddef>
#include <limits>
#include <utility>

namespace troupe {

/// Something held, given back when this object ends: a permit of a semaphore, the
/// lock of a mutex. Movable; empty when moved from or released.
template <class Source>
class [[nodiscard]] held {
public:
  held() = default;
  explicit held(Source& s) noexcept : source_(&s) {}
  held(held&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
  held& operator=(held&& other) noexcept {
    std::swap(source_, other.source_);
    return *this;
  }
  ~held() {
    if (source_)
      release();
  }

  [[nodiscard]] explicit operator bool() const noexcept { return source_ != nullptr; }

  /// Gives back now. Idempotent. Not a checkpoint.
  void release() noexcept {
    if (source_)
      std::exchange(source_, nullptr)->give_back();
  }

  [[nodiscard]] Source* source() const noexcept { return source_; }

private:
  Source* source_ = nullptr;
};

/// A number of permits. First come, first served: a permit that is given back goes
/// to the one who has waited longest. For tasks of any loop.
///
/// After Trio's `Semaphore`.
class semaphore {
public:
  /// Throws `std::invalid_argument` if `initial > max`.
  explicit semaphore(std::size_t initial,
                     std::size_t max = std::numeric_limits<std::size_t>::max());
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  using permit = held<semaphore>;

  /// A moment ago, if it is asked on another loop.
  [[nodiscard]] std::size_t value() const noexcept { return value_; }

  /// Waits for a permit. A checkpoint.
  [[nodiscard]] auto acquire() noexcept { return acquire_op(*this); }

  /// A permit if there is one now, else an empty one. Not a checkpoint. Throws
  /// `usage_error` on another loop.
  [[nodiscard]] permit try_acquire() {
    home_.check("a semaphore");
    return take(detail::current_task_block()) ? permit(*this) : permit();
  }

  /// Adds a permit to those that there are, held ones included. Throws
  /// `std::logic_error` if there are `max`, `usage_error` on another loop. Not a
  /// checkpoint.
  void release();

private:
  friend permit;

  void give_back() noexcept {
    home_.at_home("a semaphore", [this] {
      if (auto* w = waiters_.first())
        hand_over(*w);
      else
        ++value_;
    });
  }
  void hand_over(detail::waiter& w) noexcept;
  bool take(const detail::task_block* by) noexcept {
    if (value_ == 0)
      return false;
    --value_;
    taken(by);
    return true;
  }
  void taken(const detail::task_block* by) noexcept { holder_.set(permits_ == 1 ? by : nullptr); }

  class acquire_op final : public detail::waiting_op<acquire_op> {
  public:
    explicit acquire_op(semaphore& s) noexcept : waiting_op("a semaphore"), semaphore_(s) {}
    permit await_resume() const noexcept { return permit(semaphore_); }
    detail::home_loop& home() noexcept { return semaphore_.home_; }
    detail::waiter_list& queue() noexcept { return semaphore_.waiters_; }
    [[nodiscard]] bool try_now() const noexcept { return semaphore_.take(task()); }
    [[nodiscard]] const detail::task_block* waits_for_task() const noexcept override {
      return semaphore_.holder_.get();
    }

  private:
    semaphore& semaphore_;
  };

  detail::waiter_list waiters_;
  detail::home_loop home_;
  detail::seen_elsewhere<std::size_t> value_; // of the permits, how many nobody has
  std::size_t permits_;
  std::size_t max_;
  detail::holder holder_; // of the only permit
};

} // namespace troupe
