// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/channel.hpp>
#include <troupe/testing/test_failure.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace troupe::testing {

/// An end of a channel of numbers that is checked: `send` is a checkpoint.
class checked_sender {
public:
  virtual ~checked_sender() = default;
  [[nodiscard]] virtual task<> send(int value) = 0;
  [[nodiscard]] virtual bool try_send(int value) = 0;
  [[nodiscard]] virtual std::unique_ptr<checked_sender> clone() = 0;
  virtual void close() = 0;
};

/// The other one: `next` is a checkpoint.
class checked_receiver {
public:
  virtual ~checked_receiver() = default;
  [[nodiscard]] virtual task<std::optional<int>> next() = 0;
  [[nodiscard]] virtual std::optional<int> try_receive() = 0;
  [[nodiscard]] virtual std::unique_ptr<checked_receiver> clone() = 0;
  virtual void close() = 0;
};

struct checked_channel {
  std::unique_ptr<checked_sender> tx;
  std::unique_ptr<checked_receiver> rx;
};

/// Makes a channel that buffers `capacity` numbers.
using channel_maker = std::function<checked_channel(std::size_t capacity)>;

/// The check itself, for channels that are adapted by hand. A checkpoint.
[[nodiscard]] task<> check_adapted_channel(channel_maker make);

/// Checks that channels which `make(capacity)` makes, each with ends `tx` and `rx` like those
/// of `make_channel<int>`, keep the rules that the documentation of `troupe/channel.hpp` says:
/// order, capacity, closing at either side at any moment, clones, checkpoints, that what is
/// cancelled did not happen, that nothing is lost or doubled whatever is cancelled, and that
/// those who wait are served in turn.
///
///     co_await check_channel([](std::size_t capacity) { return make_my_channel(capacity); });
///
/// Throws `test_failure` that says which rule is broken and how. A checkpoint.
template <std::invocable<std::size_t> Make>
[[nodiscard]] task<> check_channel(Make make);

// -- inline -----------------------------------------------------------------------

template <class End>
class adapted_sender final : public checked_sender {
public:
  explicit adapted_sender(End end) : end_(std::move(end)) {}
  task<> send(int value) override { co_await end_.send(value); }
  bool try_send(int value) override { return end_.try_send(value); }
  std::unique_ptr<checked_sender> clone() override {
    return std::make_unique<adapted_sender>(end_.clone());
  }
  void close() override { end_.close(); }

private:
  End end_;
};

template <class End>
class adapted_receiver final : public checked_receiver {
public:
  explicit adapted_receiver(End end) : end_(std::move(end)) {}
  task<std::optional<int>> next() override {
    std::optional<int> value = co_await end_.next();
    co_return value;
  }
  std::optional<int> try_receive() override { return end_.try_receive(); }
  std::unique_ptr<checked_receiver> clone() override {
    return std::make_unique<adapted_receiver>(end_.clone());
  }
  void close() override { end_.close(); }

private:
  End end_;
};

template <std::invocable<std::size_t> Make>
task<> check_channel(Make make) {
  return check_adapted_channel([make = std::move(make)](std::size_t capacity) {
    auto ends = make(capacity);
    using sender = adapted_sender<decltype(ends.tx)>;
    using receiver = adapted_receiver<decltype(ends.rx)>;
    return checked_channel{std::make_unique<sender>(std::move(ends.tx)),
                           std::make_unique<receiver>(std::move(ends.rx))};
  });
}

} // namespace troupe::testing
