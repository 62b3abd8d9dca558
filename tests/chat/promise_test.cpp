// SPDX-License-Identifier: BSD-3-Clause
#include "house.hpp"
#include "support/sanitized.hpp"

#include <troupe/outcome.hpp>

#include <boost/test/unit_test.hpp>

#include <malloc.h>

#include <algorithm>

using namespace troupe_test;

namespace {

/// Keeps nothing: what grows is not the history.
class forgetful_history final : public chat::history_store {
public:
  task<> append(std::vector<chat::history_line>) override { co_return; }
  task<std::vector<chat::history_line>> recent(std::string, std::size_t) override {
    co_return std::vector<chat::history_line>();
  }
  task<> close() override { co_return; }
  [[nodiscard]] std::string name() const override { return "a sieve"; }
};

/// Bytes that are in use, of all threads; 0 where a sanitizer has a `malloc` of its own.
std::size_t memory_in_use() { return ::mallinfo2().uordblks; }

} // namespace

BOOST_AUTO_TEST_SUITE(chat_promises)

BOOST_AUTO_TEST_CASE(p18_a_thousand_clients_of_which_a_hundred_never_read) {
  testing::network_options small;
  small.buffer = 16 * 1024;
  house h(small);
  h.options.mail_limit = 64;
  h.options.lines_per_second = 1000;
  h.options.log = {};
  h.open(std::make_unique<chat::memory_history>(), [&](chat::service& chat) -> task<> {
    constexpr int people = sanitized ? 90 : 900, lazy = sanitized ? 10 : 100, lines = 150;
    std::vector<std::vector<std::string>> heard(people);
    std::vector<guest> asleep;
    for (int i = 0; i < lazy; ++i)
      asleep.push_back(co_await guest::join("lazy" + std::to_string(i)));
    guest speaker = co_await guest::join("speaker");
    co_await with_nursery([&](nursery& n) -> task<> {
      int here = 0;
      event all_here;
      for (int i = 0; i < people; ++i)
        n.start_soon([&, i]() -> task<> {
          co_await sleep_for(i * 1ms);
          guest g = co_await guest::join("guest" + std::to_string(i));
          if (++here == people)
            all_here.set();
          co_await g.hear("line " + std::to_string(lines - 1));
          heard[static_cast<std::size_t>(i)] = g.talk();
        });
      n.start_service([&]() -> task<> { // at the end, all leave at once
        static_cast<void>(co_await as_outcome(speaker.hear("never")));
      });
      co_await all_here.wait();
      for (int i = 0; i < lines; ++i) {
        co_await speaker.say("line " + std::to_string(i) + std::string(500, '.'));
        co_await sleep_for(10ms);
      }
    });
    BOOST_TEST(chat.statistics().clients <= people + 1U); // none of the lazy ones
    for (const auto& all : heard)
      BOOST_TEST((all == heard.front() && all.size() == static_cast<std::size_t>(lines)));
  });
}

BOOST_AUTO_TEST_CASE(p18_burst_drops_nobody_who_reads) {
  house h;
  h.options.mail_limit = 60;
  h.options.log = {};
  h.open(std::make_unique<frail_history>(), [&](chat::service& chat) -> task<> {
    constexpr std::size_t people = sanitized ? 100 : 300;
    std::size_t all_heard = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (std::size_t i = 0; i < people; ++i) // all come, and speak, at the same time
        n.start_soon([&, i]() -> task<> {
          guest g = co_await guest::join("guest" + std::to_string(i));
          co_await sleep_until(time_point(10s));
          co_await g.say("I am here");
          for (std::size_t k = 0; k < people; ++k)
            co_await g.hear("I am here");
          if (++all_heard == people)
            BOOST_TEST(chat.statistics().clients == people);
        });
      co_return;
    });
    BOOST_TEST(all_heard == people);
  });
}

BOOST_AUTO_TEST_CASE(p18_who_never_reads_costs_the_memory_of_so_many_events) {
  testing::network_options small;
  small.buffer = 16 * 1024;
  house h(small);
  h.options.mail_limit = 500;
  h.options.lines_per_second = 1'000'000;
  h.options.log = {};
  h.open(std::make_unique<forgetful_history>(), [&](chat::service& chat) -> task<> {
    guest speaker = co_await guest::join("speaker");
    const std::string words(400, 'x');
    const auto talk = [&](int lines) -> task<> {
      for (int i = 0; i < lines; ++i) {
        co_await speaker.say(words);
        co_await speaker.hear(words);
        speaker.heard.clear();
      }
    };
    co_await talk(1000); // what is kept for good is there now
    guest lazy = co_await guest::join("lazy");
    const std::size_t before = memory_in_use();
    std::size_t most = before;
    for (int i = 0; i < 40; ++i) {
      co_await talk(100);
      most = std::max(most, memory_in_use());
    }
    BOOST_TEST(most - before < 500U * 2048U);
    BOOST_TEST(memory_in_use() < before + 65536U); // it was dropped
    BOOST_TEST(chat.statistics().clients == 1U);
  });
}

BOOST_AUTO_TEST_SUITE_END()
