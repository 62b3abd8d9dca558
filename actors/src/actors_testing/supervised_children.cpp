// SPDX-License-Identifier: BSD-3-Clause
#include "supervised_children.hpp"

#include <troupe/actor.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/time.hpp>

#include <stdexcept>
#include <utility>

namespace troupe::testing::supervised {

namespace {

/// "b fails in life 1".
std::string in_life(const std::string& who, const char* what, int which) {
  return who + ' ' + what + " in life " + std::to_string(which);
}

class life {
public:
  life(diary_ptr d, std::string name) : diary_(std::move(d)), name_(std::move(name)) {
    diary_->text += '+' + name_;
    number_ = ++diary_->lives[name_];
    if (diary_->living[name_]++ != 0)
      diary_->overlapped = true;
  }
  life(const life&) = delete;
  life& operator=(const life&) = delete;
  ~life() {
    diary_->text += '-' + name_;
    --diary_->living[name_];
  }
  [[nodiscard]] int number() const noexcept { return number_; }

private:
  diary_ptr diary_;
  std::string name_;
  int number_;
};

/// What it needs is in its own frame: its supervisor may forget it too early.
task<> live(diary_ptr d, child_plan plan, task_status<>* status) {
  const life mine(d, plan.name);
  if (status) {
    co_await sleep_for(plan.ready_after);
    if (plan.fails_from != 0 && mine.number() >= plan.fails_from && mine.number() <= plan.fails_to)
      throw std::runtime_error(in_life(plan.name, "does not start", mine.number()));
    d->text += '!' + plan.name;
    status->started();
  }
  co_await with_cleanup(
    [&]() -> task<> {
      if (!plan.does)
        co_await sleep_forever();
      try {
        co_await plan.does(mine.number());
      } catch (const std::runtime_error& e) { // it does not know whose it is
        throw std::runtime_error(in_life(plan.name, e.what(), mine.number()));
      }
    },
    [&]() -> task<> {
      d->text += '(' + plan.name;
      co_await sleep_for(plan.clean_up);
      if (plan.clean_up_fails)
        throw std::runtime_error(in_life(plan.name, "does not clean up", mine.number()));
    });
}

} // namespace

int diary::alive() const noexcept {
  int all = 0;
  for (const auto& [name, count] : living)
    all += count;
  return all;
}

child_spec plain_child(const diary_ptr& d, child_plan plan) {
  const restart type = plan.restarts;
  const std::string name = plan.name;
  return {.name = name,
          .start = [d, plan = std::move(plan)] { return live(d, plan, nullptr); },
          .restarts = type};
}

child_spec slow_child(const diary_ptr& d, child_plan plan) {
  const restart type = plan.restarts;
  const std::string name = plan.name;
  if (plan.ready_after == duration::zero())
    plan.ready_after = std::chrono::seconds(1);
  return {.name = name,
          .start = [d, plan = std::move(plan)](task_status<>& s) { return live(d, plan, &s); },
          .restarts = type};
}

what_it_does end_up_to(int last, duration after, end_kind how) {
  return [last, after, how](int which) -> task<> {
    if (which > last)
      co_await sleep_forever();
    co_await sleep_for(after);
    if (how == end_kind::throws)
      throw std::runtime_error("fails");
    if (how == end_kind::is_cancelled) {
      send_exit(self(), caf::exit_reason::user_shutdown);
      co_await sleep_forever();
    }
  };
}

what_it_does fail_up_to(int last, duration after) {
  return end_up_to(last, after, end_kind::throws);
}

std::string text_of(strategy s) {
  switch (s) {
  case strategy::one_for_one: return "one_for_one";
  case strategy::one_for_all: return "one_for_all";
  case strategy::rest_for_one: return "rest_for_one";
  case strategy::simple_one_for_one: return "simple_one_for_one";
  }
  return {};
}

std::string text_of(restart r) {
  switch (r) {
  case restart::permanent: return "a permanent";
  case restart::transient: return "a transient";
  case restart::temporary: return "a temporary";
  }
  return {};
}

std::string text_of(end_kind k) {
  switch (k) {
  case end_kind::returns: return "returns";
  case end_kind::throws: return "throws";
  case end_kind::is_cancelled: return "is cancelled";
  }
  return {};
}

std::string ending::text() const {
  if (cut_off)
    return "it goes on";
  return error ? "it throws: " + describe(error) : "it returns";
}

task<ending> supervise(const supervisor_runner& run, const supervisor_options& options,
                       duration most, std::function<task<>(checked_supervisor&)> body) {
  ending e;
  supervisor_body as_body(std::move(body));
  const bool ended = co_await move_on_after(most, [&]() -> task<> {
    try {
      co_await run(options, std::move(as_body));
    } catch (...) {
      e.error = std::current_exception();
    }
  });
  e.cut_off = !ended;
  co_return e;
}

supervisor_options quiet(strategy how) {
  supervisor_options options;
  options.restart_strategy = how;
  options.on_event = [](const supervisor_event&) {};
  return options;
}

void require(bool holds, const std::string& otherwise) {
  if (!holds)
    throw test_failure(otherwise);
}

void require_same(const std::string& who, const std::string& is, const std::string& expected) {
  require(is == expected, who + ": " + is + " instead of " + expected);
}

} // namespace troupe::testing::supervised
