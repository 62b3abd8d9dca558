// SPDX-License-Identifier: BSD-3-Clause
#include "fault_injector.hpp"

#include "fault_plan.hpp"
#include "node_of.hpp"
#include "simulator.hpp"

#include <troupe/detail/loop.hpp>
#include <troupe/detail/recycler.hpp>
#include <troupe/detail/task_extras.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace troupe::testing::internal {

using troupe::detail::message_fault;
using troupe::detail::task_block;

/// Counts the checkpoints of one task, and keeps it from running while it stalls.
class fault_injector::watch final : public troupe::detail::checkpoint_watch,
                                    private troupe::detail::timer {
public:
  watch(fault_injector& owner, task_block& t)
    : owner_(owner), keeps_(owner.weak_from_this().lock()), task_(t) {}

  void watch_with(checkpoint_watch* other) noexcept { other_ = other; }
  void add(planned& p) { faults_.push_back(&p); }

  void at_checkpoint(task_block& t) override {
    if (other_)
      other_->at_checkpoint(t);
    if (!owner_.on_.load(std::memory_order_relaxed))
      return leave();
    if (const auto now = owner_.times_on_.load(std::memory_order_relaxed); now != times_on_) {
      times_on_ = now;
      seen_ = 0;
    }
    ++seen_;
    for (planned* p : faults_)
      owner_.checkpoint(*this, *p, seen_);
  }

  bool may_run(task_block& t) noexcept override {
    if (other_ && !other_->may_run(t))
      return false;
    if (until_ <= t.home().now())
      return true;
    try {
      t.home().timers().add(*this, until_);
      return false;
    } catch (...) { // no memory to stall
      return true;
    }
  }

  void task_ended(task_block& t) noexcept override {
    if (other_)
      other_->task_ended(t);
    owner_.forget(t); // this is gone
  }

  void stall_until(time_point t) noexcept { until_ = t; }
  [[nodiscard]] task_block& task() noexcept { return task_; }

private:
  void expired() noexcept override { task_.home().push(task_); }

  /// Unless somebody else watches meanwhile and holds this one.
  void leave() {
    if (task_.extras()->watch != this)
      return;
    task_.watch_checkpoints(other_);
    owner_.forget(task_);
  }

  fault_injector& owner_;
  std::shared_ptr<fault_injector> keeps_;
  task_block& task_;
  checkpoint_watch* other_ = nullptr;
  std::vector<planned*> faults_;
  std::uint64_t seen_ = 0;
  std::uint64_t times_on_ = 0; // `seen_` is since then
  time_point until_ = time_point::min();
};

fault_injector::fault_injector(std::vector<fault> plan, std::uint64_t seed, note_fn note,
                               mine_fn mine)
  : note_(std::move(note)), mine_(std::move(mine)) {
  check_plan(plan);
  // whatever else is in the plan, each has the same chances
  std::map<std::uint64_t, std::uint64_t> same;
  for (fault& f : plan) {
    const std::uint64_t kind = identity(f);
    plan_.emplace_back(std::move(f), seed ^ (kind + 0x9e3779b97f4a7c15U * same[kind]++));
  }
}

fault_injector::~fault_injector() { off(); }

bool fault_injector::is_for_tasks() const noexcept {
  return std::any_of(plan_.begin(), plan_.end(),
                     [](const planned& p) { return internal::is_for_tasks(p.what); });
}

bool fault_injector::is_for_allocations() const noexcept {
  return std::any_of(plan_.begin(), plan_.end(), [](const planned& p) {
    return std::holds_alternative<fault::lacking_memory>(p.what.what);
  });
}

void fault_injector::on() {
  if (empty() || on_)
    return;
  {
    const std::lock_guard lock(mutex_);
    const std::lock_guard allocations(allocations_mutex_);
    ++times_on_;
    for (planned& p : plan_) {
      p.struck = 0;
      p.seen.clear();
    }
    for (auto& [task, mine] : allocating_)
      mine.seen = 0;
    streams_.clear();
    written_.clear();
    ended_.clear();
  }
  troupe::detail::add_fault_hooks(*this);
  if (is_for_allocations()) {
    try {
      add_allocation_plan(*this);
    } catch (...) {
      troupe::detail::remove_fault_hooks(*this);
      throw;
    }
    troupe::detail::drop_cached_blocks(); // what a run before has left does for no frame of this
  }
  on_ = true;
}

void fault_injector::off() noexcept {
  if (!on_.exchange(false))
    return;
  troupe::detail::remove_fault_hooks(*this);
  remove_allocation_plan(*this);
  const std::lock_guard lock(mutex_); // nobody strikes any more
}

void fault_injector::task_begins(task_block& t) {
  if (!mine_())
    return;
  const std::lock_guard lock(mutex_);
  if (watches_.contains(&t))
    return;
  std::unique_ptr<watch> mine;
  const std::string name = t.name();
  for (planned& p : plan_) {
    const bool node = std::holds_alternative<fault::crashing>(p.what.what);
    if (!internal::is_for_tasks(p.what) || !matches(p.what.names, node ? node_of(t) : name))
      continue;
    p.matched = true;
    if (!mine)
      mine = std::make_unique<watch>(*this, t);
    if (std::holds_alternative<fault::lacking_memory>(p.what.what))
      watch_allocations(t, p);
    else
      mine->add(p);
  }
  if (!mine)
    return;
  watch& w = *watches_.emplace(&t, std::move(mine)).first->second;
  w.watch_with(t.watch_checkpoints(&w));
}

void fault_injector::forget(const task_block& t) noexcept {
  const auto keep = weak_from_this().lock();
  decltype(watches_)::node_type gone; // outside of the lock
  const std::lock_guard lock(mutex_);
  gone = watches_.extract(&t);
  const std::lock_guard allocations(allocations_mutex_);
  allocating_.erase(&t);
}

bool fault_injector::strikes(planned& p, std::uint64_t number) {
  const when& at = p.what.at;
  if (p.struck >= at.most)
    return false;
  if (at.nth != 0 ? number != at.nth : !p.chance(at.chance))
    return false;
  ++p.struck;
  return true;
}

bool fault_injector::planned::chance(double of) { return simulator::happens(of, random()); }

void fault_injector::checkpoint(watch& w, planned& p, std::uint64_t number) {
  task_block& t = w.task();
  const auto* const f = std::get_if<fault::failing>(&p.what.what);
  const auto* const s = std::get_if<fault::stalling>(&p.what.what);
  const auto* const c = std::get_if<fault::crashing>(&p.what.what);
  {
    const std::string node = c ? node_of(t) : std::string();
    const std::lock_guard lock(mutex_);
    if (!on_)
      return;
    if (c)
      number = ++p.seen[std::hash<std::string>()(node)]; // of all its tasks
    if (!strikes(p, number))
      return;
    const char* const what = f ? "fails" : s ? "stalls" : c ? "crashes" : "is cancelled";
    note_(std::string("by plan, ") + what + " at checkpoint " + std::to_string(number) + ": "
            + (c ? node + ", in " : "") + t.name(),
          "");
  }
  if (f)
    std::rethrow_exception(f->error);
  if (s)
    return w.stall_until(deadline_after(t.home().now(), s->time));
  if (c)
    return crash_node_of(t, c->down_for);
  t.cancel("the fault plan says so");
}

message_fault fault_injector::message_arrives(std::uint64_t id, const std::string& name,
                                              bool answer) {
  message_fault first;
  if (!mine_())
    return first;
  const std::lock_guard lock(mutex_);
  for (planned& p : plan_) {
    const auto* m = std::get_if<fault::in_traffic>(&p.what.what);
    if (!m || (m->which == traffic::answers) != answer || !matches(p.what.names, name))
      continue;
    p.matched = true;
    const std::uint64_t number = ++p.seen[id];
    if (!strikes(p, number))
      continue;
    note_(std::string("by plan, ") + to_text(m->what.what) + (answer ? ", answer " : ", message ")
            + std::to_string(number) + ": " + name,
          "");
    if (first.what == message_fault::fate::arrives)
      first = m->what;
  }
  return first;
}

bool fault_injector::strikes_bytes(planned& p, std::uint64_t before, std::size_t size) {
  const std::uint64_t byte = p.what.at.byte;
  return before < byte && byte <= before + size && p.struck < p.what.at.most;
}

bool fault_injector::concerns(const planned& p, file_use what) {
  const bool moves = what == file_use::read || what == file_use::write;
  if (const auto* f = std::get_if<fault::file_failing>(&p.what.what))
    return (f->which == file_use::any || f->which == what) && (moves || p.what.at.byte == 0);
  return moves && std::holds_alternative<fault::shortening>(p.what.what);
}

int fault_injector::file_used(file_use what, const std::string& path, std::size_t& size) {
  if (!mine_())
    return 0;
  const std::lock_guard lock(mutex_);
  for (planned& p : plan_) {
    if (!concerns(p, what) || !matches(p.what.names, path))
      continue;
    p.matched = true;
    const auto* const f = std::get_if<fault::file_failing>(&p.what.what);
    const std::uint64_t byte = p.what.at.byte;
    std::uint64_t& seen = p.seen[std::hash<std::string>()(path)];
    if (byte == 0) {
      if (!strikes(p, ++seen))
        continue;
    } else if (f) {
      // two uses at the same time may have gone beyond it
      if (seen + size < byte || p.struck >= p.what.at.most)
        continue;
      if (seen + 1 < byte) {
        size = static_cast<std::size_t>(byte - 1 - seen); // it fails the next time
        continue;
      }
      ++p.struck;
    } else {
      if (!strikes_bytes(p, seen, size))
        continue;
      ++p.struck;
    }
    note_("by plan, " + std::string(f ? std::make_error_code(f->error).message() : "is short")
            + (byte != 0 ? ", byte " + std::to_string(byte) : ", use " + std::to_string(seen))
            + ": ",
          path);
    if (f)
      return static_cast<int>(f->error);
    size = std::min(size, std::get<fault::shortening>(p.what.what).bytes);
  }
  return 0;
}

void fault_injector::file_moved(file_use what, const std::string& path, std::size_t size) {
  if (!mine_())
    return;
  const std::lock_guard lock(mutex_);
  for (planned& p : plan_)
    if (p.what.at.byte != 0 && concerns(p, what) && matches(p.what.names, path))
      p.seen[std::hash<std::string>()(path)] += size;
}

std::vector<std::size_t> fault_injector::unmatched() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < plan_.size(); ++i)
    if (!plan_[i].matched)
      all.push_back(i);
  return all;
}

std::uint64_t fault_injector::struck() const {
  const std::lock_guard lock(mutex_);
  const std::lock_guard allocations(allocations_mutex_);
  std::uint64_t all = 0;
  for (const planned& p : plan_)
    all += p.struck;
  return all;
}

} // namespace troupe::testing::internal
