// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/runtime.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/nursery.hpp>
#include <troupe/task_tree.hpp>

#include <cstring>
#include <iostream>
#include <unordered_set>

namespace troupe {

// -- opening and closing ------------------------------------------------------------

nursery::~nursery() {
  failed_.for_each([](detail::task_block& t) {
    static_cast<detail::list_node<detail::sibling_tag>&>(t).unlink();
    t.release();
  });
}

void nursery::open(detail::task_block& parent, detail::nursery_hook& hook) {
  scope_.nursery_ = this;
  detail::scope_access::enter(scope_, parent);
  parent_ = &parent;
  hook_ = &hook;
}

detail::loop& nursery::check_open(const char* what) const {
  if (!parent_)
    throw usage_error(std::string("troupe: ") + what + " on a nursery that has closed");
  detail::loop& home = parent_->home();
  if (detail::loop::current() != &home)
    throw usage_error(std::string("troupe: ") + what
                      + " on a nursery of another loop; send a message, or start a task there");
  return home;
}

void nursery::adopt(detail::task_block& child, bool service) noexcept {
  child.service_ = service;
  children_.push_back(child);
  ++(service ? services_ : alive_);
  child.cancellation_is(child.cancelled_at_root());
}

// -- children -----------------------------------------------------------------------

void nursery::child_ended(detail::task_block& child) noexcept {
  // It is the current task, which the reason of a service's end asks for its name.
  const bool keep = services_ != 0;
  if (keep) [[unlikely]]
    child.add_ref();
  static_cast<detail::list_node<detail::sibling_tag>&>(child).unlink();
  --(child.service_ ? services_ : alive_);
  if (child.starting_) {
    child.extras()->starter->child_ended();
    child.release();
  } else if (child.error()) [[unlikely]] {
    if (offer_to_handlers(child)) {
      child.release();
    } else {
      failed_.push_back(child);
      scope_.cancel(cancel_cause::sibling_failed, detail::describe_or_empty(child.error()),
                    detail::name_or_empty(child));
    }
  } else {
    if (child.ended_cancelled() && !child.self_cancelled())
      interrupted_ = true;
    child.release();
  }
  if (body_ended_ && nothing_left())
    hook_->children_ended();
  if (keep) [[unlikely]]
    child.release();
}

bool nursery::offer_to_handlers(detail::task_block& child) noexcept {
  if (handlers_.empty())
    return false;
  try {
    const std::string name = child.name();
    // by index, and each at its own address: a handler may add others
    for (std::size_t i = 0; i != handlers_.size(); ++i)
      if ((*handlers_[i])(child.error(), name))
        return true;
  } catch (...) {
    child.error(std::current_exception());
  }
  return false;
}

bool nursery::nothing_left() noexcept {
  if (alive_ != 0)
    return false;
  detail::task_block* last = children_.last();
  if (!last)
    return true;
  last->cancel(cancel_cause::shutdown, "the tasks that used it have ended");
  return false;
}

namespace detail {

/// Wakes `t` if that is what it waits for, and lets its other half know if it has one.
static void tell_to_stop(task_block& t, unsigned /*depth*/) noexcept {
  if (auto* w = dynamic_cast<stop_awaiter*>(t.waiting_for()))
    w->requested();
  else if (auto* stands_in = dynamic_cast<elsewhere_core*>(t.waiting_for()))
    stands_in->pass_on_stop();
}

void stop_from_elsewhere(task_block& t) noexcept {
  t.asked_to_stop_ = true;
  tree_access::for_each_from(t, tell_to_stop);
}

} // namespace detail

// -- stopping -----------------------------------------------------------------------

void nursery::stop(duration grace, std::string_view why) {
  detail::loop& home = check_open("stop");
  const time_point at = deadline_after(home.now(), grace);
  if (at < stop_at_) {
    if (grace_.armed())
      home.timers().remove(grace_);
    home.timers().add(grace_, at);
    stop_at_ = at;
    stop_reason_ = why;
  }
  if (stop_requested_)
    return;
  stop_requested_ = true;
  detail::tell_to_stop(*parent_, 0); // the body
  using detail::scope_access;
  for (const cancel_scope* s = parent_->scope();; s = scope_access::outer(*s)) {
    if (const nursery* n = scope_access::nursery_of(*s)) // what the body has opened, and this
      detail::tree_access::for_each_below(*n, detail::tell_to_stop);
    if (s == &scope_)
      return;
  }
}

void nursery::grace_timer::expired() noexcept {
  nursery_.scope_.cancel(cancel_cause::shutdown, nursery_.stop_reason_.empty()
                                                   ? std::string_view("the grace period is over")
                                                   : nursery_.stop_reason_);
}

void nursery::watchdog::expired() noexcept {
  try {
    detail::loop& home = nursery_.parent_->home();
    std::cerr << "troupe: nursery '" << nursery_.scope_.name() << "' has not ended; "
              << nursery_.size() << " tasks are alive\n"
              << detail::dump_below(nursery_) << std::flush;
    home.timers().add(*this, home.now() + nursery_.options_.watchdog);
  } catch (...) { // NOLINT(bugprone-empty-catch): the report is lost, the program is not
  }
}

unsigned current_loop() { return detail::require_current_task("current_loop").home().index(); }

unsigned loop_count() {
  return static_cast<unsigned>(detail::require_current_task("loop_count").home().owner().size());
}

bool is_stopping() { return detail::is_asked_to_stop(detail::require_current_task("is_stopping")); }

namespace detail {

bool is_asked_to_stop(const task_block& start) noexcept {
  for (const task_block* t = &start; t; t = parent_of(*t)) {
    if (t->asked_to_stop_)
      return true;
    for (const cancel_scope* s = t->scope(); s; s = scope_access::outer(*s))
      if (const nursery* n = scope_access::nursery_of(*s); n && n->stop_requested())
        return true;
    if (t->owner() && t->owner()->stop_requested())
      return true;
  }
  return false;
}

// -- the parent's side ----------------------------------------------------------------

std::coroutine_handle<> nursery_hook::completed(task_block& t) noexcept {
  body_over(t);
  if (nursery_.nothing_left()) {
    if (close(t))
      return transfer(t, link_.parent->handle());
    t.resume_at(link_.parent->handle());
    t.schedule_unwind();
    return std::noop_coroutine();
  }
  t.wait(link_.parent->handle(), *this);
  return std::noop_coroutine();
}

unwind_step nursery_hook::unwound(task_block& t) noexcept {
  body_cut_off_ = true;
  nursery_.interrupted_ = true;
  body_over(t);
  if (nursery_.nothing_left())
    return close(t) ? unwind_step::resume : unwind_step::destroy;
  t.wait(link_.parent->handle(), *this);
  return unwind_step::wait;
}

void nursery_hook::body_over(task_block& t) noexcept {
  nursery_.body_ended_ = true;
  if (link_.error)
    nursery_.scope_.cancel(cancel_cause::sibling_failed, describe_or_empty(link_.error), {});
  if (nursery_.options_.watchdog != duration::max()) {
    try {
      t.home().timers().add(nursery_.watchdog_, t.home().now() + nursery_.options_.watchdog);
    } catch (...) { // NOLINT(bugprone-empty-catch): no memory for a report
    }
  }
}

void nursery_hook::children_ended() noexcept {
  task_block& t = *nursery_.parent_;
  const bool go_on = close(t);
  if (go_on)
    t.schedule_resume(link_.parent->handle());
  else
    t.schedule_unwind();
}

bool nursery_hook::close(task_block& t) noexcept {
  t.not_waiting(); // leaving a shield must not cancel the wait that is just over
  auto& timers = t.home().timers();
  for (timer* w : {static_cast<timer*>(&nursery_.watchdog_), static_cast<timer*>(&nursery_.grace_)})
    if (w->armed())
      timers.remove(*w);
  scope_access::leave(nursery_.scope_);
  nursery_.parent_ = nullptr;
  // What was cut off, but not by this nursery's own scope, is not for it to catch, even
  // if a shield has been raised in the meantime.
  return failed() || !nursery_.interrupted_ || (nursery_.scope_.cancel_called() && !t.cancelled());
}

bool nursery_hook::failed() const noexcept { return link_.error || !nursery_.failed_.empty(); }

void nursery_hook::throw_failures() { nursery_.throw_failures(std::exchange(link_.error, {})); }

void nursery_hook::throw_cut_off() {
  std::string text = "troupe: the body of '" + nursery_.scope_.name() + "' was cancelled";
  if (const cancel_reason* why = nursery_.scope_.reason())
    text += ": " + to_string(*why);
  throw task_cancelled(text);
}

} // namespace detail

namespace {

/// Which exception object `e` points to. `std::exception_ptr` is a pointer in all
/// implementations, but only offers equality, and n failures have to be told apart
/// in less than n * n steps.
const void* identity(const std::exception_ptr& e) noexcept {
  static_assert(sizeof(std::exception_ptr) == sizeof(void*));
  const void* object = nullptr;
  std::memcpy(&object, &e, sizeof(object));
  return object;
}

} // namespace

void nursery::throw_failures(std::exception_ptr body_error) {
  std::exception_ptr first = failed_.empty() ? body_error : failed_.front().error();
  std::vector<exception_group::failure> all;
  try {
    // A task that awaits another's handle fails with the same exception: one failure.
    std::unordered_set<const void*> seen;
    failed_.for_each([&](detail::task_block& t) {
      if (seen.insert(identity(t.error())).second)
        all.push_back({t.error(), t.name()});
    });
    if (body_error && seen.insert(identity(body_error)).second)
      all.push_back({std::move(body_error), scope_.name()});
  } catch (const std::bad_alloc&) {
    std::rethrow_exception(first);
  }
  if (all.size() == 1 && !options_.always_group)
    std::rethrow_exception(first);
  throw exception_group(std::move(all));
}

// -- start ----------------------------------------------------------------------------

namespace detail {

start_wait::~start_wait() {
  if (child_)
    child_->release();
}

void start_wait::expect(task_block& caller, task_block& child) noexcept {
  child.extras()->starter = this;
  child.starting_ = true;
  child.add_ref();
  caller_ = &caller;
  child_ = &child;
}

bool start_wait::withdraw() noexcept {
  // The child may be waiting in a start itself, and so on: not by recursion.
  thread_local constinit start_wait* pending = nullptr;
  thread_local constinit bool busy = false;
  next_withdrawn_ = std::exchange(pending, this);
  if (std::exchange(busy, true))
    return false;
  while (pending) {
    start_wait& next = *pending;
    pending = next.next_withdrawn_;
    next.child_->cancel("the caller of start was cancelled");
  }
  busy = false;
  return false; // when the child has ended
}

void start_wait::ready() noexcept {
  child_->starting_ = false;
  child_->extras()->starter = nullptr;
  ready_ = true;
  caller_->wake();
}

void start_wait::child_ended() noexcept {
  if (child_->error() || caller_->state() != task_state::aborting)
    caller_->wake();
  else
    caller_->aborted();
}

void start_wait::throw_not_started() {
  if (child_->error())
    std::rethrow_exception(child_->error());
  throw start_error("troupe: task '" + child_->name() + "' ended before it was started"
                    + (child_->ended_cancelled() ? " (it was cancelled)" : ""));
}

void status_base::check() const {
  if (!wait_)
    throw usage_error("troupe: task_status::started was called twice");
}

} // namespace detail

} // namespace troupe
