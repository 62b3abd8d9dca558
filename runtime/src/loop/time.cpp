// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/simulation.hpp>
#include <troupe/rough_time.hpp>
#include <troupe/time.hpp>

#include <chrono>

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

std::chrono::system_clock::time_point current_wall_time() noexcept {
  using std::chrono::system_clock;
  const detail::loop* l = detail::loop::current();
  if (l ? !l->on_virtual_time() : !detail::simulation::current())
    return system_clock::now();
  constexpr std::chrono::sys_days begin = std::chrono::year(2000) / 1 / 1;
  return begin
         + std::chrono::duration_cast<system_clock::duration>(current_time().time_since_epoch());
}

time_point rough_time() noexcept {
  const detail::loop* l = detail::loop::current();
  return l ? l->rough_now() : current_time();
}

} // namespace troupe
