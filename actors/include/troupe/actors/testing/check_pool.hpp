// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>
#include <troupe/testing/test_failure.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace troupe::testing {

/// What is lent by a pool that is checked, and who counts them. Movable.
class pooled_thing {
public:
  struct counts {
    int made = 0;
    int open = 0;
    int most_open = 0;
  };

  explicit pooled_thing(counts& all);
  pooled_thing(pooled_thing&& other) noexcept;
  pooled_thing& operator=(pooled_thing&& other) noexcept;
  ~pooled_thing();

  /// The how many-th it is, from 1.
  [[nodiscard]] int number() const noexcept { return number_; }

private:
  counts* all_;
  int number_;
};

/// A lease of a pool that is checked; its end gives it back.
class checked_lease {
public:
  virtual ~checked_lease() = default;
  [[nodiscard]] virtual int number() = 0;
  virtual void discard() = 0;
};

/// A pool that is checked: `borrow` is a checkpoint.
class checked_pool {
public:
  virtual ~checked_pool() = default;
  [[nodiscard]] virtual task<std::unique_ptr<checked_lease>> borrow() = 0;
};

using pool_opener = std::function<task<pooled_thing>()>;

/// Runs a coroutine with a pool, whatever its type.
class pool_body {
public:
  explicit pool_body(std::function<task<>(checked_pool&)> body) : body_(std::move(body)) {}

  template <class Pool>
  task<> operator()(Pool& pool) {
    adapted<Pool> as_checked(pool);
    co_await body_(as_checked);
  }

private:
  template <class Lease>
  class adapted_lease final : public checked_lease {
  public:
    explicit adapted_lease(Lease l) : lease_(std::move(l)) {}
    int number() override { return (*lease_).number(); }
    void discard() override { lease_.discard(); }

  private:
    Lease lease_;
  };

  template <class Pool>
  class adapted final : public checked_pool {
  public:
    explicit adapted(Pool& p) noexcept : pool_(p) {}
    task<std::unique_ptr<checked_lease>> borrow() override {
      auto lease = co_await pool_.borrow();
      co_return std::make_unique<adapted_lease<decltype(lease)>>(std::move(lease));
    }

  private:
    Pool& pool_;
  };

  std::function<task<>(checked_pool&)> body_;
};

/// Runs `body(pool)` with a pool of at most `max` things, which it makes by `open`; afterwards none
/// may be left.
using pool_runner = std::function<task<>(std::size_t max, pool_opener open, pool_body body)>;

/// Checks that pools which `run(max, open, body)` runs `body(pool)` with keep the rules that the
/// documentation of `troupe/actors/connection_pool.hpp` says (P17): what has come back is lent
/// again, never more than `max` at a time, those who wait are served in turn, who is cancelled at
/// any moment takes nothing, what cannot be opened costs no room, what was discarded or left in
/// the middle of something is not lent again, and nothing is left at the end.
///
///     co_await check_pool([](std::size_t max, pool_opener open, pool_body body) -> task<> {
///       connection_pool_options options;
///       options.max = max;
///       connection_functions<pooled_thing> functions;
///       functions.open = open;
///       co_await with_connection_pool(options, functions, body);
///     });
///
/// `pool.borrow()` gives a lease whose `*lease` is the thing, and that has `discard`. For virtual
/// time (`run_virtually`). Throws `test_failure` that says which rule is broken and how. A
/// checkpoint.
[[nodiscard]] task<> check_pool(pool_runner run);

} // namespace troupe::testing
