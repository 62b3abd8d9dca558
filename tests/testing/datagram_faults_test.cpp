// SPDX-License-Identifier: BSD-3-Clause
// Plans that are switched on in real runs, and the datagrams of the machine.
#include <troupe/testing/live_faults.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Who sends to whom.
struct sockets {
  std::unique_ptr<datagram_socket> from, to, other;
};

sockets over_udp() {
  const auto make = [] { return std::make_unique<datagram_socket>(udp_socket(0, "127.0.0.1")); };
  return {make(), make(), make()};
}

sockets over_unix_sockets() {
  const auto make = [](const char* name) {
    return std::make_unique<datagram_socket>(unix_datagram_socket(
      "@troupe datagrams " + std::string(name) + " " + std::to_string(::getpid())));
  };
  return {make("from"), make("to"), make("other")};
}

task<std::string> next(datagram_socket& s) {
  std::array<char, 100> buffer{};
  const datagram d = co_await s.receive(std::as_writable_bytes(std::span(buffer)));
  co_return std::string(buffer.data(), d.size);
}

/// Those that come within a day.
task<std::vector<std::string>> all(datagram_socket& s) {
  std::vector<std::string> got;
  const auto receive = [&]() -> task<> {
    for (;;)
      got.push_back(co_await next(s));
  };
  co_await move_on_after(24h, receive);
  co_return got;
}

using texts = std::vector<std::string>;

/// What comes of "one", "two" and "three" while a plan is on.
texts sent_under(const std::function<fault(const std::string&)>& make, sockets made(),
                 bool connected = false) {
  constexpr std::array sent{"one", "two", "three"};
  texts got;
  run_virtually([&]() -> task<> {
    sockets s = made();
    std::vector<std::string> log;
    live_faults faults(1, [&](const std::string& what) { log.push_back(what); });
    faults.add("it", {make(s.from->local() + " > " + s.to->local())});
    faults.on("it");
    const socket_address there = s.to->local_address();
    if (connected)
      s.from->connect(there);
    for (const char* text : sent)
      if (connected)
        co_await s.from->send(text);
      else
        co_await s.from->send_to(there, text);
    faults.off("it"); // what it holds back comes all the same
    got = co_await all(*s.to);
    BOOST_TEST(log.size() == 1u);
    BOOST_TEST(faults.unmatched("it") == "");
  });
  return got;
}

void expect(const texts& what, const std::function<fault(const std::string&)>& make) {
  for (const auto made : {over_udp, over_unix_sockets})
    for (const bool connected : {false, true})
      BOOST_TEST(sent_under(make, made, connected) == what, boost::test_tools::per_element());
}

/// Runs `body` while a plan is on that names what is sent to `to`.
void while_on(const std::function<fault(const std::string&)>& make,
              const std::function<task<>(sockets&)>& body) {
  for (const auto made : {over_udp, over_unix_sockets})
    run_virtually([&]() -> task<> {
      sockets s = made();
      live_faults faults(1);
      faults.add("it", {make("* > " + s.to->local())});
      faults.on("it");
      co_await body(s);
    });
}

fault reorders_the_first(const std::string& name) { return reorders(name, when::at(1), 1h); }

} // namespace

BOOST_AUTO_TEST_SUITE(datagram_faults)

BOOST_AUTO_TEST_CASE(datagram_is_lost) {
  expect({"one", "three"}, [](const std::string& name) { return drops(name, when::at(2)); });
}

BOOST_AUTO_TEST_CASE(datagram_comes_twice) {
  expect({"one", "two", "two", "three"},
         [](const std::string& name) { return duplicates(name, when::at(2)); });
}

BOOST_AUTO_TEST_CASE(datagram_comes_later) {
  expect({"two", "three", "one"},
         [](const std::string& name) { return delays(name, when::at(1), 1h); });
}

BOOST_AUTO_TEST_CASE(datagram_comes_behind_the_next_one) {
  expect({"two", "one", "three"}, reorders_the_first);
}

BOOST_AUTO_TEST_CASE(datagram_that_none_overtakes_comes_in_time) {
  expect({"one", "two", "three"},
         [](const std::string& name) { return reorders(name, when::at(3), 1h); });
}

BOOST_AUTO_TEST_CASE(only_one_to_the_same_address_overtakes) {
  while_on(reorders_the_first, [](sockets& s) -> task<> {
    const time_point before = current_time();
    co_await s.from->send_to(s.to->local_address(), "to it");
    co_await s.from->send_to(s.other->local_address(), "to another");
    BOOST_TEST(co_await next(*s.other) == "to another");
    BOOST_TEST(co_await next(*s.to) == "to it");
    BOOST_TEST((current_time() - before >= 1h));
  });
}

BOOST_AUTO_TEST_CASE(what_is_held_back_goes_where_it_was_sent) {
  while_on(reorders_the_first, [](sockets& s) -> task<> {
    s.from->connect(s.to->local_address());
    co_await s.from->send("one");
    s.from->connect(s.other->local_address());
    co_await s.from->send("other");
    co_await s.from->send_to(s.to->local_address(), "two");
    const texts other = co_await all(*s.other);
    BOOST_TEST(other == texts{"other"}, boost::test_tools::per_element());
    BOOST_TEST(co_await next(*s.to) == "two");
    BOOST_TEST(co_await next(*s.to) == "one");
  });
}

BOOST_AUTO_TEST_CASE(what_a_closed_socket_has_held_back_is_lost) {
  const auto all_come_later = [](const std::string& name) {
    return delays(name, when::sometimes(1), 1h);
  };
  while_on(all_come_later, [](sockets& s) -> task<> {
    co_await s.from->send_to(s.to->local_address(), "never");
    s.from.reset();
    const texts got = co_await all(*s.to);
    BOOST_TEST(got.empty());
  });
}

BOOST_AUTO_TEST_CASE(what_cannot_be_sent_is_not_held_back) {
  run_virtually([]() -> task<> {
    sockets s = over_udp();
    live_faults faults(1);
    faults.add("it", {delays("*", when::sometimes(1), 1h)});
    faults.on("it");
    bool sent = false;
    try {
      co_await s.from->send("to nobody");
      sent = true;
    } catch (const net_error&) {
    }
    BOOST_TEST(!sent);
  });
}

BOOST_AUTO_TEST_CASE(plan_that_names_another_direction_changes_nothing) {
  run_virtually([]() -> task<> {
    sockets s = over_udp();
    live_faults faults(1);
    faults.add("it", {drops(s.to->local() + " > *", when::sometimes(1))});
    faults.on("it");
    co_await s.from->send_to(s.to->local_address(), "arrives");
    BOOST_TEST(co_await next(*s.to) == "arrives");
    BOOST_TEST(faults.unmatched("it") != "");
  });
}

BOOST_AUTO_TEST_SUITE_END()
