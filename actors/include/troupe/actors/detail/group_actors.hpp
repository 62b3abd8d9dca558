// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actor.hpp>
#include <troupe/actors/publish_group.hpp>
#include <troupe/answer.hpp>
#include <troupe/mutex.hpp>
#include <troupe/nursery.hpp>

#include <limits>
#include <list>

namespace troupe::groups {

/// The actors that subscribe to a group, each with a task that sends to it.
template <class T>
class actor_subscribers {
public:
  actor_subscribers(publish_group<T>& group, nursery& n) : group_(group), nursery_(n) {}

  void add(const subscribe_to& m) {
    std::erase_if(all_, [](const one& o) { return o.sender.done(); });
    auto from = group_.subscribe(m.pattern, {static_cast<std::size_t>(m.capacity), m.policy});
    monitor(m.who);
    all_.push_back(
      {m.who.address(), m.pattern,
       nursery_.start_soon(named("subscriber", &send_all), m.who, m.pattern, std::move(from))});
  }

  void remove(const unsubscribe_from& m) {
    end_if([&](const one& o) { return o.pattern == m.pattern && o.address == m.who.address(); });
  }

  void remove_all_of(const caf::actor_addr& address) {
    end_if([&](const one& o) { return o.address == address; });
  }

private:
  struct one {
    caf::actor_addr address;
    std::string pattern;
    task_handle<void> sender;
  };

  template <class Condition>
  void end_if(Condition condition) {
    std::erase_if(all_, [&](const one& o) {
      const bool ends = condition(o);
      if (ends)
        o.sender.cancel("it has unsubscribed, or ended");
      return ends;
    });
  }

  static task<> send_all(caf::actor to, std::string pattern, subscription<T> from) {
    std::string why;
    try {
      while (const auto next = co_await from.next()) {
        const bool there = co_await deliver(to, *next);
        if (!there)
          co_return;
      }
    } catch (const subscriber_too_slow& e) {
      why = e.what();
    }
    if (!why.empty())
      send(to, subscription_ended{std::move(pattern), std::move(why)});
  }

  /// Returns false if it has ended.
  static task<bool> deliver(const caf::actor& to, const published<T>& what) {
    try {
      co_await request<void>(to, duration::max(), message<published_on>(what.topic), what.value);
    } catch (const actor_down&) {
      co_return false;
    } catch (const actor_error&) { // NOLINT(bugprone-empty-catch): what it does with it is its own
    }
    co_return true;
  }

  publish_group<T>& group_;
  nursery& nursery_;
  std::list<one> all_;
};

} // namespace troupe::groups

namespace troupe {

template <class T>
task<> publish_group<T>::serve(mailbox& in) {
  co_await with_nursery([&](nursery& n) -> task<> {
    groups::actor_subscribers<T> actors(*this, n);
    mutex turn; // messages are published in the order in which they come
    const auto publish_next = [&](std::string topic, T value) -> task<> {
      const auto mine = co_await turn.lock();
      co_await publish(std::move(topic), std::move(value));
    };
    const concurrent any_number{std::numeric_limits<std::size_t>::max()};
    co_await in.serve(
      any_number,
      [&](publish_on on, T value) {
        return as_answer(publish_next(std::move(on.topic), std::move(value)));
      },
      [&](const subscribe_to& m) { return as_answer([&]() { actors.add(m); }); },
      [&](const unsubscribe_from& m) { actors.remove(m); },
      [&](const caf::down_msg& m) { actors.remove_all_of(m.source); });
  });
}

} // namespace troupe
