// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/runtime.hpp>
#include <troupe/detail/waiter.hpp>
#include <troupe/error.hpp>

#include <string>

namespace troupe::detail {

void home_loop::check(const char* what) {
  loop* here = loop::current();
  if (here && seen_from(*here, what))
    throw usage_error(std::string("troupe: ") + what
                      + " answers at once only on its own loop; await it instead");
}

loop* home_loop::other(loop& here, std::uint64_t bound, const char* what) {
  if (loop* home = here.owner().find(bound))
    return home;
  throw usage_error(std::string("troupe: ") + what + " belongs to another run of the loops");
}

bool waiter::withdraw() noexcept {
  if (trip_) [[unlikely]] {
    trip_->withdraw();
    return false;
  }
  leave();
  return true;
}

void waiter::failed(const std::exception_ptr& /*why*/) noexcept { std::terminate(); }

void waiter::travel(task_block& t, loop& home) {
  trip_ = new away_trip(*this, t, home);
  task_ = &t;
}

void away_trip::there_message::run() noexcept {
  try {
    if (trip.op_.arrive())
      trip.done(true);
  } catch (...) {
    trip.op_.failed(std::current_exception());
    trip.done(true);
  }
}

void away_trip::withdraw_message::run() noexcept {
  if (!trip.done_) {
    trip.op_.leave();
    trip.done(false);
  }
  trip.release();
}

void away_trip::back_message::run() noexcept {
  if (trip.effect_)
    trip.task_.wake();
  else
    trip.task_.aborted();
  trip.release();
}

} // namespace troupe::detail
