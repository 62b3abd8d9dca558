// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/faults.hpp>
#include <troupe/testing/test_failure.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing::internal {

/// A plan has named what was not there.
class unmatched_fault : public test_failure {
public:
  explicit unmatched_fault(const std::string& names);
  ~unmatched_fault() override;
};

/// Throws `usage_error` if the plan is impossible.
void check_plan(const std::vector<fault>& plan);

/// A number for what it says, and when.
[[nodiscard]] std::uint64_t identity(const fault& f) noexcept;

/// Whether it happens to tasks, at their checkpoints.
[[nodiscard]] bool is_for_tasks(const fault& f) noexcept;

[[nodiscard]] const char* to_text(troupe::detail::message_fault::fate f) noexcept;

/// Whether `pattern`, in which `*` stands for anything, names `text`.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text) noexcept;

} // namespace troupe::testing::internal
