// SPDX-License-Identifier: BSD-3-Clause
#include "refuse_in_task.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/fault_hooks.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/nursery.hpp>
#include <troupe/run.hpp>
#include <troupe/testing/failing_allocations.hpp>
#include <troupe/testing/injection.hpp>
#include <troupe/testing/run_test.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/wait.hpp>

#include <algorithm>
#include <list>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace troupe::testing {

namespace {

/// Does something after the k-th step on the first loop. The runtime's hook is a plain
/// function, so there is one of these at a time.
class kth_step {
public:
  kth_step(std::size_t k, std::function<void()> act) : at_(k), act_(std::move(act)) {
    if (k == 0) {
      act_();
      return;
    }
    current = this;
    troupe::detail::after_step = [](troupe::detail::loop& l) noexcept {
      if (l.index() == 0 && ++steps == current->at_)
        current->act_();
    };
  }
  kth_step(const kth_step&) = delete;
  kth_step& operator=(const kth_step&) = delete;
  ~kth_step() {
    troupe::detail::after_step = nullptr;
    current = nullptr;
  }

  static std::size_t steps; // on the first loop

private:
  std::size_t at_;
  std::function<void()> act_;
  static kth_step* current;
};

std::size_t kth_step::steps = 0;
kth_step* kth_step::current = nullptr;

/// Lets the k-th checkpoint of the tasks that begin while it lives throw, on the first loop.
class kth_checkpoint final : public troupe::detail::fault_hooks {
public:
  kth_checkpoint(std::size_t k, std::exception_ptr what) : at_(k), what_(std::move(what)) {
    troupe::detail::add_fault_hooks(*this);
  }
  kth_checkpoint(const kth_checkpoint&) = delete;
  kth_checkpoint& operator=(const kth_checkpoint&) = delete;
  ~kth_checkpoint() { troupe::detail::remove_fault_hooks(*this); }

  void task_begins(troupe::detail::task_block& t) override {
    if (t.home().index() == 0)
      watches_.emplace_back(*this, t);
  }

private:
  class watch final : public troupe::detail::checkpoint_watch {
  public:
    watch(kth_checkpoint& owner, troupe::detail::task_block& t)
      : owner_(owner), other_(t.watch_checkpoints(this)) {}

    void at_checkpoint(troupe::detail::task_block& t) override {
      if (other_)
        other_->at_checkpoint(t);
      if (++kth_step::steps == owner_.at_)
        std::rethrow_exception(owner_.what_);
    }
    bool may_run(troupe::detail::task_block& t) noexcept override {
      return !other_ || other_->may_run(t);
    }
    void task_ended(troupe::detail::task_block& t) noexcept override {
      if (other_)
        other_->task_ended(t);
    }

  private:
    kth_checkpoint& owner_;
    checkpoint_watch* other_;
  };

  std::size_t at_;
  std::exception_ptr what_;
  std::list<watch> watches_;
};

using scenario_fn = std::function<task<>()>;

// Each gives whether the scenario has run to its end.

task<bool> by_scope(const scenario_fn& scenario, std::size_t k) {
  co_return co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
    const kth_step now(k, [&scope] { scope.cancel("the k-th step"); });
    co_await scenario();
  });
}

task<bool> by_task(const scenario_fn& scenario, std::size_t k) {
  bool finished = false;
  co_await with_nursery([&](nursery& n) -> task<> {
    auto handle = n.start_soon([&]() -> task<> {
      co_await scenario();
      finished = true;
    });
    const kth_step now(k, [handle]() mutable { handle.cancel("the k-th step"); });
    std::vector<task_handle<void>> handles(1, handle);
    co_await wait(std::move(handles));
  });
  co_return finished;
}

class made_to_fail : public std::runtime_error {
public:
  made_to_fail() : std::runtime_error("the k-th step") {}
};

/// Whether it is `made` itself, or a group with it; or of nothing else, if it is to be `alone`.
bool is_made(const std::exception_ptr& e, const std::exception_ptr& made, bool alone) {
  if (e == made)
    return true;
  try {
    std::rethrow_exception(e);
  } catch (const exception_group& group) {
    const auto& all = group.failures();
    const auto one = [&](const auto& f) { return is_made(f.error, made, alone); };
    return alone ? std::all_of(all.begin(), all.end(), one)
                 : std::any_of(all.begin(), all.end(), one);
  } catch (...) {
    return false;
  }
}

task<bool> by_sibling(const scenario_fn& scenario, std::size_t k, std::exception_ptr made) {
  bool finished = false;
  bool failed = false;
  event go;
  try {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        co_await go.wait();
        std::rethrow_exception(made);
      });
      const kth_step now(k, [&go] { go.set(); });
      co_await scenario();
      finished = true;
    });
  } catch (...) {
    if (!is_made(std::current_exception(), made, true))
      throw;
    failed = true;
  }
  if (!finished && !failed)
    throw test_failure("the failure of the sibling was lost");
  co_return finished;
}

/// The scenario may have an answer to the failure, and others may fail because of it.
task<bool> by_failure(const scenario_fn& scenario, std::size_t k, std::exception_ptr made) {
  bool finished = false;
  const kth_checkpoint now(k, made);
  try {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await scenario();
        finished = true;
      });
      co_return;
    });
  } catch (...) {
    if (!is_made(std::current_exception(), made, false))
      throw;
  }
  co_return finished;
}

task<bool> cut_off(const scenario_fn& scenario, const checkpoint_options& o, std::size_t k) {
  kth_step::steps = 0;
  auto made = o.error ? o.error : std::make_exception_ptr(made_to_fail());
  switch (o.how) {
  case cut::scope: return by_scope(scenario, k);
  case cut::task: return by_task(scenario, k);
  case cut::sibling: return by_sibling(scenario, k, std::move(made));
  case cut::failure: return by_failure(scenario, k, std::move(made));
  }
  throw usage_error("troupe: for_each_checkpoint: there is no such cut");
}

bool run_simulated(const scenario_fn& scenario, const checkpoint_options& o, std::size_t k) {
  simulation_options options;
  options.loops = o.loops;
  options.order = schedule::in_turn;
  options.invariants = o.invariants;
  options.network = o.network;
  options.may_read_clocks = o.may_read_clocks;
  return simulate(
           o.seed, [&] { return cut_off(scenario, o, k); }, options)
    .value();
}

bool run_real(const scenario_fn& scenario, const checkpoint_options& o, std::size_t k) {
  run_options options;
  options.loops = o.loops;
  options.debug = true; // the hook is called
  virtual_clock time;
  options.time = o.loops == 1 ? &time : nullptr;
  return run(options, [&] { return cut_off(scenario, o, k); });
}

/// Calls `f`, and names the point in what it throws.
template <class F>
auto naming(const std::string& point, F f) {
  try {
    return f();
  } catch (...) {
    throw test_failure("troupe: " + point + ": " + describe(std::current_exception()));
  }
}

void require(bool holds, const std::string& point, const std::string& what) {
  if (!holds)
    throw test_failure("troupe: " + point + ": " + what);
}

std::string in_number(long n, const char* what) { return std::to_string(n) + ' ' + what; }

} // namespace

std::size_t for_each_checkpoint(const std::function<task<>()>& scenario,
                                const injection_check& check, const checkpoint_options& o) {
  internal::refuse_in_task("for_each_checkpoint");
  for (std::size_t k = 0;; ++k) {
    const std::string point = "cut off after step " + std::to_string(k);
    require(k < o.most, point, "more steps than there may be");
    const bool finished = naming(point, [&] {
      troupe::detail::leak_check leaks(true);
      const bool to_the_end = (o.real ? run_real : run_simulated)(scenario, o, k);
      leaks.done("this");
      return to_the_end;
    });
    naming(point, [&] { check({k, finished}); });
    if (kth_step::steps < k) {
      require(finished, point, "it has not run to its end, though it was left alone");
      return k;
    }
  }
}

bool is_out_of_memory(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const std::system_error& error) {
    return error.code() == std::errc::not_enough_memory;
  } catch (const exception_group& group) {
    for (const auto& f : group.failures())
      if (!is_out_of_memory(f.error))
        return false;
    return true;
  } catch (...) {
    return false;
  }
}

namespace {

/// One run in which allocation `k` fails. Throws what is not for want of memory.
bool run_without_memory(const scenario_fn& scenario, const allocation_options& o, std::size_t k) {
  run_options options;
  options.loops = o.loops;
  virtual_clock time;
  options.time = o.loops == 1 ? &time : nullptr;
  try {
    if (o.whole_run) {
      const armed now(allocations, k, o.and_all_after);
      run(options, [&] { return scenario(); });
    } else {
      run(options, [&]() -> task<> {
        const armed now(allocations, k, o.and_all_after);
        co_await scenario();
      });
    }
    return true;
  } catch (...) {
    if (!is_out_of_memory(std::current_exception()))
      throw;
    return false;
  }
}

} // namespace

std::size_t for_each_allocation(const std::function<task<>()>& scenario,
                                const injection_check& check, const allocation_options& o) {
  internal::refuse_in_task("for_each_allocation");
  {
    const long before = allocations.live();
    const auto probe = std::make_unique<std::string>(100, 'x');
    if (allocations.live() == before)
      throw usage_error("troupe: for_each_allocation: one source of the program has to include "
                        "troupe/testing/replace_new.hpp");
  }
  for (int warm_up = 0; warm_up < 2; ++warm_up) // what is made once is no leak
    naming("nothing fails", [&] { check({0, run_without_memory(scenario, o, 0)}); });
  for (std::size_t k = 1;; ++k) {
    const std::string point = "allocation " + std::to_string(k) + " fails";
    require(k < o.most, point, "more allocations than there may be");
    const long before = allocations.live();
    const bool finished = naming(point, [&] { return run_without_memory(scenario, o, k); });
    const bool over = allocations.seen() < k;
    const long left = allocations.live() - before;
    require(left == 0, point, in_number(left, "blocks of memory are left"));
    naming(point, [&] { check({k, finished}); });
    if (over)
      return k - 1;
  }
}

} // namespace troupe::testing
