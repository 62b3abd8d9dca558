// SPDX-License-Identifier: BSD-3-Clause
#include "supervised.hpp"

#include <troupe/actor.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/supervisor_messages.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/testing/boost_test.hpp>

#include <caf/event_based_actor.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using namespace troupe_test;

namespace {

/// "echo" is an actor that repeats its argument, "sleeper" a task.
child_spec make_child(std::string& log, const child_start_request& r) {
  if (r.kind == "sleeper")
    return sleeper(log, r.name);
  if (r.kind == "echo")
    return {.name = "whatever", .start = [text = r.argument](mailbox& in) -> task<> {
              co_await in.serve([&](caf::get_atom) { return text; });
            }};
  throw std::invalid_argument("there is no '" + r.kind + "'");
}

/// Runs `body(address)` beside a supervisor that serves.
template <class Body>
task<> with_served(std::string& log, Body body) {
  supervisor_options options = quiet();
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto front = n.start_actor([&](mailbox& in) -> task<> {
      co_await with_supervisor(options, [&](supervisor& s) -> task<> {
        co_await s.serve(in, [&](const child_start_request& r) { return make_child(log, r); });
      });
    });
    co_await body(front.address());
    n.cancel();
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(supervisor_messages)

TROUPE_TEST_CASE(children_are_started_stopped_and_listed_by_message) {
  std::string log;
  co_await with_served(log, [](caf::actor s) -> task<> {
    const caf::actor none =
      co_await request<caf::actor>(s, 5s, message<child_start_request>("night", "sleeper", ""));
    BOOST_TEST(!none);
    const caf::actor echo =
      co_await request<caf::actor>(s, 5s, message<child_start_request>("parrot", "echo", "hello"));
    BOOST_TEST(co_await request<std::string>(echo, 5s, caf::get_atom::value) == "hello");
    child_list all = co_await request<child_list>(s, 5s, child_list_request{});
    BOOST_TEST_REQUIRE(all.children.size() == 2u);
    BOOST_TEST(all.children[0].name == "night");
    BOOST_CHECK(all.children[0].now == child_info::state::running);
    BOOST_TEST(all.children[1].name == "parrot");
    BOOST_TEST((all.children[1].address == echo));

    co_await request<void>(s, 5s, message<child_stop_request>("parrot"));
    all = co_await request<child_list>(s, 5s, child_list_request{});
    BOOST_CHECK(all.children[1].now == child_info::state::stopped);
    const caf::actor again =
      co_await request<caf::actor>(s, 5s, message<child_restart_request>("parrot"));
    BOOST_TEST((again && again != echo));
    co_await request<void>(s, 5s, message<child_stop_request>("parrot"));
    co_await request<void>(s, 5s, message<child_delete_request>("parrot"));
    all = co_await request<child_list>(s, 5s, child_list_request{});
    BOOST_TEST(all.children.size() == 1u);
  });
  BOOST_TEST(log == "+night-night");
}

TROUPE_TEST_CASE(mistakes_are_answered_and_it_serves_on) {
  std::string log;
  co_await with_served(log, [](caf::actor s) -> task<> {
    const auto start = [&](std::string kind) -> task<caf::actor> {
      co_return co_await request<caf::actor>(
        s, 5s, message<child_start_request>("a", std::move(kind), ""));
    };
    const auto stop = [&](std::string name) -> task<> {
      co_await request<void>(s, 5s, message<child_stop_request>(std::move(name)));
    };
    const auto unknown = co_await as_outcome(start("elephant"));
    BOOST_TEST(describe(unknown.error()).find("there is no 'elephant'") != std::string::npos);
    static_cast<void>(co_await start("sleeper"));
    const auto twice = co_await as_outcome(start("sleeper"));
    BOOST_CHECK_THROW(std::rethrow_exception(twice.error()), actor_error);
    const auto nobody = co_await as_outcome(stop("x"));
    BOOST_TEST(describe(nobody.error()).find("has no child 'x'") != std::string::npos);
    co_await stop("a");
  });
}

TROUPE_TEST_CASE(without_a_factory_no_child_is_started_by_message) {
  supervisor_options options = quiet();
  co_await with_supervisor(options, [](supervisor& s) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto front = n.start_actor([&](mailbox& in) { return s.serve(in); });
      const auto start = [&]() -> task<> {
        static_cast<void>(co_await request<caf::actor>(front.address(), 5s,
                                                       message<child_start_request>("a", "b", "")));
      };
      const auto refused = co_await as_outcome(start());
      BOOST_TEST(describe(refused.error()).find("starts no child by message") != std::string::npos);
      n.cancel();
    });
  });
}

TROUPE_TEST_CASE(ordinary_actor_manages_children) {
  std::string log;
  co_await with_served(log, [](caf::actor s) -> task<> {
    std::string heard;
    const caf::actor manager = actor_system().spawn([&](caf::event_based_actor* self) {
      self->request(s, caf::infinite, child_start_request{"parrot", "echo", "cracker"})
        .then([=, &heard](const caf::actor& parrot) {
          self->request(parrot, caf::infinite, caf::get_atom::value)
            .then([=, &heard](const std::string& text) {
              heard = text;
              self->request(s, caf::infinite, child_stop_request{"parrot"}).then([] {});
            });
        });
    });
    monitor(manager);
    mailbox in = this_mailbox();
    co_await in.receive([](const caf::down_msg&) {});
    BOOST_TEST(heard == "cracker");
    const child_list all = co_await request<child_list>(s, 5s, child_list_request{});
    BOOST_CHECK(all.children.at(0).now == child_info::state::stopped);
  });
}

BOOST_AUTO_TEST_SUITE_END()
