// SPDX-License-Identifier: BSD-3-Clause
// Ordinary CAF actors on the loops of a run: how they end with it, and their deadlines.
#include <troupe/troupe.hpp>

#include <caf/all.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>

BOOST_AUTO_TEST_SUITE(caf_in_a_run)

using namespace troupe;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(dead_letters_come_also_when_the_root_and_who_reads_them_have_ended) {
  std::atomic<bool> sent = false;
  run([&]() -> task<> {
    subscribe_dead_letters(self());
    actor_system().spawn([to = self(), &sent](caf::event_based_actor* a) -> caf::behavior {
      a->delayed_send(a, 20ms, 1);
      return {[=, &sent](int x) {
        a->send(to, x);
        sent = true;
        a->quit();
      }};
    });
    co_return;
  });
  BOOST_TEST(sent);
}

BOOST_AUTO_TEST_CASE(hidden_actors_that_never_end_end_with_the_run) {
  run_options two;
  two.loops = 2;
  for (int round = 0; round < 20; ++round)
    run(two, []() -> task<> {
      for (int i = 0; i < 4; ++i)
        actor_system().spawn<caf::hidden>([](caf::event_based_actor* a) -> caf::behavior {
          a->send(a, 1);
          return {[=](int x) { a->send(a, x); }};
        });
      co_await sleep_for(1ms);
    });
}

BOOST_AUTO_TEST_CASE(deadlines_that_another_thread_sets_all_come) {
  constexpr int count = 20'000;
  std::atomic<int> come = 0;
  run_options two;
  two.loops = 2;
  run(two, [&]() -> task<> {
    const auto counts = actor_system().spawn([&](caf::event_based_actor* a) -> caf::behavior {
      return {[=, &come](int) {
        if (++come == count)
          a->quit();
      }};
    });
    auto& clock = actor_system().clock();
    const auto to = caf::actor_cast<caf::strong_actor_ptr>(counts);
    co_await to_thread([&] {
      for (int i = 0; i < count; ++i) // each before the one that is waited for, or due
        clock.schedule_message(clock.now() + (i % 3) * 20us, to,
                               caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, i));
    });
  });
  BOOST_TEST(come == count);
}

BOOST_AUTO_TEST_SUITE_END()
