// SPDX-License-Identifier: BSD-3-Clause
#include "rules.hpp"

#include <troupe/nursery.hpp>
#include <troupe/testing/check_channel.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe::testing {

namespace {

using maker = channel_maker;

task<> receive(checked_channel& c, int expected) {
  const auto got = co_await c.rx->next();
  require(got.has_value(),
          "there is nothing to receive where " + std::to_string(expected) + " was sent");
  require(*got == expected,
          std::to_string(expected) + " was sent, and " + std::to_string(*got) + " is received");
}

task<> order_is_kept(const maker& make) {
  for (const std::size_t capacity : {0U, 1U, 7U}) {
    checked_channel c = make(capacity);
    co_await with_nursery([&](nursery& n) -> task<> {
      auto sender = n.start_soon([&]() -> task<> {
        for (int i = 0; i < 100; ++i)
          co_await c.tx->send(i);
      });
      for (int i = 0; i < 100; ++i)
        co_await receive(c, i);
      co_await sender;
    });
  }
}

task<> capacity_is_kept(const maker& make) {
  for (const int capacity : {0, 1, 3}) {
    checked_channel c = make(static_cast<std::size_t>(capacity));
    int sent = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto sender = n.start_soon([&]() -> task<> {
        for (; sent <= capacity; ++sent)
          co_await c.tx->send(sent);
      });
      co_await wait_all_tasks_blocked();
      require(sent == capacity, "a channel of " + std::to_string(capacity) + " takes "
                                  + std::to_string(sent) + " without a receiver");
      co_await receive(c, 0);
      co_await wait_all_tasks_blocked();
      require(sender.done(), "a sender is not woken when there is room");
      for (int i = 1; i <= capacity; ++i)
        co_await receive(c, i);
    });
  }
}

task<> trying_does_not_wait(const maker& make) {
  checked_channel c = make(1);
  require(!c.rx->try_receive(), "try_receive gives something where nothing was sent");
  require(c.tx->try_send(1), "try_send fails where there is room");
  require(!c.tx->try_send(2), "try_send succeeds where there is no room");
  require(c.rx->try_receive() == 1, "try_receive does not give what was sent");
  require(!c.rx->try_receive(), "try_receive gives what try_send has refused");
  checked_channel direct = make(0);
  require(!direct.tx->try_send(1), "try_send succeeds without a receiver");
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await receive(direct, 2); });
    co_await wait_all_tasks_blocked();
    require(direct.tx->try_send(2), "try_send fails where a receiver waits");
  });
}

task<> end_comes_after_all(const maker& make) {
  checked_channel c = make(2);
  co_await c.tx->send(1);
  auto other = c.tx->clone();
  c.tx->close();
  c.tx->close();
  co_await other->send(2);
  co_await with_nursery([&](nursery& n) -> task<> {
    co_await receive(c, 1);
    co_await receive(c, 2);
    auto last = n.start_soon([&]() -> task<> {
      const auto got = co_await c.rx->next();
      require(!got, "something is received after the last sender was closed");
    });
    co_await wait_all_tasks_blocked();
    require(!last.done(), "the end comes though a clone of the sender is open");
    other->close();
    co_await last;
  });
  require(!co_await c.rx->next(), "the end comes only once");
  const auto late = [&]() -> task<> {
    static_cast<void>(c.rx->try_receive());
    co_return;
  };
  co_await expect<end_of_channel>("try_receive at the end has to throw end_of_channel", late);
}

task<> senders_hear_that_nobody_receives(const maker& make) {
  checked_channel c = make(0);
  const auto send = [&]() -> task<> { co_await c.tx->send(1); };
  auto other = c.rx->clone();
  co_await with_nursery([&](nursery& n) -> task<> {
    auto waiting = n.start_soon([&]() -> task<> {
      co_await expect<broken_resource_error>(
        "a sender that waits when the last receiver is closed has to get broken_resource_error",
        send);
    });
    co_await wait_all_tasks_blocked();
    c.rx->close();
    co_await wait_all_tasks_blocked();
    require(!waiting.done(), "closing a receiver disturbs senders though its clone is open");
    other->close();
  });
  co_await expect<broken_resource_error>("a send without receivers has to throw "
                                         "broken_resource_error",
                                         send);
}

task<> closed_ends_say_so(const maker& make) {
  for (const bool waiting : {false, true}) {
    checked_channel c = make(0);
    const auto send = [&]() -> task<> { co_await c.tx->send(1); };
    const auto next = [&]() -> task<> { static_cast<void>(co_await c.rx->next()); };
    const auto keep_tx = c.tx->clone();
    const auto keep_rx = c.rx->clone();
    if (!waiting) {
      c.tx->close();
      c.rx->close();
      co_await expect<closed_resource_error>(
        "a send in a closed end has to throw closed_resource_error", send);
      co_await expect<closed_resource_error>(
        "a receive in a closed end has to throw closed_resource_error", next);
      continue;
    }
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await expect<closed_resource_error>(
          "a send that waits in an end that is closed has to throw closed_resource_error", send);
      });
      co_await wait_all_tasks_blocked();
      c.tx->close();
    });
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await expect<closed_resource_error>(
          "a receive that waits in an end that is closed has to throw closed_resource_error", next);
      });
      co_await wait_all_tasks_blocked();
      c.rx->close();
    });
  }
}

task<> both_are_checkpoints(const maker& make) {
  checked_channel c = make(2);
  const auto send = [&]() -> task<> { co_await c.tx->send(1); };
  const auto next = [&]() -> task<> { static_cast<void>(co_await c.rx->next()); };
  bool returned = co_await returns_when_cancelled(send);
  require(!returned, "a send in a cancelled scope returns");
  require(!c.rx->try_receive(), "a cancelled send has sent");
  co_await c.tx->send(2);
  returned = co_await returns_when_cancelled(next);
  require(!returned, "a receive in a cancelled scope returns");
  require(c.rx->try_receive() == 2, "a cancelled receive has received");
}

task<> cancelled_waits_did_not_happen(const maker& make) {
  checked_channel c = make(0);
  co_await with_nursery([&](nursery& n) -> task<> {
    auto sender = n.start_soon([&]() -> task<> { co_await c.tx->send(1); });
    co_await wait_all_tasks_blocked();
    sender.cancel();
    co_await wait_all_tasks_blocked();
    require(sender.done(), "a send that waits cannot be cancelled");
    require(!c.rx->try_receive(), "a cancelled send has sent");
    auto receiver = n.start_soon([&]() -> task<> { static_cast<void>(co_await c.rx->next()); });
    co_await wait_all_tasks_blocked();
    receiver.cancel();
    co_await wait_all_tasks_blocked();
    require(receiver.done(), "a receive that waits cannot be cancelled");
    require(!c.tx->try_send(2), "a value is given to a receiver that was cancelled");
  });
}

task<> waiters_are_served_in_turn(const maker& make) {
  checked_channel c = make(0);
  std::vector<int> got(5);
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int& into : got) {
      n.start_soon([&]() -> task<> { into = (co_await c.rx->next()).value_or(-1); });
      co_await wait_all_tasks_blocked();
    }
    for (int i = 0; i < 5; ++i)
      co_await c.tx->send(i);
    co_await wait_all_tasks_blocked();
    require(std::is_sorted(got.begin(), got.end()), "receivers are not served in turn");
    for (int i = 0; i < 5; ++i) {
      n.start_soon([&c, i]() -> task<> { co_await c.tx->send(i); });
      co_await wait_all_tasks_blocked();
    }
    for (int i = 0; i < 5; ++i)
      require((co_await c.rx->next()).value_or(-1) == i, "senders are not served in turn");
  });
}

/// Senders and receivers that are cancelled at any moment, a fixed seed's choice.
task<> nothing_is_lost_or_doubled(const maker& make) {
  std::uint32_t random = 12'345;
  const auto chance = [&random](std::uint32_t n) {
    random = random * 1'664'525U + 1'013'904'223U;
    return (random >> 16U) % n;
  };
  for (const std::size_t capacity : {0U, 1U, 5U}) {
    checked_channel c = make(capacity);
    std::vector<int> sent;
    std::vector<int> received;
    co_await with_nursery([&](nursery& n) -> task<> {
      std::vector<task_handle<void>> running;
      for (int i = 0; i < 1000; ++i) {
        if (chance(2) == 0)
          running.push_back(n.start_soon([&, i]() -> task<> {
            co_await c.tx->send(i);
            sent.push_back(i);
          }));
        else
          running.push_back(n.start_soon([&]() -> task<> {
            const auto got = co_await c.rx->next();
            received.push_back(got.value_or(-1));
          }));
        if (chance(3) == 0)
          running[chance(static_cast<std::uint32_t>(running.size()))].cancel();
        if (chance(4) == 0)
          co_await checkpoint();
      }
      for (auto& r : running)
        r.cancel();
    });
    c.tx->close();
    while (auto left = co_await c.rx->next())
      received.push_back(*left);
    std::sort(sent.begin(), sent.end());
    std::sort(received.begin(), received.end());
    require(sent == received, std::to_string(sent.size()) + " were sent, "
                                + std::to_string(received.size())
                                + " received, and they are not the same");
  }
}

struct channel_rule {
  const char* says;
  task<> (*holds)(const maker& make);
};

constexpr channel_rule channel_rules[] = {
  {"what is sent is received, in order", order_is_kept},
  {"it holds as many as it says, and then the sender waits", capacity_is_kept},
  {"trying does not wait", trying_does_not_wait},
  {"the end comes after all that was sent, when the last sender is closed", end_comes_after_all},
  {"a sender hears that nobody receives", senders_hear_that_nobody_receives},
  {"a closed end says so", closed_ends_say_so},
  {"sending and receiving are checkpoints", both_are_checkpoints},
  {"a wait that is cancelled did not happen", cancelled_waits_did_not_happen},
  {"those who wait are served in turn", waiters_are_served_in_turn},
  {"nothing is lost or doubled, whatever is cancelled", nothing_is_lost_or_doubled},
};

} // namespace

task<> check_adapted_channel(channel_maker make) {
  for (const channel_rule& rule : channel_rules) {
    const auto body = [&]() -> task<> { co_await rule.holds(make); };
    co_await check_rule("check_channel", rule.says, std::chrono::seconds(10), body);
  }
}

} // namespace troupe::testing
