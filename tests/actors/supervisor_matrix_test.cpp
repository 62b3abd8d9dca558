// SPDX-License-Identifier: BSD-3-Clause
// The whole of what OTP's supervisors do: restart type x kind of end x strategy, with three
// children of which the middle one ends.
#include <troupe/actor.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/testing/virtual_clock.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <map>
#include <ostream>
#include <string>

using namespace troupe;

namespace data = boost::unit_test::data;

namespace {

enum class end_kind { returns, throws, is_cancelled };

std::ostream& operator<<(std::ostream& out, end_kind k) {
  return out << (k == end_kind::returns  ? "returns"
                 : k == end_kind::throws ? "throws"
                                         : "is cancelled");
}

} // namespace

namespace troupe {
std::ostream& operator<<(std::ostream& out, restart r) {
  return out << (r == restart::permanent   ? "permanent"
                 : r == restart::transient ? "transient"
                                           : "temporary");
}
std::ostream& operator<<(std::ostream& out, strategy s) {
  return out << (s == strategy::one_for_one    ? "one_for_one"
                 : s == strategy::one_for_all  ? "one_for_all"
                 : s == strategy::rest_for_one ? "rest_for_one"
                                               : "simple_one_for_one");
}
} // namespace troupe

namespace {

/// What has happened to the children, in order: "+a" began to live, "-a" has ended.
struct diary {
  std::string text;
  std::map<std::string, int> lives, living;
  bool overlapped = false;
  event ends; // the middle one ends when it is set
};

class life {
public:
  life(diary& d, std::string name) : diary_(d), name_(std::move(name)) {
    diary_.text += "+" + name_;
    ++diary_.lives[name_];
    diary_.overlapped = diary_.overlapped || diary_.living[name_]++ != 0;
  }
  life(const life&) = delete;
  life& operator=(const life&) = delete;
  ~life() {
    diary_.text += "-" + name_;
    --diary_.living[name_];
  }

private:
  diary& diary_;
  std::string name_;
};

task<> sibling(diary& d, std::string name) {
  const life l(d, std::move(name));
  co_await sleep_forever();
}

/// Ends in its first life; its second one stays.
task<> middle(diary& d, end_kind how) {
  const life l(d, "b");
  if (d.lives["b"] > 1)
    co_await sleep_forever();
  co_await d.ends.wait();
  if (how == end_kind::throws)
    throw std::runtime_error("b has failed");
  if (how == end_kind::is_cancelled) {
    send_exit(self(), caf::exit_reason::user_shutdown);
    co_await sleep_forever();
  }
}

/// Gives who is known in the end, and as what.
std::string run_case(diary& d, strategy how, restart type, end_kind kind,
                     const std::string& expected) {
  std::string known;
  testing::run_virtually([&]() -> task<> {
    supervisor_options options;
    options.restart_strategy = how;
    options.on_event = [](const supervisor_event&) {};
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec a{.name = "a", .start = [&]() { return sibling(d, "a"); }};
      const child_spec b{.name = "b", .start = [&]() { return middle(d, kind); }, .restarts = type};
      const child_spec c{.name = "c", .start = [&]() { return sibling(d, "c"); }};
      co_await s.start_child(a);
      co_await s.start_child(b);
      co_await s.start_child(c);
      co_await sleep_for(std::chrono::milliseconds(1));
      d.ends.set();
      co_await sleep_for(std::chrono::milliseconds(1)); // virtual: all that can run has run
      BOOST_TEST(d.text == expected);
      for (const child_info& i : s.children())
        known += i.name + (i.now == child_info::state::running ? "r" : "e");
      d.text.clear();
      for (const child_info& i : s.children())
        co_await s.stop_child(i.name);
    });
  });
  return known;
}

} // namespace

BOOST_AUTO_TEST_SUITE(supervisor_matrix)

BOOST_DATA_TEST_CASE(p15_otp_matrix,
                     data::make({strategy::one_for_one, strategy::one_for_all,
                                 strategy::rest_for_one, strategy::simple_one_for_one})
                       * data::make({restart::permanent, restart::transient, restart::temporary})
                       * data::make({end_kind::returns, end_kind::throws, end_kind::is_cancelled}),
                     how, type, kind) {
  const bool again =
    type == restart::permanent || (type == restart::transient && kind != end_kind::returns);
  std::string expected = "+a+b+c-b";
  if (again)
    switch (how) {
    case strategy::one_for_one:
    case strategy::simple_one_for_one: expected += "+b"; break;
    case strategy::one_for_all: expected += "-c-a+a+b+c"; break;
    case strategy::rest_for_one: expected += "-c+b+c"; break;
    }

  diary d;
  const std::string known = run_case(d, how, type, kind, expected);
  BOOST_TEST(!d.overlapped); // P16
  const bool gone = !again && (type == restart::temporary || how == strategy::simple_one_for_one);
  BOOST_TEST(known == (again ? "arbrcr" : gone ? "arcr" : "arbecr"));
}

/// OTP's restart of a group: transient siblings are part of it, also when they had ended;
/// temporary ones are stopped with it and forgotten.
BOOST_DATA_TEST_CASE(p15_otp_siblings,
                     data::make({strategy::one_for_all, strategy::rest_for_one})
                       * data::make({restart::transient, restart::temporary})
                       * data::make({false, true}),
                     how, type, had_ended) {
  const bool all = how == strategy::one_for_all;
  const bool transient = type == restart::transient;
  std::string expected = "+a+b+c";
  if (had_ended)
    expected += "-a-c-b";
  else
    expected += all ? "-b-c-a" : "-b-c";
  if (all)
    expected += transient ? "+a+b+c" : "+b";
  else
    expected += transient ? "+b+c" : "+b";
  std::string known = "br";
  if (transient)
    known = all || !had_ended ? "arbrcr" : "aebrcr";
  else if (!all && !had_ended)
    known = "arbr";

  diary d;
  event siblings_end;
  const auto sibling_that_ends = [&](std::string name) -> task<> {
    const life l(d, name);
    if (d.lives[name] > 1 || !had_ended)
      co_await sleep_forever();
    co_await siblings_end.wait();
  };
  testing::run_virtually([&]() -> task<> {
    supervisor_options options;
    options.restart_strategy = how;
    options.on_event = [](const supervisor_event&) {};
    co_await with_supervisor(options, [&](supervisor& s) -> task<> {
      const child_spec a{
        .name = "a", .start = [&]() { return sibling_that_ends("a"); }, .restarts = type};
      const child_spec b{.name = "b", .start = [&]() { return middle(d, end_kind::throws); }};
      const child_spec c{
        .name = "c", .start = [&]() { return sibling_that_ends("c"); }, .restarts = type};
      co_await s.start_child(a);
      co_await s.start_child(b);
      co_await s.start_child(c);
      co_await sleep_for(std::chrono::milliseconds(1));
      siblings_end.set();
      co_await sleep_for(std::chrono::milliseconds(1));
      d.ends.set();
      co_await sleep_for(std::chrono::milliseconds(1));
      BOOST_TEST(d.text == expected);
      std::string left;
      for (const child_info& i : s.children())
        left += i.name + (i.now == child_info::state::running ? "r" : "e");
      BOOST_TEST(left == known);
      for (const child_info& i : s.children())
        co_await s.stop_child(i.name);
    });
  });
  BOOST_TEST(!d.overlapped); // P16
}

BOOST_AUTO_TEST_SUITE_END()
