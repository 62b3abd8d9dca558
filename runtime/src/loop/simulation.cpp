// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/simulation.hpp>
#include <troupe/error.hpp>

#include <string>

namespace troupe::detail {

namespace {

thread_local constinit simulation* this_thread_simulation = nullptr;

} // namespace

simulation::simulation() noexcept : outer_(this_thread_simulation) {
  this_thread_simulation = this;
}

simulation::~simulation() { this_thread_simulation = outer_; }

simulation* simulation::current() noexcept { return this_thread_simulation; }

void refuse_under_simulation(const char* what) {
  if (simulation::current())
    throw usage_error(std::string("troupe: ") + what
                      + " under simulation: it would reach the real machine, which no seed "
                        "brings back");
}

void loop_steps::run(ready_node& n) noexcept {
  static_cast<list_node<ready_tag>&>(n).unlink();
  if (n.what == ready_node::kind::task)
    static_cast<task_block&>(n).run();
  else
    static_cast<ready_callback&>(n).run();
}

void loop_steps::run_message(loop& l) noexcept {
  if (!l.arrived_)
    l.take_inbox();
  l.run_message();
}

void loop_steps::fire_timers(loop& l) noexcept {
  const time_point at = l.timers_.next();
  while (timer* t = l.timers_.pop_due(at))
    t->expired();
}

} // namespace troupe::detail
