// SPDX-License-Identifier: BSD-3-Clause
#include "watchdog.hpp"

#include <troupe/detail/elsewhere.hpp>
#include <troupe/detail/runtime.hpp>
#include <troupe/detail/simulation.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/error.hpp>
#include <troupe/task_tree.hpp>
#include <troupe/thread_pool.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <optional>
#include <system_error>

namespace troupe::detail {

namespace {

std::atomic<int> last_root_signal{0};
std::atomic<std::uint64_t> last_serial{0};

/// Exits from a signal handler's stead, at once: the second Ctrl-C.
[[noreturn]] void exit_now(int number) noexcept { std::_Exit(128 + number); }

const char* signal_name(int number) noexcept { return number == SIGINT ? "SIGINT" : "SIGTERM"; }

} // namespace

/// Hears signals while the root runs: on the thread that has called `run`, for a task
/// that does not let go of its loop must not keep the program from ending.
class signal_watch {
public:
  signal_watch(runtime& rt, duration limit) : runtime_(rt), limit_(limit) { wait(); }

  /// Until `stop`. What there is no memory to say is not said; signals are still heard.
  void run() noexcept {
    while (!io_.stopped())
      try {
        io_.run();
      } catch (...) { // NOLINT(bugprone-empty-catch)
      }
  }
  void stop() { io_.stop(); } // any thread

private:
  void wait() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
      if (error)
        return;
      wait();
      if (number == SIGQUIT)
        std::cerr << dump_task_tree() << std::flush;
      else
        end(number);
    });
  }

  void end(int number) {
    runtime_.signalled(number);
    if (limit_ == duration::max())
      return;
    timer_.expires_after(limit_);
    timer_.async_wait([number](const boost::system::error_code& error) {
      if (error)
        return;
      std::cerr << "troupe: " << signal_name(number)
                << " has not ended the program within its limit; what is left:\n"
                << dump_task_tree() << std::flush;
      std::_Exit(EXIT_FAILURE);
    });
  }

  runtime& runtime_;
  duration limit_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_{io_, SIGINT, SIGTERM, SIGQUIT};
  boost::asio::steady_timer timer_{io_};
};

struct runtime::impl {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable changed;
  bool root_over = false;
  task_block* root = nullptr; // on the first loop only
  std::unique_ptr<signal_watch> signals;
  std::optional<watchdog> dog; // in debug mode
  configure_actors_fn configure_actors;

  struct cancel_root final : inbox_node {
    explicit cancel_root(impl& i) noexcept : owner(i) {}
    void run() noexcept override {
      if (owner.root)
        owner.root->cancel(cancel_cause::signal, signal_name(last_root_signal));
    }
    impl& owner;
  } cancel{*this};
};

runtime::runtime(unsigned loops, time_source* time, bool debug, bool handle_signals,
                 duration shutdown_limit, configure_actors_fn configure_actors,
                 simulation* simulated)
  : serial_(last_serial.fetch_add(1, std::memory_order_relaxed) + 1),
    time_(simulated ? simulated : time), simulation_(simulated), debug_(debug),
    impl_(std::make_unique<impl>()) {
  impl_->configure_actors = std::move(configure_actors);
  if (loop::current())
    throw usage_error("troupe: run was called inside of a task; await the function instead");
  if (loops == 0)
    loops = std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < loops; ++i)
    loops_.push_back(std::make_unique<loop>(*this, i, time_, debug));
  if (debug)
    impl_->dog.emplace(loops_);
  last_root_signal = 0;
  if (handle_signals)
    impl_->signals = std::make_unique<signal_watch>(*this, shutdown_limit);
  try {
    if (!simulation_)
      start_threads();
    register_runtime(*this);
  } catch (...) {
    stop_threads();
    throw;
  }
}

runtime::~runtime() {
  unregister_runtime(*this);
  if (simulation_)
    end_actors_in_simulation();
  // what was abandoned there may still ask something of the loops and the actors
  delete threads_.load();
  delete cpu_threads_.load();
  delete host_.load();
  host_.store(nullptr);
  if (simulation_)
    simulation_->settle(*this);
  stop_threads();
  while (visitors_.load(std::memory_order_acquire) != 0)
    std::this_thread::yield();
  delete watch_.load();
}

idle_watch& runtime::watch(std::unique_ptr<idle_watch> fresh) noexcept {
  idle_watch* there = nullptr;
  if (watch_.compare_exchange_strong(there, fresh.get(), std::memory_order_acq_rel))
    there = fresh.release();
  return *there;
}

void runtime::start_threads() {
  for (auto& l : loops_) {
    impl_->threads.emplace_back([&l = *l] { l.run(); });
    const std::string name = "troupe-" + std::to_string(l->index());
    pthread_setname_np(impl_->threads.back().native_handle(), name.c_str());
  }
}

/// Their system waits for all actors when it is destroyed, and nobody would run them then.
void runtime::end_actors_in_simulation() noexcept {
  actor_host* const actors = host();
  if (!actors || simulation_->run_until(*this, [actors] { return actors->running() == 0; }))
    return;
  simulation_->left_behind(actors->running());
  actors->wait_for_none();
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

thread_pool& runtime::make_pool(std::atomic<thread_pool*>& pool, std::size_t size,
                                const char* name) {
  const std::lock_guard lock(impl_->mutex);
  if (!pool.load())
    pool.store(new thread_pool(size, {.name = name}), std::memory_order_release);
  return *pool.load();
}

thread_pool& runtime::cpu_threads() {
  return need_pool(cpu_threads_, std::max(1U, std::thread::hardware_concurrency()), "cpu");
}

void runtime::stop_threads() noexcept {
  for (auto& l : loops_)
    l->stop();
  for (auto& t : impl_->threads)
    t.join();
}

void runtime::run_root(task_block& root, inbox_node& start) {
  impl_->root = &root;
  at(0).post(start);
  if (simulation_) {
    simulation_->run_root(*this, root);
  } else {
    if (impl_->signals)
      impl_->signals->run();
    std::unique_lock lock(impl_->mutex);
    impl_->changed.wait(lock, [&] { return impl_->root_over; });
    lock.unlock();
    impl_->signals.reset(); // from here on they have their default effect
  }
  if (root.ended_cancelled())
    throw_task_cancelled(root);
}

void runtime::root_ended() noexcept {
  impl_->root = nullptr;
  const std::lock_guard lock(impl_->mutex);
  impl_->root_over = true;
  impl_->changed.notify_all();
  if (impl_->signals)
    impl_->signals->stop();
}

void runtime::signalled(int number) noexcept {
  if (last_root_signal.exchange(number) != 0)
    exit_now(number);
  at(0).post(impl_->cancel);
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
