// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/event.hpp>
#include <troupe/task.hpp>

#include <map>
#include <set>
#include <utility>

namespace troupe::testing {

/// Puts parts of several tasks into an order, so that a test plays the one interleaving
/// that it is about:
///
///     testing::sequencer seq;
///     // in one task                          // in another one
///     { auto turn = co_await seq.turn(0); }   { auto turn = co_await seq.turn(1); }
///     { auto turn = co_await seq.turn(2); }
///
/// Whoever asks for turn n waits until turn n - 1 is over; it lasts as long as what `turn`
/// gives. Each number can be asked for once.
///
/// If one that waits is cancelled the order cannot be kept: those who wait, and all who
/// ask afterwards, get a `test_failure`. For the tasks of one loop. After Trio's
/// `Sequencer`.
class sequencer {
public:
  class holder;

  sequencer() = default;
  sequencer(const sequencer&) = delete;
  sequencer& operator=(const sequencer&) = delete;

  /// Waits for the turn, from 0 on, and holds it. A checkpoint. Throws `test_failure` if the
  /// order was broken, `usage_error` if the turn was asked for before, `std::bad_alloc`.
  [[nodiscard]] task<holder> turn(unsigned number);

private:
  void over(unsigned number);
  void broken();

  std::map<unsigned, event> begins_;
  std::set<unsigned> taken_;
  bool broken_ = false;
};

/// A turn of a `sequencer`, which has to outlive it. The next one begins when it ends.
class [[nodiscard]] sequencer::holder {
public:
  holder(holder&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), number_(other.number_) {}
  holder& operator=(holder&&) = delete;
  ~holder() {
    if (owner_)
      owner_->over(number_);
  }

private:
  friend class sequencer;
  holder(sequencer& owner, unsigned number) noexcept : owner_(&owner), number_(number) {}

  sequencer* owner_;
  unsigned number_;
};

} // namespace troupe::testing
