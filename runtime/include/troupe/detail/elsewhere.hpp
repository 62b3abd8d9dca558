// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/child.hpp>

#include <atomic>
#include <memory>
#include <optional>

namespace troupe::detail {

[[nodiscard]] loop& loop_at(loop& any, unsigned index) noexcept;
[[nodiscard]] unsigned least_loaded(loop& any) noexcept;

/// Whether a nursery around `t` has been asked to stop.
[[nodiscard]] bool is_asked_to_stop(const task_block& t) noexcept;

/// `t`, which has no nursery on its loop, is asked to stop, and all below it.
void stop_from_elsewhere(task_block& t) noexcept;

/// A child on another loop. At home it looks like a task that waits for
/// something that takes time to withdraw; over there runs a task without a
/// nursery. The two halves share nothing but messages: off, cancel, ended. Each
/// message on its way, and each half, holds a reference.
class elsewhere_core {
public:
  elsewhere_core(loop& home, loop& away) noexcept : home_(&home), away_(&away) {}

  /// Lets the tasks over there know that they are asked to stop. Idempotent.
  void pass_on_stop() noexcept {
    if (std::exchange(stop_passed_on_, true))
      return;
    add_core_ref();
    away_->post(stop_);
  }

protected:
  ~elsewhere_core() = default;

  void add_core_ref() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void release_core() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      destroy_core();
  }
  virtual void destroy_core() noexcept = 0;
  virtual task_block& task_there() noexcept = 0;

  loop* home_;
  loop* away_;
  std::optional<cancel_reason> reason_; // written at home before the cancel message

private:
  struct stop_message final : inbox_node {
    explicit stop_message(elsewhere_core& c) noexcept : core(c) {}
    void run() noexcept override {
      if (task_block& t = core.task_there(); !t.ended())
        stop_from_elsewhere(t);
      core.release_core();
    }
    elsewhere_core& core;
  };

  stop_message stop_{*this};
  bool stop_passed_on_ = false; // at home
  std::atomic<int> references_{1};
};

/// The half that runs on the other loop.
template <class T, class F, class... Args>
class elsewhere_task;

template <class T, class F, class... Args>
class elsewhere_block final : public child_base<T>, public elsewhere_core, public suspension {
public:
  template <class Fn, class... As>
  elsewhere_block(loop& home, nursery* owner, loop& away, Fn&& fn, As&&... args)
    : child_base<T>(home, owner), elsewhere_core(home, away), off_(*this), cancel_(*this),
      ended_(*this), call_(stored_call<F, Args...>{
                       std::forward<Fn>(fn), std::tuple<Args...>(std::forward<As>(args)...)}) {}

  /// The task over there.
  [[nodiscard]] task_block& away() {
    if (!task_)
      task_.emplace(*away_, *this);
    return *task_;
  }

  /// What will be called, and with what.
  [[nodiscard]] stored_call<F, Args...>& call() noexcept { return *call_; }

  /// Makes the coroutine, and what the task takes along. All that can throw.
  void prepare() {
    static_cast<void>(away());
    auto frame = (*call_)().release();
    task_->attach(frame, frame.promise());
    this->take_along(*task_);
    task_->asked_to_stop_ = is_asked_to_stop(*this);
    if (this->cancelled_at_root()) // goes along: a message would come too late
      cancel_there(reason_for(*this));
  }

  /// Sends the task to the other loop.
  void send_off() noexcept {
    this->stand_in(*this);
    add_core_ref();
    away_->post(off_);
  }

  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* p, std::size_t bytes) noexcept { deallocate(p, bytes); }

private:
  /// The task over there.
  class away_task final : public child_base<T> {
  public:
    using child_base<T>::attach;
    using child_base<T>::go;

    away_task(loop& l, elsewhere_block& b) noexcept : child_base<T>(l, nullptr), block_(&b) {}

  private:
    void on_end() noexcept override { block_->over(); }
    void dispose() noexcept override {}
    elsewhere_block* block_;
  };

  struct off_message final : inbox_node {
    explicit off_message(elsewhere_block& b) noexcept : block(b) {}
    void run() noexcept override { block.arrive(); }
    elsewhere_block& block;
  };
  struct cancel_message final : inbox_node {
    explicit cancel_message(elsewhere_block& b) noexcept : block(b) {}
    void run() noexcept override { block.cancel_there(); }
    elsewhere_block& block;
  };
  struct ended_message final : inbox_node {
    explicit ended_message(elsewhere_block& b) noexcept : block(b) {}
    void run() noexcept override { block.come_home(); }
    elsewhere_block& block;
  };

  // -- on the other loop
  void arrive() noexcept { task_->go(); }
  void cancel_there(const cancel_reason* why) noexcept {
    if (why)
      task_->cancel(*why);
    else
      task_->cancel(std::string_view());
  }
  void cancel_there() noexcept {
    cancel_there(reason_ ? &*reason_ : nullptr);
    release_core();
  }
  void over() noexcept {
    call_.reset();
    home_->post(ended_); // passes the reference of off_ on
  }

  // -- at home
  void come_home() noexcept {
    auto& from = task_->result();
    auto& to = this->result();
    to.error = std::move(from.error);
    if constexpr (!std::is_void_v<T>)
      to.value = std::move(from.value);
    this->end_as(*task_);
    release_core();
  }

  bool withdraw() noexcept override {
    try {
      if (const cancel_reason* why = reason_for(*this))
        reason_ = *why;
    } catch (...) { // NOLINT(bugprone-empty-catch): a cancellation works without a reason
    }
    add_core_ref();
    away_->post(cancel_);
    return false;
  }
  [[nodiscard]] const char* waits_for() const noexcept override {
    return "its end on another loop";
  }
  [[nodiscard]] const task_block* waits_for_task() const noexcept override {
    return task_ ? &*task_ : nullptr;
  }

  void on_end() noexcept override { this->report_to_owner(); }
  void dispose() noexcept override { release_core(); }
  void destroy_core() noexcept override { delete this; }
  task_block& task_there() noexcept override { return *task_; }

  off_message off_;
  cancel_message cancel_;
  ended_message ended_;
  std::optional<stored_call<F, Args...>> call_;
  std::optional<away_task> task_;
};

} // namespace troupe::detail
