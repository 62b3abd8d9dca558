// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/fault_hooks.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/detail/runtime.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/nursery.hpp>

#include <cstring>

namespace troupe::detail {

/// "task<> a::child(std::string)" -> "a::child"; lambdas keep what encloses them.
std::string short_name(std::string_view full) {
  if (const auto with = full.find(" [with "); with != full.npos)
    full = full.substr(0, with);
  // the parameter list: the last top-level parenthesis
  std::size_t end = full.size();
  if (!full.empty() && full.back() == ')') {
    int depth = 0;
    for (std::size_t i = full.size(); i-- > 0;) {
      if (full[i] == ')')
        ++depth;
      else if (full[i] == '(' && --depth == 0) {
        end = i;
        break;
      }
    }
  }
  // the result type: up to the last blank outside of brackets
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < end; ++i) {
    const char c = full[i];
    if (c == '<' || c == '(')
      ++depth;
    else if (c == '>' || c == ')')
      --depth;
    else if (c == ' ' && depth == 0)
      begin = i + 1;
  }
  return std::string(full.substr(begin, end - begin));
}

task_block::task_block(loop& home, nursery* owner) noexcept
  : ready_node(kind::task), loop_(&home), nursery_(owner) {}

task_block::~task_block() { delete extras_; }

task_extras& task_block::need_extras() {
  if (!extras_)
    extras_ = new task_extras;
  return *extras_;
}

std::string task_block::name() const {
  if (extras_ && !extras_->name.empty())
    return extras_->name;
  return short_name(function_name_);
}

void task_block::name(std::string given) { need_extras().name = std::move(given); }

void task_block::take_along(task_block& there) {
  function_name_ = there.function_name_;
  const task_block* starter = current_task_block();
  if (!starter)
    return;
  const time_point deadline = current_effective_deadline();
  const bool limited = deadline != time_point::max() && deadline != time_point::min();
  const bool has_locals = starter->extras_ && starter->extras_->locals;
  if (!limited && !has_locals)
    return;
  auto& theirs = there.need_extras();
  if (limited)
    theirs.inherited_deadline = deadline;
  if (has_locals)
    theirs.locals = starter->extras_->locals;
}

void task_block::load_home() noexcept { loop_->load(1); }

// -- life ---------------------------------------------------------------------------

void task_block::attach(std::coroutine_handle<> frame, frame_promise& promise) noexcept {
  frame_link& link = root();
  link.child = frame;
  link.hook = this;
  link.join(promise, nullptr, this);
  function_name_ = promise.where.function_name();
  resume_ = frame;
}

void task_block::go() noexcept {
  loop_->load(1);
  if (!nursery_)
    loop_->roots_.push_back(*this);
  if (faults_in_force()) [[unlikely]]
    tell_task_begins(*this);
  loop_->push(*this);
}

std::coroutine_handle<> task_block::completed(task_block&) noexcept {
  // Not from within the frame that ends here: it is destroyed first.
  loop_->finished_ = this;
  return std::noop_coroutine();
}

unwind_step task_block::unwound(task_block&) noexcept { return unwind_step::destroy; }

void task_block::finish() noexcept {
  std::exchange(root().child, {}).destroy();
  end(false);
}

void task_block::end(bool by_cancellation) noexcept {
  waiting_for_ = nullptr;
  resume_ = {};
  state_ = task_state::ended;
  ended_cancelled_ = by_cancellation;
  loop_->load(static_cast<std::size_t>(-1));
  if (!nursery_)
    list_node<sibling_tag>::unlink();
  if (extras_) [[unlikely]] {
    if (extras_->watch)
      std::exchange(extras_->watch, nullptr)->task_ended(*this);
    if (extras_->actor)
      actor_task_ended(*extras_->actor);
    while (joiner* j = extras_->joiners.first()) {
      j->unlink();
      j->notify();
    }
  }
  on_end();
}

void task_block::end_as(task_block& there) noexcept {
  if (there.ended_cancelled() && !cancelled()) { // over there alone, as by an exit message
    self_cancelled_ = true;
    try {
      if (there.extras() && there.extras()->reason)
        need_extras().reason = std::move(there.extras()->reason);
    } catch (...) { // NOLINT(bugprone-empty-catch): works without a reason
    }
  }
  end(there.ended_cancelled());
}

/// Destroys the frames of the task from the inside out, up to where its
/// cancellation ends. A loop, not a recursion: see frame_link.
void task_block::unwind() noexcept {
  state_ = task_state::running;
  frame_promise* frame = &frame_promise::of(resume_);
  for (;;) {
    frame_link& link = *frame->link;
    frame_promise* parent = link.parent;
    std::exchange(link.child, {}).destroy();
    const unwind_step step = link.hook ? link.hook->unwound(*this) : unwind_step::destroy;
    if (step == unwind_step::wait)
      return;
    if (!parent)
      return end(true);
    if (step == unwind_step::resume) {
      resume_ = parent->handle();
      resume_.resume();
      return;
    }
    frame = parent;
  }
}

// -- cancellation -------------------------------------------------------------------

bool task_block::cancelled_at_root() const noexcept {
  return self_cancelled_ || (nursery_ && !service_ && scope_access::effective(nursery_->scope_));
}

void task_block::deliver_cancellation() noexcept {
  switch (state_) {
  case task_state::waiting:
    state_ = task_state::aborting;
    if (waiting_for_->withdraw())
      schedule_unwind();
    break;
  case task_state::ready_yield: state_ = task_state::ready_unwind; break;
  default: break; // it has a result on its way, or will see it at its next checkpoint
  }
}

void task_block::cancel(std::string_view why) noexcept { cancel(cancel_cause::requested, why); }

void task_block::cancel(cancel_cause cause, std::string_view why) noexcept {
  cancel(cause, why, {});
}

void task_block::cancel(const cancel_reason& why) noexcept {
  cancel(why.cause, why.message, why.origin);
}

void task_block::cancel(cancel_cause cause, std::string_view why,
                        std::string_view origin) noexcept {
  if (self_cancelled_ || ended())
    return;
  self_cancelled_ = true;
  try {
    need_extras().reason = make_reason(cause, why, origin);
  } catch (...) { // NOLINT(bugprone-empty-catch): works without a reason
  }
  cancellation_walk::update(*this);
}

checkpoint_watch* task_block::watch_checkpoints(checkpoint_watch* watch) {
  auto& known = need_extras().watch;
  attention_ = static_cast<std::uint8_t>((attention_ & ~attend_watch) | (watch ? attend_watch : 0));
  return std::exchange(known, watch);
}

void task_block::tell_watch() {
  if ((attention_ & attend_watch) != 0)
    extras_->watch->at_checkpoint(*this);
}

bool task_block::watch_lets_run() noexcept {
  return (attention_ & attend_watch) == 0 || extras_->watch->may_run(*this);
}

task_block* parent_of(const task_block& t) noexcept {
  return t.owner() ? tree_access::parent(*t.owner()) : nullptr;
}

void task_block::report_to_owner() noexcept { nursery_access::child_ended(*nursery_, *this); }

// -- waiting for the end ---------------------------------------------------------------

void joiner::enlist_with(task_block& target) { target.need_extras().joiners.push_back(*this); }

void throw_task_cancelled(task_block& t) {
  std::string text = "troupe: task '" + t.name() + "' was cancelled";
  if (t.extras() && t.extras()->reason)
    text += ": " + to_string(*t.extras()->reason);
  throw task_cancelled(text);
}

void throw_task_is_over() {
  throw usage_error("troupe: a task runs once: this one was awaited, started or moved from before");
}

void throw_empty_handle() { throw usage_error("troupe: this task_handle holds no task"); }

void set_task_name(task_block& t, std::string name) { t.name(std::move(name)); }

} // namespace troupe::detail
