// SPDX-License-Identifier: BSD-3-Clause
// Ordinary CAF programs, written as for CAF's own scheduler, on the loops.
#include "support/sanitized.hpp"

#include <troupe/caf_scheduler.hpp>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

using namespace std::chrono_literals;

namespace {

struct config : caf::actor_system_config {
  explicit config(unsigned loops = 2) {
    load<troupe::caf_scheduler>();
    set("scheduler.max-threads", loops);
  }
};

struct fixture {
  config cfg;
  caf::actor_system system{cfg};
  caf::scoped_actor self{system};
};

caf::behavior doubler() {
  return {[](int x) -> int { return 2 * x; }};
}

struct counter_state {
  int total = 0;
};

caf::behavior counter(caf::stateful_actor<counter_state>* self) {
  return {[self](caf::add_atom, int by) { self->state.total += by; },
          [self](caf::get_atom) -> int { return self->state.total; }};
}

using calculator = caf::typed_actor<caf::replies_to<caf::add_atom, int, int>::with<int>>;

calculator::behavior_type typed_calculator() {
  return {[](caf::add_atom, int a, int b) -> int { return a + b; }};
}

template <class T, class Handle, class... Ts>
T ask(caf::scoped_actor& self, const Handle& to, Ts... xs) {
  T result{};
  self->request(to, caf::infinite, xs...)
    .receive([&](T x) { result = x; },
             [](const caf::error& e) { BOOST_FAIL("answered by " << caf::to_string(e)); });
  return result;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(caf_scheduler, fixture)

BOOST_AUTO_TEST_CASE(event_based_actor_answers_requests) {
  BOOST_TEST(ask<int>(self, system.spawn(doubler), 21) == 42);
}

BOOST_AUTO_TEST_CASE(actors_run_on_as_many_threads_as_asked_for) {
  BOOST_TEST(system.scheduler().num_workers() == 2U);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  for (int i = 0; i < 100; ++i) {
    const auto actor = system.spawn([&]() -> caf::behavior {
      return {[&](int) -> int {
        const std::lock_guard lock(mutex);
        seen.insert(std::this_thread::get_id());
        return 0;
      }};
    });
    ask<int>(self, actor, 1);
  }
  BOOST_TEST(seen.size() <= 2U);
  BOOST_TEST(seen.count(std::this_thread::get_id()) == 0U);
}

BOOST_AUTO_TEST_CASE(stateful_actor_keeps_its_state_from_message_to_message) {
  const auto actor = system.spawn(counter);
  for (int i = 1; i <= 100; ++i)
    caf::anon_send(actor, caf::add_atom_v, i);
  BOOST_TEST(ask<int>(self, actor, caf::get_atom_v) == 5050);
}

BOOST_AUTO_TEST_CASE(typed_actor_answers_requests) {
  BOOST_TEST(ask<int>(self, system.spawn(typed_calculator), caf::add_atom_v, 40, 2) == 42);
}

BOOST_AUTO_TEST_CASE(blocking_and_detached_actors_have_their_own_threads) {
  std::thread::id blocking_thread;
  std::thread::id detached_thread;
  const auto blocking = system.spawn([&](caf::blocking_actor* me) {
    blocking_thread = std::this_thread::get_id();
    me->receive([](int x) -> int { return x + 1; });
  });
  const auto detached = system.spawn<caf::detached>([&]() -> caf::behavior {
    return {[&](int x) -> int {
      detached_thread = std::this_thread::get_id();
      return x + 2;
    }};
  });
  BOOST_TEST(ask<int>(self, blocking, 1) == 2);
  BOOST_TEST(ask<int>(self, detached, 1) == 3);
  self->wait_for(blocking);
  BOOST_TEST((blocking_thread != detached_thread));
}

BOOST_AUTO_TEST_CASE(request_that_is_not_answered_times_out) {
  const auto silent = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
    return {[me](int) {
              return me->make_response_promise<int>(); /* never fulfilled */
            },
            [](caf::ok_atom) {}};
  });
  // from an actor, so that it is the loops' clock that ends it
  const auto asking = system.spawn([=](caf::event_based_actor* me) -> caf::behavior {
    return {[=](caf::get_atom) {
      auto result = me->make_response_promise<std::string>();
      me->request(silent, 1ms, 7)
        .then(
          [=](int) mutable { result.deliver(std::string("answered")); },
          [=](const caf::error& e) mutable { result.deliver(caf::to_string(caf::sec(e.code()))); });
      return result;
    }};
  });
  BOOST_TEST(ask<std::string>(self, asking, caf::get_atom_v) == "request_timeout");
  self->send_exit(silent, caf::exit_reason::kill);
}

// In which order is tested on virtual time (virtual_clock_test.cpp).
BOOST_AUTO_TEST_CASE(delayed_messages_arrive) {
  const auto collector = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
    auto seen = std::make_shared<std::string>();
    auto answer = std::make_shared<caf::typed_response_promise<std::string>>();
    me->delayed_send(me, 6ms, std::string("c"));
    me->delayed_send(me, 2ms, std::string("a"));
    me->delayed_send(me, 4ms, std::string("b"));
    return {[=](const std::string& x) {
              if ((*seen += x).size() == 3 && answer->pending())
                answer->deliver(*seen);
            },
            [=](caf::get_atom) {
              *answer = me->make_response_promise<std::string>();
              if (seen->size() == 3)
                answer->deliver(*seen);
              return *answer;
            }};
  });
  auto seen = ask<std::string>(self, collector, caf::get_atom_v);
  std::sort(seen.begin(), seen.end());
  BOOST_TEST(seen == "abc");
}

BOOST_AUTO_TEST_CASE(receive_timeout_fires_when_nothing_comes) {
  const auto idle = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
    return {[](int) {}, caf::after(1ms) >> [me] { me->quit(caf::exit_reason::user_shutdown); }};
  });
  self->wait_for(idle);
}

BOOST_AUTO_TEST_CASE(monitor_hears_of_the_end_even_afterwards) {
  const auto mortal = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
    return {[me](caf::close_atom) { me->quit(caf::exit_reason::kill); }};
  });
  int downs = 0;
  const auto count = [&](const caf::down_msg& down) {
    BOOST_TEST((down.source == mortal.address()));
    BOOST_TEST((down.reason == caf::exit_reason::kill));
    ++downs;
  };
  self->monitor(mortal);
  caf::anon_send(mortal, caf::close_atom_v);
  self->receive(count);
  self->monitor(mortal); // dead already
  self->receive(count);
  BOOST_TEST(downs == 2);
}

BOOST_AUTO_TEST_CASE(linked_actors_fall_together) {
  const auto one = system.spawn(doubler);
  const auto two = system.spawn([one](caf::event_based_actor* me) -> caf::behavior {
    me->link_to(one);
    return {[](caf::ok_atom) -> int { return 1; }};
  });
  BOOST_TEST(ask<int>(self, two, caf::ok_atom_v) == 1); // linked by now
  self->send_exit(one, caf::exit_reason::user_shutdown);
  self->wait_for(one, two);
}

BOOST_AUTO_TEST_CASE(aout_prints_through_the_scheduler_module) {
  const auto speaker = system.spawn([](caf::event_based_actor* me) -> caf::behavior {
    return {[me](caf::put_atom) -> int {
      caf::aout(me) << "printed by an actor on a loop" << std::endl;
      return 1;
    }};
  });
  BOOST_TEST(ask<int>(self, speaker, caf::put_atom_v) == 1);
}

BOOST_AUTO_TEST_CASE(jobs_of_a_busy_loop_are_taken_over_by_one_that_sleeps) {
  // All are woken by one actor, so on its loop, and work long enough for the other
  // loop to fall asleep meanwhile.
  std::mutex mutex;
  std::set<std::thread::id> seen;
  std::vector<caf::actor> all;
  for (int i = 0; i < 40; ++i)
    all.push_back(system.spawn([&](caf::event_based_actor* me) -> caf::behavior {
      return {[&, me](caf::ok_atom) {
        const auto until = std::chrono::steady_clock::now() + 500us;
        while (std::chrono::steady_clock::now() < until) {
        }
        const std::lock_guard lock(mutex);
        seen.insert(std::this_thread::get_id());
        me->quit();
      }};
    }));
  system.spawn([&](caf::event_based_actor* me) {
    for (auto& a : all)
      me->send(a, caf::ok_atom_v);
  });
  self->wait_for(all);
  const std::lock_guard lock(mutex);
  BOOST_TEST(seen.size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(caf_scheduler_alone)

BOOST_AUTO_TEST_CASE(middleman_publishes_and_finds_remote_actors) {
  struct io_config : config {
    io_config() { load<caf::io::middleman>(); }
  };
  io_config server_config;
  io_config client_config;
  caf::actor_system server{server_config};
  caf::actor_system client{client_config};
  const auto served = server.spawn(doubler);
  const auto port = server.middleman().publish(served, 0, "127.0.0.1");
  BOOST_REQUIRE(port);
  auto remote = client.middleman().remote_actor("127.0.0.1", *port);
  BOOST_REQUIRE(remote);
  caf::scoped_actor self{client};
  BOOST_TEST(ask<int>(self, *remote, 21) == 42);
  self->monitor(*remote);
  caf::anon_send_exit(served, caf::exit_reason::kill);
  self->receive([&](const caf::down_msg& down) { BOOST_TEST((down.source == remote->address())); });
}

BOOST_AUTO_TEST_CASE(system_without_work_starts_and_stops) {
  for (int i = 0; i < 20; ++i) {
    config cfg{3};
    caf::actor_system system{cfg};
  }
}

BOOST_AUTO_TEST_CASE(actors_that_are_left_waiting_are_ended_at_the_stop) {
  config cfg;
  caf::actor_system system{cfg};
  system.await_actors_before_shutdown(false);
  for (int i = 0; i < 100; ++i)
    caf::anon_send(system.spawn(doubler), i);
}

// The stock scheduler of CAF 0.17.6 slows down with the length of its queue, so that it
// does not get to the end of this one.
BOOST_AUTO_TEST_CASE(a_million_actors_cost_no_more_each_than_a_thousand) {
  config cfg;
  caf::actor_system system{cfg};
  std::atomic<long> ran = 0;
  const auto seconds_per_actor = [&](long n) {
    ran = 0;
    const auto begin = std::chrono::steady_clock::now();
    {
      caf::scoped_actor self{system};
      self->wait_for(system.spawn([&ran, n](caf::event_based_actor* me) {
        for (long i = 0; i < n; ++i)
          me->spawn([&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
      }));
    }
    system.await_all_actors_done();
    BOOST_TEST(ran == n);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    return took.count() / static_cast<double>(n);
  };
  constexpr long many = troupe_test::sanitized ? 50'000 : 1'000'000;
  seconds_per_actor(1'000); // warm up
  const double few = seconds_per_actor(1'000);
  const double lots = seconds_per_actor(many);
  BOOST_TEST_MESSAGE("ns an actor: " << few * 1e9 << " with 1000, " << lots * 1e9 << " with "
                                     << many);
  BOOST_TEST(lots < 8 * few); // page faults and the noise of other programs included
}

BOOST_AUTO_TEST_SUITE_END()
