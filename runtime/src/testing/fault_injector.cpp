// SPDX-License-Identifier: BSD-3-Clause
#include "fault_injector.hpp"

#include <troupe/error.hpp>

#include <algorithm>

namespace troupe::testing::internal {

using troupe::detail::task_block;

/// Counts the checkpoints of one task.
class fault_injector::watch final : public troupe::detail::checkpoint_watch {
public:
  explicit watch(fault_injector& owner) noexcept : owner_(owner) {}

  void watch_with(troupe::detail::checkpoint_watch* other) noexcept { other_ = other; }
  void add(planned& p) { faults_.push_back(&p); }

  void at_checkpoint(task_block& t) override {
    if (other_)
      other_->at_checkpoint(t);
    ++seen_;
    for (planned* p : faults_)
      owner_.checkpoint(t, *p, seen_);
  }

private:
  fault_injector& owner_;
  troupe::detail::checkpoint_watch* other_ = nullptr;
  std::vector<planned*> faults_;
  std::uint64_t seen_ = 0;
};

bool matches(std::string_view pattern, std::string_view text) noexcept {
  const auto star = pattern.find('*');
  if (star == pattern.npos)
    return pattern == text;
  if (pattern.substr(0, star) != text.substr(0, star))
    return false;
  pattern.remove_prefix(star + 1);
  for (std::size_t at = star; at <= text.size(); ++at)
    if (matches(pattern, text.substr(at)))
      return true;
  return false;
}

fault_injector::fault_injector(const std::vector<fault>& plan, std::uint64_t seed,
                               std::function<time_point(const std::string&)> note)
  : random_(seed), note_(std::move(note)) {
  for (const fault& f : plan) {
    const bool never = f.at.most == 0 || (f.at.nth == 0 && !(f.at.chance > 0));
    const bool both = f.at.nth != 0 && f.at.chance != 0;
    const auto* stalls = std::get_if<fault::stalling>(&f.what);
    if (never || both || f.at.chance > 1 || (stalls && stalls->time <= duration::zero()))
      throw usage_error("troupe: the fault for '" + f.tasks
                        + "' is impossible: it strikes at the n-th checkpoint, or with a chance "
                          "above 0 and up to 1, and stalls for a time");
    plan_.push_back({&f});
  }
}

fault_injector::~fault_injector() = default;

void fault_injector::task_begins(task_block& t) {
  watch* mine = nullptr;
  const std::string name = t.name();
  for (planned& p : plan_) {
    if (!matches(p.what->tasks, name))
      continue;
    p.matched = true;
    if (!mine)
      mine = &watches_.emplace_back(*this);
    mine->add(p);
  }
  if (mine)
    mine->watch_with(t.watch_checkpoints(mine));
}

bool fault_injector::strikes(const planned& p, std::uint64_t number) {
  const when& at = p.what->at;
  if (p.struck >= at.most)
    return false;
  if (at.nth != 0)
    return number == at.nth;
  constexpr int digits = 53; // of a double
  return static_cast<double>(random_() >> (64 - digits)) * 0x1p-53 < at.chance;
}

void fault_injector::checkpoint(task_block& t, planned& p, std::uint64_t number) {
  if (!strikes(p, number))
    return;
  ++p.struck;
  const auto note = [&](const char* what) {
    return note_(what + std::to_string(number) + ": " + t.name());
  };
  if (const auto* f = std::get_if<fault::failing>(&p.what->what)) {
    note("by plan, fails at checkpoint ");
    std::rethrow_exception(f->error);
  }
  if (const auto* s = std::get_if<fault::stalling>(&p.what->what)) {
    const time_point now = note("by plan, stalls at checkpoint ");
    stalls_.push_back({&t, troupe::detail::deadline_after(now, s->time)});
    return;
  }
  note("by plan, is cancelled at checkpoint ");
  t.cancel("the fault plan says so");
}

bool fault_injector::stalled(const task_block& t, time_point now) const noexcept {
  return std::any_of(stalls_.begin(), stalls_.end(),
                     [&](const stall& s) { return s.task == &t && s.until > now; });
}

time_point fault_injector::next(time_point now) noexcept {
  std::erase_if(stalls_, [now](const stall& s) { return s.until <= now; });
  time_point first = time_point::max();
  for (const stall& s : stalls_)
    first = std::min(first, s.until);
  return first;
}

std::string fault_injector::unmatched() const {
  for (const planned& p : plan_)
    if (!p.matched)
      return p.what->tasks;
  return {};
}

} // namespace troupe::testing::internal
