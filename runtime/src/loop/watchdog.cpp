// SPDX-License-Identifier: BSD-3-Clause
#include "watchdog.hpp"

#include <pthread.h>

#include <chrono>
#include <cstdio>

namespace troupe::detail {

void step_record::look() {
  const std::lock_guard lock(mutex_);
  if (!running_)
    return;
  const duration taken = clock::now() - began_;
  if (taken < slow_step)
    return;
  running_ = false;
  std::fprintf(stderr, "troupe: task '%s' has held its loop for %.3f s and still does\n",
               task_.c_str(), std::chrono::duration<double>(taken).count());
}

watchdog::watchdog(const std::vector<std::unique_ptr<loop>>& loops)
  : loops_(loops), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "troupe-watchdog");
}

watchdog::~watchdog() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void watchdog::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, slow_step / 4, [this] { return over_; }))
    for (const auto& l : loops_)
      l->step().look();
}

} // namespace troupe::detail
