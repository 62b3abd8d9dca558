// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/task.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <span>

namespace p24 {

/// What a scenario has done, for the invariants that hold however it ends.
struct ledger {
  std::atomic<int> alive{0};   ///< objects in frames that were not destroyed
  std::atomic<int> opened{0};  ///< bodies of with_cleanup that were begun
  std::atomic<int> closed{0};  ///< their clean-ups that ran to their ends
  std::atomic<int> unknown{0}; ///< clean-ups that could not begin, which was reported
  int sent = 0;
  int received = 0; ///< in order, or `out_of_order` is set
  bool out_of_order = false;
  bool early = false; ///< a deadline has come early
  int result = 0;     ///< what the scenario has come to, if it ran to its end
};

/// Counts itself for as long as it lives.
class tracked {
public:
  explicit tracked(ledger& l) noexcept : ledger_(&l) { ++l.alive; }
  tracked(const tracked& other) noexcept : ledger_(other.ledger_) { ++ledger_->alive; }
  tracked& operator=(const tracked&) = delete;
  ~tracked() { --ledger_->alive; }

private:
  ledger* ledger_;
};

/// A small program that uses one part of the core.
struct scenario {
  const char* name;
  unsigned loops;
  bool uses_sockets;
  int result; ///< of `ledger`, when it ran to its end
  troupe::task<> (*body)(ledger&);
};

[[nodiscard]] std::span<const scenario> scenarios() noexcept;

/// Checks what holds of a scenario however it was hurt; `finished` says that it ran to its end.
inline void check_invariants(const scenario& s, const ledger& l, bool finished) {
  BOOST_TEST(l.alive == 0);
  BOOST_TEST(!l.out_of_order);
  BOOST_TEST(!l.early);
  if (finished)
    BOOST_TEST(l.result == s.result);
}

} // namespace p24
