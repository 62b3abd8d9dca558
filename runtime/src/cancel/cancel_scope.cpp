// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/cancel_scope.hpp>
#include <troupe/detail/remote_scope.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/nursery.hpp>

#include <algorithm>

namespace troupe {

namespace {

const char* cause_text(cancel_cause cause) noexcept {
  switch (cause) {
  case cancel_cause::requested: return "requested";
  case cancel_cause::deadline: return "deadline";
  case cancel_cause::sibling_failed: return "sibling failed";
  case cancel_cause::signal: return "signal";
  case cancel_cause::exit_message: return "exit message";
  case cancel_cause::shutdown: return "shutdown";
  }
  return "unknown";
}

} // namespace

std::string to_string(const cancel_reason& reason) {
  std::string text = cause_text(reason.cause);
  if (!reason.message.empty())
    text += ": " + reason.message;
  if (!reason.origin.empty())
    text += " (by '" + reason.origin + "')";
  return text;
}

namespace detail {

std::unique_ptr<cancel_reason> make_reason(cancel_cause cause, std::string_view why,
                                           std::string_view origin) noexcept {
  try {
    auto reason = std::make_unique<cancel_reason>();
    reason->cause = cause;
    reason->message = why;
    if (!origin.empty())
      reason->origin = origin;
    else if (const task_block* t = current_task_block(); t && cause != cancel_cause::deadline)
      reason->origin = t->name();
    return reason;
  } catch (...) {
    return nullptr; // a cancellation works without a reason
  }
}

// -- the walk -----------------------------------------------------------------

void cancellation_walk::update(task_block& first) noexcept {
  // Nurseries whose scope has changed wait here for their children to be told.
  cancel_scope* queue = nullptr;
  cancel_scope** tail = &queue;
  const auto update_task = [&](task_block& t) noexcept {
    // Scopes are linked from the inside out and decided from the outside in.
    cancel_scope* reversed = nullptr;
    for (cancel_scope* s = t.scope(); s; s = s->outer_) {
      s->next_outside_in_ = reversed;
      reversed = s;
    }
    bool cancelled = t.cancelled_at_root();
    for (cancel_scope* s = reversed; s; s = s->next_outside_in_) {
      cancelled = s->called_ || (!s->shield_ && cancelled);
      if (cancelled == s->effective_)
        continue;
      s->effective_ = cancelled;
      if (s->nursery_ && !s->queued_) {
        s->queued_ = true;
        s->next_changed_ = nullptr;
        *tail = s;
        tail = &s->next_changed_;
      }
    }
    t.cancellation_is(cancelled);
  };
  update_task(first);
  while (cancel_scope* s = queue) {
    queue = s->next_changed_;
    if (!queue)
      tail = &queue;
    s->queued_ = false;
    s->nursery_->children_.for_each([&](task_block& child) { update_task(child); });
  }
}

// -- entering and leaving -------------------------------------------------------

void scope_access::enter(cancel_scope& s, task_block& t) { s.enter(t); }

void scope_access::leave(cancel_scope& s) noexcept { s.leave(); }

bool scope_access::effective(const cancel_scope& s) noexcept { return s.effective_; }

cancel_scope* scope_access::outer(const cancel_scope& s) noexcept { return s.outer_; }

nursery* scope_access::nursery_of(const cancel_scope& s) noexcept { return s.nursery_; }

void open_scope(cancel_scope& scope, scope_options& options, task_block& t) {
  scope.name(std::move(options.name));
  scope.shield(options.shield);
  bool passed = false;
  if (options.after != duration::max()) {
    const time_point now = t.home().now();
    passed = options.after <= duration::zero();
    options.at = passed ? now : deadline_after(now, options.after);
  } else if (options.at != time_point::max()) {
    passed = options.at <= t.home().now();
  }
  scope.deadline(options.at);
  if (passed) // not by a timer: the first checkpoint may come before the timers' next turn
    scope.cancel(cancel_cause::deadline, {});
  scope_access::enter(scope, t);
}

void throw_timeout(const cancel_scope& scope) {
  const cancel_reason* why = scope.reason();
  if (why && why->cause != cancel_cause::deadline)
    throw task_cancelled("troupe: '" + scope.name() + "' was cancelled: " + to_string(*why));
  std::string text = "troupe: '" + scope.name() + "' did not end before its deadline";
  if (why && !why->message.empty())
    text += "; it was " + why->message;
  throw timeout_error(text);
}

namespace {

struct cancel_request final : inbox_node {
  std::shared_ptr<remote_scope> scope;
  std::string why;

  void run() noexcept override {
    const std::unique_ptr<cancel_request> self(this);
    if (scope->scope())
      scope->scope()->cancel(why);
  }
};

} // namespace

void remote_scope::cancel(std::string_view why) {
  auto message = std::make_unique<cancel_request>();
  message->scope = shared_from_this();
  message->why = why;
  if (post(*message))
    static_cast<void>(message.release());
}

bool remote_scope::post(inbox_node& message) noexcept {
  const std::lock_guard lock(mutex_);
  if (!scope_)
    return false;
  home_->post(message);
  return true;
}

void remote_scope::close() noexcept {
  const std::lock_guard lock(mutex_);
  scope_ = nullptr;
}

std::coroutine_handle<> scope_hook::completed(task_block& t) noexcept {
  scope_.leave();
  return transfer(t, link_.parent->handle());
}

unwind_step scope_hook::unwound(task_block& t) noexcept {
  scope_.leave();
  if (!scope_.cancel_called() || t.cancelled())
    return unwind_step::destroy;
  cut_off_ = true;
  return unwind_step::resume;
}

} // namespace detail

// -- cancel_scope -----------------------------------------------------------------

cancel_scope::~cancel_scope() {
  if (task_)
    leave();
}

void cancel_scope::enter(detail::task_block& t) {
  if (deadline_ != time_point::max() && !called_)
    t.home().timers().add(*this, deadline_);
  task_ = &t;
  outer_ = t.scope();
  effective_ = called_ || (!shield_ && t.cancelled());
  t.scope(this);
  t.cancellation_is(effective_);
}

void cancel_scope::leave() noexcept {
  if (armed())
    task_->home().timers().remove(*this);
  if (remote_)
    std::exchange(remote_, nullptr)->close();
  detail::task_block& t = *task_;
  task_ = nullptr;
  t.scope(outer_);
  t.cancellation_is(outer_ ? outer_->effective_ : t.cancelled_at_root());
}

void cancel_scope::cancel(std::string_view why) noexcept { cancel(cancel_cause::requested, why); }

void cancel_scope::cancel(cancel_cause cause, std::string_view why) noexcept {
  cancel(cause, why, {});
}

void cancel_scope::cancel(cancel_cause cause, std::string_view why,
                          std::string_view origin) noexcept {
  if (called_)
    return;
  called_ = true;
  reason_ = detail::make_reason(cause, why, origin);
  if (!task_)
    return;
  if (armed())
    task_->home().timers().remove(*this);
  if (!effective_)
    detail::cancellation_walk::update(*task_);
}

void cancel_scope::expired() noexcept {
  // What is cut off here is known only now.
  const detail::suspension* cut = task_->waiting_for();
  try {
    cancel(cancel_cause::deadline,
           cut ? std::string("waiting for ") + cut->waits_for() : std::string());
  } catch (const std::bad_alloc&) {
    cancel(cancel_cause::deadline, {});
  }
}

canceller cancel_scope::remote() {
  if (!task_)
    throw usage_error("troupe: remote() of a scope that nobody is in");
  if (!remote_)
    remote_ = std::make_shared<detail::remote_scope>(*this, task_->home());
  return canceller(remote_);
}

void canceller::cancel(std::string_view why) const { scope_->cancel(why); }

void cancel_scope::deadline(time_point when) {
  if (task_ && !called_) {
    auto& timers = task_->home().timers();
    if (armed())
      timers.remove(*this);
    if (when <= task_->home().now()) {
      deadline_ = when;
      return expired();
    }
    if (when != time_point::max())
      timers.add(*this, when);
  }
  deadline_ = when;
}

void cancel_scope::shield(bool on) noexcept {
  if (shield_ == on)
    return;
  shield_ = on;
  if (task_)
    detail::cancellation_walk::update(*task_);
}

// -- asking -----------------------------------------------------------------------

bool is_cancelled() { return detail::require_current_task("is_cancelled").cancelled(); }

time_point current_effective_deadline() {
  const detail::task_block* t = &detail::require_current_task("current_effective_deadline");
  if (t->cancelled())
    return time_point::min();
  time_point earliest = time_point::max();
  while (t) {
    for (const cancel_scope* s = t->scope(); s; s = detail::scope_access::outer(*s)) {
      earliest = std::min(earliest, s->deadline());
      if (s->shield())
        return earliest;
    }
    if (t->service_)
      return earliest;
    if (!t->owner() && t->extras())
      earliest = std::min(earliest, t->extras()->inherited_deadline);
    t = detail::parent_of(*t);
  }
  return earliest;
}

const cancel_reason* current_cancel_reason() {
  return detail::reason_for(detail::require_current_task("current_cancel_reason"));
}

const cancel_reason* detail::reason_for(const task_block& start) noexcept {
  const cancel_reason* outermost = nullptr;
  for (const task_block* t = &start; t; t = parent_of(*t)) {
    for (const cancel_scope* s = t->scope(); s; s = scope_access::outer(*s))
      if (s->cancel_called())
        outermost = s->reason();
    if (t->self_cancelled() && t->extras())
      outermost = t->extras()->reason.get();
  }
  return outermost;
}

} // namespace troupe
