// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/simulation.hpp>
#include <troupe/rough_time.hpp>
#include <troupe/time.hpp>

namespace troupe {

namespace detail {

bool sleep_awaiter::arm(task_block& t) {
  loop& l = t.home();
  if (relative_) {
    const duration d = when_.time_since_epoch();
    if (d <= duration::zero())
      return false;
    when_ = deadline_after(l.now(), d);
  } else if (when_ != time_point::max() && when_ <= l.now()) {
    return false;
  }
  task_ = &t;
  if (when_ != time_point::max())
    l.timers().add(*this, when_);
  return true;
}

} // namespace detail

time_point current_time() noexcept {
  if (const detail::loop* l = detail::loop::current())
    return l->now();
  const detail::simulation* s = detail::simulation::current(); // in a job for a thread
  return s ? s->now() : clock::now();
}

time_point rough_time() noexcept {
  const detail::loop* l = detail::loop::current();
  return l ? l->rough_now() : current_time();
}

} // namespace troupe
