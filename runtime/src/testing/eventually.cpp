// SPDX-License-Identifier: BSD-3-Clause
#include "simulator.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/task.hpp>
#include <troupe/testing/eventually.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/time.hpp>

#include <sstream>
#include <utility>

namespace troupe::testing {

namespace {

using internal::simulator;
using internal::step_watch;

constexpr duration between_looks = std::chrono::milliseconds(1);

/// Waits until the condition is as it is waited for, looked at after each step.
class condition_op final : public troupe::detail::suspension, private step_watch {
public:
  using troupe_awaitable = void;

  condition_op(simulator& s, const std::function<bool()>& holds, bool as) noexcept
    : simulator_(s), holds_(holds), as_(as) {}
  condition_op(const condition_op&) = delete;
  condition_op& operator=(const condition_op&) = delete;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe::detail::troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    if (holds_() == as_)
      return task_->must_yield(h);
    simulator_.watch(*this);
    task_->wait(h, *this);
    return true;
  }
  void await_resume() const noexcept {}

  bool withdraw() noexcept override {
    unlink();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "a condition"; }

private:
  void after_step() noexcept override {
    if (holds_() != as_)
      return;
    unlink();
    const troupe::detail::on_loop here(task_->home());
    task_->wake();
  }

  simulator& simulator_;
  const std::function<bool()>& holds_;
  bool as_;
  troupe::detail::task_block* task_ = nullptr;
};

/// Whether `holds` has been `as` within the time.
task<bool> becomes(const std::function<bool()>& holds, bool as, duration within) {
  co_return co_await move_on_after(within, [&]() -> task<> {
    if (simulator* s = simulator::current()) {
      condition_op op(*s, holds, as);
      co_await op;
      co_return;
    }
    co_await checkpoint();
    while (holds() != as)
      co_await sleep_for(between_looks);
  });
}

std::string seconds(duration d) {
  std::ostringstream text;
  text << std::chrono::duration<double>(d).count() << " s";
  return text.str();
}

} // namespace

task<> eventually(std::string what, std::function<bool()> holds, duration within) {
  const bool seen = co_await becomes(holds, true, within);
  if (!seen && !holds())
    throw test_failure("troupe: '" + what + "' has not come true within " + seconds(within));
}

task<> always(std::string what, std::function<bool()> holds, duration during) {
  const time_point begin = current_time();
  const bool broken = co_await becomes(holds, false, during);
  if (broken || !holds())
    throw test_failure("troupe: '" + what + "' was true for " + seconds(current_time() - begin)
                       + " only, not for " + seconds(during));
}

} // namespace troupe::testing
