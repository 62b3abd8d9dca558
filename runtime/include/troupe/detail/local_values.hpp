// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace troupe::detail {

class local_setting;
class task_block;

/// A task-local value, in front of those that were set before. Never changes, so
/// that tasks, also of other loops, can share it.
struct local_value {
  local_value(const local_setting* by, std::uint64_t k, std::shared_ptr<const void> v,
              std::shared_ptr<const local_value> n) noexcept
    : set_by(by), key(k), value(std::move(v)), next(std::move(n)) {}
  local_value(const local_value&) = delete;
  local_value& operator=(const local_value&) = delete;
  ~local_value();

  const local_setting* const set_by; // only compared: a child inherits values of others
  const std::uint64_t key;
  const std::shared_ptr<const void> value;
  std::shared_ptr<const local_value> next; // changed only while it is made or destroyed
};

/// A number that no other task_local has.
[[nodiscard]] std::uint64_t new_local_key() noexcept;

/// What `key` is for the current task; null if it is not set, or there is no task.
[[nodiscard]] const void* find_local(std::uint64_t key) noexcept;

/// Sets a value for the current task, and takes it back when destroyed.
class local_setting {
public:
  local_setting(std::uint64_t key, std::shared_ptr<const void> value);
  local_setting(const local_setting&) = delete;
  local_setting& operator=(const local_setting&) = delete;
  ~local_setting();

private:
  task_block* task_; // a reference is held
};

} // namespace troupe::detail
