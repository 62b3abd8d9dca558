// SPDX-License-Identifier: BSD-3-Clause
#include "supervised_children.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/time.hpp>

#include <array>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;
using namespace supervised;

constexpr std::array all_strategies{strategy::one_for_one, strategy::one_for_all,
                                    strategy::rest_for_one, strategy::simple_one_for_one};

task<> start_in_order(const supervisor_runner& run) {
  for (const strategy how : all_strategies) {
    const diary_ptr d = std::make_shared<diary>();
    std::string seen;
    const supervisor_options options = quiet(how);
    co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
      for (const char* name : {"a", "b", "c"}) {
        const child_spec slow = slow_child(d, {.name = name});
        co_await s.start_child(slow);
        d->text += '|';
      }
      const child_spec plain = plain_child(d, {.name = "d"});
      co_await s.start_child(plain);
      co_await sleep_for(1s);
      seen = d->text;
    });
    require_same(text_of(how), seen, "+a!a|+b!b|+c!c|+d");
  }
}

task<> stop_in_reverse(const supervisor_runner& run) {
  enum class way { cancelled, body_fails, gives_up };
  for (const strategy how : all_strategies)
    for (const way w : {way::cancelled, way::body_fails, way::gives_up}) {
      const diary_ptr d = std::make_shared<diary>();
      supervisor_options options = quiet(how);
      options.intensity = 0;
      co_await supervise(run, options, 10s, [&](checked_supervisor& s) -> task<> {
        for (const char* name : {"a", "b", "c"}) {
          const child_spec spec = plain_child(d, {.name = name, .clean_up = 1s});
          co_await s.start_child(spec);
        }
        co_await sleep_for(1s);
        d->text.clear();
        if (w == way::body_fails)
          throw std::runtime_error("the body");
        if (w == way::gives_up) {
          const child_spec bad = plain_child(d, {.name = "d", .does = fail_up_to(1, 1s)});
          co_await s.start_child(bad);
        }
        co_await sleep_forever();
      });
      const std::string who = std::string(w == way::cancelled    ? "cancelled"
                                          : w == way::body_fails ? "when its body fails"
                                                                 : "giving up")
                              + ", " + text_of(how);
      const std::string before = w == way::gives_up ? "+d(d-d" : "";
      if (how != strategy::simple_one_for_one)
        require_same(who, d->text, before + "(c-c(b-b(a-a");
      else // at the same time, in any order
        require(d->text.starts_with(before + "(") && d->text.size() == before.size() + 12
                  && d->text.find('-', before.size()) == before.size() + 6,
                who + ": " + d->text + ", not all at the same time");
    }
}

task<> restart_types(const supervisor_runner& run) {
  for (const restart type : {restart::permanent, restart::transient, restart::temporary})
    for (const end_kind kind : {end_kind::returns, end_kind::throws, end_kind::is_cancelled}) {
      const auto d = std::make_shared<diary>();
      const supervisor_options options = quiet();
      const ending e = co_await supervise(run, options, 10s, [&](checked_supervisor& s) -> task<> {
        const child_spec a =
          plain_child(d, {.name = "a", .restarts = type, .does = end_up_to(1, 1s, kind)});
        co_await s.start_child(a);
        co_await sleep_for(5s);
        d->text += '.';
        co_await sleep_forever();
      });
      const std::string who = text_of(type) + " child that " + text_of(kind);
      require(e.cut_off, who + ": the supervisor does not go on: " + e.text());
      const bool again =
        type == restart::permanent || (type == restart::transient && kind != end_kind::returns);
      require_same(who, d->text, again ? "+a(a-a+a.(a-a" : "+a(a-a.");
    }
}

task<> strategies(const supervisor_runner& run) {
  for (const strategy how : all_strategies) {
    const diary_ptr d = std::make_shared<diary>();
    std::string seen;
    const supervisor_options options = quiet(how);
    co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
      for (const char* name : {"a", "b", "c", "d"}) {
        child_plan plan{.name = name, .clean_up = 1s};
        if (plan.name == "b")
          plan.does = fail_up_to(1, 15s);
        const child_spec spec = slow_child(d, std::move(plan));
        co_await s.start_child(spec);
      }
      co_await s.stop_child("d"); // and so it stays
      d->text.clear();
      co_await sleep_for(30s);
      seen = d->text;
    });
    std::string expected = "(b-b";
    switch (how) {
    case strategy::one_for_one:
    case strategy::simple_one_for_one: expected += "+b!b"; break;
    case strategy::one_for_all: expected += "(c-c(a-a+a!a+b!b+c!c"; break;
    case strategy::rest_for_one: expected += "(c-c+b!b+c!c"; break;
    }
    require_same(text_of(how), seen, expected);
  }
}

task<> lives_do_not_overlap(const supervisor_runner& run) {
  const diary_ptr d = std::make_shared<diary>();
  supervisor_options options = quiet();
  options.intensity = 2;
  co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
    const child_spec a = plain_child(d, {.name = "a", .does = fail_up_to(2, 1s), .clean_up = 1s});
    co_await s.start_child(a);
    co_await sleep_forever();
  });
  require(!d->overlapped, "a life has begun before the last one has cleaned up: " + d->text);
}

task<> stopping_one(const supervisor_runner& run) {
  const diary_ptr d = std::make_shared<diary>();
  const supervisor_options options = quiet();
  std::string at_once, later;
  co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
    for (const char* name : {"a", "b", "c"}) {
      const child_spec spec = plain_child(d, {.name = name, .clean_up = 1s});
      co_await s.start_child(spec);
    }
    co_await sleep_for(1s);
    d->text.clear();
    co_await s.stop_child("b");
    at_once = d->text;
    co_await sleep_for(10s);
    later = d->text;
  });
  require_same("when it was stopped", at_once, "(b-b");
  require_same("later", later, "(b-b");
}

task<> waits_for_children(const supervisor_runner& run) {
  const supervisor_options options = quiet();
  for (const restart type : {restart::temporary, restart::transient}) {
    const diary_ptr d = std::make_shared<diary>();
    const ending e = co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
      child_plan plan{.name = "a", .restarts = type};
      plan.does = [d](int which) -> task<> {
        co_await sleep_for(1s);
        if (which == 1)
          throw std::runtime_error("fails");
        d->text += '.';
      };
      const child_spec a = plain_child(d, std::move(plan));
      co_await s.start_child(a);
    });
    require(!e.cut_off && !e.error, "the only child has ended for good, and " + e.text());
    require_same(text_of(type) + " child", d->text,
                 type == restart::temporary ? "+a(a-a" : "+a(a-a+a.(a-a");
  }
}

task<> nothing_is_left(const supervisor_runner& run) {
  for (const strategy how : all_strategies)
    for (duration at = 0s; at < 4s; at += 100ms) {
      const diary_ptr d = std::make_shared<diary>();
      const supervisor_options options = quiet(how);
      co_await supervise(run, options, at, [&](checked_supervisor& s) -> task<> {
        for (const char* name : {"a", "b", "c"}) {
          child_plan plan{.name = name, .ready_after = 300ms, .clean_up = 250ms};
          if (plan.name == "b")
            plan.does = fail_up_to(1, 1s);
          const child_spec spec = slow_child(d, std::move(plan));
          co_await s.start_child(spec);
        }
        co_await sleep_forever();
      });
      require(d->alive() == 0, text_of(how) + ", cancelled after " + std::to_string(at / 1ms)
                                 + " ms: a child lives: " + d->text);
      require(!d->overlapped, text_of(how) + ": two lives of one child: " + d->text);
    }
}

/// A rule: what it says, and how it is tried.
struct rule {
  const char* says;
  task<> (*check)(const supervisor_runner& run);
};

constexpr rule rules[]{
  {"what the body throws comes out", body_failure_comes_out},
  {"children start in order, each when the one before is ready", start_in_order},
  {"children are stopped in reverse order, each when the one behind it has ended", stop_in_reverse},
  {"a child that is stopped has ended then, stays so, and is alone", stopping_one},
  {"two lives of one child never overlap", lives_do_not_overlap},
  {"the restart type says whether a child is started again", restart_types},
  {"the strategy says who is stopped and started together with it", strategies},
  {"more than `intensity` restarts within `period`, and no fewer, are too many", giving_up},
  {"a restart that fails counts as any other", failed_restarts_count},
  {"giving up is a failure for the supervisor above", giving_up_is_a_failure},
  {"a start that fails is told to who has asked for it, and leaves no child", failing_starts},
  {"a start that is cancelled leaves no child", cancelled_starts},
  {"no failure is lost, and none is told twice", no_failure_is_lost},
  {"a supervisor ends when no child is left, and not before", waits_for_children},
  {"nothing is left of a supervisor that is cancelled at any moment", nothing_is_left},
};

} // namespace

task<> check_supervisor(supervisor_runner run) {
  for (const rule& r : rules) {
    std::string why;
    const bool ended = co_await move_on_after(24h, [&]() -> task<> {
      try {
        co_await r.check(run);
      } catch (const std::exception&) {
        why = describe(std::current_exception());
      }
    });
    if (!ended)
      why = "it hangs";
    if (!why.empty())
      throw test_failure("check_supervisor: " + std::string(r.says) + ": " + why);
  }
}

} // namespace troupe::testing
