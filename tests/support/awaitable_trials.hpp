// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe_test {

/// A fresh situation in which one awaitable is tried. What is left out does not apply.
struct trial {
  std::function<troupe::task<>()> setup;       ///< comes first; not cancelled
  std::function<void(troupe::nursery&)> begin; ///< starts what it needs
  std::function<void()> make_ready;            ///< then `waiting` completes at once
  std::function<troupe::task<>()> now;         ///< the await, completing at once
  std::function<troupe::task<>()> waiting;     ///< the await, which waits
  std::function<void()> complete;              ///< ends the wait
  /// Starts a task that ends the wait, or sees its end before the one that waits, and
  /// then calls the function.
  std::function<void(troupe::nursery&, std::function<void()>)> arm;
  std::function<bool()> untouched; ///< the cancelled await did nothing
  std::function<bool()> done;      ///< the completed one did its work
  bool real_time = false;
};

struct trial_row {
  std::string name;
  bool checkpoint; ///< what the documentation says, also where it completes at once
  std::function<trial()> make;
};

namespace detail {

inline troupe::task<> settle() {
  for (int i = 0; i < 10; ++i)
    co_await troupe::checkpoint();
}

/// Runs `op` in a task of its own; what has become of it.
struct attempt {
  bool completed = false; // it came back
  bool went_past = false; // and so did a checkpoint behind it
};

inline troupe::task<> try_it(const std::function<troupe::task<>()>& op, attempt& a) {
  co_await op();
  a.completed = true;
  co_await troupe::checkpoint();
  a.went_past = true;
}

inline troupe::task<> prepare(const trial& t, troupe::nursery& n) {
  if (t.setup)
    co_await t.setup();
  if (t.begin)
    t.begin(n);
  co_await settle();
}

inline void check_untouched(const trial& t, const std::string& name, const char* when) {
  if (t.untouched)
    BOOST_TEST(t.untouched(), name << " had an effect though it was cancelled " << when);
}

template <class F>
void play(trial& t, F scene) {
  const auto root = [&]() -> troupe::task<> {
    co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
      co_await prepare(t, n);
      co_await scene(n);
      n.cancel(); // what was only there for the trial
    });
    t = {}; // streams belong to this loop
  };
  if (t.real_time)
    troupe::run(troupe::run_options{.loops = 1}, root);
  else
    troupe::testing::run_virtually(root);
}

/// Not cancelled, it completes; in a cancelled scope it does if it is no checkpoint.
inline void before(const trial_row& row) {
  for (const bool cancelled : {false, true}) {
    trial t = row.make();
    if (!t.now && !t.make_ready)
      continue;
    play(t, [&](troupe::nursery& n) -> troupe::task<> {
      if (t.make_ready)
        t.make_ready();
      co_await settle();
      attempt a;
      auto h = n.start_soon([&]() -> troupe::task<> {
        static_cast<void>(
          co_await troupe::with_cancel_scope([&](troupe::cancel_scope& s) -> troupe::task<> {
            if (cancelled) {
              s.cancel("before");
              s.cancel("twice");
            }
            co_await try_it(t.now ? t.now : t.waiting, a);
          }));
      });
      co_await h;
      const bool expected = !cancelled || !row.checkpoint;
      BOOST_TEST(a.completed == expected,
                 row.name << (cancelled ? ": cancelled before, it " : ": ready, it ")
                          << (expected ? "does not complete" : "completes"));
      BOOST_TEST(a.went_past == !cancelled, row.name << ": level-triggered");
      if (cancelled && row.checkpoint && !t.make_ready)
        check_untouched(t, row.name, "before");
    });
  }
}

/// The task is cancelled before it has run for the first time.
inline void at_the_start(const trial_row& row) {
  trial t = row.make();
  if (!t.waiting)
    return;
  play(t, [&](troupe::nursery& n) -> troupe::task<> {
    attempt a;
    auto h = n.start_soon([&]() -> troupe::task<> { co_await try_it(t.waiting, a); });
    h.cancel();
    h.cancel("twice");
    co_await troupe::shielded([&]() -> troupe::task<> { co_await settle(); });
    if (t.real_time)
      while (!h.done())
        co_await troupe::checkpoint();
    BOOST_TEST(h.cancelled(), row.name << ": cancelled at the start, it ends");
    BOOST_TEST(!a.completed, row.name << ": cancelled at the start, it completes");
    check_untouched(t, row.name, "at the start");
  });
}

inline void during(const trial_row& row) {
  trial t = row.make();
  if (!t.waiting)
    return;
  play(t, [&](troupe::nursery& n) -> troupe::task<> {
    attempt a;
    auto h = n.start_soon([&]() -> troupe::task<> { co_await try_it(t.waiting, a); });
    co_await settle();
    BOOST_TEST(!h.done(), row.name << " does not wait");
    h.cancel();
    h.cancel("twice");
    co_await settle();
    if (t.real_time)
      while (!h.done())
        co_await troupe::checkpoint();
    BOOST_TEST(h.cancelled(), row.name << ": cancelled during, it does not end");
    BOOST_TEST(!a.completed, row.name << ": cancelled during, it completes");
    check_untouched(t, row.name, "during");
  });
}

/// The result is on its way: it is delivered, and the next checkpoint is cancelled.
inline void after(const trial_row& row) {
  trial t = row.make();
  if (!t.waiting || (!t.complete && !t.arm))
    return;
  play(t, [&](troupe::nursery& n) -> troupe::task<> {
    attempt a;
    troupe::task_handle<void> h;
    bool cancelled = false;
    const auto cancel = [&] {
      BOOST_TEST(!a.completed, row.name << ": the trial cancels too late");
      h.cancel();
      h.cancel("twice");
      cancelled = true;
    };
    if (t.arm)
      t.arm(n, cancel);
    co_await settle();
    h = n.start_soon([&]() -> troupe::task<> { co_await try_it(t.waiting, a); });
    co_await settle();
    BOOST_TEST(!h.done(), row.name << " does not wait");
    if (t.complete)
      t.complete();
    if (!t.arm)
      cancel();
    while (!h.done())
      co_await troupe::sleep_for(std::chrono::milliseconds(100));
    BOOST_TEST(cancelled, row.name << ": never cancelled");
    BOOST_TEST(a.completed, row.name << ": a result on its way is lost");
    BOOST_TEST(!a.went_past, row.name << ": the next checkpoint is not cancelled");
    if (t.done)
      BOOST_TEST(t.done(), row.name << ": has not done its work");
  });
}

} // namespace detail

/// P4 and P5 for each row.
inline void run_trials(const std::vector<trial_row>& rows) {
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      detail::before(row);
      detail::at_the_start(row);
      detail::during(row);
      detail::after(row);
    }
  }
}

} // namespace troupe_test
