// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/testing/check_pool.hpp>

#include <troupe/nursery.hpp>
#include <troupe/random.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

pooled_thing::pooled_thing(counts& all) : all_(&all), number_(++all.made) {
  all.most_open = std::max(all.most_open, ++all.open);
}
pooled_thing::pooled_thing(pooled_thing&& other) noexcept
  : all_(std::exchange(other.all_, nullptr)), number_(other.number_) {}
pooled_thing& pooled_thing::operator=(pooled_thing&& other) noexcept {
  std::swap(all_, other.all_);
  std::swap(number_, other.number_);
  return *this;
}
pooled_thing::~pooled_thing() {
  if (all_)
    --all_->open;
}

namespace {

using namespace std::chrono_literals;
using lease = std::unique_ptr<checked_lease>;

void require(bool holds, const std::string& otherwise) {
  if (!holds)
    throw test_failure("check_pool: " + otherwise);
}

/// One pool, and what it is made of.
class bench {
public:
  explicit bench(const pool_runner& run) : run_(run) {}

  pooled_thing::counts things;
  bool refuses = false; // opening throws
  duration opening_takes = 1ms;

  task<> with_pool(std::size_t max, std::function<task<>(checked_pool&)> body) {
    pool_opener open = [this]() -> task<pooled_thing> {
      co_await sleep_for(opening_takes);
      if (refuses)
        throw std::runtime_error("nothing can be opened");
      co_return pooled_thing(things);
    };
    pool_body as_body(std::move(body));
    co_await run_(max, std::move(open), std::move(as_body));
    require(things.open == 0,
            std::to_string(things.open) + " are still open when the pool has ended");
    require(things.most_open <= static_cast<int>(max),
            "there were " + std::to_string(things.most_open) + " at a time, and "
              + std::to_string(max) + " are allowed");
  }

private:
  const pool_runner& run_;
};

task<> use_briefly(checked_pool& pool) { const lease one = co_await pool.borrow(); }

task<> lent_again(const pool_runner& run) {
  bench b(run);
  co_await b.with_pool(3, [&](checked_pool& pool) -> task<> {
    for (int i = 0; i < 5; ++i) {
      const lease one = co_await pool.borrow();
      require(one->number() == 1, "what has come back is not lent again");
    }
    const lease one = co_await pool.borrow();
    const lease other = co_await pool.borrow();
    require(one->number() != other->number(), "one thing is lent twice at a time");
  });
}

task<> bounded_and_in_turn(const pool_runner& run) {
  bench b(run);
  co_await b.with_pool(2, [&](checked_pool& pool) -> task<> {
    std::string order;
    int lent = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (char name = 'a'; name <= 'h'; ++name)
        n.start_soon([&, name]() -> task<> {
          const lease one = co_await pool.borrow();
          require(++lent <= 2, "more are lent than are allowed");
          order += name;
          co_await sleep_for(1s);
          --lent;
        });
      co_return;
    });
    require(order == "abcdefgh", "those who wait are served as " + order + ", not in turn");
  });
}

task<> cancelled_waits(const pool_runner& run) {
  bench b(run);
  co_await b.with_pool(1, [&](checked_pool& pool) -> task<> {
    co_await use_briefly(pool);
    bool lent = false;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      const lease one = co_await pool.borrow();
      lent = true;
    });
    require(!lent, "who was cancelled before is lent something: borrow is no checkpoint");
    lease first = co_await pool.borrow();
    co_await with_nursery([&](nursery& n) -> task<> {
      auto early = n.start_soon([&]() -> task<> { co_await use_briefly(pool); });
      auto late = n.start_soon([&]() -> task<> {
        const lease one = co_await pool.borrow();
        co_await sleep_for(1h);
      });
      bool served = false;
      n.start_soon([&]() -> task<> {
        co_await use_briefly(pool);
        served = true;
      });
      co_await wait_all_tasks_blocked();
      early.cancel(); // while it waits
      co_await wait_all_tasks_blocked();
      first.reset();
      late.cancel(); // when its turn has come
      co_await sleep_for(1s);
      require(served, "a wait that was cancelled has swallowed what was to be lent");
    });
    const bool came_back = co_await move_on_after(1h, [&] { return use_briefly(pool); });
    require(came_back, "after waits were cancelled, nothing is lent any more");
  });
}

task<> failed_openings(const pool_runner& run) {
  bench b(run);
  co_await b.with_pool(2, [&](checked_pool& pool) -> task<> {
    b.refuses = true;
    for (int i = 0; i < 3; ++i) {
      bool told = false;
      try {
        const bool ended = co_await move_on_after(1h, [&] { return use_briefly(pool); });
        require(ended, "openings that have failed have left no room for others");
      } catch (const std::runtime_error& e) {
        told = std::string_view(e.what()) == "nothing can be opened";
        if (!told)
          throw;
      }
      require(told, "who borrows does not hear that opening has failed");
    }
    b.refuses = false;
    b.opening_takes = 1s;
    for (int i = 0; i < 3; ++i)
      co_await move_on_after(500ms, [&] { return use_briefly(pool); });
    const bool both = co_await move_on_after(1h, [&]() -> task<> {
      const lease one = co_await pool.borrow();
      const lease other = co_await pool.borrow();
    });
    require(both, "openings that were cancelled have left no room for others");
  });
}

task<> not_lent_again(const pool_runner& run) {
  bench b(run);
  co_await b.with_pool(1, [&](checked_pool& pool) -> task<> {
    {
      const lease one = co_await pool.borrow();
      one->discard();
    }
    try {
      const lease one = co_await pool.borrow();
      require(one->number() == 2, "what was discarded is lent again");
      throw std::runtime_error("in the middle of something");
    } catch (const test_failure&) {
      throw;
    } catch (const std::runtime_error&) { // NOLINT(bugprone-empty-catch)
    }
    co_await move_on_after(1s, [&]() -> task<> {
      const lease one = co_await pool.borrow();
      require(one->number() == 3, "what an exception was thrown over is lent again");
      co_await sleep_forever();
    });
    const lease one = co_await pool.borrow();
    require(one->number() == 4, "what was cut off by a cancellation is lent again");
  });
}

task<> crowds(const pool_runner& run) {
  bench b(run);
  co_await b.with_pool(3, [&](checked_pool& pool) -> task<> {
    int lent = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 200; ++i) {
        n.start_soon([&]() -> task<> {
          co_await move_on_after(std::chrono::milliseconds(random_bits() % 50), [&]() -> task<> {
            const lease one = co_await pool.borrow();
            require(++lent <= 3, "more are lent than are allowed");
            struct given_back {
              int& count;
              ~given_back() { --count; }
            } const at_the_end{lent};
            co_await sleep_for(std::chrono::milliseconds(random_bits() % 10));
            if (random_bits() % 4 == 0)
              one->discard();
          });
        });
        co_await sleep_for(std::chrono::milliseconds(random_bits() % 3));
      }
    });
    const bool all = co_await move_on_after(1h, [&]() -> task<> {
      std::vector<lease> leases;
      while (leases.size() != 3) {
        lease one = co_await pool.borrow();
        leases.push_back(std::move(one));
      }
    });
    require(all, "after a crowd that was cut off here and there, less is lent than there was");
  });
}

} // namespace

task<> check_pool(pool_runner run) {
  co_await lent_again(run);
  co_await bounded_and_in_turn(run);
  co_await cancelled_waits(run);
  co_await failed_openings(run);
  co_await not_lent_again(run);
  co_await crowds(run);
}

} // namespace troupe::testing
