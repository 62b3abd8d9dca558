// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actors/publish_group.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/time.hpp>

#include <caf/event_based_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

using news_group = publish_group<std::string>;

/// All that is there, joined.
std::string rest_of(subscription<std::string>& s) {
  std::string all;
  while (const auto p = s.try_next())
    all += p->value;
  return all;
}

task<> publish_letters(news_group& news, std::string topic, std::string letters) {
  for (const char c : letters)
    co_await news.publish(topic, std::string(1, c));
}

constexpr subscription_options slow(when_slow policy, std::size_t capacity = 2) {
  return {capacity, policy};
}

} // namespace

BOOST_AUTO_TEST_SUITE(publish_groups)

BOOST_AUTO_TEST_CASE(patterns_say_which_topics) {
  using groups::matches;
  BOOST_TEST(matches("a/b", "a/b"));
  BOOST_TEST(!matches("a/b", "a"));
  BOOST_TEST(!matches("a", "a/b"));
  BOOST_TEST(matches("a/+", "a/b"));
  BOOST_TEST(!matches("a/+", "a/b/c"));
  BOOST_TEST(!matches("a/+", "a"));
  BOOST_TEST(matches("+/b", "a/b"));
  BOOST_TEST(matches("a/+/c", "a//c"));
  BOOST_TEST(matches("a/#", "a/b/c"));
  BOOST_TEST(matches("a/#", "a"));
  BOOST_TEST(!matches("a/#", "ab"));
  BOOST_TEST(matches("#", ""));
  BOOST_TEST(matches("#", "a/b"));
}

TROUPE_TEST_CASE(all_who_want_it_get_it_in_order) {
  news_group news("news");
  auto lobby = news.subscribe("rooms/lobby");
  auto rooms = news.subscribe("rooms/+");
  auto all = news.subscribe("#");
  BOOST_TEST(co_await news.publish("rooms/lobby", "a") == 3u);
  BOOST_TEST(co_await news.publish("rooms/attic", "b") == 2u);
  BOOST_TEST(co_await news.publish("weather", "c") == 1u);
  BOOST_TEST(news.try_publish("rooms/lobby", "d"));
  BOOST_TEST(rest_of(lobby) == "ad");
  BOOST_TEST(rest_of(rooms) == "abd");
  BOOST_TEST(rest_of(all) == "abcd");
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      const auto next = co_await lobby.next();
      BOOST_TEST(next->topic == "rooms/lobby");
      BOOST_TEST(next->value == "late");
    });
    co_await sleep_for(1s);
    const auto twice = co_await as_outcome(lobby.next());
    BOOST_CHECK_THROW(std::rethrow_exception(twice.error()), usage_error);
    co_await news.publish("rooms/lobby", "late");
  });
}

TROUPE_TEST_CASE(wrong_patterns_and_topics_are_refused) {
  news_group news("news");
  for (const char* wrong : {"a+", "a/#/b", "#/a", "a/b#"})
    BOOST_CHECK_THROW(static_cast<void>(news.subscribe(wrong)), std::invalid_argument);
  BOOST_CHECK_THROW(static_cast<void>(news.subscribe("a", slow(when_slow::wait, 0))),
                    std::invalid_argument);
  BOOST_CHECK_THROW(static_cast<void>(news.try_publish("a/+", "x")), std::invalid_argument);
  const auto refused = co_await as_outcome(news.publish("a/+", "x"));
  BOOST_TEST(describe(refused.error()) == "troupe: 'a/+' is a pattern, and no topic of 'news'");
}

TROUPE_TEST_CASE(p11_each_slow_subscriber_has_its_own_policy) {
  news_group news;
  auto oldest = news.subscribe("a", slow(when_slow::drop_oldest));
  auto newest = news.subscribe("a", slow(when_slow::drop_newest));
  auto cut_off = news.subscribe("a", slow(when_slow::disconnect));
  auto quick = news.subscribe("#", slow(when_slow::disconnect, 100));
  const time_point begin = current_time();
  co_await publish_letters(news, "a", "12345");
  BOOST_TEST((current_time() == begin)); // nobody was held up
  BOOST_TEST(rest_of(oldest) == "45");
  BOOST_TEST(oldest.missed() == 3u);
  BOOST_TEST(rest_of(newest) == "12");
  BOOST_TEST(newest.missed() == 3u);
  BOOST_TEST(rest_of(quick) == "12345");
  BOOST_TEST(news.size() == 3u);
  BOOST_TEST((co_await cut_off.next())->value == "1");
  BOOST_TEST((co_await cut_off.next())->value == "2");
  const auto over = co_await as_outcome(cut_off.next());
  BOOST_CHECK_THROW(std::rethrow_exception(over.error()), subscriber_too_slow);
}

TROUPE_TEST_CASE(p11_publisher_waits_for_who_asks_for_that) {
  news_group news;
  auto patient = news.subscribe("a", slow(when_slow::wait));
  auto other = news.subscribe("#", slow(when_slow::drop_oldest, 100));
  const time_point begin = current_time();
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon(publish_letters, std::ref(news), "a", "1234");
    n.start_soon(publish_letters, std::ref(news), "b", "xyz"); // is not held up
    co_await sleep_for(1s);
    BOOST_TEST(!news.try_publish("a", "no"));
    BOOST_TEST(rest_of(other).size() == 5u);
    BOOST_TEST((co_await patient.next())->value == "1");
    co_await sleep_for(1s);
    BOOST_TEST(rest_of(other) == "3");
    BOOST_TEST((co_await patient.next())->value == "2");
  });
  BOOST_TEST((current_time() - begin == 2s));
  BOOST_TEST(rest_of(patient) == "34");
  BOOST_TEST(rest_of(other) == "4");
}

TROUPE_TEST_CASE(p03_cancelled_publisher_has_told_nobody) {
  news_group news;
  auto patient = news.subscribe("a", slow(when_slow::wait, 1));
  auto free = news.subscribe("a", slow(when_slow::wait, 1));
  static_cast<void>(free);
  co_await news.publish("a", "1");
  BOOST_TEST(rest_of(free) == "1");
  BOOST_TEST(!co_await move_on_after(1s, [&]() { return publish_letters(news, "a", "2"); }));
  BOOST_TEST(rest_of(free).empty());
  BOOST_TEST(rest_of(patient) == "1");
  BOOST_TEST(news.try_publish("a", "3")); // its room was given back
}

TROUPE_TEST_CASE(subscription_ends_with_its_owner_and_frees_who_waits_for_it) {
  news_group news;
  co_await with_nursery([&](nursery& n) -> task<> {
    auto owner = n.start_soon([&]() -> task<> {
      auto mine = news.subscribe("a", slow(when_slow::wait, 1));
      co_await sleep_forever();
    });
    co_await checkpoint();
    for (int i = 0; i < 3; ++i)
      n.start_soon(publish_letters, std::ref(news), "a", "12");
    co_await sleep_for(1s);
    BOOST_TEST(news.size() == 1u);
    owner.cancel();
  });
  BOOST_TEST(news.size() == 0u);
}

TROUPE_TEST_CASE(subscription_outlives_the_group) {
  std::optional<news_group> news(std::in_place);
  auto s = news->subscribe("a");
  co_await news->publish("a", "1");
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      BOOST_TEST((co_await s.next())->value == "1");
      BOOST_TEST(!co_await s.next());
    });
    co_await sleep_for(1s);
    news.reset();
  });
}

TROUPE_TEST_CASE(actors_subscribe_and_publish_by_message, .loops = 2) {
  news_group news;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto front = n.start_actor([&](mailbox& in) { return news.serve(in); });
    const caf::actor group = front.address();
    std::string heard;
    const caf::actor reader = actor_system().spawn([&](caf::event_based_actor* self) {
      self
        ->request(group, caf::infinite, subscribe_to{"rooms/+", caf::actor_cast<caf::actor>(self)})
        .then([] {});
      return caf::behavior{[self, &heard](const published_on& on, const std::string& text) {
        heard += on.topic + ": " + text + "; ";
        if (text == "bye")
          self->quit();
      }};
    });
    monitor(reader);
    auto in_task = news.subscribe("#");
    while (news.size() != 2)
      co_await checkpoint();
    n.start_on(1, [group]() -> task<> { // from another loop
      co_await request<void>(group, 5s, message<publish_on>("rooms/lobby"), std::string("hello"));
      for (const char* text : {"1", "2", "3", "bye"})
        send(group, publish_on{"rooms/attic"}, std::string(text));
    });
    mailbox in = this_mailbox();
    co_await in.receive([](const caf::down_msg&) {});
    BOOST_TEST(heard
               == "rooms/lobby: hello; rooms/attic: 1; rooms/attic: 2; rooms/attic: 3; "
                  "rooms/attic: bye; ");
    while (news.size() != 1) // its subscription has gone with it
      co_await checkpoint();
    BOOST_TEST(rest_of(in_task) == "hello123bye");
    const auto wrong = [&]() -> task<> {
      co_await request<void>(group, 5s, message<publish_on>("+"), std::string("x"));
    };
    BOOST_TEST((co_await as_outcome(wrong())).failed());
    n.cancel();
  });
}

TROUPE_TEST_CASE(slow_actor_holds_up_nobody_or_is_told_that_it_is_cut_off) {
  news_group news;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto front = n.start_actor([&](mailbox& in) { return news.serve(in); });
    std::string heard;
    bool ended = false;
    const auto slow_one = n.start_actor([&](mailbox& in) -> task<> {
      co_await in.serve(
        [&](const published_on&, std::string text) -> task<> {
          co_await sleep_for(1s);
          heard += text;
        },
        [&](const subscription_ended& e) {
          BOOST_TEST(e.pattern == "a");
          ended = true;
          in.close();
        });
    });
    co_await request<void>(
      front.address(), 5s,
      message<subscribe_to>("a", slow_one.address(), 3u, when_slow::disconnect));
    const time_point begin = current_time();
    co_await publish_letters(news, "a", "1234567");
    BOOST_TEST((current_time() == begin));
    co_await slow_one;
    BOOST_TEST(ended);
    BOOST_TEST(heard == "1234"); // one in its hands, three in the queue
    n.cancel();
  });
}

TROUPE_TEST_CASE(actor_takes_its_subscription_back) {
  news_group news;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto front = n.start_actor([&](mailbox& in) { return news.serve(in); });
    const caf::actor me = self();
    co_await request<void>(front.address(), 5s, message<subscribe_to>("a", me));
    co_await request<void>(front.address(), 5s, message<subscribe_to>("b", me));
    co_await request<void>(front.address(), 5s, message<unsubscribe_from>("a", me));
    while (news.size() != 1)
      co_await checkpoint();
    BOOST_TEST(co_await news.publish("a", "1") == 0u);
    BOOST_TEST(co_await news.publish("b", "2") == 1u);
    mailbox in = this_mailbox();
    co_await in.receive([](const published_on& on, const std::string& text) {
      BOOST_TEST(on.topic == "b");
      BOOST_TEST(text == "2");
    });
    n.cancel();
  });
}

BOOST_AUTO_TEST_SUITE_END()
