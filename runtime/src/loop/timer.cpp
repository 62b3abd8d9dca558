// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/timer.hpp>

#include <algorithm>

namespace troupe::detail {

namespace {
constexpr std::size_t arity = 4;
constexpr std::size_t few = 64; // holes that are not worth a pass
} // namespace

void timer_heap::place(std::size_t at, entry e) noexcept {
  entries_[at] = e;
  if (e.what)
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
  entries_[t.index_].what = nullptr;
  t.index_ = timer::idle;
  if (++holes_ > few && holes_ > entries_.size() / 2)
    close_holes();
}

void timer_heap::pop_front() noexcept {
  const entry last = entries_.back();
  entries_.pop_back();
  if (!entries_.empty())
    sift_down(0, last);
}

void timer_heap::close_holes() noexcept {
  std::erase_if(entries_, [](const entry& e) { return !e.what; });
  holes_ = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    entries_[i].what->index_ = static_cast<std::uint32_t>(i);
  if (entries_.size() > 1)
    for (std::size_t i = (entries_.size() - 2) / arity + 1; i-- > 0;)
      sift_down(i, entries_[i]);
}

timer* timer_heap::pop_due(time_point now) noexcept {
  if (next() > now || entries_.empty())
    return nullptr;
  timer* t = entries_.front().what;
  t->index_ = timer::idle;
  pop_front();
  return t;
}

} // namespace troupe::detail
