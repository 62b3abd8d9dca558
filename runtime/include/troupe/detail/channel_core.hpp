// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/waiter.hpp>
#include <troupe/task.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <optional>
#include <utility>

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

enum class channel_end : std::uint8_t { none, closed, broken, ended, no_memory };

template <class T>
class send_op;
template <class T>
class receive_base;

/// The state that the ends of a channel share; lives as long as one of them.
template <class T>
class channel_core {
public:
  explicit channel_core(std::size_t capacity) : capacity_(capacity) {}

  unsigned open_sender() {
    home.at_home("a channel", [this] { ++senders_; });
    return next_id_.fetch_add(1, std::memory_order_relaxed);
  }
  unsigned open_receiver() {
    home.at_home("a channel", [this] { ++receivers_; });
    return next_id_.fetch_add(1, std::memory_order_relaxed);
  }

  void close_sender(unsigned id) noexcept {
    home.at_home("a channel", [this, id] {
      end_waiters<send_op<T>>(to_send_, id, channel_end::closed);
      if (--senders_ == 0)
        while (auto* w = to_receive_.first())
          static_cast<receive_base<T>*>(w)->end(channel_end::ended);
      delete_if_unused();
    });
  }

  void close_receiver(unsigned id) noexcept {
    home.at_home("a channel", [this, id] {
      end_waiters<receive_base<T>>(to_receive_, id, channel_end::closed);
      if (--receivers_ == 0) {
        undelivered_ += buffer_.size();
        buffer_.clear();
        while (auto* w = to_send_.first())
          static_cast<send_op<T>*>(w)->end(channel_end::broken);
      }
      delete_if_unused();
    });
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
    if (!take(value) && senders_ == 0)
      throw_end();
    return value;
  }

  [[nodiscard]] bool anything_to_take() const noexcept {
    return !buffer_.empty() || !to_send_.empty();
  }

  [[nodiscard]] bool broken() const noexcept { return receivers_ == 0; }

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

  [[nodiscard]] bool ended() const noexcept { return senders_ == 0; }

  [[nodiscard]] channel_statistics statistics() {
    home.check("a channel");
    channel_statistics s{capacity_, buffer_.size(), sent_, received_, undelivered_,
                         senders_,  receivers_,     0,     0};
    to_send_.for_each([&](waiter&) { ++s.waiting_to_send; });
    to_receive_.for_each([&](waiter&) { ++s.waiting_to_receive; });
    return s;
  }

  home_loop home{false}; // its ends may go anywhere: the loop that uses them first

private:
  friend send_op<T>;
  friend receive_base<T>;

  template <class Op>
  void end_waiters(waiter_list& queue, unsigned id, channel_end how) noexcept {
    queue.for_each([&](waiter& w) {
      auto& op = static_cast<Op&>(w);
      if (op.id() == id)
        op.end(how);
    });
  }

  void delete_if_unused() noexcept {
    if (senders_ == 0 && receivers_ == 0)
      delete this;
  }

  std::deque<T> buffer_;
  std::size_t capacity_;
  waiter_list to_send_;
  waiter_list to_receive_;
  std::size_t senders_ = 0;
  std::size_t receivers_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t undelivered_ = 0;
  std::atomic<unsigned> next_id_{0};
};

template <class T>
class send_op final : public waiting_op<send_op<T>> {
public:
  send_op(channel_core<T>& c, unsigned id, T&& value)
    : waiting_op<send_op>("room in a channel"), core_(c), value_(std::move(value)), id_(id) {}

  void await_resume() const {
    if (end_ == channel_end::closed) [[unlikely]]
      throw_closed("send");
    if (end_ == channel_end::broken) [[unlikely]]
      throw_broken();
    if (end_ == channel_end::no_memory) [[unlikely]]
      throw std::bad_alloc();
  }

  home_loop& home() noexcept { return core_.home; }
  waiter_list& queue() noexcept { return core_.to_send_; }
  bool try_now() {
    if (!core_.broken()) [[likely]]
      return core_.put(value_);
    end_ = channel_end::broken;
    return true;
  }
  void failed(const std::exception_ptr& /*bad_alloc*/) noexcept override {
    end_ = channel_end::no_memory;
  }

  [[nodiscard]] unsigned id() const noexcept { return id_; }
  [[nodiscard]] T& value() noexcept { return value_; }
  void end(channel_end how) noexcept {
    end_ = how;
    this->wake();
  }

private:
  channel_core<T>& core_;
  T value_;
  unsigned id_;
  channel_end end_ = channel_end::none;
};

template <class T>
class receive_base : public waiting_op<receive_base<T>> {
public:
  receive_base(channel_core<T>& c, unsigned id) noexcept
    : waiting_op<receive_base>("a value in a channel"), core_(c), id_(id) {}

  home_loop& home() noexcept { return core_.home; }
  waiter_list& queue() noexcept { return core_.to_receive_; }
  bool try_now() {
    if (core_.take(value_))
      return true;
    if (!core_.ended())
      return false;
    end_ = channel_end::ended;
    return true;
  }

  void failed(const std::exception_ptr& /*bad_alloc*/) noexcept override {
    end_ = channel_end::no_memory;
  }

  [[nodiscard]] unsigned id() const noexcept { return id_; }
  void deliver(T& value) {
    value_.emplace(std::move(value));
    this->wake();
  }
  void end(channel_end how) noexcept {
    end_ = how;
    this->wake();
  }

protected:
  ~receive_base() = default;

  channel_core<T>& core_;
  std::optional<T> value_;
  unsigned id_;
  channel_end end_ = channel_end::none;
};

/// `Optional`: the end of the channel is an empty result, not an exception.
template <class T, bool Optional>
class [[nodiscard]] receive_op final : public receive_base<T> {
public:
  using receive_base<T>::receive_base;

  std::conditional_t<Optional, std::optional<T>, T> await_resume() {
    if (this->end_ == channel_end::closed) [[unlikely]]
      throw_closed("receive");
    if (this->end_ == channel_end::no_memory) [[unlikely]]
      throw std::bad_alloc();
    if constexpr (Optional) {
      return std::move(this->value_);
    } else {
      if (this->end_ == channel_end::ended)
        throw_end();
      return std::move(*this->value_);
    }
  }
};

} // namespace troupe::detail
