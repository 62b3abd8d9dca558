// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/elsewhere.hpp>
#include <troupe/detail/runtime.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/error.hpp>
#include <troupe/task_tree.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <mutex>
#include <system_error>

namespace troupe::detail {

namespace {

std::atomic<int> last_root_signal{0};

/// Exits from a signal handler's stead, at once: the second Ctrl-C.
[[noreturn]] void exit_now(int number) noexcept { std::_Exit(128 + number); }

} // namespace

struct runtime::impl {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable changed;
  bool root_over = false;
  task_block* root = nullptr; // on the first loop only
  std::unique_ptr<boost::asio::signal_set> signals;
  configure_actors_fn configure_actors;

  void await_signal(runtime& rt) {
    signals->async_wait([this, &rt](const boost::system::error_code& error, int number) {
      if (error)
        return;
      if (number == SIGQUIT)
        std::cerr << dump_task_tree() << std::flush;
      else
        rt.signalled(number);
      await_signal(rt);
      rt.at(0).pump();
    });
  }
};

runtime::runtime(unsigned loops, time_source* time, bool debug, bool handle_signals,
                 configure_actors_fn configure_actors)
  : time_(time), debug_(debug), impl_(std::make_unique<impl>()) {
  impl_->configure_actors = std::move(configure_actors);
  if (loop::current())
    throw usage_error("troupe: run was called inside of a task; await the function instead");
  if (loops == 0)
    loops = std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < loops; ++i)
    loops_.push_back(std::make_unique<loop>(*this, i, time, debug));
  last_root_signal = 0;
  if (handle_signals) {
    impl_->signals =
      std::make_unique<boost::asio::signal_set>(loops_[0]->io(), SIGINT, SIGTERM, SIGQUIT);
    impl_->await_signal(*this);
  }
  try {
    for (auto& l : loops_) {
      impl_->threads.emplace_back([&l = *l] { l.run(); });
      const std::string name = "troupe-" + std::to_string(l->index());
      pthread_setname_np(impl_->threads.back().native_handle(), name.c_str());
    }
    register_runtime(*this);
  } catch (...) {
    stop_threads();
    throw;
  }
}

runtime::~runtime() {
  unregister_runtime(*this);
  delete host_.load();
  stop_threads();
}

actor_host& runtime::need_host() {
  if (actor_host* there = host())
    return *there;
  const std::lock_guard lock(impl_->mutex);
  if (!host())
    host_.store(make_actor_host(*this, impl_->configure_actors).release(),
                std::memory_order_release);
  return *host();
}

void runtime::stop_threads() noexcept {
  for (auto& l : loops_)
    l->stop();
  for (auto& t : impl_->threads)
    t.join();
  impl_->signals.reset();
}

void runtime::run_root(task_block& root, inbox_node& start) {
  impl_->root = &root;
  at(0).post(start);
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait(lock, [&] { return impl_->root_over; });
  lock.unlock();
  if (root.ended_cancelled())
    throw_task_cancelled(root);
}

void runtime::root_ended() noexcept {
  impl_->root = nullptr;
  const std::lock_guard lock(impl_->mutex);
  impl_->root_over = true;
  impl_->changed.notify_all();
}

void runtime::signalled(int number) noexcept {
  if (last_root_signal.exchange(number) != 0)
    exit_now(number);
  if (impl_->root)
    impl_->root->cancel(cancel_cause::signal, number == SIGINT ? "SIGINT" : "SIGTERM");
}

int last_signal() noexcept { return last_root_signal; }

loop& loop_at(loop& any, unsigned index) noexcept {
  runtime& rt = any.owner();
  return rt.at(index % rt.size());
}

unsigned least_loaded(loop& any) noexcept {
  runtime& rt = any.owner();
  // the next loop first, so that equal loads spread
  unsigned best = (any.index() + 1) % static_cast<unsigned>(rt.size());
  for (unsigned i = 1; i <= rt.size(); ++i) {
    const auto candidate = (any.index() + i) % static_cast<unsigned>(rt.size());
    if (rt.at(candidate).load() < rt.at(best).load())
      best = candidate;
  }
  return best;
}

} // namespace troupe::detail
