// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/caf/task_actor.hpp>
#include <troupe/detail/timer.hpp>

namespace troupe::detail {

/// Waits for a message in a mailbox.
class letter_wait : public suspension, private timer {
public:
  using troupe_awaitable = void;

  explicit letter_wait(task_actor& a, duration timeout = duration::max(),
                       bool until_closed = false) noexcept
    : actor_(a), timeout_(timeout), until_closed_(until_closed) {}
  ~letter_wait() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h)) [[unlikely]]
      return true;
    if (try_now(t))
      return t.must_yield(h);
    t.wait(h, *this);
    return true;
  }

  /// Empty: the time is up, or the mailbox was closed.
  letter await_resume() noexcept { return std::move(letter_); }

  bool withdraw() noexcept final {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept final { return "a message"; }
  [[nodiscard]] time_point wakes_at() const noexcept final { return until_; }

  [[nodiscard]] virtual bool wants(const caf::type_erased_tuple& content) const noexcept = 0;

  /// A message that it wants has arrived; or, empty, none will.
  void arrived(letter l) noexcept;

  [[nodiscard]] bool until_closed() const noexcept { return until_closed_; }

private:
  /// Takes what is there, or enlists. Throws `usage_error`, `std::bad_alloc`.
  bool try_now(task_block& t);
  void leave() noexcept;
  void expired() noexcept final;

  task_actor& actor_;
  duration timeout_;
  bool until_closed_; // by `mailbox::close`
  time_point until_ = time_point::max();
  task_block* task_ = nullptr; // waits
  letter letter_;
};

/// Any message, or one for a handler of `Set`.
class any_letter final : public letter_wait {
public:
  using letter_wait::letter_wait;
  [[nodiscard]] bool wants(const caf::type_erased_tuple& /*any*/) const noexcept override {
    return true;
  }
};

template <class Set>
class letter_for final : public letter_wait {
public:
  using letter_wait::letter_wait;
  [[nodiscard]] bool wants(const caf::type_erased_tuple& content) const noexcept override {
    return Set::find(content) != Set::none;
  }
};

/// Waits until a message finds the mailbox full.
class [[nodiscard]] overflow_wait final : public suspension {
public:
  using troupe_awaitable = void;

  explicit overflow_wait(task_actor& a) noexcept : actor_(a) {}
  ~overflow_wait() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h))
      return true;
    enlist(t);
    t.wait(h, *this);
    return true;
  }
  void await_resume() const noexcept {}

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "a full mailbox"; }

  void happened() noexcept {
    task_block& t = *task_;
    leave();
    t.wake();
  }

private:
  /// Throws `usage_error`.
  void enlist(task_block& t);
  void leave() noexcept {
    if (std::exchange(task_, nullptr))
      actor_.watcher(nullptr);
  }

  task_actor& actor_;
  task_block* task_ = nullptr; // waits
};

/// Waits for the answer to a request.
class reply_wait : public suspension, private timer {
public:
  using troupe_awaitable = void;

  reply_wait(caf::actor to, duration timeout) noexcept : to_(std::move(to)), timeout_(timeout) {}
  ~reply_wait() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h)) [[unlikely]]
      return true;
    t.wait(h, *this); // the answer may be there before `ask` returns
    try {
      ask(t);
    } catch (...) {
      leave();
      t.not_waiting();
      throw;
    }
    return true;
  }

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "an answer"; }
  [[nodiscard]] const task_block* waits_for_task() const noexcept final;
  [[nodiscard]] time_point wakes_at() const noexcept final { return until_; }

  [[nodiscard]] caf::message_id id() const noexcept { return id_; }
  void answered(caf::mailbox_element_ptr answer) noexcept;

protected:
  /// The message; null if there is nothing to wait for.
  virtual caf::mailbox_element_ptr make(caf::strong_actor_ptr from, caf::message_id& id) = 0;

  /// The answer is there.
  virtual void resume(task_block& t) noexcept { t.wake(); }

  /// Throws what the answer stands for, if it is an error or there is none.
  void check() const;
  [[noreturn]] void throw_unexpected() const;
  [[nodiscard]] caf::type_erased_tuple& content() const noexcept { return answer_->content(); }
  [[nodiscard]] task_actor* me() const noexcept { return me_; }
  [[nodiscard]] const caf::actor& to() const noexcept { return to_; }

  /// No answer is wanted any more.
  void leave() noexcept;

private:
  void ask(task_block& t);
  void expired() noexcept final;

  caf::actor to_;
  duration timeout_;
  time_point until_ = time_point::max();
  task_block* task_ = nullptr;
  task_actor* me_ = nullptr; // while it waits
  caf::message_id id_;
  caf::mailbox_element_ptr answer_;
};

} // namespace troupe::detail
