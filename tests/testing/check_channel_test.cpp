// SPDX-License-Identifier: BSD-3-Clause
// P26 for channels: ours keeps the rules, and channels that break one are found out.
#include <troupe/testing/check_channel.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// What is wrong with a channel.
enum class channel_defect {
  loses,
  doubles,
  holds_more,
  reorders,
  tries_beyond,
  sending_is_no_checkpoint,
  cancelled_receive_loses,
  never_waits,
  sends_to_nobody,
  closed_end_is_silent,
  clone_is_the_end,
};

/// And how each is found out.
const std::vector<std::pair<channel_defect, const char*>> channel_defects{
  {channel_defect::loses, "49 was sent, and 50 is received"},
  {channel_defect::doubles, "50 was sent, and 49 is received"},
  {channel_defect::holds_more, "a channel of 0 takes 1 without a receiver"},
  {channel_defect::reorders, "was sent, and"},
  {channel_defect::tries_beyond, "trying does not wait: try_send fails where there is room"},
  {channel_defect::sending_is_no_checkpoint, "a send in a cancelled scope returns"},
  {channel_defect::cancelled_receive_loses, "whatever is cancelled: "},
  {channel_defect::never_waits, "try_send fails where a receiver waits"},
  {channel_defect::sends_to_nobody, "has to get broken_resource_error, but it returns"},
  {channel_defect::closed_end_is_silent,
   "a send in a closed end has to throw closed_resource_error"},
  {channel_defect::clone_is_the_end, "when the last sender is closed: "},
};

struct broken_sender {
  send_channel<int> good;
  channel_defect d;
  bool closed = false;

  task<> send(int value) {
    if (d == channel_defect::closed_end_is_silent && closed)
      co_return;
    if (d == channel_defect::loses && value == 49)
      co_return;
    if (d == channel_defect::sending_is_no_checkpoint && good.try_send(value))
      co_return;
    if (d == channel_defect::reorders && value == 10)
      value = 11;
    else if (d == channel_defect::reorders && value == 11)
      value = 10;
    try {
      co_await good.send(value);
      if (d == channel_defect::doubles && value == 49)
        co_await good.send(value);
    } catch (const broken_resource_error&) {
      if (d != channel_defect::sends_to_nobody)
        throw;
    }
  }
  bool try_send(int value) { return d != channel_defect::tries_beyond && good.try_send(value); }
  broken_sender clone() { return {good.clone(), d}; }
  void close() {
    closed = true;
    good.close();
  }
};

struct broken_receiver {
  receive_channel<int> good;
  channel_defect d;

  task<std::optional<int>> next() {
    if (d == channel_defect::never_waits) {
      co_await checkpoint();
      const auto there = good.try_receive();
      if (!there)
        co_await sleep_forever();
      co_return there;
    }
    const auto value = co_await good.next();
    if (d == channel_defect::cancelled_receive_loses && value)
      co_await checkpoint();
    co_return value;
  }
  std::optional<int> try_receive() { return good.try_receive(); }
  broken_receiver clone() { return {good.clone(), d}; }
  void close() { good.close(); }
};

struct broken_channel {
  broken_sender tx;
  broken_receiver rx;
};

/// Whose clones are closed with it.
struct closing_together {
  std::shared_ptr<send_channel<int>> end;
  task<> send(int value) { co_await end->send(value); }
  bool try_send(int value) { return end->try_send(value); }
  closing_together clone() { return *this; }
  void close() { end->close(); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(check_channel_suite)

BOOST_AUTO_TEST_CASE(p11_p26_our_channel_keeps_the_rules) {
  run_virtually([]() -> task<> {
    co_await check_channel([](std::size_t capacity) { return make_channel<int>(capacity); });
  });
}

BOOST_AUTO_TEST_CASE(p26_each_broken_channel_is_found_out) {
  for (const auto& [what, found] : channel_defects) {
    BOOST_TEST_CONTEXT(found) {
      run_virtually([d = what, text = std::string(found)]() -> task<> {
        const auto make = [d](std::size_t capacity) {
          auto good = make_channel<int>(capacity + (d == channel_defect::holds_more ? 1 : 0));
          return broken_channel{{std::move(good.tx), d}, {std::move(good.rx), d}};
        };
        const auto together = [](std::size_t capacity) {
          struct ends {
            closing_together tx;
            receive_channel<int> rx;
          };
          auto good = make_channel<int>(capacity);
          return ends{{std::make_shared<send_channel<int>>(std::move(good.tx))},
                      std::move(good.rx)};
        };
        try {
          if (d == channel_defect::clone_is_the_end)
            co_await check_channel(together);
          else
            co_await check_channel(make);
          BOOST_ERROR("it is not found out");
        } catch (const test_failure& e) {
          const std::string said = e.what();
          BOOST_TEST(said.find(text) != said.npos, "found out is: " << said);
        }
      });
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
