// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/semaphore.hpp>

#include <cstddef>

namespace troupe {

/// One writer or many readers, across awaits. First come, first served: readers
/// that come after a waiting writer wait behind it, so neither side starves. For
/// tasks of any loop.
class shared_mutex {
public:
  shared_mutex() = default;
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;

private:
  struct writer_side {
    shared_mutex* mutex;
    void give_back() noexcept {
      mutex->home_.at_home("a shared_mutex", [m = mutex] {
        m->writing_ = false;
        m->admit();
      });
    }
  };
  struct reader_side {
    shared_mutex* mutex;
    void give_back() noexcept {
      mutex->home_.at_home("a shared_mutex", [m = mutex] {
        if (--m->readers_ != 0)
          m->holder_.set(nullptr); // who of them is left is not known
        m->admit();
      });
    }
  };

  template <bool Write>
  class lock_op final : public detail::waiting_op<lock_op<Write>> {
  public:
    explicit lock_op(shared_mutex& m) noexcept
      : detail::waiting_op<lock_op>(Write ? "a shared_mutex (to write)"
                                          : "a shared_mutex (to read)"),
        mutex_(m) {}
    auto await_resume() const noexcept {
      if constexpr (Write)
        return held<writer_side>(mutex_.writer_);
      else
        return held<reader_side>(mutex_.reader_);
    }
    detail::home_loop& home() noexcept { return mutex_.home_; }
    detail::waiter_list& queue() noexcept { return mutex_.waiters_; }
    [[nodiscard]] bool try_now() const noexcept {
      return mutex_.waiters_.empty() && mutex_.enter(Write, this->task());
    }
    [[nodiscard]] const detail::task_block* waits_for_task() const noexcept override {
      return mutex_.holder_.get();
    }
    void leave() noexcept override {
      detail::waiter::leave();
      mutex_.admit(); // a writer that leaves may have held up readers
    }

  private:
    friend class shared_mutex;
    shared_mutex& mutex_;
  };

public:
  using guard = held<writer_side>;
  using shared_guard = held<reader_side>;

  /// Waits until nobody else is inside. A checkpoint.
  [[nodiscard]] auto lock() noexcept { return lock_op<true>(*this); }

  /// Waits until no writer is inside or before us. A checkpoint.
  [[nodiscard]] auto lock_shared() noexcept { return lock_op<false>(*this); }

private:
  bool enter(bool to_write, const detail::task_block* by) noexcept {
    if (writing_ || (to_write && readers_ > 0))
      return false;
    if (to_write)
      writing_ = true;
    else
      ++readers_;
    holder_.set(to_write || readers_ == 1 ? by : nullptr);
    return true;
  }

  void admit() noexcept {
    while (auto* first = waiters_.first()) {
      const bool to_write = dynamic_cast<lock_op<true>*>(first) != nullptr;
      if (!enter(to_write, first->task()))
        return;
      first->wake();
    }
  }

  detail::waiter_list waiters_;
  detail::home_loop home_;
  std::size_t readers_ = 0;
  bool writing_ = false;
  detail::holder holder_; // if there is only one
  writer_side writer_{this};
  reader_side reader_{this};
};

} // namespace troupe
