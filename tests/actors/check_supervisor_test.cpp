// SPDX-License-Identifier: BSD-3-Clause
// The check of supervisors, on ours, and on ones that are broken by what is put around ours.
#include <troupe/actors/testing/check_supervisor.hpp>
#include <troupe/outcome.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <utility>

using namespace troupe;
using namespace std::chrono_literals;
using testing::run_virtually;
using testing::supervisor_body;

namespace {

/// What can be wrong with a supervisor.
enum class fault {
  none,
  body_failure_is_lost,
  start_is_not_awaited,
  stops_all_at_once,
  stop_does_nothing,
  stop_is_not_awaited,
  stopped_is_started_again,
  two_later_lives,
  permanent_may_return,
  transient_always,
  temporary_again,
  one_for_one_is_for_all,
  one_for_all_is_for_the_rest,
  rest_for_one_is_for_all,
  one_too_many,
  one_too_few,
  counts_for_ever,
  gives_up_silently,
  gives_up_silently_below,
  gives_up_without_a_cause,
  tries_on_by_itself,
  failing_start_is_not_told,
  failing_start_keeps_the_name,
  cancelled_start_goes_on,
  failure_is_not_told,
  failure_of_a_clean_up_is_not_told,
  failure_is_told_twice,
  does_not_wait,
  leaves_one_behind
};

/// One life of a child: in a nursery that others can get hold of.
struct lone_life {
  event ready, over;
  nursery* inside = nullptr;
  std::exception_ptr failure;

  static task<> run(std::shared_ptr<lone_life> self, child_spec spec) {
    try {
      co_await with_nursery([&](nursery& n) -> task<> {
        self->inside = &n;
        bool completed = false;
        caf::actor address;
        co_await spec.start.launch(n, spec.name, std::nullopt, completed, address);
        self->ready.set();
        co_await sleep_forever();
      });
    } catch (...) {
      self->failure = std::current_exception();
    }
    self->inside = nullptr;
    self->ready.set();
    self->over.set();
  }
};

/// A supervisor as it should be, behind a face with a mistake.
class broken_supervisor {
public:
  broken_supervisor(supervisor& s, fault f, nursery& inside, nursery& outside)
    : supervisor_(s), fault_(f), inside_(inside), outside_(outside) {}

  task<> start_child(const child_spec& spec) {
    const child_spec changed{
      .name = spec.name, .start = changed_start(spec), .restarts = changed_type(spec.restarts)};
    if (fault_ == fault::start_is_not_awaited || fault_ == fault::cancelled_start_goes_on) {
      const auto over = std::make_shared<event>();
      const auto result = std::make_shared<std::exception_ptr>();
      inside_.start_soon(start_aside, std::ref(supervisor_), changed, over, result);
      if (fault_ == fault::cancelled_start_goes_on)
        co_await over->wait();
      if (*result)
        std::rethrow_exception(*result);
      co_return;
    }
    const auto result = co_await as_outcome(supervisor_.start_child(changed));
    if (result.has_value())
      co_return;
    if (fault_ == fault::failing_start_keeps_the_name) {
      const child_spec still_there{.name = spec.name, .start = [] { return sleeping(); }};
      static_cast<void>(co_await as_outcome(supervisor_.start_child(still_there)));
    }
    if (fault_ != fault::failing_start_is_not_told)
      std::rethrow_exception(result.error());
  }

  task<> stop_child(std::string name) {
    if (fault_ == fault::stop_does_nothing)
      co_return;
    if (fault_ == fault::stop_is_not_awaited) {
      inside_.start_soon([this, name]() { return supervisor_.stop_child(name); });
      co_return;
    }
    co_await supervisor_.stop_child(name);
    if (fault_ == fault::stopped_is_started_again)
      co_await supervisor_.restart_child(name);
  }

private:
  static task<> sleeping() { co_await sleep_forever(); }

  static task<> start_aside(supervisor& s, child_spec spec, std::shared_ptr<event> over,
                            std::shared_ptr<std::exception_ptr> result) {
    const auto outcome = co_await as_outcome(s.start_child(spec));
    if (!outcome.has_value())
      *result = outcome.error();
    over->set();
  }

  [[nodiscard]] restart changed_type(restart r) const {
    if (fault_ == fault::permanent_may_return && r == restart::permanent)
      return restart::transient;
    if (fault_ == fault::transient_always && r == restart::transient)
      return restart::permanent;
    if (fault_ == fault::temporary_again && r == restart::temporary)
      return restart::transient;
    return r;
  }

  child_start changed_start(const child_spec& spec) {
    const bool plain = spec.start.plain() != nullptr;
    const auto lives = std::make_shared<int>(0);
    if (fault_ == fault::two_later_lives && plain)
      return [fn = *spec.start.plain(), lives] { return later_twice(fn, ++*lives); };
    if (fault_ == fault::tries_on_by_itself && !plain)
      return [spec, lives](task_status<>& status) { return try_on(spec, ++*lives, status); };
    if (fault_ == fault::leaves_one_behind && !plain && spec.name == "c")
      return [spec, this](task_status<>& status) { return live_outside(outside_, spec, status); };
    return spec.start;
  }

  static task<> later_twice(std::function<task<>()> fn, int which) {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(fn);
      if (which > 1)
        n.start_soon(fn);
      co_return;
    });
  }

  /// After its first life, until it is ready.
  static task<> try_on(child_spec spec, int which, task_status<>& status) {
    for (bool ready = false; !ready;) {
      co_await with_nursery([&](nursery& n) -> task<> {
        bool completed = false;
        caf::actor address;
        const auto result =
          co_await as_outcome(spec.start.launch(n, spec.name, std::nullopt, completed, address));
        if (!result.has_value() && which == 1)
          std::rethrow_exception(result.error());
        ready = result.has_value();
        if (ready)
          status.started();
      });
    }
  }

  /// Stays if it is cancelled before it is ready.
  static task<> live_outside(nursery& outside, child_spec spec, task_status<>& status) {
    const auto life = std::make_shared<lone_life>();
    outside.start_soon(lone_life::run, life, std::move(spec));
    co_await life->ready.wait();
    if (!life->failure)
      status.started();
    co_await with_cleanup([&]() -> task<> { co_await life->over.wait(); },
                          [&]() -> task<> {
                            if (life->inside)
                              life->inside->cancel();
                            co_await life->over.wait();
                          });
    if (life->failure)
      std::rethrow_exception(life->failure);
  }

  supervisor& supervisor_;
  fault fault_;
  nursery& inside_;
  nursery& outside_;
};

supervisor_options changed(const supervisor_options& options, fault f) {
  supervisor_options o = options;
  strategy& how = o.restart_strategy;
  if (f == fault::stops_all_at_once && how == strategy::one_for_one)
    how = strategy::simple_one_for_one;
  if (f == fault::one_for_one_is_for_all && how == strategy::one_for_one)
    how = strategy::one_for_all;
  else if (f == fault::one_for_all_is_for_the_rest && how == strategy::one_for_all)
    how = strategy::rest_for_one;
  else if (f == fault::rest_for_one_is_for_all && how == strategy::rest_for_one)
    how = strategy::one_for_all;
  if (f == fault::one_too_many && o.intensity > 1)
    ++o.intensity;
  if (f == fault::one_too_few && o.intensity > 1)
    --o.intensity;
  if (f == fault::counts_for_ever)
    o.period = 24h;
  o.on_event = [tell = options.on_event, f](const supervisor_event& e) {
    const bool cleaning = e.error && describe(e.error).find("clean up") != std::string::npos;
    if (f == fault::failure_is_not_told
        || (f == fault::failure_of_a_clean_up_is_not_told && cleaning))
      return;
    tell(e);
    if (f == fault::failure_is_told_twice)
      tell(e);
  };
  return o;
}

task<> run_broken(const supervisor_options& options, supervisor_body body, fault f,
                  nursery& outside) {
  const supervisor_options o = changed(options, f);
  try {
    co_await with_cancel_scope([&](cancel_scope& around) -> task<> {
      co_await with_supervisor(o, [&](supervisor& s) -> task<> {
        co_await with_nursery([&](nursery& inside) -> task<> {
          broken_supervisor broken(s, f, inside, outside);
          co_await body(broken);
        });
        if (f == fault::does_not_wait)
          around.cancel();
      });
    });
  } catch (const restart_limit_reached& e) {
    if (f == fault::gives_up_without_a_cause)
      throw restart_limit_reached(e.what(), nullptr);
    const bool silent =
      f == fault::gives_up_silently || (f == fault::gives_up_silently_below && o.intensity == 1);
    if (!silent)
      throw;
  } catch (const std::exception&) {
    if (f != fault::body_failure_is_lost)
      throw;
  }
}

/// What the check says; empty if it finds nothing.
std::string verdict_on(fault f) {
  std::string said;
  run_virtually([&]() -> task<> {
    co_await with_nursery([&](nursery& outside) -> task<> {
      const testing::supervisor_runner run = [&](const supervisor_options& options,
                                                 supervisor_body body) {
        return run_broken(options, std::move(body), f, outside);
      };
      try {
        co_await testing::check_supervisor(run);
      } catch (const testing::test_failure& e) {
        said = e.what();
      }
      outside.cancel();
    });
  });
  return said;
}

} // namespace

BOOST_AUTO_TEST_SUITE(checks_of_supervisors)

BOOST_AUTO_TEST_CASE(p15_p16_p26_our_supervisor_keeps_the_rules) {
  run_virtually([]() -> task<> {
    const testing::supervisor_runner run = [](const supervisor_options& options,
                                              supervisor_body body) -> task<> {
      co_await with_supervisor(options, body);
    };
    co_await testing::check_supervisor(run);
  });
}

BOOST_AUTO_TEST_CASE(p26_each_broken_supervisor_is_found_out) {
  BOOST_TEST(verdict_on(fault::none) == "");
  const auto finds = [](fault f, const std::string& rule, const std::string& how) {
    const std::string said = verdict_on(f);
    const bool found =
      said.starts_with("check_supervisor: " + rule + ": ") && said.find(how) != std::string::npos;
    BOOST_TEST(found, rule << ": " << how << ": " << said);
  };
  const std::string order = "children start in order, each when the one before is ready";
  const std::string reverse =
    "children are stopped in reverse order, each when the one behind it has ended";
  const std::string one = "a child that is stopped has ended then, stays so, and is alone";
  const std::string type = "the restart type says whether a child is started again";
  const std::string set = "the strategy says who is stopped and started together with it";
  const std::string often =
    "more than `intensity` restarts within `period`, and no fewer, are too many";
  const std::string start =
    "a start that fails is told to who has asked for it, and leaves no child";
  const std::string lost = "no failure is lost, and none is told twice";

  finds(fault::body_failure_is_lost, "what the body throws comes out", "it returns");
  finds(fault::start_is_not_awaited, order, "instead of");
  finds(fault::stops_all_at_once, reverse, "cancelled, one_for_one");
  finds(fault::stop_does_nothing, one, "instead of");
  finds(fault::stop_is_not_awaited, one, "when it was stopped");
  finds(fault::stopped_is_started_again, one, "instead of");
  finds(fault::two_later_lives, "two lives of one child never overlap", "+a+a");
  finds(fault::permanent_may_return, type, "a permanent child that returns");
  finds(fault::transient_always, type, "a transient child that returns");
  finds(fault::temporary_again, type, "a temporary child that throws");
  finds(fault::one_for_one_is_for_all, set, "one_for_one: ");
  finds(fault::one_for_all_is_for_the_rest, set, "one_for_all: ");
  finds(fault::rest_for_one_is_for_all, set, "rest_for_one: ");
  finds(fault::one_too_many, often, "there were 4");
  finds(fault::one_too_few, often, "there were 2");
  finds(fault::counts_for_ever, often, "one restart within 5 s, which is allowed");
  finds(fault::gives_up_silently, often, "it returns");
  finds(fault::gives_up_without_a_cause, often, "its cause is not");
  finds(fault::tries_on_by_itself, "a restart that fails counts as any other", "it goes on");
  finds(fault::gives_up_silently_below, "giving up is a failure for the supervisor above",
        "the one below gave up");
  finds(fault::failing_start_is_not_told, start, "does not hear what it throws");
  finds(fault::failing_start_keeps_the_name, start, "has a child 'b' already");
  finds(fault::cancelled_start_goes_on, "a start that is cancelled leaves no child", "already");
  finds(fault::failure_is_not_told, lost, "nobody is told that a fails in life 1");
  finds(fault::failure_of_a_clean_up_is_not_told, lost, "d does not clean up");
  finds(fault::failure_is_told_twice, lost, "it is told 2 times that");
  finds(fault::does_not_wait, "a supervisor ends when no child is left, and not before",
        "instead of");
  finds(fault::leaves_one_behind, "nothing is left of a supervisor that is cancelled at any moment",
        "a child lives");
}

BOOST_AUTO_TEST_SUITE_END()
