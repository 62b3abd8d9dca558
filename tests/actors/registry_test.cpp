// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actors/actor_registry.hpp>
#include <troupe/actors/registry.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/time.hpp>

#include <caf/event_based_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& n : names)
    all += (all.empty() ? "" : ", ") + n;
  return all;
}

struct connection {
  int number;
};

/// An actor that says its number until it is told to go.
task<> numbered(mailbox& in, int number) {
  co_await in.serve([number](caf::get_atom) { return number; },
                    [&in](caf::close_atom) { in.close(); });
}

caf::behavior ordinary(caf::event_based_actor* self, int number) {
  return {[number](caf::get_atom) { return number; }, [self](caf::close_atom) { self->quit(); }};
}

task<int> number_of(caf::actor who) {
  co_return co_await request<int>(std::move(who), 5s, caf::get_atom::value);
}

/// Runs `body(names, nursery)` with a registry.
template <class Body>
task<> with_names(Body body) {
  co_await with_nursery([&](nursery& n) -> task<> {
    const actor_registry names(n.start_actor(serve_actor_registry).address());
    co_await with_nursery([&](nursery& inner) -> task<> { co_await body(names, inner); });
    n.cancel();
  });
}

/// Waits until the registry has heard of an end.
task<> until_gone(const actor_registry& names, const std::string& name) {
  for (;;) {
    const caf::actor found = co_await names.find(name);
    if (!found)
      co_return;
    co_await checkpoint();
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(registries)

TROUPE_TEST_CASE(things_are_found_while_their_owner_wants_it) {
  registry<connection> connections("connections");
  connection one{1}, two{2};
  {
    auto first = connections.add("one", one);
    BOOST_CHECK_THROW(static_cast<void>(connections.add("one", two)), name_taken);
    auto second = connections.add("two", two);
    BOOST_TEST(connections.find("one") == &one);
    BOOST_TEST(joined(connections.names()) == "one, two");
    auto moved = std::move(first);
    BOOST_TEST(!first.is_there());
    second = std::move(moved); // gives up "two"
    BOOST_TEST(connections.find("one") == &one);
    BOOST_TEST(connections.find("two") == nullptr);
    second.remove();
    second.remove();
    BOOST_TEST(connections.size() == 0u);
    second = connections.add("one", two);
    BOOST_TEST(connections.find("one")->number == 2);
  }
  BOOST_TEST(connections.size() == 0u);
  std::optional<registry<connection>> short_lived(std::in_place);
  auto late = short_lived->add("one", one);
  short_lived.reset();
  BOOST_TEST(!late.is_there());
  co_await checkpoint();
}

TROUPE_TEST_CASE(name_goes_with_its_owner_however_that_ends) {
  registry<connection> connections;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto owner = [&](std::string name) -> task<> {
      connection mine{1};
      const auto here = connections.add(name, mine);
      co_await sleep_forever();
    };
    auto a = n.start_soon(owner, "a");
    n.start_soon(owner, "b");
    co_await sleep_for(1s);
    BOOST_TEST(connections.size() == 2u);
    a.cancel();
    co_await sleep_for(1s);
    BOOST_TEST(joined(connections.names()) == "b");
    n.cancel();
  });
  BOOST_TEST(connections.size() == 0u);
}

TROUPE_TEST_CASE(p03_one_can_wait_for_a_name) {
  registry<connection> connections("connections");
  connection one{1};
  const auto never = co_await as_outcome(connections.wait_for("one", 1s));
  BOOST_CHECK_THROW(std::rethrow_exception(never.error()), timeout_error);
  BOOST_TEST(describe(never.error()).find("'one' in 'connections'") != std::string::npos);
  co_await with_nursery([&](nursery& n) -> task<> {
    int found = 0;
    const auto wait = [&]() -> task<> {
      const connection* c = co_await connections.wait_for("one", 10s);
      found += c->number;
    };
    n.start_soon(wait);
    n.start_soon(wait);
    auto cancelled = n.start_soon(wait);
    co_await sleep_for(1s);
    cancelled.cancel();
    {
      const auto flash = connections.add("one", one); // gone before anybody could look
    }
    co_await sleep_for(1s);
    BOOST_TEST(found == 0);
    const auto stays = connections.add("one", one);
    co_await sleep_for(1s);
    BOOST_TEST(found == 2);
  });
}

TROUPE_TEST_CASE(actors_are_found_by_name_and_their_names_go_with_them) {
  co_await with_names([](const actor_registry& names, nursery& n) -> task<> {
    const auto as_task = n.start_actor(numbered, 1);
    const caf::actor ordinary_one = actor_system().spawn(ordinary, 2);
    co_await names.add("task", as_task.address());
    co_await names.add("task", as_task.address()); // the same again
    co_await names.add("also task", as_task.address());
    co_await names.add("ordinary", ordinary_one);
    const auto taken = co_await as_outcome(names.add("task", ordinary_one));
    BOOST_CHECK_THROW(std::rethrow_exception(taken.error()), name_taken);
    const auto nobody = co_await as_outcome(names.add("nobody", caf::actor()));
    BOOST_TEST(nobody.failed());

    BOOST_TEST(co_await number_of(co_await names.find("task")) == 1);
    BOOST_TEST(co_await number_of(co_await names.find("ordinary")) == 2);
    BOOST_TEST(!co_await names.find("task!"));
    BOOST_TEST(joined(co_await names.names()) == "also task, ordinary, task");

    send(ordinary_one, caf::close_atom::value);
    co_await until_gone(names, "ordinary");
    co_await names.remove("also task");
    send(as_task.address(), caf::close_atom::value);
    co_await until_gone(names, "task");
    BOOST_TEST((co_await names.names()).empty());

    const auto again = n.start_actor(numbered, 3);
    co_await names.add("task", again.address()); // free again
    BOOST_TEST(co_await number_of(co_await names.find("task")) == 3);
    send(again.address(), caf::close_atom::value);
  });
}

TROUPE_TEST_CASE(registry_keeps_nobody_alive) {
  co_await with_names([](const actor_registry& names, nursery& /*n*/) -> task<> {
    {
      const caf::actor lonely = actor_system().spawn(ordinary, 2);
      co_await names.add("lonely", lonely);
    }
    co_await until_gone(names, "lonely"); // nobody else has its address
  });
}

TROUPE_TEST_CASE(one_can_wait_for_an_actor) {
  co_await with_names([](const actor_registry& names, nursery& n) -> task<> {
    const auto never = co_await as_outcome(names.wait_for("late", 1s));
    BOOST_CHECK_THROW(std::rethrow_exception(never.error()), timeout_error);
    n.start_soon([&]() -> task<> {
      const caf::actor late = co_await names.wait_for("late");
      BOOST_TEST(co_await number_of(late) == 7);
      send(late, caf::close_atom::value);
    });
    co_await sleep_for(1s);
    const auto late = n.start_actor(numbered, 7);
    co_await names.add("late", late.address());
  });
}

TROUPE_TEST_CASE(registry_that_has_ended_says_so) {
  caf::actor address;
  co_await with_names([&](const actor_registry& names, nursery& /*n*/) -> task<> {
    address = names.address();
    co_await checkpoint();
  });
  const actor_registry gone(address);
  const auto found = co_await as_outcome(gone.find("x"));
  BOOST_CHECK_THROW(std::rethrow_exception(found.error()), actor_down);
  const auto added = co_await as_outcome(gone.add("x", self()));
  BOOST_CHECK_THROW(std::rethrow_exception(added.error()), actor_down);
}

TROUPE_TEST_CASE(tasks_of_other_loops_find_and_add, .loops = 2) {
  co_await with_names([](const actor_registry& names, nursery& n) -> task<> {
    n.start_on(1, [names]() -> task<> {
      const caf::actor first = co_await names.wait_for("first", 10s);
      co_await names.add("second", self());
      mailbox in = this_mailbox();
      BOOST_TEST(co_await number_of(first) == 1);
      send(first, caf::close_atom::value);
      co_await in.receive([](caf::close_atom) {});
    });
    const auto first = n.start_actor_on(0, numbered, 1);
    co_await names.add("first", first.address());
    send(co_await names.wait_for("second", 10s), caf::close_atom::value);
    co_await until_gone(names, "second");
  });
}

TROUPE_TEST_CASE(ordinary_actors_use_it_by_message) {
  co_await with_names([](const actor_registry& names, nursery& n) -> task<> {
    const auto registered = n.start_actor(numbered, 4);
    int number = 0;
    std::string refusal;
    const caf::actor user = actor_system().spawn([&](caf::event_based_actor* self) {
      const caf::actor book = names.address();
      self->request(book, caf::infinite, register_actor{"four", registered.address()})
        .then([=, &number, &refusal] {
          self
            ->request(book, caf::infinite,
                      register_actor{"four", caf::actor_cast<caf::actor>(self)})
            .then([] {},
                  [=, &number, &refusal](const caf::error& e) {
                    refusal = to_string(e);
                    self->request(book, caf::infinite, find_actor{"four"})
                      .then([=, &number](const caf::actor& found) {
                        self->request(found, caf::infinite, caf::get_atom::value)
                          .then([&number](int given) { number = given; });
                      });
                  });
        });
    });
    monitor(user);
    mailbox in = this_mailbox();
    co_await in.receive([](const caf::down_msg&) {});
    BOOST_TEST(number == 4);
    BOOST_TEST(refusal.find("there is a 'four' in") != std::string::npos);
    send(registered.address(), caf::close_atom::value);
  });
}

BOOST_AUTO_TEST_SUITE_END()
