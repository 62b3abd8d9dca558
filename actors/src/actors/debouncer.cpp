// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/debouncer.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/time.hpp>

#include <caf/message.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace troupe {

namespace {

/// True for as long as it lives.
class mark {
public:
  explicit mark(bool& flag) noexcept : flag_(flag) { flag_ = true; }
  mark(const mark&) = delete;
  mark& operator=(const mark&) = delete;
  ~mark() { flag_ = false; }

private:
  bool& flag_;
};

} // namespace

debouncer::debouncer(debouncer_options options) : options_(std::move(options)) {
  if ((!options_.leading && !options_.trailing) || options_.quiet < duration::zero()
      || options_.max_wait < duration::zero())
    throw std::invalid_argument("troupe: '" + options_.name + "' would never run");
  options_.quiet = std::min(options_.quiet, options_.max_wait);
}

void debouncer::trigger() {
  last_ = current_time();
  if (in_burst_ && !options_.trailing)
    return;
  if (!std::exchange(pending_, true))
    first_ = last_;
  if (!in_burst_)
    wake();
}

void debouncer::wake() noexcept {
  if (change_)
    change_->set();
}

/// When the burst is over, or its triggers have waited for too long.
time_point debouncer::due() const noexcept {
  const time_point quiet = deadline_after(last_, options_.quiet);
  return pending_ ? std::min(quiet, deadline_after(first_, options_.max_wait)) : quiet;
}

task<> debouncer::run(awaited_function<task<>()> job) {
  if (running_)
    throw usage_error("troupe: '" + options_.name + "' runs already");
  const mark here(running_);
  stop_ = in_burst_ = false;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service(named("stop of a debouncer", [this]() -> task<> {
      co_await stopping();
      stop_ = true;
      wake();
    }));
    co_await work(std::move(job));
  });
}

task<> debouncer::work(awaited_function<task<>()> job) {
  co_await checkpoint();
  for (;;) {
    const bool now = at_once_ || stop_;
    if (!in_burst_ && pending_) {
      in_burst_ = true;
      if (options_.leading || now)
        co_await run_once(job);
    } else if (in_burst_ && (now || current_time() >= due())) {
      if (pending_)
        co_await run_once(job);
      else
        in_burst_ = false;
    } else {
      if (rest_ && !pending_) {
        at_once_ = false;
        std::exchange(rest_, nullptr)->set();
      }
      if (stop_)
        co_return;
      change_.emplace();
      const time_point until = in_burst_ ? due() : time_point::max();
      co_await move_on_at(until, [this]() -> task<> { co_await change_->wait(); });
    }
  }
}

task<> debouncer::run_once(const awaited_function<task<>()>& job) {
  pending_ = false;
  const mark doing(busy_);
  co_await job();
}

task<> debouncer::flush() {
  co_await checkpoint();
  while (pending_ || busy_) {
    at_once_ = true;
    wake();
    if (!rest_)
      rest_ = std::make_shared<event>();
    const auto until = rest_;
    co_await until->wait();
  }
}

task<> debouncer::serve(mailbox& in) {
  co_await in.serve([this](const caf::message&) { trigger(); });
}

} // namespace troupe
