// SPDX-License-Identifier: BSD-3-Clause
// What supervisors do when something fails: children, starts, their own patience.
#include "supervised_children.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/error.hpp>
#include <troupe/time.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace troupe::testing::supervised {

namespace {

using namespace std::chrono_literals;

/// What `op()` throws; null if it returns.
template <class Op>
task<std::exception_ptr> failure_of(Op op) {
  try {
    co_await op();
  } catch (...) {
    co_return std::current_exception();
  }
  co_return nullptr;
}

} // namespace

task<> body_failure_comes_out(const supervisor_runner& run) {
  const diary_ptr d = std::make_shared<diary>();
  const supervisor_options options = quiet();
  const ending e = co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
    const child_spec a = plain_child(d, {.name = "a"});
    co_await s.start_child(a);
    throw std::runtime_error("the body");
  });
  const auto* const thrown = as<std::runtime_error>(e.error);
  require(thrown && thrown->what() == std::string("the body"),
          "the body has thrown 'the body', and " + e.text());
  require(d->alive() == 0, "a child is left");
}

task<> giving_up(const supervisor_runner& run) {
  const auto crashes = [&run](int lives, duration each, std::size_t intensity,
                              diary_ptr d) -> task<ending> {
    supervisor_options options = quiet();
    options.intensity = intensity;
    options.period = 5s;
    co_return co_await supervise(run, options, 3min, [&](checked_supervisor& s) -> task<> {
      const child_spec a = plain_child(d, {.name = "a"});
      const child_spec b = plain_child(d, {.name = "b", .does = fail_up_to(lives, each)});
      co_await s.start_child(a);
      co_await s.start_child(b);
      co_await sleep_forever();
    });
  };
  const diary_ptr many = std::make_shared<diary>();
  const ending e = co_await crashes(10, 1s, 3, many);
  const auto* const thrown = as<restart_limit_reached>(e.error);
  require(thrown, "a child fails each second, and " + e.text());
  require(many->lives["b"] == 4,
          "3 restarts are allowed, and there were " + std::to_string(many->lives["b"] - 1));
  require(thrown->cause()
            && describe(thrown->cause()).find("b fails in life 4") != std::string::npos,
          "its cause is not the child's last failure");
  require(many->alive() == 0, "a child is left");

  const ending few = co_await crashes(3, 1s, 3, std::make_shared<diary>());
  require(few.cut_off, "there are no more restarts than are allowed, and " + few.text());
  const ending slow = co_await crashes(20, 6s, 1, std::make_shared<diary>());
  require(slow.cut_off, "there is one restart within 5 s, which is allowed, and " + slow.text());
}

task<> failed_restarts_count(const supervisor_runner& run) {
  const diary_ptr d = std::make_shared<diary>();
  supervisor_options options = quiet();
  options.intensity = 3;
  const ending e = co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
    const child_spec a =
      slow_child(d, {.name = "a", .does = fail_up_to(1, 1s), .ready_after = 10ms, .fails_from = 2});
    co_await s.start_child(a);
    co_await sleep_forever();
  });
  require(as<restart_limit_reached>(e.error) && d->lives["a"] == 4,
          "3 restarts are allowed, and fail; after " + std::to_string(d->lives["a"] - 1) + " "
            + e.text());
}

task<> giving_up_is_a_failure(const supervisor_runner& run) {
  const diary_ptr d = std::make_shared<diary>();
  supervisor_options above = quiet();
  above.intensity = 2;
  const ending e = co_await supervise(run, above, 1min, [&](checked_supervisor& s) -> task<> {
    const child_spec below{.name = "below", .start = [d, &run]() -> task<> {
                             const supervisor_options options = quiet();
                             supervisor_body body([&d](checked_supervisor& inner) -> task<> {
                               const child_spec a =
                                 plain_child(d, {.name = "a", .does = fail_up_to(100, 10ms)});
                               co_await inner.start_child(a);
                               co_await sleep_forever();
                             });
                             co_await run(options, std::move(body));
                           }};
    co_await s.start_child(below);
    co_await sleep_forever();
  });
  const auto* const thrown = as<restart_limit_reached>(e.error);
  require(thrown, "the one below gives up again and again, and of the one above, " + e.text());
  require(as<restart_limit_reached>(thrown->cause()),
          "its cause is not that the one below gave up");
  require(d->lives["a"] == 6, "there are " + std::to_string(d->lives["a"])
                                + " lives, not 2 in each of 3 of the supervisor below");
}

task<> failing_starts(const supervisor_runner& run) {
  const diary_ptr d = std::make_shared<diary>();
  const supervisor_options options = quiet();
  std::exception_ptr told, silent, taken, unknown;
  std::string seen;
  const ending e = co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
    const child_spec a = plain_child(d, {.name = "a"});
    co_await s.start_child(a);
    const child_spec bad = slow_child(d, {.name = "b", .fails_from = 1});
    told = co_await failure_of([&] { return s.start_child(bad); });
    const child_spec mute{.name = "c",
                          .start = [](task_status<>&) -> task<> { co_await checkpoint(); }};
    silent = co_await failure_of([&] { return s.start_child(mute); });
    taken = co_await failure_of([&] { return s.start_child(a); });
    unknown = co_await failure_of([&] { return s.stop_child("x"); });
    co_await sleep_for(10s);
    const child_spec again = plain_child(d, {.name = "b"});
    co_await s.start_child(again);
    co_await sleep_for(1s);
    seen = d->text;
    co_await sleep_forever();
  });
  require(told && describe(told) == "b does not start in life 1",
          "who starts a child does not hear what it throws, but "
            + (told ? describe(told) : "nothing"));
  require(as<start_error>(silent), "a child that ends before it is ready is no start_error");
  require(as<supervisor_error>(taken), "a name that is taken is no supervisor_error");
  require(as<supervisor_error>(unknown), "a name that is unknown is no supervisor_error");
  require(e.cut_off, "it does not go on: " + e.text());
  require_same("after a start that has failed, one by its name", seen, "+a+b-b+b");
}

task<> cancelled_starts(const supervisor_runner& run) {
  const diary_ptr d = std::make_shared<diary>();
  const supervisor_options options = quiet();
  std::string seen;
  const ending e = co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
    const child_spec slow = slow_child(d, {.name = "a", .ready_after = 10s});
    co_await move_on_after(1s, [&] { return s.start_child(slow); });
    co_await sleep_for(20s);
    const child_spec again = plain_child(d, {.name = "a"});
    co_await s.start_child(again);
    co_await sleep_for(1s);
    seen = d->text;
    co_await sleep_forever();
  });
  require(e.cut_off, "it does not go on: " + e.text());
  require_same("after a start that was cancelled, one by its name", seen, "+a-a+a");
}

task<> no_failure_is_lost(const supervisor_runner& run) {
  const diary_ptr d = std::make_shared<diary>();
  supervisor_options options;
  options.intensity = 10;
  options.on_event = [d](const supervisor_event& e) {
    if (e.what == supervisor_event::kind::failed && e.error)
      d->told += describe(e.error) + '\n';
  };
  const ending e = co_await supervise(run, options, 1min, [&](checked_supervisor& s) -> task<> {
    const child_spec restarted = plain_child(d, {.name = "a", .does = fail_up_to(1, 1s)});
    const child_spec gone =
      plain_child(d, {.name = "b", .restarts = restart::temporary, .does = fail_up_to(1, 1s)});
    const child_spec late =
      slow_child(d, {.name = "c", .does = fail_up_to(1, 1s), .fails_from = 2, .fails_to = 2});
    const child_spec stopped = plain_child(d, {.name = "d", .clean_up_fails = true});
    const child_spec ended = plain_child(d, {.name = "e", .clean_up_fails = true});
    for (const child_spec* spec : {&restarted, &gone, &late, &stopped, &ended})
      co_await s.start_child(*spec);
    co_await sleep_for(10s);
    co_await s.stop_child("d");
  });
  const std::string told = d->told + (e.error ? describe(e.error) : "");
  const auto times = [&told](const std::string& what) {
    int count = 0;
    for (auto at = told.find(what); at != told.npos; at = told.find(what, at + 1))
      ++count;
    return count;
  };
  for (const char* what :
       {"a fails in life 1", "b fails in life 1", "c fails in life 1", "c does not start in life 2",
        "d does not clean up in life 1", "e does not clean up in life 1"}) {
    const int n = times(what);
    require(n != 0, "nobody is told that " + std::string(what));
    require(n == 1, "it is told " + std::to_string(n) + " times that " + what);
  }
}

} // namespace troupe::testing::supervised
