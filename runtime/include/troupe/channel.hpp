// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/channel_core.hpp>
#include <troupe/error.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {

/// This end of the channel was closed by its owner.
class closed_resource_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The other end is gone: nobody will receive.
class broken_resource_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// All senders are gone and all that was sent has been received.
class end_of_channel : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The sending end of a channel. Move it or `clone` it; the channel is open as
/// long as one end of this side is. Closes when destroyed. For the tasks of one
/// loop.
template <class T>
class send_channel {
public:
  explicit send_channel(detail::channel_core<T>& c) : core_(&c), id_(c.open_sender()) {}
  send_channel(send_channel&& other) noexcept
    : core_(std::exchange(other.core_, nullptr)), id_(other.id_) {}
  send_channel& operator=(send_channel&& other) noexcept {
    std::swap(core_, other.core_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~send_channel() { close(); }

  /// Another end of the same side. Throws `closed_resource_error`.
  [[nodiscard]] send_channel clone() const { return send_channel(core("clone")); }

  /// Sends, waiting while the channel is full. A cancelled send has sent nothing. A
  /// checkpoint. Throws `closed_resource_error`, `broken_resource_error`.
  [[nodiscard]] auto send(T value) {
    return detail::send_op<T>(core("send"), id_, std::move(value));
  }

  /// Sends if that is possible without waiting; `value` is moved from only then.
  /// Not a checkpoint. Throws as `send`, and `usage_error` on another loop.
  [[nodiscard]] bool try_send(T& value) { return core("try_send").try_send(value); }
  [[nodiscard]] bool try_send(T&& value) { return core("try_send").try_send(value); }

  /// Idempotent. Wakes those who wait in this end with `closed_resource_error`, and, when it
  /// was the last, all receivers. Not a checkpoint.
  void close() noexcept {
    if (core_)
      std::exchange(core_, nullptr)->close_sender(id_);
  }

  [[nodiscard]] detail::channel_statistics statistics() const {
    return core("statistics").statistics();
  }

private:
  detail::channel_core<T>& core(const char* what) const {
    if (!core_)
      detail::throw_closed(what);
    return *core_;
  }

  detail::channel_core<T>* core_;
  unsigned id_;
};

/// The receiving end of a channel; as `send_channel`.
template <class T>
class receive_channel {
public:
  explicit receive_channel(detail::channel_core<T>& c) : core_(&c), id_(c.open_receiver()) {}
  receive_channel(receive_channel&& other) noexcept
    : core_(std::exchange(other.core_, nullptr)), id_(other.id_) {}
  receive_channel& operator=(receive_channel&& other) noexcept {
    std::swap(core_, other.core_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~receive_channel() { close(); }

  [[nodiscard]] receive_channel clone() const { return receive_channel(core("clone")); }

  /// The next value; nothing when all senders are gone and all is received:
  ///
  ///     while (auto x = co_await rx.next()) use(*x);
  ///
  /// A cancelled receive has taken nothing. A checkpoint. Throws
  /// `closed_resource_error`.
  [[nodiscard]] auto next() { return detail::receive_op<T, true>(core("next"), id_); }

  /// As `next`, but throws `end_of_channel` at the end. A checkpoint.
  [[nodiscard]] auto receive() { return detail::receive_op<T, false>(core("receive"), id_); }

  /// A value if there is one now. Not a checkpoint. Throws `end_of_channel`,
  /// `closed_resource_error`, `usage_error` on another loop.
  [[nodiscard]] std::optional<T> try_receive() { return core("try_receive").try_receive(); }

  /// Waits for a value and takes up to `max` that are there; empty at the end. From
  /// another loop than the channel's it takes one. A checkpoint.
  [[nodiscard]] task<std::vector<T>> receive_batch(std::size_t max) {
    std::vector<T> batch;
    if (max == 0)
      co_return batch;
    auto first = co_await next();
    if (!first)
      co_return batch;
    batch.push_back(std::move(*first));
    while (batch.size() < max && core_ && core_->home.is_here() && core_->anything_to_take())
      batch.push_back(std::move(*core_->try_receive()));
    co_return batch;
  }

  void close() noexcept {
    if (core_)
      std::exchange(core_, nullptr)->close_receiver(id_);
  }

  [[nodiscard]] detail::channel_statistics statistics() const {
    return core("statistics").statistics();
  }

private:
  detail::channel_core<T>& core(const char* what) const {
    if (!core_)
      detail::throw_closed(what);
    return *core_;
  }

  detail::channel_core<T>* core_;
  unsigned id_;
};

template <class T>
struct channel_ends {
  send_channel<T> tx;
  receive_channel<T> rx;
};

/// A channel that buffers `capacity` values; with 0, a send waits for its receiver.
///
///     auto [tx, rx] = make_channel<int>(10);
///
/// Throws `std::bad_alloc`. After Trio's memory channels.
template <class T>
[[nodiscard]] channel_ends<T> make_channel(std::size_t capacity) {
  auto* core = new detail::channel_core<T>(capacity);
  return {send_channel<T>(*core), receive_channel<T>(*core)};
}

/// A channel that grows without bound: a send never waits. Ask yourself what
/// happens when the receiver is slow.
template <class T>
[[nodiscard]] channel_ends<T> make_unbounded_channel() {
  return make_channel<T>(static_cast<std::size_t>(-1));
}

} // namespace troupe
