// SPDX-License-Identifier: BSD-3-Clause
#include "supervisor_child.hpp"

#include <troupe/error.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <cstdio>

namespace troupe {

/// A start that somebody waits for. If it is cancelled, the child is stopped.
class supervisor::core::cut_off_start {
public:
  cut_off_start(child& c, bool discard) noexcept : child_(&c), discard_(discard) {}
  cut_off_start(const cut_off_start&) = delete;
  cut_off_start& operator=(const cut_off_start&) = delete;
  ~cut_off_start() {
    if (!child_)
      return;
    child_->discarded = discard_;
    if (child_->alive)
      child_->ask_to_stop();
  }
  void over() noexcept { child_ = nullptr; }

private:
  child* child_;
  bool discard_;
};

supervisor::core::child& supervisor::core::add(const child_spec& spec) {
  if (by_name_.contains(spec.name))
    throw supervisor_error("troupe: supervisor '" + options_.name + "' has a child '" + spec.name
                           + "' already");
  if (spec.significant
      && (spec.restarts == restart::permanent || options_.shutdown == auto_shutdown::never))
    throw usage_error("troupe: child '" + spec.name + "' of supervisor '" + options_.name
                      + "' is significant, but "
                      + (spec.restarts == restart::permanent
                           ? "never ends for good: it is permanent"
                           : "the supervisor does not shut down for that: auto_shutdown is never"));
  child& c = children_.emplace_back(options_, spec, next_serial_++);
  c.self = std::prev(children_.end());
  try {
    by_name_.emplace(c.spec.name, &c);
  } catch (...) {
    children_.pop_back();
    throw;
  }
  return c;
}

supervisor::core::child& supervisor::core::find(const std::string& name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end())
    throw supervisor_error("troupe: supervisor '" + options_.name + "' has no child '" + name
                           + "'");
  return *found->second;
}

/// `stop_all` goes through the children: then they stay.
void supervisor::core::forget(child& c) {
  if (closing_)
    return;
  by_name_.erase(c.spec.name);
  children_.erase(c.self);
}

void supervisor::core::check_open(const char* what) const {
  if (closing_ || !nursery_)
    throw supervisor_error("troupe: cannot " + std::string(what) + ": supervisor '" + options_.name
                           + "' is ending");
}

task<> supervisor::core::start_child(const child_spec& spec) {
  const auto turn = co_await busy_.lock();
  check_open("start a child");
  child& c = add(spec);
  cut_off_start mark(c, true);
  try {
    co_await start(c, supervisor_event::kind::started);
  } catch (...) {
    mark.over();
    forget(c);
    throw;
  }
  mark.over();
}

task<> supervisor::core::stop_child(const std::string& name) {
  const auto turn = co_await busy_.lock();
  check_open("stop a child");
  child& c = find(name);
  if (c.now == child_info::state::waiting) {
    due_.erase({c.due, c.serial});
    c.now = child_info::state::stopped;
    emit(supervisor_event::kind::stopped, c);
  } else
    co_await stop(c);
  if (c.is_forgotten(simple()))
    forget(c);
}

task<> supervisor::core::restart_child(const std::string& name) {
  const auto turn = co_await busy_.lock();
  check_open("start a child");
  child& c = find(name);
  if (c.alive || c.has_ended)
    co_return; // runs, or has just ended and is started again if it is to be
  if (c.now == child_info::state::waiting)
    due_.erase({c.due, c.serial});
  cut_off_start mark(c, false);
  co_await start(c, supervisor_event::kind::started);
  mark.over();
}

task<> supervisor::core::delete_child(const std::string& name) {
  const auto turn = co_await busy_.lock();
  check_open("delete a child");
  child& c = find(name);
  if (c.alive || c.has_ended || c.now == child_info::state::waiting)
    throw supervisor_error("troupe: child '" + name + "' of supervisor '" + options_.name
                           + "' must be stopped before it is deleted");
  forget(c);
}

std::vector<child_info> supervisor::core::children() const {
  std::vector<child_info> result;
  result.reserve(children_.size());
  for (const child& c : children_)
    result.push_back(
      {c.spec.name, c.now, c.spec.restarts, c.spec.significant, c.restarts, c.address});
  return result;
}

// -- events -------------------------------------------------------------------------

receive_channel<supervisor_event> supervisor::core::events(std::size_t capacity) {
  auto [tx, rx] = make_channel<supervisor_event>(capacity);
  subscribers_.push_back({std::move(tx)});
  return std::move(rx);
}

void supervisor::core::report_end(child& c) noexcept {
  emit(c.completed && !c.failure ? supervisor_event::kind::ended : supervisor_event::kind::failed,
       c);
}

void supervisor::core::emit(supervisor_event::kind what, const child& c) noexcept {
  try {
    supervisor_event e{what, c.spec.name, c.failure, c.restarts, current_time()};
    std::erase_if(subscribers_, [&e](subscriber& s) {
      try {
        e.missed = s.missed;
        if (s.to.try_send(supervisor_event(e)))
          s.missed = 0;
        else
          ++s.missed;
        return false;
      } catch (const broken_resource_error&) {
        return true; // nobody listens any more
      }
    });
    if (options_.on_event)
      options_.on_event(e);
    else if (what == supervisor_event::kind::failed || what == supervisor_event::kind::gave_up)
      std::fprintf(stderr, "troupe: supervisor '%s': %s\n", options_.name.c_str(),
                   describe(e).c_str());
  } catch (...) { // no memory to say it; the failure itself is kept in the child
    std::fprintf(stderr, "troupe: supervisor '%s': out of memory for an event of '%s'\n",
                 options_.name.c_str(), c.spec.name.c_str());
  }
}

std::string describe(const supervisor_event& e) {
  std::string who = "child '" + e.child + "' ";
  switch (e.what) {
  case supervisor_event::kind::started: return who + "has started";
  case supervisor_event::kind::restarted:
    return who + "has started again (" + std::to_string(e.restarts) + ")";
  case supervisor_event::kind::ended: return who + "has ended";
  case supervisor_event::kind::failed:
    return who + (e.error ? "has failed: " + describe(e.error) : "was cancelled");
  case supervisor_event::kind::stopped: return who + "was stopped";
  case supervisor_event::kind::gave_up: return who + "would be restarted too often: giving up";
  }
  return who;
}

// -- supervisor ---------------------------------------------------------------------

task<> supervisor::start_child(const child_spec& spec) { return core_.start_child(spec); }

task<> supervisor::stop_child(std::string name) { co_await core_.stop_child(name); }

task<> supervisor::restart_child(std::string name) { co_await core_.restart_child(name); }

task<> supervisor::delete_child(std::string name) { co_await core_.delete_child(name); }

std::vector<child_info> supervisor::children() const { return core_.children(); }

receive_channel<supervisor_event> supervisor::events(std::size_t capacity) {
  return core_.events(capacity);
}

const std::string& supervisor::name() const noexcept { return core_.options().name; }

task<> supervisor::run(const supervisor_options& options,
                       const std::function<task<>(supervisor&)>& body) {
  core c(options);
  co_await c.run(body);
}

task<> supervise(supervisor_options options, std::vector<child_spec> children) {
  co_await with_supervisor(options, [&](supervisor& s) -> task<> {
    for (const child_spec& spec : children)
      co_await s.start_child(spec);
    co_await sleep_forever();
  });
}

namespace supervision {

void throw_cut_off(const std::string& name) {
  throw task_cancelled("troupe: the body of supervisor '" + name
                       + "' was cut off, because it has shut down");
}

} // namespace supervision

} // namespace troupe
