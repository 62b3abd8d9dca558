// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/safe_to_await.hpp>

#include <chrono>
#include <concepts>
#include <utility>

namespace troupe {

/// The clean-up of `with_cleanup` did not end within its time and was cut off.
/// The message says what it was waiting for.
class cleanup_timeout : public timeout_error {
public:
  using timeout_error::timeout_error;
};

namespace detail {

/// Runs the clean-up after the body, however the body ends.
class cleanup_hook : public link_hook {
public:
  cleanup_hook(frame_link& body, duration limit) noexcept
    : body_(body), limit_(limit), second_(*this) {}

  std::coroutine_handle<> completed(task_block& t) noexcept final;
  unwind_step unwound(task_block& t) noexcept final;

protected:
  ~cleanup_hook() = default;

  /// Makes the clean-up's coroutine. Called once, when the body is over.
  virtual task<void> make_cleanup() = 0;

  /// Throws if the clean-up has failed or was cut off.
  void check();

private:
  /// The link between the clean-up and the frame that asked for it.
  class second_hook final : public link_hook {
  public:
    explicit second_hook(cleanup_hook& owner) noexcept : owner_(owner) {}
    std::coroutine_handle<> completed(task_block& t) noexcept override;
    unwind_step unwound(task_block& t) noexcept override;

  private:
    cleanup_hook& owner_;
  };

  /// Returns the frame to run, or null if there is none because making it failed.
  std::coroutine_handle<> begin(task_block& t) noexcept;
  bool finish() noexcept;

  frame_link& body_;
  duration limit_;
  cancel_scope scope_;
  second_hook second_;
  frame_link cleanup_;
  bool body_cut_off_ = false;
  bool abandoned_ = false;
};

template <class Body, class Cleanup>
class [[nodiscard]] cleanup_awaiter : private cleanup_hook {
public:
  using troupe_awaitable = void;
  using value_type = typename std::invoke_result_t<Body&>::value_type;

  template <class B, class C>
  cleanup_awaiter(B&& body, C&& cleanup, duration limit)
    : cleanup_hook(link_, limit), body_(std::forward<B>(body)), clean_(std::forward<C>(cleanup)) {
    check_awaited_arguments<B, C>();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    auto frame = std::invoke(body_).release();
    link_.child = frame;
    link_.hook = this;
    link_.join(frame.promise(), &h.promise(), &t);
    return transfer(t, frame);
  }

  value_type await_resume() {
    this->check();
    return link_.take();
  }

private:
  task<void> make_cleanup() override { return std::invoke(clean_); }

  Body body_;
  Cleanup clean_;
  result_link<value_type> link_;
};

} // namespace detail

/// How long a clean-up may take if nothing is said.
inline constexpr duration default_cleanup_limit = std::chrono::seconds(5);

/// Runs `body()`, and then `cleanup()`, whether the body returns, throws or is
/// cancelled; both are coroutines. This is where closing that has to await goes:
///
///     co_await with_cleanup([&]() -> task<> { co_await use(file); },
///                           [&]() -> task<> { co_await file.sync(); });
///
/// The clean-up is shielded from cancellation, and has `limit` to end: then it is
/// cut off, and `cleanup_timeout` says what it was waiting for. Gives the body's
/// value; throws what the body or the clean-up throws, both as `exception_group`.
/// Not a checkpoint by itself.
template <std::invocable Body, std::invocable Cleanup>
[[nodiscard]] auto with_cleanup(Body&& body, Cleanup&& cleanup,
                                duration limit = default_cleanup_limit) {
  return detail::cleanup_awaiter<std::decay_t<Body>, std::decay_t<Cleanup>>(
    std::forward<Body>(body), std::forward<Cleanup>(cleanup), limit);
}

} // namespace troupe
