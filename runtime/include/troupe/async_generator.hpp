// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/frame.hpp>
#include <troupe/detail/result.hpp>
#include <troupe/error.hpp>
#include <troupe/task.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace troupe {

template <class T>
class async_generator;

namespace detail {

/// The generator goes to sleep and the consumer goes on.
struct yield_awaiter {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) const noexcept {
    frame_promise& self = h.promise();
    return transfer(*self.task, self.link->parent->handle());
  }
  void await_resume() const noexcept {}
};

template <class T>
struct generator_promise : frame_promise {
  async_generator<T>
  get_return_object(std::source_location here = std::source_location::current()) noexcept {
    this->where = here;
    return async_generator<T>{std::coroutine_handle<generator_promise>::from_promise(*this)};
  }

  final_awaiter final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}

  template <class U = T>
    requires std::constructible_from<T, U&&> yield_awaiter yield_value(U&& value) {
      static_cast<result_link<T>*>(link)->set(std::forward<U>(value));
      return {};
    }
};

/// Runs a generator up to its next value. While it runs, its frame hangs here, in
/// the consumer's chain of frames, so that cancellation unwinds through it; between
/// two values it hangs on the generator.
template <class T>
class [[nodiscard]] generator_awaiter {
public:
  using troupe_awaitable = void;

  explicit generator_awaiter(async_generator<T>& g) noexcept : generator_(&g) {}
  generator_awaiter(const generator_awaiter&) = delete;
  generator_awaiter& operator=(const generator_awaiter&) = delete;
  ~generator_awaiter() {
    if (running_ && generator_)
      generator_->running_ = nullptr;
  }

  /// True if there is nothing to run.
  [[nodiscard]] bool await_ready() const noexcept {
    return generator_->running_ || !generator_->frame_;
  }

  template <troupe_promise Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> consumer) noexcept {
    running_ = true;
    generator_->running_ = this;
    link_.child = std::exchange(generator_->frame_, {});
    task_block& t = *consumer.promise().task;
    link_.join(frame_promise::of(link_.child), &consumer.promise(), &t);
    return transfer(t, link_.child);
  }

  std::optional<T> await_resume() {
    async_generator<T>* const generator = std::exchange(generator_, nullptr);
    if (!running_) {
      if (generator->running_)
        throw usage_error("troupe: async_generator::next was called while another call waits");
      return std::nullopt;
    }
    if (generator)
      generator->running_ = nullptr;
    if (link_.error) // the frame has ended
      std::rethrow_exception(std::exchange(link_.error, {}));
    if (link_.value && generator)
      generator->frame_ = std::exchange(link_.child, {});
    return std::move(link_.value);
  }

private:
  friend class async_generator<T>;

  async_generator<T>* generator_; // null once it is gone, or the call over
  result_link<T> link_;
  bool running_ = false;
};

} // namespace detail

/// A coroutine that gives a sequence of values, and may await between them:
///
///     async_generator<int> ticks(duration every) {
///       for (int i = 0;; ++i) {
///         co_yield i;
///         co_await sleep_for(every);
///       }
///     }
///
///     auto t = ticks(1s);
///     while (auto i = co_await t.next())
///       use(*i);
///
/// The body runs only inside `next`, as a part of the task that awaits it. It is
/// closed deterministically: destroying the generator, or `close`, destroys the
/// body where it stands, so that destructors run, then and there. A `co_yield`
/// cannot stand inside a nursery or a scope, as their bodies are coroutines of their
/// own: so none stays open while the generator sleeps.
///
/// What the body throws comes out of `next`, once. When `next` is cancelled while
/// the body waits, the body is unwound, as any callee: the generator has ended
/// then. After each of these ends `next` gives nothing.
///
/// For one loop and one consumer at a time; a generator may pass from one task to
/// another between two values.
template <class T>
class [[nodiscard]] async_generator {
public:
  static_assert(!std::is_reference_v<T> && !std::is_void_v<T>,
                "troupe: an async_generator gives values; use a pointer to give references");
  using promise_type = detail::generator_promise<T>;
  using value_type = T;

  /// Throws nothing; a generator in the middle of `next` stays with that call, which
  /// then gives its value and ends it.
  async_generator(async_generator&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  async_generator& operator=(async_generator&& other) noexcept {
    if (this != &other) {
      disown();
      frame_ = std::exchange(other.frame_, {});
    }
    return *this;
  }
  ~async_generator() { disown(); }

  /// Runs the body to its next `co_yield` and gives the value; nothing when the body
  /// has ended. Throws what the body throws, and `usage_error` while another call
  /// waits. A checkpoint only where the body has one. If it is cancelled, so is the
  /// body, and the sequence is over.
  [[nodiscard]] auto next() noexcept { return detail::generator_awaiter<T>(*this); }

  /// Destroys the body where it stands. Idempotent. Throws `usage_error` while
  /// `next` waits. Not a checkpoint.
  void close() {
    if (running_)
      throw usage_error("troupe: async_generator::close while next waits");
    disown();
  }

  /// Whether the body has ended or was closed.
  [[nodiscard]] bool ended() const noexcept { return !frame_ && !running_; }

private:
  friend promise_type;
  friend class detail::generator_awaiter<T>;

  explicit async_generator(std::coroutine_handle<promise_type> h) noexcept : frame_(h) {}

  void disown() noexcept {
    if (running_)
      std::exchange(running_, nullptr)->generator_ = nullptr;
    if (frame_)
      std::exchange(frame_, {}).destroy();
  }

  std::coroutine_handle<> frame_;                   // between two values
  detail::generator_awaiter<T>* running_ = nullptr; // while it runs
};

} // namespace troupe
