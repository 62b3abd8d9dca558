// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/channel_core.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/error.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
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

namespace detail {

/// What both ends of a channel have in common.
template <class T, bool Sends>
class channel_side {
public:
  explicit channel_side(channel_core<T>& c) : end_(new open_end<T>(c, Sends)) {}
  channel_side(channel_side&& other) noexcept : end_(std::exchange(other.end_, nullptr)) {}
  channel_side& operator=(channel_side&& other) noexcept {
    std::swap(end_, other.end_);
    return *this;
  }
  ~channel_side() { close(); }

  /// Idempotent. Wakes those who wait in this end with `closed_resource_error`, and, when it
  /// was the last of its side, all on the other side. Not a checkpoint.
  void close() noexcept {
    if (end_)
      std::exchange(end_, nullptr)->close();
  }

  /// What the channel has seen. Not a checkpoint. Throws `closed_resource_error`,
  /// `usage_error` on another loop than the channel's.
  [[nodiscard]] channel_statistics statistics() const {
    return end("statistics").core().statistics();
  }

protected:
  [[nodiscard]] open_end<T>& end(const char* what) const {
    if (!end_)
      throw_closed(what);
    return *end_;
  }
  [[nodiscard]] bool is_open() const noexcept { return end_ != nullptr; }

private:
  open_end<T>* end_;
};

} // namespace detail

/// The sending end of a channel. Move it or `clone` it; the channel is open as
/// long as one end of this side is. Closes when destroyed. An end is for the tasks of
/// one loop at a time.
template <class T>
class send_channel : public detail::channel_side<T, true> {
public:
  using detail::channel_side<T, true>::channel_side;

  /// Another end of the same side. Throws `closed_resource_error`.
  [[nodiscard]] send_channel clone() const { return send_channel(this->end("clone").core()); }

  /// Sends, waiting while the channel is full. A cancelled send has sent nothing. A
  /// checkpoint. Throws `closed_resource_error`, `broken_resource_error`. With g++ before
  /// 15, an aggregate that has something to destroy is sent by its name, as a copy, or by
  /// `emplace`: a temporary one would be destroyed twice.
  [[nodiscard]] auto send(const T& value) requires std::copy_constructible<T> {
    return detail::send_op<T>(this->end("send"), T(value));
  }
  [[nodiscard]] auto send(T&& value) {
    static_assert(detail::safe_to_await<T>,
                  "troupe: this compiler destroys a temporary aggregate in a co_await expression "
                  "twice: write emplace(fields...) or emplace(std::move(name))");
    return detail::send_op<T>(this->end("send"), std::move(value));
  }

  /// Sends a `T` made of `args`: `co_await tx.emplace(1, "text")`. A checkpoint, and as
  /// `send` in all else.
  template <class... Args>
  [[nodiscard]] auto emplace(Args&&... args) {
    return detail::send_op<T>(this->end("emplace"), T(std::forward<Args>(args)...));
  }

  /// Sends if that is possible without waiting; `value` is moved from only then.
  /// Not a checkpoint. Throws as `send`, and `usage_error` on another loop.
  [[nodiscard]] bool try_send(T& value) { return this->end("try_send").core().try_send(value); }
  [[nodiscard]] bool try_send(T&& value) { return this->end("try_send").core().try_send(value); }
};

/// The receiving end of a channel; as `send_channel`.
template <class T>
class receive_channel : public detail::channel_side<T, false> {
public:
  using detail::channel_side<T, false>::channel_side;

  /// Another end of the same side. Throws `closed_resource_error`.
  [[nodiscard]] receive_channel clone() const { return receive_channel(this->end("clone").core()); }

  /// The next value; nothing when all senders are gone and all is received:
  ///
  ///     while (auto x = co_await rx.next()) use(*x);
  ///
  /// A cancelled receive has taken nothing. A checkpoint. Throws
  /// `closed_resource_error`.
  [[nodiscard]] auto next() { return detail::receive_op<T, true>(this->end("next")); }

  /// As `next`, but throws `end_of_channel` at the end. A checkpoint.
  [[nodiscard]] auto receive() { return detail::receive_op<T, false>(this->end("receive")); }

  /// A value if there is one now. Not a checkpoint. Throws `end_of_channel`,
  /// `closed_resource_error`, `usage_error` on another loop.
  [[nodiscard]] std::optional<T> try_receive() {
    return this->end("try_receive").core().try_receive();
  }

  /// Waits for a value and takes up to `max` that are there; empty at the end. A
  /// checkpoint. Throws `closed_resource_error`.
  [[nodiscard]] task<std::vector<T>> receive_batch(std::size_t max) {
    std::vector<T> batch = co_await detail::receive_batch_op<T>(this->end("receive_batch"), max);
    if (!batch.empty() && this->is_open())
      this->end("receive_batch").core().take_more(batch, max);
    co_return batch;
  }
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
  auto core = std::make_unique<detail::channel_core<T>>(capacity);
  send_channel<T> tx(*core);
  auto& shared = *core.release(); // it is its ends' now
  return {std::move(tx), receive_channel<T>(shared)};
}

/// A channel that grows without bound: a send never waits. Ask yourself what
/// happens when the receiver is slow.
template <class T>
[[nodiscard]] channel_ends<T> make_unbounded_channel() {
  return make_channel<T>(static_cast<std::size_t>(-1));
}

} // namespace troupe
