// SPDX-License-Identifier: BSD-3-Clause
// Two loops that cancel each other's tasks, in every order that their steps can have.
#include <troupe/detail/elsewhere.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <optional>
#include <string>
#include <thread>

using namespace troupe;

namespace {

/// How many steps each of the two loops takes in turn; what they do after these is free.
constexpr unsigned steps_each = 5;
constexpr unsigned orders = 1U << (2 * steps_each);

/// Makes the loops take their steps in the order of an `order`'s bits: bit i says which
/// takes the i-th. A loop that has nothing to do is not waited for.
class turns {
public:
  turns(unsigned order, detail::loop& here, detail::loop& there) : at_{&here, &there} {
    std::array<unsigned, 2> taken{};
    for (unsigned i = 0; i < 2 * steps_each; ++i) {
      const unsigned who = order >> i & 1U;
      after_[who][taken[who]++] = taken[1 - who];
    }
    current = this;
    detail::after_step = [](detail::loop& l) noexcept { current.load()->step(l.index()); };
  }
  turns(const turns&) = delete;
  turns& operator=(const turns&) = delete;
  ~turns() = default;

  /// Nobody waits for a turn from here on.
  void end() noexcept { over_ = true; }

  /// Once no loop takes a step any more.
  static void forget() {
    detail::after_step = nullptr;
    current = nullptr;
  }

private:
  void step(unsigned who) noexcept {
    const unsigned next = ++steps_[who];
    if (next >= steps_each)
      return;
    const unsigned other = 1 - who;
    while (!over_ && steps_[other] < after_[who][next] && !at_[other]->sleeping())
      std::this_thread::yield();
  }

  std::array<detail::loop*, 2> at_;
  std::array<std::array<unsigned, 2 * steps_each>, 2> after_{}; // steps of the other
  std::array<std::atomic<unsigned>, 2> steps_{};
  std::atomic<bool> over_ = false;

  static std::atomic<turns*> current;
};

std::atomic<turns*> turns::current = nullptr;

struct counted {
  explicit counted(std::atomic<int>& n) : alive(n) { ++alive; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --alive; }
  std::atomic<int>& alive;
};

/// Runs `fn(order)`, a coroutine on the first of two loops, in every order.
template <class F>
void in_every_order(F fn) {
  for (unsigned order = 0; order < orders; ++order) {
    if (std::popcount(order) != steps_each)
      continue;
    BOOST_TEST_CONTEXT("order " << order) {
      std::optional<turns> take;
      run(run_options{.loops = 2, .debug = true}, [&]() -> task<> {
        detail::loop& here = *detail::loop::current();
        take.emplace(order, here, detail::loop_at(here, 1));
        co_await fn();
        take->end();
      });
      turns::forget();
    }
  }
}

task<int> work(std::atomic<int>& alive) {
  const counted here(alive);
  co_await checkpoint();
  co_await checkpoint();
  co_return 7;
}

} // namespace

BOOST_AUTO_TEST_SUITE(interleaving)

BOOST_AUTO_TEST_CASE(p06_child_on_another_loop_is_cancelled_in_every_order) {
  int finished = 0;
  int cancelled = 0;
  in_every_order([&]() -> task<> {
    std::atomic<int> alive = 0;
    bool done = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto child = n.start_on(1, work, std::ref(alive));
      co_await checkpoint();
      co_await checkpoint();
      child.cancel("enough");
      co_await checkpoint();
      try {
        done = co_await child == 7;
      } catch (const task_cancelled&) {
        ++cancelled;
      }
    });
    finished += done;
    BOOST_TEST(alive == 0);
  });
  BOOST_TEST(finished + cancelled == 252); // of 10 steps, which 5
  BOOST_TEST(finished != 0);               // both have come about
  BOOST_TEST(cancelled != 0);
}

BOOST_AUTO_TEST_CASE(p06_scope_is_cancelled_from_another_loop_in_every_order) {
  int ended = 0;
  int cut_off = 0;
  // shorter than what a loop runs before it looks at its messages, longer, and without end
  for (const int checkpoints : {4, 100, 0})
    in_every_order([&]() -> task<> {
      std::atomic<int> alive = 0;
      co_await with_nursery([&](nursery& n) -> task<> {
        const bool to_its_end = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
          const counted here(alive);
          n.start_on(
            1,
            [](canceller c, std::atomic<int>& a) -> task<> {
              const counted there(a);
              co_await checkpoint();
              c.cancel("from the other loop");
              co_await checkpoint();
            },
            s.remote(), std::ref(alive));
          for (int i = 0; i < checkpoints; ++i)
            co_await checkpoint();
          if (checkpoints == 0)
            co_await sleep_forever();
        });
        ++(to_its_end ? ended : cut_off);
        BOOST_TEST(!is_cancelled());
      });
      BOOST_TEST(alive == 0);
    });
  BOOST_TEST(ended + cut_off == 3 * 252);
  BOOST_TEST(ended != 0);
  BOOST_TEST(cut_off >= 252);
}

BOOST_AUTO_TEST_CASE(p06_both_loops_cancel_each_other_in_every_order) {
  int together = 0;
  in_every_order([&]() -> task<> {
    std::atomic<int> alive = 0;
    static_cast<void>(co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      co_await with_nursery([&](nursery& n) -> task<> {
        const counted here(alive);
        const auto child = n.start_on(
          1,
          [](canceller c, std::atomic<int>& a) -> task<> {
            const counted there(a);
            co_await checkpoint();
            c.cancel("from the other loop");
            co_await sleep_forever();
          },
          s.remote(), std::ref(alive));
        co_await checkpoint();
        co_await checkpoint();
        child.cancel("from home");
        co_await checkpoint();
      });
    }));
    BOOST_TEST(alive == 0);
    ++together;
  });
  BOOST_TEST(together == 252);
}

BOOST_AUTO_TEST_SUITE_END()
