// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/task_block.hpp>
#include <troupe/testing/faults.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing::internal {

/// Lets happen what a fault plan says.
class fault_injector {
public:
  /// `note` hears of each fault that strikes, and gives the time. Throws `usage_error` if the
  /// plan is impossible.
  fault_injector(const std::vector<fault>& plan, std::uint64_t seed,
                 std::function<time_point(const std::string&)> note);

  fault_injector(const fault_injector&) = delete;
  fault_injector& operator=(const fault_injector&) = delete;
  ~fault_injector();

  [[nodiscard]] bool empty() const noexcept { return plan_.empty(); }

  /// `t` is about to run for the first time.
  void task_begins(troupe::detail::task_block& t);

  /// Whether `t` must not run at this time.
  [[nodiscard]] bool stalled(const troupe::detail::task_block& t, time_point now) const noexcept;
  /// When the first one that is stalled goes on; `max()` if there is none.
  [[nodiscard]] time_point next(time_point now) noexcept;

  /// What the plan names and what has not been there; empty if all was.
  [[nodiscard]] std::string unmatched() const;

private:
  class watch;
  struct planned {
    const fault* what = nullptr;
    bool matched = false;
    std::uint64_t struck = 0;
  };
  struct stall {
    const troupe::detail::task_block* task = nullptr;
    time_point until{};
  };

  void checkpoint(troupe::detail::task_block& t, planned& p, std::uint64_t number);
  [[nodiscard]] bool strikes(const planned& p, std::uint64_t number);

  std::vector<planned> plan_;
  std::mt19937_64 random_;
  std::function<time_point(const std::string&)> note_;
  std::deque<watch> watches_;
  std::vector<stall> stalls_;
};

/// Whether `pattern`, in which `*` stands for anything, names `text`.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text) noexcept;

} // namespace troupe::testing::internal
