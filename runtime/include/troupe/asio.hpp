// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Not a part of troupe.hpp: this is the one header that needs Boost.Asio.

#include <troupe/detail/loop.hpp>
#include <troupe/detail/task_block.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>

#include <coroutine>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace troupe {

/// The executor of the current loop, for Asio's I/O objects: their handlers run there. Throws
/// `usage_error` outside of a task.
[[nodiscard]] boost::asio::io_context::executor_type loop_executor();

/// A completion token: with it, any operation of Asio, or of what is built on it (Beast), can be
/// awaited in a task.
///
///     boost::asio::steady_timer timer(loop_executor(), 1s);
///     co_await timer.async_wait(use_task);
///     std::size_t n = co_await socket.async_read_some(buffer, use_task);
///
/// The operation begins when it is awaited. An `error_code` that it completes with is thrown as
/// `boost::system::system_error`, an `exception_ptr` as what it is; other results are the value,
/// several as a `std::tuple`. `boost::asio::as_tuple(use_task)` gives the error as a value.
///
/// A checkpoint. Cancelled, the operation gets Asio's cancellation (terminal), and the task goes
/// on unwinding when it has ended; a result that was on its way is delivered. What Asio says of
/// an operation's cancellation holds: a composed one may have done a part. For I/O objects of
/// any executor; the task goes on on its own loop. Those of other executors than
/// `loop_executor()` are not cancelled, as Asio does not allow that from another thread: the
/// task waits for the end.
struct use_task_t {};
inline constexpr use_task_t use_task{};

namespace detail {

/// What an operation's results come to for the one who awaits.
template <class... Args>
struct asio_results {
  using value = std::tuple<Args...>;
  static value take(std::tuple<Args...>&& all) { return std::move(all); }
};
template <>
struct asio_results<> {
  using value = void;
  static void take(std::tuple<>&&) {}
};
template <class T>
struct asio_results<T> {
  using value = T;
  static value take(std::tuple<T>&& all) { return std::get<0>(std::move(all)); }
};

inline bool asio_failed(const boost::system::error_code& e) { return e.failed(); }
inline bool asio_failed(const std::exception_ptr& e) { return e != nullptr; }
[[noreturn]] inline void throw_asio(const boost::system::error_code& e) {
  throw boost::system::system_error(e);
}
[[noreturn]] inline void throw_asio(const std::exception_ptr& e) { std::rethrow_exception(e); }
inline bool asio_aborted(const boost::system::error_code& e) {
  return e == boost::asio::error::operation_aborted;
}
template <class T>
bool asio_aborted(const T&) {
  return false;
}

template <class Error, class... Args>
struct asio_results_or_error {
  using value = typename asio_results<Args...>::value;
  static value take(std::tuple<Error, Args...>&& all) {
    if (asio_failed(std::get<0>(all)))
      throw_asio(std::get<0>(all));
    return std::apply(
      [](Error&, Args&... rest) -> value {
        return asio_results<Args...>::take(std::tuple<Args...>(std::move(rest)...));
      },
      all);
  }
};
template <class... Args>
struct asio_results<boost::system::error_code, Args...>
  : asio_results_or_error<boost::system::error_code, Args...> {};
template <class... Args>
struct asio_results<std::exception_ptr, Args...>
  : asio_results_or_error<std::exception_ptr, Args...> {};
template <>
struct asio_results<boost::system::error_code> : asio_results_or_error<boost::system::error_code> {
};
template <>
struct asio_results<std::exception_ptr> : asio_results_or_error<std::exception_ptr> {};

/// An operation of Asio's that a task waits for. The frame it lives in stays until the
/// operation has called its handler, cancelled or not.
template <class Initiation, class Inits, class... Args>
class [[nodiscard]] asio_op final : public suspension {
public:
  using troupe_awaitable = void;

  template <class I, class... As>
  explicit asio_op(I&& initiation, As&&... inits)
    : initiation_(std::forward<I>(initiation)), inits_(std::forward<As>(inits)...) {}
  asio_op(const asio_op&) = delete;
  asio_op& operator=(const asio_op&) = delete;

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    cancellable_ = runs_on(initiation_, task_->home().io());
    std::apply([&](auto&... inits) { std::move(initiation_)(handler(*this), std::move(inits)...); },
               inits_);
    if (results_)
      return task_->must_yield(h);
    task_->wait(h, *this);
    waiting_ = true;
    return true;
  }

  typename asio_results<Args...>::value await_resume() {
    return asio_results<Args...>::take(*std::move(results_));
  }

  bool withdraw() noexcept override {
    cancelled_ = true;
    try {
      signal_.emit(boost::asio::cancellation_type::all);
    } catch (...) { // NOLINT(bugprone-empty-catch): then it ends by itself
    }
    return false;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "an Asio operation"; }

private:
  class handler {
  public:
    using executor_type = boost::asio::io_context::executor_type;
    using cancellation_slot_type = boost::asio::cancellation_slot;

    explicit handler(asio_op& op) noexcept : op_(&op) {}
    [[nodiscard]] executor_type get_executor() const noexcept {
      return op_->task_->home().io().get_executor();
    }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
      return op_->cancellable_ ? op_->signal_.slot() : cancellation_slot_type();
    }
    template <class... As>
    void operator()(As&&... results) {
      op_->done(std::forward<As>(results)...);
    }

  private:
    asio_op* op_;
  };

  /// Whether the operation's I/O object is of `io`; yes if it does not say.
  static bool runs_on(const Initiation& initiation, boost::asio::io_context& io) {
    using loops = boost::asio::io_context::executor_type;
    if constexpr (requires { initiation.get_executor(); }) {
      const auto executor = initiation.get_executor();
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(executor)>, loops>)
        return executor == io.get_executor();
      else if constexpr (requires { executor.template target<loops>(); })
        return executor.template target<loops>()
               && *executor.template target<loops>() == io.get_executor();
      else
        return false;
    } else {
      return true;
    }
  }

  template <class... As>
  void done(As&&... results) {
    results_.emplace(std::forward<As>(results)...);
    if (!waiting_)
      return;
    loop& home = task_->home();
    bool aborted = false;
    if constexpr (sizeof...(Args) != 0)
      aborted = cancelled_ && asio_aborted(std::get<0>(*results_));
    if (aborted)
      task_->aborted();
    else
      task_->wake();
    home.pump();
  }

  Initiation initiation_;
  Inits inits_;
  boost::asio::cancellation_signal signal_;
  std::optional<std::tuple<Args...>> results_;
  task_block* task_ = nullptr;
  bool waiting_ = false;
  bool cancelled_ = false;
  bool cancellable_ = true;
};

} // namespace detail

} // namespace troupe

/// What Asio asks of a completion token.
template <class... Args>
class boost::asio::async_result<troupe::use_task_t, void(Args...)> {
public:
  template <class Initiation, class... Inits>
  static auto initiate(Initiation&& initiation, troupe::use_task_t, Inits&&... inits) {
    return troupe::detail::asio_op<std::decay_t<Initiation>, std::tuple<std::decay_t<Inits>...>,
                                   std::decay_t<Args>...>(std::forward<Initiation>(initiation),
                                                          std::forward<Inits>(inits)...);
  }
};
