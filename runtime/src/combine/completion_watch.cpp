// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/completion_watch.hpp>

#include <algorithm>
#include <utility>

namespace troupe::detail {

void completion_watch::add(task_block& target) {
  if (ended_.capacity() == entries_.size()) // so that notify needs no memory
    ended_.reserve(std::max<std::size_t>(8, 2 * entries_.size()));
  entry& e = entries_.emplace_back(*this, target, entries_.size());
  try {
    e.watch();
  } catch (...) {
    entries_.pop_back();
    throw;
  }
}

completion_watch::entry::entry(completion_watch& owner, task_block& target,
                               std::size_t number) noexcept
  : owner_(owner), target_(target), number_(number) {
  target_.add_ref();
}

completion_watch::entry::~entry() {
  unlink();
  target_.release();
}

void completion_watch::entry::watch() {
  if (target_.ended())
    notify();
  else
    enlist_with(target_);
}

void completion_watch::entry::notify() noexcept {
  owner_.ended_.push_back(number_);
  if (owner_.waiting_)
    std::exchange(owner_.waiting_, nullptr)->task_->wake();
}

} // namespace troupe::detail
