// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/connection_pool.hpp>
#include <troupe/actors/testing/check_pool.hpp>
#include <troupe/outcome.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using testing::pool_body;
using testing::pool_opener;
using testing::pooled_thing;
using testing::run_virtually;

namespace {

/// What can be wrong with a pool.
enum class pool_fault {
  none,
  no_bound,
  last_come_first_served,
  swallowed_by_the_cancelled,
  failure_keeps_its_room,
  discarded_is_kept,
  cut_off_is_kept,
  never_lent_again,
  no_checkpoint
};

/// A pool as one might write it, with a mistake.
class little_pool {
public:
  little_pool(std::size_t max, pool_opener open, pool_fault f)
    : room_(max), open_(std::move(open)), fault_(f) {}

  class lease {
  public:
    lease(little_pool& p, pooled_thing t) : pool_(&p), thing_(std::move(t)) {}
    lease(lease&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), thing_(std::move(other.thing_)),
        discarded_(other.discarded_), before_(other.before_) {}
    lease& operator=(lease&&) = delete;
    ~lease() {
      if (pool_)
        pool_->give_back(std::move(thing_), discarded_, before_);
    }
    pooled_thing& operator*() noexcept { return thing_; }
    void discard() noexcept { discarded_ = true; }

  private:
    little_pool* pool_;
    pooled_thing thing_;
    bool discarded_ = false;
    int before_ = std::uncaught_exceptions();
  };

  task<lease> borrow() {
    if (fault_ != pool_fault::no_checkpoint)
      co_await checkpoint();
    if (room_ == 0 && fault_ != pool_fault::no_bound) {
      const auto turn = std::make_shared<event>();
      waiting w(*this, turn);
      co_await turn->wait();
      w.served = true;
    } else if (room_ != 0)
      --room_;
    if (!idle_.empty()) {
      pooled_thing one = std::move(idle_.back());
      idle_.pop_back();
      co_return lease(*this, std::move(one));
    }
    right r(*this);
    pooled_thing one = co_await open_();
    r.used = true;
    co_return lease(*this, std::move(one));
  }

private:
  /// Room that is given back unless it was used.
  struct right {
    explicit right(little_pool& p) noexcept : pool(p) {}
    right(const right&) = delete;
    right& operator=(const right&) = delete;
    ~right() {
      if (!used && pool.fault_ != pool_fault::failure_keeps_its_room)
        pool.pass_on();
    }
    little_pool& pool;
    bool used = false;
  };
  /// A place in the queue.
  struct waiting {
    waiting(little_pool& p, std::shared_ptr<event> e) : pool(p), turn(std::move(e)) {
      pool.queue_.push_back(turn);
    }
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;
    ~waiting() {
      if (served || pool.fault_ == pool_fault::swallowed_by_the_cancelled)
        return;
      if (std::erase(pool.queue_, turn) == 0)
        pool.pass_on(); // it was cancelled, and then its turn came
    }
    little_pool& pool;
    std::shared_ptr<event> turn;
    bool served = false;
  };

  void pass_on() {
    if (queue_.empty()) {
      ++room_;
      return;
    }
    const auto next =
      fault_ == pool_fault::last_come_first_served ? queue_.end() - 1 : queue_.begin();
    const auto turn = *next;
    queue_.erase(next);
    turn->set();
  }

  void give_back(pooled_thing t, bool discarded, int before) {
    if (fault_ == pool_fault::discarded_is_kept)
      discarded = false;
    if (fault_ != pool_fault::cut_off_is_kept)
      discarded = discarded || is_cancelled() || std::uncaught_exceptions() > before;
    if (!discarded && fault_ != pool_fault::never_lent_again)
      idle_.push_back(std::move(t));
    pass_on();
  }

  std::size_t room_;
  pool_opener open_;
  pool_fault fault_;
  std::vector<pooled_thing> idle_;
  std::vector<std::shared_ptr<event>> queue_;
};

/// What the check says; empty if it finds nothing.
std::string verdict_on(pool_fault f) {
  std::string said;
  run_virtually([&]() -> task<> {
    testing::pool_runner run = [f](std::size_t max, pool_opener open, pool_body body) -> task<> {
      little_pool pool(max, std::move(open), f);
      co_await body(pool);
    };
    try {
      co_await testing::check_pool(std::move(run));
    } catch (const testing::test_failure& e) {
      said = e.what();
    } catch (const exception_group& e) {
      said = e.what();
    }
  });
  return said;
}

} // namespace

BOOST_AUTO_TEST_SUITE(checks_of_pools)

BOOST_AUTO_TEST_CASE(p17_p26_our_pool_keeps_the_rules) {
  run_virtually([]() -> task<> {
    testing::pool_runner run = [](std::size_t max, pool_opener open, pool_body body) -> task<> {
      connection_pool_options options;
      options.max = max;
      connection_functions<pooled_thing> functions;
      functions.open = open;
      co_await with_connection_pool(options, functions, body);
    };
    co_await testing::check_pool(std::move(run));
  });
}

BOOST_AUTO_TEST_CASE(p26_each_broken_pool_is_found_out) {
  BOOST_TEST(verdict_on(pool_fault::none) == "");
  const auto finds = [](pool_fault f, const std::string& what) {
    const std::string said = verdict_on(f);
    BOOST_TEST(said.find(what) != std::string::npos, what << ": " << said);
  };
  finds(pool_fault::no_bound, "more are lent than are allowed");
  finds(pool_fault::last_come_first_served, "not in turn");
  finds(pool_fault::swallowed_by_the_cancelled, "has swallowed what was to be lent");
  finds(pool_fault::failure_keeps_its_room, "left no room for others");
  finds(pool_fault::discarded_is_kept, "what was discarded is lent again");
  finds(pool_fault::cut_off_is_kept, "is lent again");
  finds(pool_fault::never_lent_again, "what has come back is not lent again");
  finds(pool_fault::no_checkpoint, "borrow is no checkpoint");
}

BOOST_AUTO_TEST_SUITE_END()
