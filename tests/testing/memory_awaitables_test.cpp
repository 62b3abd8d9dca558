// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for streams in memory and the check suites.
#include "support/awaitable_trials.hpp"

#include <troupe/testing/check_channel.hpp>
#include <troupe/testing/check_clock.hpp>
#include <troupe/testing/check_stream.hpp>
#include <troupe/testing/memory_listener.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using troupe_test::run_trials;
using troupe_test::trial;

namespace {

struct connection {
  std::pair<memory_stream, memory_stream> ends = memory_stream_pair();
  std::array<std::byte, 10> buffer{};
  std::size_t got = 0;
  memory_pipe& to_here() { return *ends.first.incoming(); }
};

trial reads() {
  auto c = std::make_shared<connection>();
  trial t;
  t.waiting = [c]() -> task<> { c->got = co_await c->ends.first.read_some(c->buffer); };
  t.make_ready = t.complete = [c] { c->to_here().put("abc"); };
  t.untouched = [c] { return c->to_here().bytes().empty(); };
  t.done = [c] { return c->got == 3; };
  return t;
}

trial writes() {
  auto c = std::make_shared<connection>();
  c->to_here().capacity(1);
  c->to_here().put("x");
  trial t;
  t.waiting = [c]() -> task<> { co_await c->ends.second.write_all("y"); };
  t.make_ready = t.complete = [c] { c->to_here().capacity(2); };
  t.untouched = [c] { return c->to_here().bytes() == "x"; };
  t.done = [c] { return c->to_here().bytes() == "xy"; };
  return t;
}

struct listening {
  memory_listener listener{[] {
    memory_listener_options one;
    one.backlog = 1;
    return one;
  }()};
  std::unique_ptr<memory_stream> got;
};

trial accepts() {
  auto l = std::make_shared<listening>();
  trial t;
  t.waiting = [l]() -> task<> {
    l->got = std::make_unique<memory_stream>(co_await l->listener.accept());
  };
  t.arm = [l](nursery& n, std::function<void()> then) {
    n.start_soon([l, then]() -> task<> {
      co_await sleep_for(std::chrono::milliseconds(1));
      static_cast<void>(co_await l->listener.connect());
      then();
    });
  };
  t.untouched = [l] { return !l->got; };
  t.done = [l] { return l->got != nullptr; };
  return t;
}

trial connects() {
  auto l = std::make_shared<listening>();
  trial t;
  t.setup = [l]() -> task<> { static_cast<void>(co_await l->listener.connect()); };
  t.waiting = [l]() -> task<> {
    l->got = std::make_unique<memory_stream>(co_await l->listener.connect());
  };
  t.arm = [l](nursery& n, std::function<void()> then) {
    n.start_soon([l, then]() -> task<> {
      co_await sleep_for(std::chrono::milliseconds(1));
      static_cast<void>(co_await l->listener.accept());
      then();
    });
  };
  t.untouched = [l] { return !l->got; };
  t.done = [l] { return l->got != nullptr; };
  return t;
}

template <class Check>
auto checks(Check check) {
  return [check] {
    trial t;
    t.waiting = [check]() -> task<> {
      const stream_maker never = []() -> task<stream_ends> {
        co_await sleep_forever();
        co_return stream_ends(memory_stream_pair());
      };
      co_await check(never);
    };
    return t;
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(memory_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_memory_streams) {
  run_trials({
    {"memory_stream::read_some", true, reads},
    {"memory_stream::write_all", true, writes},
    {"memory_stream::send_eof", false,
     [] {
       auto c = std::make_shared<connection>();
       trial t;
       t.now = [c]() -> task<> { co_await c->ends.first.send_eof(); };
       return t;
     }},
    {"memory_stream::close", false,
     [] {
       auto c = std::make_shared<connection>();
       trial t;
       t.now = [c]() -> task<> { co_await c->ends.first.close(); };
       return t;
     }},
    {"memory_listener::accept", true, accepts},
    {"memory_listener::connect", true, connects},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_check_suites) {
  run_trials({
    {"check_one_way_stream", true,
     checks([](const stream_maker& m) { return check_one_way_stream(m); })},
    {"check_two_way_stream", true,
     checks([](const stream_maker& m) { return check_two_way_stream(m); })},
    {"check_half_closeable_stream", true,
     checks([](const stream_maker& m) { return check_half_closeable_stream(m); })},
    {"check_channel", true,
     [] {
       trial t;
       t.now = []() -> task<> {
         co_await check_channel([](std::size_t n) { return make_channel<int>(n); });
       };
       return t;
     }},
    {"check_adapted_channel", true,
     [] {
       trial t;
       t.now = []() -> task<> {
         const channel_maker make = [](std::size_t n) {
           auto ends = make_channel<int>(n);
           return checked_channel{
             std::make_unique<adapted_sender<send_channel<int>>>(std::move(ends.tx)),
             std::make_unique<adapted_receiver<receive_channel<int>>>(std::move(ends.rx))};
         };
         co_await check_adapted_channel(make);
       };
       return t;
     }},
    {"check_clock", true,
     [] {
       trial t;
       t.now = []() -> task<> { co_await check_clock(); };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
