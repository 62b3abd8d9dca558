// SPDX-License-Identifier: BSD-3-Clause
#include "simulator.hpp"
#include "clock_reading.hpp"
#include "fault_plan.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/task_tree.hpp>
#include <troupe/testing/test_failure.hpp>

#include <algorithm>

namespace troupe::testing::internal {

namespace {

using troupe::detail::loop_steps;
using troupe::detail::on_loop;
using troupe::detail::runtime;

/// The number of steps after which somebody who could have been next is next.
constexpr std::uint64_t patience = 500;
/// The same within one ready queue, where everybody takes part.
constexpr std::uint64_t ready_patience = 50;
/// As many entries of a ready queue, or jobs, are candidates at most.
constexpr std::size_t most_of_one_kind = 32;

constexpr std::size_t kinds = 3; // of the sources of one loop

} // namespace

simulator::simulator(std::uint64_t seed, const simulation_options& options)
  : options_(options), seed_(seed), order_(seed, options), log_(options.log_size, options.record),
    faults_(
      options.faults, seed + 2,
      [this](const std::string& what, const std::string& path) { log_.note(now_, what, path); },
      [this] { return simulation::current() == this; }),
    random_(seed_of_draws(seed)), draws_(options.draws), chances_(options.chances),
    step_random_(seed + 1), limit_(options.max_steps), sources_(options.loops * kinds + 1) {
  faults_.on();
}

// -- what runs it -------------------------------------------------------------------------

template <class Over>
simulator::outcome simulator::go(runtime& rt, Over over, bool let_time_pass) {
  while (!over()) {
    if (log_.steps() >= limit_)
      return outcome::no_end;
    if (step(rt) || wake_those_who_wait_for_idle(rt))
      continue;
    if (!let_time_pass || !pass_time(rt))
      return outcome::nothing_left;
  }
  return outcome::over;
}

void simulator::run_root(runtime& rt, task_block& root) {
  switch (go(rt, [&] { return root.ended() || failure_; })) {
  case outcome::nothing_left:
    fail("deadlock: nothing can run, and no timer is left. The tasks:\n" + dump_task_tree());
    break;
  case outcome::no_end:
    fail("no end after " + std::to_string(limit_) + " steps. The tasks:\n" + dump_task_tree());
    break;
  default: break;
  }
  if (root.ended())
    return;
  {
    const on_loop here(rt.at(0));
    root.cancel("the simulation has failed");
  }
  if (run_until(rt, [&] { return root.ended(); }))
    return;
  stuck_ = true;
  std::rethrow_exception(failure_);
}

bool simulator::run_until(runtime& rt, const std::function<bool()>& over) noexcept {
  limit_ = log_.steps() + options_.max_steps;
  return go(rt, over) == outcome::over;
}

void simulator::settle(runtime& rt) noexcept {
  limit_ = log_.steps() + options_.max_steps;
  static_cast<void>(go(
    rt, [] { return false; }, false));
}

void simulator::left_behind(std::size_t actors) noexcept {
  fail(std::to_string(actors)
       + " actors have not ended with the root, which a real run would "
         "wait for");
}

void simulator::fail(const std::string& why) noexcept {
  fail(std::make_exception_ptr(test_failure(why)));
}

void simulator::fail(std::exception_ptr why) noexcept {
  if (failure_)
    return;
  failure_ = std::move(why);
  log_.note(now_, "the run has failed");
}

void simulator::report(simulation_report& into) const {
  into.seed = seed_;
  into.steps = log_.steps();
  into.hash = log_.hash();
  into.elapsed = now_.time_since_epoch();
  into.choices = order_.taken();
  into.given = std::min(options_.choices.size(), into.choices.size());
  into.drawn = draws_.count();
  into.chanced = chances_.count();
  into.draws = options_.draws;
  into.chances = options_.chances;
  into.strikes = faults_.struck();
  into.failure = failure_;
  into.unmatched = faults_.unmatched();
  if (!failure_ && !into.unmatched.empty())
    into.failure = std::make_exception_ptr(unmatched_fault(faults_.names(into.unmatched.front())));
  if (into.failure)
    into.log = log_.text();
}

// -- a step -------------------------------------------------------------------------------

bool simulator::step(runtime& rt) {
  collect(rt);
  if (candidates_.empty())
    return false;
  const candidate next = pick();
  {
    const clocks_refused refused(options_.may_read_clocks ? nullptr : this);
    run(rt, next);
  }
  if (options_.step_time > duration::zero())
    now_ += duration(leave_to_chance(step_random_())
                     % static_cast<std::uint64_t>(options_.step_time.count() + 1));
  look();
  return true;
}

/// Returns true if something can run by now.
bool simulator::wake_those_who_wait_for_idle(runtime& rt) noexcept {
  troupe::detail::idle_watch* const watch = rt.watch();
  if (!watch)
    return false;
  bool any = false;
  for (std::size_t i = 0; i < rt.size(); ++i) {
    const on_loop here(rt.at(i));
    watch->idle(rt.at(i));
  }
  for (std::size_t i = 0; i < rt.size(); ++i) {
    const on_loop here(rt.at(i));
    any = any || rt.at(i).anything_ready() || loop_steps::message_waits(rt.at(i));
    watch->busy(rt.at(i));
  }
  return any;
}

bool simulator::pass_time(runtime& rt) noexcept {
  time_point next = time_point::max();
  for (std::size_t i = 0; i < rt.size(); ++i)
    next = std::min(next, rt.at(i).timers().next());
  if (next == time_point::max())
    return false;
  now_ = std::max(now_, next);
  return true;
}

/// At what has to hold, or is waited for.
void simulator::look() noexcept {
  watches_.for_each([](step_watch& w) { w.after_step(); });
  if (options_.invariants.empty() || failure_)
    return;
  try {
    for (const invariant& i : options_.invariants)
      if (!i.holds())
        fail("the invariant '" + i.name + "' does not hold. The tasks:\n" + dump_task_tree());
  } catch (...) {
    fail(std::current_exception());
  }
}

simulator::source& simulator::source_of(step_kind kind, std::uint32_t l) noexcept {
  switch (kind) {
  case step_kind::task:
  case step_kind::callback: return sources_[l * kinds];
  case step_kind::message: return sources_[l * kinds + 1];
  case step_kind::timer: return sources_[l * kinds + 2];
  case step_kind::job: break;
  }
  return sources_.back();
}

/// Returns whether `s`, which has something to do if it is `there`, takes part.
bool simulator::offer(source& s, bool there) noexcept {
  if (!there)
    s.idle_at = log_.steps();
  else if (!starving_ && log_.steps() - s.idle_at > patience) {
    starving_ = &s;
    candidates_.clear(); // it is the only one
  }
  return there && (!starving_ || starving_ == &s);
}

/// All that could be next; what goes on as before comes first.
void simulator::collect(runtime& rt) {
  candidates_.clear();
  starving_ = nullptr;
  const auto loops = static_cast<std::uint32_t>(rt.size());
  std::uint32_t at = turn_;
  for (std::uint32_t i = 0; i < loops; ++i, at = at + 1 == loops ? 0 : at + 1) {
    loop& l = rt.at(at);
    ready_node* const first = loop_steps::ready(l).first();
    if (offer(source_of(step_kind::task, at), first != nullptr))
      collect_ready(l, *first);
    if (offer(source_of(step_kind::message, at), loop_steps::message_waits(l)))
      candidates_.push_back({step_kind::message, at});
    if (offer(source_of(step_kind::timer, at), l.timers().next() <= now_))
      candidates_.push_back({step_kind::timer, at});
  }
  if (offer(sources_.back(), !jobs_.empty()))
    collect_jobs();
}

void simulator::collect_ready(loop& l, ready_node& first) {
  auto& ready = loop_steps::ready(l);
  const bool all =
    options_.shuffle_ready && source_of(step_kind::task, l.index()).passed < ready_patience;
  std::size_t n = all ? most_of_one_kind : 1;
  for (ready_node* node = &first; node && n != 0; --n) {
    const bool task = node->what == ready_node::kind::task;
    candidates_.push_back({task ? step_kind::task : step_kind::callback, l.index(), node});
    node = loop_steps::ready_list::next(*node, ready);
  }
}

/// Threads take jobs in order, and are done in any.
void simulator::collect_jobs() {
  std::size_t n = most_of_one_kind;
  for (auto* job = jobs_.first(); job && n != 0; job = jobs_.next(*job, jobs_), --n)
    candidates_.push_back({step_kind::job, 0, nullptr, job});
}

simulator::candidate simulator::pick() {
  if (candidates_.size() == 1)
    return candidates_.front();
  keys_.clear();
  for (const candidate& c : candidates_) {
    std::uint64_t key = c.kind == step_kind::job ? 0 : c.loop + 1;
    if (c.kind == step_kind::task && options_.shuffle_ready)
      if (const auto* extras = static_cast<task_block*>(c.node)->extras())
        key |= std::uint64_t{extras->number} << 32U;
    keys_.push_back(key);
  }
  return candidates_[order_.choose(keys_)];
}

void simulator::run(runtime& rt, const candidate& c) noexcept {
  event_log::step s{c.kind, c.loop, now_};
  source& from = source_of(c.kind, c.loop);
  from.idle_at = log_.steps();
  if (c.kind == step_kind::job) {
    log_.begin(s);
    c.job->unlink();
    c.job->execute();
    c.job->finished();
    return log_.end(s);
  }
  turn_ = c.loop;
  loop& l = rt.at(c.loop);
  if (c.node)
    from.passed = c.node == loop_steps::ready(l).first() ? 0 : from.passed + 1;
  const on_loop here(l);
  switch (c.kind) {
  case step_kind::task: {
    run_task(static_cast<task_block&>(*c.node), s);
    if (const auto hook = troupe::detail::after_step.load(std::memory_order_relaxed))
      hook(l);
    return;
  }
  case step_kind::callback:
    log_.begin(s);
    loop_steps::run(*c.node);
    return log_.end(s);
  case step_kind::message: return run_and_log_ready(l, s, [&l] { loop_steps::run_message(l); });
  case step_kind::timer: return run_and_log_ready(l, s, [&l] { loop_steps::fire_timers(l); });
  case step_kind::job: break;
  }
}

void simulator::run_task(task_block& t, event_log::step& s) noexcept {
  t.add_ref(); // for the log: it may end
  s.task = &t;
  log_.begin(s);
  loop_steps::run(t);
  log_.end(s);
  t.release();
}

/// Says in the log which task it has made ready, the first of them.
template <class Step>
void simulator::run_and_log_ready(loop& l, event_log::step& s, Step step) noexcept {
  log_.begin(s);
  auto& ready = loop_steps::ready(l);
  loop_steps::ready_list before;
  before.splice_back(ready);
  step();
  if (ready_node* fresh = ready.first(); fresh && fresh->what == ready_node::kind::task)
    s.task = static_cast<task_block*>(fresh);
  before.splice_back(ready);
  ready.splice_back(before);
  log_.end(s);
}

} // namespace troupe::testing::internal
