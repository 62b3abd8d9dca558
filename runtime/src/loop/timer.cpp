// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/timer.hpp>

#include <algorithm>

namespace troupe::detail {

namespace {
constexpr std::size_t arity = 4;
}

void timer_heap::place(std::size_t at, entry e) noexcept {
  entries_[at] = e;
  e.what->index_ = static_cast<std::uint32_t>(at);
}

void timer_heap::sift_up(std::size_t at, entry e) noexcept {
  while (at > 0) {
    const std::size_t parent = (at - 1) / arity;
    if (!e.before(entries_[parent]))
      break;
    place(at, entries_[parent]);
    at = parent;
  }
  place(at, e);
}

void timer_heap::sift_down(std::size_t at, entry e) noexcept {
  const std::size_t n = entries_.size();
  for (;;) {
    const std::size_t first = at * arity + 1;
    if (first >= n)
      break;
    std::size_t least = first;
    for (std::size_t i = first + 1, end = std::min(first + arity, n); i < end; ++i)
      if (entries_[i].before(entries_[least]))
        least = i;
    if (!entries_[least].before(e))
      break;
    place(at, entries_[least]);
    at = least;
  }
  place(at, e);
}

void timer_heap::add(timer& t, time_point when) {
  const entry e{when, ++sequence_, &t};
  entries_.push_back(e);
  sift_up(entries_.size() - 1, e);
}

void timer_heap::remove(timer& t) noexcept {
  const std::size_t at = t.index_;
  t.index_ = timer::idle;
  const entry last = entries_.back();
  entries_.pop_back();
  if (at == entries_.size())
    return;
  if (at > 0 && last.before(entries_[(at - 1) / arity]))
    sift_up(at, last);
  else
    sift_down(at, last);
}

timer* timer_heap::pop_due(time_point now) noexcept {
  if (entries_.empty() || entries_.front().when > now)
    return nullptr;
  timer* t = entries_.front().what;
  remove(*t);
  return t;
}

} // namespace troupe::detail
