// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/loop.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace caf {
class actor_system_config;
} // namespace caf

namespace troupe {
class thread_pool;
} // namespace troupe

namespace troupe::detail {

class network;
class runtime;
class simulation;

using configure_actors_fn = std::function<void(caf::actor_system_config&)>;

/// The actor side of a runtime: the only seam between the loops and CAF. Made when
/// the first task becomes an actor.
class actor_host {
public:
  virtual ~actor_host() = default;

  /// Ordinary actors that have not ended: the destructor waits for them.
  [[nodiscard]] virtual std::size_t running() const noexcept = 0;
  /// It does not.
  virtual void wait_for_none() noexcept = 0;
};
[[nodiscard]] std::unique_ptr<actor_host> make_actor_host(runtime& rt,
                                                          const configure_actors_fn& configure);

/// Told when a loop of a runtime has nothing left that can run, and when it has again. For
/// tests. Called on the loops.
class idle_watch {
public:
  virtual ~idle_watch() = default;

  /// Nothing is ready on `l`, and no event of a socket or message from elsewhere is
  /// waiting. May wake tasks there.
  virtual void idle(loop& l) noexcept = 0;
  virtual void busy(loop& l) noexcept = 0;
};

/// The loops of one program and their threads.
class runtime {
public:
  /// Starts `loops` threads (0: one per core). Throws `std::system_error`.
  /// `configure_actors` is called when the actor side is made. With a `simulation`, which
  /// is the time source then, there are no threads.
  runtime(unsigned loops, time_source* time, bool debug, bool handle_signals,
          duration shutdown_limit = duration::max(), configure_actors_fn configure_actors = {},
          simulation* simulated = nullptr);

  /// Stops the loops and joins their threads.
  ~runtime();

  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  [[nodiscard]] loop& at(std::size_t i) noexcept { return *loops_[i]; }
  [[nodiscard]] std::size_t size() const noexcept { return loops_.size(); }

  /// What `loop::key` is; and the loop of this runtime that has it, or null.
  [[nodiscard]] std::uint64_t key_of(unsigned index) const noexcept {
    return serial_ << key_bits | (index + 1);
  }
  [[nodiscard]] loop* find(std::uint64_t key) noexcept {
    const std::uint64_t index = (key & ((1U << key_bits) - 1)) - 1;
    return key >> key_bits == serial_ && index < loops_.size() ? loops_[index].get() : nullptr;
  }
  [[nodiscard]] bool debug() const noexcept { return debug_; }
  [[nodiscard]] time_source* time() const noexcept { return time_; }
  /// What runs the loops; null, if they have threads.
  [[nodiscard]] simulation* simulated() const noexcept { return simulation_; }

  /// What stands in the place of the machine's network; null if nothing does. Set before
  /// the root task runs.
  [[nodiscard]] network* network_in_use() const noexcept { return network_; }
  void network_in_use(network* n) noexcept { network_ = n; }

  /// Null as long as nobody watches.
  [[nodiscard]] idle_watch* watch() const noexcept {
    return watch_.load(std::memory_order_acquire);
  }
  /// Makes `fresh` the watch, to the end of the runtime, if there is none; gives the one
  /// there is. A loop that sleeps tells it when it has been woken. Any thread.
  idle_watch& watch(std::unique_ptr<idle_watch> fresh) noexcept;

  /// Runs `start` on the first loop, which begins the root task, and waits until
  /// `root_ended`. Called by the thread that owns the runtime.
  void run_root(task_block& root, inbox_node& start);
  void root_ended() noexcept;

  /// Cancels the root because of a signal; the second time, exits. Any thread.
  void signalled(int number) noexcept;

  /// The actor side; null as long as no task is an actor.
  [[nodiscard]] actor_host* host() const noexcept { return host_.load(std::memory_order_acquire); }
  /// Makes it if there is none. Any thread. Throws what the user's configuration throws,
  /// `std::system_error`.
  [[nodiscard]] actor_host& need_host();

  /// The pools, made when first asked for. Any thread. Throws `std::bad_alloc`.
  [[nodiscard]] thread_pool& threads() { return need_pool(threads_, 40, "thread"); }
  [[nodiscard]] thread_pool& cpu_threads();

  /// Of a thread that is none of this runtime's loops or threads while it posts to a loop: the run
  /// may end as soon as what was posted is there, and the loop has to be woken up still.
  class visitor {
  public:
    explicit visitor(runtime& rt) noexcept : runtime_(rt) {
      runtime_.visitors_.fetch_add(1, std::memory_order_relaxed);
    }
    visitor(const visitor&) = delete;
    visitor& operator=(const visitor&) = delete;
    ~visitor() { runtime_.visitors_.fetch_sub(1, std::memory_order_release); }

  private:
    runtime& runtime_;
  };

private:
  struct impl;

  thread_pool& need_pool(std::atomic<thread_pool*>& pool, std::size_t size, const char* name) {
    if (thread_pool* there = pool.load(std::memory_order_acquire)) [[likely]]
      return *there;
    return make_pool(pool, size, name);
  }
  thread_pool& make_pool(std::atomic<thread_pool*>& pool, std::size_t size, const char* name);

  void start_threads();
  void stop_threads() noexcept;
  void end_actors_in_simulation() noexcept;

  static constexpr unsigned key_bits = 16;

  const std::uint64_t serial_; // no other runtime of the process has it
  std::vector<std::unique_ptr<loop>> loops_;
  time_source* time_;
  network* network_ = nullptr;
  simulation* simulation_;
  bool debug_;
  std::atomic<idle_watch*> watch_{nullptr};
  std::atomic<actor_host*> host_{nullptr};
  std::atomic<thread_pool*> threads_{nullptr};
  std::atomic<thread_pool*> cpu_threads_{nullptr};
  std::atomic<std::size_t> visitors_{0};
  std::unique_ptr<impl> impl_;
};

/// For the task tree: which runtimes there are, and the part below a nursery.
void register_runtime(runtime& rt);
void unregister_runtime(runtime& rt) noexcept;
[[nodiscard]] std::string dump_below(const nursery& n);

/// The number of the signal that has cancelled the last root, or 0.
[[nodiscard]] int last_signal() noexcept;

} // namespace troupe::detail
