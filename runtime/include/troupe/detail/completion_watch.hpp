// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/child.hpp>

#include <cstddef>
#include <deque>
#include <vector>

namespace troupe::detail {

/// Sees tasks of this loop end, and says which, in the order in which they do.
/// Costs no task of its own.
class completion_watch {
public:
  completion_watch() = default;
  completion_watch(const completion_watch&) = delete;
  completion_watch& operator=(const completion_watch&) = delete;

  /// Watches `target`, as number `size()`. Throws `std::bad_alloc`.
  void add(task_block& target);

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  /// How many have ended and were not yet taken.
  [[nodiscard]] std::size_t available() const noexcept { return ended_.size() - taken_; }

  /// How many were not yet taken.
  [[nodiscard]] std::size_t left() const noexcept { return entries_.size() - taken_; }

  /// The number of the next that has ended; there must be one.
  std::size_t take() noexcept { return ended_[taken_++]; }

  /// Waits until one is available. A checkpoint. For one task at a time.
  class [[nodiscard]] awaiter final : public suspension {
  public:
    using troupe_awaitable = void;

    explicit awaiter(completion_watch& w) noexcept : watch_(w) {}
    ~awaiter() { leave(); }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <troupe_promise Promise>
    bool await_suspend(std::coroutine_handle<Promise> h) {
      task_ = h.promise().task;
      if (task_->cancelled_at(h))
        return true;
      if (watch_.available() != 0)
        return task_->must_yield(h);
      watch_.waiting_ = this;
      task_->wait(h, *this);
      return true;
    }
    void await_resume() const noexcept {}

    bool withdraw() noexcept override {
      leave();
      return true;
    }
    [[nodiscard]] const char* waits_for() const noexcept override { return "the end of a task"; }

  private:
    friend class completion_watch;
    void leave() noexcept {
      if (watch_.waiting_ == this)
        watch_.waiting_ = nullptr;
    }

    completion_watch& watch_;
    task_block* task_ = nullptr;
  };

  [[nodiscard]] awaiter next() noexcept { return awaiter(*this); }

private:
  class entry final : public joiner {
  public:
    entry(completion_watch& owner, task_block& target, std::size_t number) noexcept;
    ~entry();
    void watch();
    void notify() noexcept override;

  private:
    completion_watch& owner_;
    task_block& target_;
    std::size_t number_;
  };

  std::deque<entry> entries_;      // which stay where they are
  std::vector<std::size_t> ended_; // room for all is reserved
  std::size_t taken_ = 0;
  awaiter* waiting_ = nullptr;
};

} // namespace troupe::detail
