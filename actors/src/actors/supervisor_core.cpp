// SPDX-License-Identifier: BSD-3-Clause
#include "supervisor_child.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/time.hpp>

namespace troupe {

namespace {

constexpr const char* shutting_down = "the supervisor shuts down";

} // namespace

/// Says that a life is over, however it has ended.
class supervisor::core::end_of_life {
public:
  end_of_life(core& s, child& c) noexcept : core_(s), child_(c) {}
  end_of_life(const end_of_life&) = delete;
  end_of_life& operator=(const end_of_life&) = delete;
  ~end_of_life() { core_.life_over(child_); }

private:
  core& core_;
  child& child_;
};

supervisor::core::core(const supervisor_options& options) : options_(options) {
  if (options_.backoff)
    options_.backoff->attempts = 0; // the intensity is the limit
}

// -- tasks ------------------------------------------------------------------------

task<> supervisor::core::run(const std::function<task<>(supervisor&)>& body) {
  const nursery_options named_as{.name = options_.name};
  co_await with_nursery(named_as, [&](nursery& n) -> task<> {
    n.start_service(named("children", [this]() { return host(); }));
    co_await hosted_.wait();
    co_await with_cleanup([&]() { return serve(body); }, [&]() { return stop_all(); },
                          duration::max()); // each child has its own limit
  });
}

/// Where the children run.
task<> supervisor::core::host() {
  co_await with_nursery([this](nursery& n) -> task<> {
    nursery_ = &n;
    hosted_.set();
    co_await sleep_forever();
  });
}

task<> supervisor::core::serve(const std::function<task<>(supervisor&)>& body) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service(named("stop of a supervisor", [this, &n]() -> task<> {
      co_await stopping();
      shut_down_ = true;
      n.cancel(shutting_down); // also a start that is waited for
    }));
    n.start_soon(named("supervisor", [this, &n]() { return manage(n); }));
    co_await body(handle_);
    body_ended_ = true;
    wake();
  });
}

task<> supervisor::core::manage(nursery& body) {
  for (;;) {
    {
      const auto turn = co_await busy_.lock();
      co_await catch_up();
    }
    if (shut_down_) {
      body.cancel(shutting_down);
      co_return;
    }
    if (body_ended_ && alive_ == 0 && due_.empty() && ended_.empty())
      co_return;
    work_.emplace();
    const time_point until = due_.empty() ? time_point::max() : due_.begin()->first.first;
    co_await move_on_at(until, [this]() -> task<> { co_await work_->wait(); });
  }
}

void supervisor::core::wake() noexcept {
  if (work_)
    work_->set();
}

/// Without `busy_`, whose holder may be waiting for a child that is stopped here.
task<> supervisor::core::stop_all() {
  closing_ = true;
  for (const auto& [when, c] : due_)
    c->now = child_info::state::stopped;
  due_.clear();
  if (simple())
    for (child& c : children_)
      c.ask_to_stop();
  for (auto c = children_.rbegin(); c != children_.rend(); ++c)
    co_await stop(*c);
}

// -- a life -------------------------------------------------------------------------

/// Starts a life and waits until the child is ready. Throws what it throws before that.
task<> supervisor::core::start(child& c, supervisor_event::kind as) {
  check_open("start a child");
  c.begin();
  if (c.needs_nursery())
    nursery_->start_soon(named(c.spec.name, [this, &c]() { return live_in_nursery(c); }));
  else
    c.alone = nursery_->start_soon(named(c.spec.name, [this, &c]() { return live(c); }));
  c.alive = true;
  ++alive_;
  while (c.alive && !c.ready)
    co_await c.changed->wait();
  if (c.ready) {
    if (c.alive)
      c.now = child_info::state::running;
    emit(as, c);
    co_return;
  }
  c.now = child_info::state::ended;
  if (c.failure)
    std::rethrow_exception(c.failure);
  throw start_error("troupe: child '" + c.spec.name + "' of supervisor '" + options_.name
                    + "' has ended before it was ready");
}

/// The next one is cheaper by a nursery.
task<> supervisor::core::live_in_nursery(child& c) {
  const end_of_life mark(*this, c);
  try {
    const nursery_options named_as{.name = c.spec.name};
    co_await with_nursery(named_as, [&](nursery& n) -> task<> {
      c.life = &n;
      if (c.asked_to_stop)
        co_return;
      if (c.spec.start.plain() && !c.spec.loop) {
        c.is_ready();
        co_await (*c.spec.start.plain())();
        c.completed = true;
        co_return;
      }
      co_await c.spec.start.launch(n, c.spec.name, c.spec.loop, c.completed, c.address);
      c.is_ready();
    });
  } catch (...) {
    c.failure = std::current_exception();
  }
}

task<> supervisor::core::live(child& c) {
  const end_of_life mark(*this, c);
  if (c.asked_to_stop)
    co_return;
  try {
    c.is_ready();
    c.failure = (co_await as_outcome((*c.spec.start.plain())())).error();
    c.completed = !c.failure;
  } catch (...) { // it could not be called
    c.failure = std::current_exception();
  }
}

void supervisor::core::life_over(child& c) noexcept {
  c.alive = false;
  --alive_;
  c.life = nullptr;
  c.alone = {};
  c.address = {};
  if (c.ready || c.asked_to_stop)
    ended_.push_back(c);
  c.tell();
  wake();
}

/// Returns when the child does not run.
task<> supervisor::core::stop(child& c) {
  if (c.alive) {
    c.ask_to_stop();
    while (c.alive)
      co_await c.changed->wait();
    ended_.remove(c);
    c.now = child_info::state::stopped;
    if (c.failure)
      emit(supervisor_event::kind::failed, c);
    else
      emit(supervisor_event::kind::stopped, c);
  } else if (ended_.remove(c)) {
    c.now = child_info::state::stopped;
    report_end(c);
  }
}

// -- restarts -----------------------------------------------------------------------

/// Does what is to be done now.
task<> supervisor::core::catch_up() {
  while (!shut_down_) {
    if (is_stopping()) // children may have heard of it, and ended, before the task that waits for
                       // it
      shut_down_ = true;
    else if (!ended_.empty())
      co_await handle_end(ended_.front());
    else if (!due_.empty() && due_.begin()->first.first <= current_time())
      co_await start_again(*due_.begin()->second);
    else
      co_return;
  }
}

task<> supervisor::core::handle_end(child& c) {
  ended_.remove(c);
  if (c.asked_to_stop) { // and nobody has waited for that
    c.now = child_info::state::stopped;
    emit(supervisor_event::kind::stopped, c);
    if (c.discarded || c.is_forgotten(simple()))
      forget(c);
    co_return;
  }
  report_end(c);
  const bool normal = c.completed && !c.failure;
  if (c.spec.restarts == restart::permanent || (c.spec.restarts == restart::transient && !normal)) {
    co_await plan_restart(c);
    co_return;
  }
  c.now = child_info::state::ended;
  shut_down_ = ends_all(c);
  if (c.is_forgotten(simple()))
    forget(c);
}

task<> supervisor::core::start_again(child& c) {
  due_.erase(due_.begin());
  ++c.restarts;
  bool started = false;
  try {
    co_await start(c, supervisor_event::kind::restarted);
    started = true;
  } catch (...) {
    c.failure = std::current_exception();
  }
  if (started)
    co_return;
  emit(supervisor_event::kind::failed, c);
  co_await plan_restart(c);
}

/// Stops who is to be started together with `c`. Throws `restart_limit_reached`.
task<> supervisor::core::plan_restart(child& c) {
  count_restart(c);
  const duration delay = c.next_delay(current_time());
  const time_point due = deadline_after(current_time(), delay);
  const bool all = options_.restart_strategy == strategy::one_for_all;
  if (all || options_.restart_strategy == strategy::rest_for_one)
    for (auto i = std::prev(children_.end());;) {
      child& other = *i;
      const bool last = all ? i == children_.begin() : &other == &c;
      if (!last)
        --i;
      if (&other != &c)
        co_await stop_for_restart(other, due);
      if (last)
        break;
    }
  wait_for_restart(c, due);
}

/// What has ended by itself is a part of the group all the same, what was stopped by hand is not.
task<> supervisor::core::stop_for_restart(child& c, time_point due) {
  if (c.now == child_info::state::stopped)
    co_return;
  co_await stop(c);
  if (c.is_forgotten(simple()))
    forget(c);
  else
    wait_for_restart(c, due);
}

void supervisor::core::wait_for_restart(child& c, time_point due) {
  if (c.now == child_info::state::waiting)
    due_.erase({c.due, c.serial});
  c.now = child_info::state::waiting;
  c.due = due;
  due_.emplace_hint(due_.begin(), due_order{due, c.serial}, &c); // of a group, the last is first
}

/// Throws `restart_limit_reached`.
void supervisor::core::count_restart(const child& c) {
  const time_point now = current_time();
  restarts_.push_back(now);
  while (now - restarts_.front() > options_.period)
    restarts_.pop_front();
  if (restarts_.size() <= options_.intensity)
    return;
  emit(supervisor_event::kind::gave_up, c);
  const double seconds = std::chrono::duration<double>(options_.period).count();
  std::string what = "troupe: supervisor '" + options_.name + "' has given up: child '"
                     + c.spec.name + "' would be restart number " + std::to_string(restarts_.size())
                     + " within " + std::to_string(seconds) + " s";
  what += c.failure ? "; its last failure: " + describe(c.failure) : "; it has ended";
  throw restart_limit_reached(what, c.failure);
}

/// Whether a significant child, which has just ended for good, was the one to shut down for.
bool supervisor::core::ends_all(const child& c) const {
  if (!c.spec.significant || options_.shutdown == auto_shutdown::never)
    return false;
  if (options_.shutdown == auto_shutdown::any_significant)
    return true;
  return std::none_of(children_.begin(), children_.end(), [](const child& other) {
    return other.spec.significant
           && (other.alive || other.now == child_info::state::waiting || other.has_ended);
  });
}

} // namespace troupe
