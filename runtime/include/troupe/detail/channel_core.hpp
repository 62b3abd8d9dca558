// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/waiter.hpp>
#include <troupe/task.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace troupe::detail {

[[noreturn]] void throw_closed(const char* what);
[[noreturn]] void throw_broken();
[[noreturn]] void throw_end();

/// What a channel has seen. Always: sent = received + undelivered + buffered.
struct channel_statistics {
  std::size_t capacity = 0;
  std::size_t buffered = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t undelivered = 0; ///< dropped because the last receiver was closed
  std::size_t senders = 0;
  std::size_t receivers = 0;
  std::size_t waiting_to_send = 0;
  std::size_t waiting_to_receive = 0;
};

enum class channel_outcome : std::uint8_t { done, closed, broken, ended };

template <class T>
class send_op;
template <class T>
class receive_base;
template <class T>
class channel_core;

/// An open end of a channel: whose waits are whose, and what carries its closing to the
/// channel's loop. Made when the end is opened, so that closing needs no memory.
template <class T>
class open_end final : public inbox_node {
public:
  open_end(channel_core<T>& c, bool sends) noexcept : core_(c), sends_(sends) { c.opened(sends); }

  [[nodiscard]] channel_core<T>& core() const noexcept { return core_; }

  /// Ends this and the waits in it.
  void close() noexcept {
    loop* here = loop::current();
    if (loop* home = here ? core_.home.seen_from(*here, "a channel") : nullptr)
      home->post(*this);
    else
      run();
  }

private:
  ~open_end() = default;
  void run() noexcept override {
    if (sends_)
      core_.close_sender(*this);
    else
      core_.close_receiver(*this);
    delete this;
  }

  channel_core<T>& core_;
  bool sends_;
};

/// The state that the ends of a channel share; lives as long as one of them.
template <class T>
class channel_core {
public:
  explicit channel_core(std::size_t capacity) : capacity_(capacity) {}

  /// From any loop: another end is open there, or nobody knows of the channel yet.
  void opened(bool sends) noexcept {
    (sends ? senders_ : receivers_).fetch_add(1, std::memory_order_relaxed);
  }

  void close_sender(const open_end<T>& end) noexcept {
    end_waiters<send_op<T>>(to_send_, end);
    if (senders_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      while (auto* w = to_receive_.first())
        static_cast<receive_base<T>*>(w)->end(channel_outcome::ended);
    delete_if_unused();
  }

  void close_receiver(const open_end<T>& end) noexcept {
    end_waiters<receive_base<T>>(to_receive_, end);
    if (receivers_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      undelivered_ += buffer_.size();
      buffer_.clear();
      while (auto* w = to_send_.first())
        static_cast<send_op<T>*>(w)->end(channel_outcome::broken);
    }
    delete_if_unused();
  }

  /// Sends without waiting if that is possible; `value` is moved from only then.
  bool try_send(T& value) {
    home.check("a channel");
    if (broken())
      throw_broken();
    return put(value);
  }

  std::optional<T> try_receive() {
    home.check("a channel");
    std::optional<T> value;
    if (!take(value) && ended())
      throw_end();
    return value;
  }

  [[nodiscard]] bool broken() const noexcept {
    return receivers_.load(std::memory_order_relaxed) == 0;
  }

  bool put(T& value) {
    if (auto* w = to_receive_.first()) {
      static_cast<receive_base<T>*>(w)->deliver(value);
      ++sent_;
      ++received_;
      return true;
    }
    if (buffer_.size() >= capacity_)
      return false;
    buffer_.push_back(std::move(value));
    ++sent_;
    return true;
  }

  bool take(std::optional<T>& into) {
    if (!buffer_.empty()) {
      if (auto* w = to_send_.first()) { // there will be room for one who waits
        auto& op = *static_cast<send_op<T>*>(w);
        buffer_.push_back(std::move(op.value())); // first: it may need memory
        ++sent_;
        op.wake();
      }
      into.emplace(std::move(buffer_.front()));
      buffer_.pop_front();
      ++received_;
      return true;
    }
    if (auto* w = to_send_.first()) { // capacity 0
      auto& op = *static_cast<send_op<T>*>(w);
      into.emplace(std::move(op.value()));
      ++sent_;
      ++received_;
      op.wake();
      return true;
    }
    return false;
  }

  /// Takes what is there until `batch` has `max`. Throws `std::bad_alloc` only if it
  /// has taken nothing.
  void take(std::vector<T>& batch, std::size_t max) {
    std::size_t more = buffer_.size();
    to_send_.for_each([&](waiter&) { ++more; });
    more = std::min(more, max - batch.size());
    batch.reserve(batch.size() + more); // what is taken must have a place
    const std::size_t before = batch.size();
    try {
      for (std::optional<T> value; more != 0 && take(value); --more) {
        batch.push_back(std::move(*value));
        value.reset();
      }
    } catch (...) {
      if (batch.size() == before)
        throw;
    }
  }

  /// As `take`, of what has come since; what finds no place stays where it is.
  void take_more(std::vector<T>& batch, std::size_t max) {
    if (!home.is_here())
      return;
    try {
      take(batch, max);
    } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch)
    }
  }

  [[nodiscard]] bool ended() const noexcept {
    return senders_.load(std::memory_order_relaxed) == 0;
  }

  [[nodiscard]] channel_statistics statistics() {
    home.check("a channel");
    channel_statistics s{capacity_,       buffer_.size(),    sent_, received_, undelivered_,
                         senders_.load(), receivers_.load(), 0,     0};
    to_send_.for_each([&](waiter&) { ++s.waiting_to_send; });
    to_receive_.for_each([&](waiter&) { ++s.waiting_to_receive; });
    return s;
  }

  home_loop home;

  /// For those who look which tasks wait for each other: who sends, or receives, if there is one
  /// end alone. It is known when it has done so once.
  [[nodiscard]] const task_block* only_sender() const noexcept {
    return senders_.load(std::memory_order_relaxed) == 1 ? sender_.get() : nullptr;
  }
  [[nodiscard]] const task_block* only_receiver() const noexcept {
    return receivers_.load(std::memory_order_relaxed) == 1 ? receiver_.get() : nullptr;
  }

private:
  friend send_op<T>;
  friend receive_base<T>;

  template <class Op>
  void end_waiters(waiter_list& queue, const open_end<T>& end) noexcept {
    queue.for_each([&](waiter& w) {
      auto& op = static_cast<Op&>(w);
      if (op.through() == &end)
        op.end(channel_outcome::closed);
    });
  }

  void delete_if_unused() noexcept {
    if (ended() && broken())
      delete this;
  }

  std::deque<T> buffer_;
  std::size_t capacity_;
  waiter_list to_send_;
  waiter_list to_receive_;
  std::atomic<std::size_t> senders_{0};
  std::atomic<std::size_t> receivers_{0};
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t undelivered_ = 0;
  holder sender_; // the last one
  holder receiver_;
};

template <class T>
class send_op final : public waiting_op<send_op<T>> {
public:
  send_op(open_end<T>& through, T&& value)
    : waiting_op<send_op>("room in a channel"), core_(through.core()), through_(&through),
      value_(std::move(value)) {}

  void await_resume() const {
    if (end_ == channel_outcome::closed) [[unlikely]]
      throw_closed("send");
    if (end_ == channel_outcome::broken) [[unlikely]]
      throw_broken();
    if (error_) [[unlikely]]
      std::rethrow_exception(error_);
  }

  home_loop& home() noexcept { return core_.home; }
  waiter_list& queue() noexcept { return core_.to_send_; }
  bool try_now() {
    core_.sender_.set(this->task());
    if (!core_.broken()) [[likely]]
      return core_.put(value_);
    end_ = channel_outcome::broken;
    return true;
  }
  void failed(const std::exception_ptr& why) noexcept override { error_ = why; }
  [[nodiscard]] const task_block* waits_for_task() const noexcept override {
    return core_.only_receiver();
  }

  [[nodiscard]] const open_end<T>* through() const noexcept { return through_; }
  [[nodiscard]] T& value() noexcept { return value_; }
  void end(channel_outcome how) noexcept {
    end_ = how;
    this->wake();
  }

private:
  channel_core<T>& core_;
  const open_end<T>* through_; // may be closed already
  T value_;
  channel_outcome end_ = channel_outcome::done;
  std::exception_ptr error_; // of putting the value there, from another loop
};

/// What stands in the queue of a channel's receivers.
template <class T>
class receive_base : public waiter {
public:
  explicit receive_base(open_end<T>& through) noexcept
    : waiter("a value in a channel"), core_(through.core()), through_(&through) {}

  home_loop& home() noexcept { return core_.home; }
  waiter_list& queue() noexcept { return core_.to_receive_; }
  bool try_now() {
    receives();
    if (core_.take(value_))
      return true;
    if (!core_.ended())
      return false;
    end_ = channel_outcome::ended;
    return true;
  }

  void failed(const std::exception_ptr& why) noexcept override { error_ = why; }
  [[nodiscard]] const task_block* waits_for_task() const noexcept override {
    return core_.only_sender();
  }

  [[nodiscard]] const open_end<T>* through() const noexcept { return through_; }
  void deliver(T& value) {
    value_.emplace(std::move(value));
    this->wake();
  }
  void end(channel_outcome how) noexcept {
    end_ = how;
    this->wake();
  }

protected:
  ~receive_base() = default;

  void receives() noexcept { core_.receiver_.set(this->task()); }

  /// Throws what there is to throw.
  void check() const {
    if (end_ == channel_outcome::closed) [[unlikely]]
      throw_closed("receive");
    if (error_) [[unlikely]]
      std::rethrow_exception(error_);
  }

  channel_core<T>& core_;
  const open_end<T>* through_; // may be closed already
  std::optional<T> value_;
  channel_outcome end_ = channel_outcome::done;
  std::exception_ptr error_; // of taking the value, from another loop
};

/// `Optional`: the end of the channel is an empty result, not an exception.
template <class T, bool Optional>
class [[nodiscard]] receive_op final : public waiting_op<receive_op<T, Optional>, receive_base<T>> {
public:
  using waiting_op<receive_op, receive_base<T>>::waiting_op;

  std::conditional_t<Optional, std::optional<T>, T> await_resume() {
    this->check();
    if constexpr (Optional) {
      return std::move(this->value_);
    } else {
      if (this->end_ == channel_outcome::ended)
        throw_end();
      return std::move(*this->value_);
    }
  }
};

/// Takes what is there, up to `max`, at home.
template <class T>
class [[nodiscard]] receive_batch_op final
  : public waiting_op<receive_batch_op<T>, receive_base<T>> {
public:
  receive_batch_op(open_end<T>& through, std::size_t max) noexcept
    : waiting_op<receive_batch_op, receive_base<T>>(through), max_(max) {}

  bool try_now() {
    this->receives();
    this->core_.take(batch_, max_);
    return max_ == 0 || !batch_.empty() || receive_base<T>::try_now();
  }

  std::vector<T> await_resume() {
    this->check();
    if (this->value_) // it came while this one waited
      batch_.push_back(std::move(*this->value_));
    return std::move(batch_);
  }

private:
  std::vector<T> batch_;
  std::size_t max_;
};

} // namespace troupe::detail
