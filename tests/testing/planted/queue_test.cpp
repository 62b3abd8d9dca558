// SPDX-License-Identifier: BSD-3-Clause
// Bugs in copies of demos/queue.cpp: two producers, a bounded queue, a consumer.
#include "planted.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>

using namespace planted;

namespace {

/// demos/queue.cpp. Planted: the queue has no bound, and one day the consumer is slow.
namespace queue_demo {

task<> produce(std::string name, int count, send_channel<std::string> out, std::size_t& waiting) {
  for (int i = 1; i <= count; ++i) {
    co_await sleep_for(10ms);
    co_await out.send(name + " " + std::to_string(i));
    waiting = out.statistics().buffered;
  }
} // its end of the queue closes here

task<> consume(receive_channel<std::string> in, int& received) {
  while (const auto item = co_await in.next()) {
    co_await sleep_for(5ms);
    ++received;
  }
}

/// What an invariant looks at is looked at from before the first step of the next run.
struct as_new {
  std::size_t& waiting;

  ~as_new() { waiting = 0; }
};

task<> parent(bool planted, std::size_t& waiting) {
  const as_new afterwards{waiting};
  int received = 0;
  auto [out, in] = planted ? make_unbounded_channel<std::string>() : make_channel<std::string>(2);
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("consumer", consume), std::move(in), std::ref(received));
    n.start_soon(produce, "apples", 3, out.clone(), std::ref(waiting));
    n.start_soon(produce, "pears", 5, std::move(out), std::ref(waiting));
    co_return;
  });
  demand(received == 8, "an item is lost");
}

} // namespace queue_demo

/// demos/queue.cpp, its producers on another loop, with a queue made by hand. Planted: the consumer
/// looks whether there is something before it has the lock.
namespace queue_by_hand {

class queue {
public:
  queue(std::size_t room, int producers, bool planted)
    : room_(room), producers_(producers), planted_(planted) {}

  task<> send(std::string item) {
    auto lock = co_await lock_.lock();
    while (items_.size() == room_)
      co_await changed_.wait(lock);
    items_.push_back(std::move(item));
    changed_.notify_all();
  }

  task<std::optional<std::string>> next() {
    bool nothing = planted_ && has_nothing(); // who sends from now on is not heard
    auto lock = co_await lock_.lock();
    if (!planted_)
      nothing = has_nothing();
    while (nothing) {
      co_await changed_.wait(lock);
      nothing = has_nothing();
    }
    if (items_.empty())
      co_return std::nullopt;
    std::optional<std::string> item = std::move(items_.front());
    items_.pop_front();
    changed_.notify_all();
    co_return item;
  }

  task<> close() {
    const auto lock = co_await lock_.lock();
    --producers_;
    changed_.notify_all();
  }

private:
  [[nodiscard]] bool has_nothing() const { return items_.empty() && producers_ != 0; }

  mutex lock_;
  condition changed_;
  std::deque<std::string> items_;
  std::size_t room_;
  int producers_;
  bool planted_;
};

task<> produce(std::string name, int count, queue& out) {
  for (int i = 1; i <= count; ++i) {
    co_await sleep_for(10ms);
    co_await out.send(name + " " + std::to_string(i));
  }
  co_await out.close();
}

task<> consume(queue& in, int& received) {
  while (const auto item = co_await in.next()) {
    co_await sleep_for(5ms);
    ++received;
  }
}

task<> parent(bool planted) {
  int received = 0;
  queue between(2, 2, planted);
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(named("consumer", consume), std::ref(between), std::ref(received));
    n.start_on(1, produce, "apples", 3, std::ref(between));
    n.start_on(1, produce, "pears", 5, std::ref(between));
    co_return;
  });
  demand(received == 8, "an item is lost");
}

} // namespace queue_by_hand

} // namespace

BOOST_AUTO_TEST_SUITE(planted_bugs)

BOOST_AUTO_TEST_CASE(lost_wake_up) {
  is_found({"lost wake-up", queue_by_hand::parent, "consumer: waiting for a condition"});
}

BOOST_AUTO_TEST_CASE(unbounded_queue) {
  std::size_t waiting = 0;
  bug b{"unbounded queue", [&](bool planted) { return queue_demo::parent(planted, waiting); },
        "few items wait"};
  b.how.faults = {stalls("consumer", when::sometimes(0.02), 100ms)};
  b.how.invariants = {{"few items wait", [&] { return waiting <= 2; }}};
  is_found(b);
}

BOOST_AUTO_TEST_SUITE_END()
