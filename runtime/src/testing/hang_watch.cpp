// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/task_tree.hpp>
#include <troupe/testing/run_test.hpp>

#include <pthread.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

namespace troupe::detail {

struct hang_watch::impl {
  impl(std::string_view test, duration most) : name(test), limit(most), thread([this] { run(); }) {
    pthread_setname_np(thread.native_handle(), "troupe-hang");
  }

  void run() {
    std::unique_lock lock(mutex);
    if (ended.wait_for(lock, limit, [this] { return over; }))
      return;
    std::fprintf(stderr,
                 "troupe: test '%s' has not ended within %.3f s; its tasks:\n%sThe process "
                 "aborts, for nothing else can end the test.\n",
                 name.c_str(), std::chrono::duration<double>(limit).count(),
                 dump_task_tree().c_str());
    std::fflush(stderr);
    std::abort();
  }

  std::string name;
  duration limit;
  std::mutex mutex;
  std::condition_variable ended;
  bool over = false;
  std::thread thread; // last: it runs at once
};

hang_watch::hang_watch(std::string_view test, duration limit) {
  if (limit != duration::max())
    impl_ = std::make_unique<impl>(test, limit);
}

hang_watch::~hang_watch() {
  if (!impl_)
    return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->over = true;
  }
  impl_->ended.notify_one();
  impl_->thread.join();
}

} // namespace troupe::detail
