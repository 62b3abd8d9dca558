// SPDX-License-Identifier: BSD-3-Clause
// Bounded mailboxes, dead letters, and life and death between tasks and CAF's actors.
#include "runtime/actor_messages.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>
#include <caf/stateful_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <numeric>
#include <string>
#include <vector>

using namespace troupe;
using namespace messages;
using troupe::testing::run_virtually;
using namespace std::chrono_literals;

namespace {

task<> drain(mailbox& in, std::vector<int>& seen) {
  while (co_await in.receive(0s, [&](int x) { seen.push_back(x); })) {
  }
}

/// Sends 1 to 5 to a mailbox of three.
template <class Send>
task<std::vector<int>> overfill(when_full policy, Send send_one) {
  mailbox in = this_mailbox();
  in.bound(3, policy);
  for (int i = 1; i <= 5; ++i)
    send_one(self(), i);
  std::vector<int> seen;
  co_await drain(in, seen);
  co_return seen;
}

const auto plainly = [](const caf::actor& to, int i) { send(to, i); };

caf::behavior ordinary_doubler(caf::event_based_actor* me) {
  return {[](int x) -> int { return 2 * x; },
          [me](caf::close_atom) { me->quit(caf::exit_reason::user_shutdown); }};
}

task<> waits_forever(mailbox& in) {
  co_await in.serve([](number) {});
}

} // namespace

BOOST_AUTO_TEST_SUITE(bounded_mailbox)

BOOST_AUTO_TEST_CASE(drops_the_newest) {
  run([]() -> task<> {
    const auto seen = co_await overfill(when_full::drop_newest, plainly);
    BOOST_TEST(seen == (std::vector<int>{1, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST(this_mailbox().statistics().dropped == 2U);
    BOOST_TEST(dead_letter_count() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(drops_the_oldest) {
  run([]() -> task<> {
    const auto seen = co_await overfill(when_full::drop_oldest, plainly);
    BOOST_TEST(seen == (std::vector<int>{3, 4, 5}), boost::test_tools::per_element());
    BOOST_TEST(this_mailbox().statistics().dropped == 2U);
  });
}

BOOST_AUTO_TEST_CASE(drops_no_urgent_message_for_one_that_is_not) {
  run([]() -> task<> {
    mailbox in = this_mailbox();
    in.bound(2, when_full::drop_oldest);
    send_urgent(self(), 1);
    send_urgent(self(), 2);
    send(self(), 3);        // itself the least
    send_urgent(self(), 4); // in the place of 1
    std::vector<int> seen;
    co_await drain(in, seen);
    BOOST_TEST(seen == (std::vector<int>{2, 4}), boost::test_tools::per_element());
  });
}

BOOST_AUTO_TEST_CASE(rejects_with_an_error) {
  run([]() -> task<> {
    const auto seen = co_await overfill(when_full::reject, plainly);
    BOOST_TEST(seen == (std::vector<int>{1, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST(this_mailbox().statistics().rejected == 2U);
    co_await with_nursery([](nursery& n) -> task<> {
      const auto full = n.start_actor([](mailbox& in) -> task<> {
        in.bound(0, when_full::reject);
        co_await in.receive([](stop) {}); // wants no number
      });
      co_await checkpoint();
      BOOST_CHECK_THROW(co_await request<void>(full, forever, 1), mailbox_full);
      BOOST_CHECK_THROW(co_await send_when_room(full, 1), mailbox_full);
      send(full, stop{});
    });
  });
}

BOOST_AUTO_TEST_CASE(makes_the_sender_wait) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto slow = n.start_actor([](mailbox& in) -> task<> {
        in.bound(2, when_full::wait);
        for (int i = 0; i < 6; ++i) {
          co_await sleep_for(1s);
          co_await in.receive([&](int x) { BOOST_TEST(x == i); });
        }
      });
      co_await checkpoint(); // bound now
      const auto begin = current_time();
      for (int i = 0; i < 6; ++i)
        co_await send_when_room(slow, i);
      BOOST_TEST((current_time() - begin == 4s)); // two fit, four had to wait
    });
  });
}

BOOST_AUTO_TEST_CASE(p03_cancelled_wait_for_room_has_not_sent) {
  for (const unsigned there : {0U, 1U})
    run(run_options{.loops = 2}, [there]() -> task<> {
      co_await with_nursery([there](nursery& n) -> task<> {
        const auto full = n.start_actor_on(
          there,
          [](mailbox& in, caf::actor starter) -> task<> {
            in.bound(1, when_full::wait);
            send(starter, get{});
            co_await in.receive([](stop) {});
            std::vector<int> seen;
            co_await drain(in, seen);
            BOOST_TEST(seen == (std::vector<int>{1}), boost::test_tools::per_element());
          },
          self());
        co_await this_mailbox().receive<get>();
        send(full, 1);
        const auto waits = n.start_soon(
          [](caf::actor to) -> task<> {
            co_await send_when_room(to, 2);
            BOOST_ERROR("sent");
          },
          full.address());
        co_await checkpoint();
        waits.cancel();
        BOOST_CHECK_THROW(co_await waits, task_cancelled);
        co_await request<void>(full, forever, stop{}); // requests are let in
      });
    });
}

BOOST_AUTO_TEST_CASE(p12_control_messages_are_let_into_a_full_mailbox) {
  run([]() -> task<> {
    mailbox in = this_mailbox();
    in.bound(1, when_full::reject);
    const auto mortal = actor_system().spawn(ordinary_doubler);
    monitor(mortal);
    send(self(), 1);
    send(mortal, caf::close_atom_v);
    bool down = false;
    co_await in.receive([&](const caf::down_msg&) { down = true; });
    BOOST_TEST(down);
    std::vector<int> seen;
    co_await drain(in, seen);
    BOOST_TEST(seen.size() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(overflow_can_be_waited_for) {
  run([]() -> task<> {
    mailbox in = this_mailbox();
    in.bound(1, when_full::drop_newest);
    co_await with_nursery([&](nursery& n) -> task<> {
      bool full = false;
      n.start_soon([&]() -> task<> {
        co_await in.overflow();
        full = true;
      });
      co_await checkpoint();
      send(in.address(), 1);
      co_await checkpoint();
      BOOST_TEST(!full);
      send(in.address(), 2);
      co_await checkpoint();
      BOOST_TEST(full);
    });
    BOOST_TEST(co_await in.receive<int>() == 1);
  });
}

BOOST_AUTO_TEST_CASE(dead_letters_reach_who_has_subscribed) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      mailbox in = this_mailbox();
      subscribe_dead_letters(self());
      const auto strict = n.start_actor(named("strict", [](mailbox& box) -> task<> {
        co_await box.serve([](number) {}, [&](stop) { box.close(); });
      }));
      send(strict, std::string("what?"));
      send(strict, stop{});
      co_await strict;
      send(strict, number{1});
      std::vector<std::string> seen;
      for (int i = 0; i < 2; ++i)
        co_await in.receive([&](const dead_letter& l) { seen.push_back(l.to + ": " + l.why); });
      BOOST_TEST(seen[0] == "'strict': no handler");
      BOOST_TEST(seen[1] == "'strict': the receiver has ended");
      BOOST_TEST(dead_letter_count() == 2U);
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(actors_and_caf)

BOOST_AUTO_TEST_CASE(task_asks_an_ordinary_actor_and_is_asked_by_one) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto ordinary = actor_system().spawn(ordinary_doubler);
      BOOST_TEST(co_await request<int>(ordinary, forever, 21) == 42);
      const auto ours = n.start_actor([](mailbox& in) -> task<> {
        co_await in.serve([](int x) -> int { return x + 1; },
                          [](fail f) -> int { throw std::runtime_error(f.why); });
      });
      mailbox in = this_mailbox();
      actor_system().spawn([to = ours.address(), me = self()](caf::event_based_actor* a) {
        a->request(to, caf::infinite, 41).then([=](int x) { a->send(me, x); });
      });
      BOOST_TEST(co_await in.receive<int>() == 42);
      send_exit(ordinary, caf::exit_reason::user_shutdown);
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_CASE(error_of_an_ordinary_actor_is_an_exception) {
  run([]() -> task<> {
    const auto failing = actor_system().spawn([](caf::event_based_actor*) -> caf::behavior {
      return {
        [](int) -> caf::result<int> { return caf::make_error(caf::sec::invalid_argument, "odd"); }};
    });
    BOOST_CHECK_EXCEPTION(
      co_await request<int>(failing, forever, 1), actor_error, [](const actor_error& e) {
        return std::string(e.what()).find("invalid_argument: odd") != std::string::npos
               && e.error().code() == static_cast<std::uint8_t>(caf::sec::invalid_argument);
      });
    send_exit(failing, caf::exit_reason::kill);
    BOOST_CHECK_THROW(co_await request<int>(failing, forever, 1), actor_down);
  });
}

BOOST_AUTO_TEST_CASE(p14_monitor_fires_once_even_when_its_target_is_dead) {
  run([]() -> task<> {
    mailbox in = this_mailbox();
    int downs = 0;
    const auto count = [&](const caf::down_msg&) { ++downs; };
    const auto mortal = actor_system().spawn(ordinary_doubler);
    monitor(mortal);
    send_exit(mortal, caf::exit_reason::kill);
    co_await in.receive(count);
    monitor(mortal);
    co_await in.receive(count);
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto task = n.start_actor(waits_forever);
      monitor(task);
      task.cancel();
      co_await in.receive(count);
      monitor(task);
      co_await in.receive([&](const caf::down_msg& down) {
        ++downs;
        BOOST_TEST((down.reason == caf::exit_reason::user_shutdown));
      });
    });
    BOOST_TEST(!(co_await in.receive(0s, count)));
    BOOST_TEST(downs == 4);
  });
}

BOOST_AUTO_TEST_CASE(demonitored_actor_ends_in_silence) {
  run([]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      mailbox in = this_mailbox();
      const auto one = n.start_actor(waits_forever);
      monitor(one);
      demonitor(one);
      one.cancel();
      const auto two = n.start_actor(waits_forever);
      monitor(two);
      two.cancel();
      co_await in.receive(
        [&](const caf::down_msg& down) { BOOST_TEST((down.source == two.address().address())); });
      BOOST_TEST(in.statistics().received == 1U);
    });
  });
}

BOOST_AUTO_TEST_CASE(ordinary_actor_monitors_a_task_and_hears_why_it_ended) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      n.on_error<std::runtime_error>([](const std::runtime_error&) {});
      mailbox in = this_mailbox();
      const auto fails = n.start_actor([](mailbox& box) -> task<> {
        co_await box.receive<stop>();
        throw std::runtime_error("broken");
      });
      // held: CAF's monitors hold nobody, and an actor that nobody holds is gone
      const auto watcher =
        actor_system().spawn([to = fails.address(), me = self()](caf::event_based_actor* a) {
          a->set_down_handler([=](const caf::down_msg& down) {
            a->send(me, std::string(detail::describe(down.reason)));
            a->quit();
          });
          a->monitor(to);
          a->send(to, stop{});
          a->become([](int) {}); // stays until then
        });
      BOOST_TEST(co_await in.receive<std::string>() == "broken");
    });
  });
}

BOOST_AUTO_TEST_CASE(exit_message_cancels_the_task_and_says_why) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      std::string why;
      const auto victim = n.start_actor([&](mailbox& in) -> task<> {
        co_await with_cleanup([&]() -> task<> { co_await in.serve([](number) {}); },
                              [&]() -> task<> {
                                why = to_string(*current_cancel_reason());
                                co_return;
                              });
      });
      co_await checkpoint();
      send_exit(victim, caf::exit_reason::user_shutdown);
      BOOST_CHECK_THROW(co_await victim, task_cancelled);
      BOOST_TEST(why.find("exit message") != std::string::npos);
      BOOST_TEST(why.find("user_shutdown") != std::string::npos);
    });
  });
}

BOOST_AUTO_TEST_CASE(exit_message_to_a_task_on_another_loop_cancels_that_task_alone) {
  bool parent_went_on = false;
  run({.loops = 2}, [&]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto victim =
        n.start_actor_on(1, [](mailbox& in) -> task<> { co_await in.serve([](number) {}); });
      send_exit(victim, caf::exit_reason::user_shutdown);
      BOOST_CHECK_EXCEPTION(co_await victim, task_cancelled, [](const task_cancelled& e) {
        return std::string(e.what()).find("user_shutdown") != std::string::npos;
      });
    });
    co_await checkpoint();
    parent_went_on = true;
  });
  BOOST_TEST(parent_went_on);
}

BOOST_AUTO_TEST_CASE(normal_exit_of_a_link_leaves_the_task_alone) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto survivor = n.start_actor(
        [](mailbox& in) -> task<> { co_await in.serve([](number) {}, [&](stop) { in.close(); }); });
      send_exit(survivor, caf::exit_reason::normal);
      co_await checkpoint();
      send(survivor, stop{});
      co_await survivor;
    });
  });
}

BOOST_AUTO_TEST_CASE(links_fall_together_both_ways) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      // the ordinary actor ends: the task is cancelled
      const auto ordinary = actor_system().spawn(ordinary_doubler);
      const auto linked = [](caf::actor to) {
        return [to](mailbox& in) -> task<> {
          link(to);
          co_await in.serve([](number) {}, [](get) -> int { return 1; });
        };
      };
      const auto first = n.start_actor(linked(ordinary));
      BOOST_TEST(co_await request<int>(first, forever, get{}) == 1);
      send(ordinary, caf::close_atom_v);
      BOOST_CHECK_THROW(co_await first, task_cancelled);
      // the task is cancelled: the ordinary actor ends
      const auto other = actor_system().spawn(ordinary_doubler);
      const auto second = n.start_actor(linked(other));
      BOOST_TEST(co_await request<int>(second, forever, get{}) == 1);
      monitor(other);
      second.cancel();
      mailbox in = this_mailbox();
      co_await in.receive(
        [&](const caf::down_msg& down) { BOOST_TEST((down.source == other.address())); });
    });
  });
}

BOOST_AUTO_TEST_CASE(trapped_exit_is_a_message_but_kill_is_not) {
  run([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      int trapped = 0;
      const auto tough = n.start_actor([&](mailbox& in) -> task<> {
        in.trap_exit(true);
        co_await in.serve([&](const caf::exit_msg&) { ++trapped; }, [](get) -> int { return 1; });
      });
      BOOST_TEST(co_await request<int>(tough, forever, get{}) == 1);
      send_exit(tough, caf::exit_reason::user_shutdown);
      BOOST_TEST(co_await request<int>(tough, forever, get{}) == 1);
      BOOST_TEST(trapped == 1);
      send_exit(tough, caf::exit_reason::kill);
      BOOST_CHECK_THROW(co_await tough, task_cancelled);
    });
  });
}

BOOST_AUTO_TEST_CASE(delayed_send_of_an_ordinary_actor_uses_the_virtual_clock) {
  run_virtually([]() -> task<> {
    mailbox in = this_mailbox();
    const auto begin = current_time();
    actor_system().spawn(
      [me = self()](caf::event_based_actor* a) { a->delayed_send(me, std::chrono::hours(24), 1); });
    BOOST_TEST(co_await in.receive<int>() == 1);
    BOOST_TEST((current_time() - begin >= 24h));
  });
}

BOOST_AUTO_TEST_SUITE_END()
