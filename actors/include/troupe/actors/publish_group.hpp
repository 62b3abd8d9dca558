// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/detail/group_core.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/messages.hpp>
#include <troupe/task.hpp>

#include <caf/actor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace troupe {

/// What was published, and under which topic.
template <class T>
struct published {
  std::string topic;
  T value;
};

/// To an actor that runs `publish_group::serve`.
struct subscribe_to { ///< answered with nothing; from then on `who` gets requests (`published_on`,
                      ///< T)
  std::string pattern;
  caf::actor who;
  std::uint64_t capacity = 64;
  when_slow policy = when_slow::drop_oldest;
};
struct unsubscribe_from { ///< answered with nothing; a message on its way arrives all the same
  std::string pattern;
  caf::actor who;
};
/// With a `T` behind it: published, and answered with nothing when it is.
struct publish_on {
  std::string topic;
};

/// With a `T` behind it: what an actor that has subscribed gets, as a request. The answer, also
/// the empty one that every handler gives by itself, asks for the next one.
struct published_on {
  std::string topic;
};

/// What an actor gets when its subscription has ended because it was too slow.
struct subscription_ended {
  std::string pattern;
  std::string why;
};

/// A subscriber was too slow, and its policy is `when_slow::disconnect`.
class subscriber_too_slow : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// What a task gets of a group. Its end ends the subscription.
template <class T>
class subscription {
public:
  explicit subscription(groups::subscriber_handle s) noexcept : subscriber_(std::move(s)) {}

  /// Waits for what comes next; null when the group has gone. The value is shared by all who get
  /// it. Throws `subscriber_too_slow`, `usage_error` if another task waits here. A checkpoint;
  /// cancelled, it has taken nothing.
  [[nodiscard]] task<std::shared_ptr<const published<T>>> next() {
    co_return std::static_pointer_cast<const published<T>>(co_await subscriber_.next());
  }

  /// What is there now; null if nothing is. Not a checkpoint.
  [[nodiscard]] std::shared_ptr<const published<T>> try_next() noexcept {
    return std::static_pointer_cast<const published<T>>(subscriber_.try_next());
  }

  /// How many were dropped so far because it was too slow.
  [[nodiscard]] std::uint64_t missed() const noexcept { return subscriber_.missed(); }

private:
  groups::subscriber_handle subscriber_;
};

/// Tells many of what happens, without knowing them. Who subscribes names topics by a pattern:
/// `rooms/lobby` is that topic, `rooms/+` any on this level, `rooms/#` all below `rooms`, `#` all.
///
///     publish_group<std::string> news("news");
///     auto rooms = news.subscribe("rooms/+");
///     co_await news.publish("rooms/lobby", "alice has come");
///     auto first = co_await rooms.next(); // first->topic, first->value
///
/// Each subscriber has a queue of its own and its own policy for when that is full: a slow one
/// holds nobody up but, if it says so (`when_slow::wait`), the publishers of what it wants. What
/// one publisher has published arrives in that order. A subscription ends with its owner: the
/// object in a task, or the actor.
///
/// For one loop; for others, and for ordinary CAF actors, let an actor `serve` it.
template <class T>
class publish_group {
public:
  /// `name` is for messages.
  explicit publish_group(std::string name = "publish group") : core_(std::move(name)) {}

  /// Gives `value` to all whose pattern fits; waits before that until those have room that are to
  /// be waited for. Gives their number. Throws `std::invalid_argument` if the topic has wildcards.
  /// A checkpoint; cancelled, nobody has got it.
  [[nodiscard]] task<std::size_t> publish(std::string topic, T value) {
    auto made = std::make_shared<published<T>>(published<T>{std::move(topic), std::move(value)});
    co_return co_await core_.publish(made->topic, made);
  }

  /// As `publish`, but nothing is published, and gives false, where that would wait. Not a
  /// checkpoint.
  [[nodiscard]] bool try_publish(std::string topic, T value) {
    auto made = std::make_shared<published<T>>(published<T>{std::move(topic), std::move(value)});
    return core_.try_publish(made->topic, made);
  }

  /// From now on. Throws `std::invalid_argument` if the pattern is none or the capacity is 0. Not
  /// a checkpoint.
  [[nodiscard]] subscription<T> subscribe(std::string pattern, subscription_options options = {}) {
    return subscription<T>(core_.subscribe(std::move(pattern), options));
  }

  /// Makes an actor of it, for messages `subscribe_to`, `unsubscribe_from` and (`publish_on`, T);
  /// `T` is a message type then. An actor gets one at a time, the next when it has handled that. A
  /// checkpoint. What comes by message is published in that order, so `when_slow::wait` holds up
  /// all that publish so.
  [[nodiscard]] task<> serve(mailbox& in);

  /// How many subscribe.
  [[nodiscard]] std::size_t size() const noexcept { return core_.size(); }

private:
  groups::core core_;
};

} // namespace troupe

TROUPE_MESSAGES(troupe_publish_group, 60120, troupe::subscribe_to, troupe::unsubscribe_from,
                troupe::publish_on, troupe::published_on, troupe::subscription_ended)

#include <troupe/actors/detail/group_actors.hpp>
