// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/task_block.hpp>

namespace troupe::detail {

/// Runs a body inside a scope and decides where unwinding ends.
class scope_hook : public link_hook {
public:
  scope_hook(cancel_scope& scope, frame_link& link) noexcept : scope_(scope), link_(link) {}

  /// The body was cut off by this scope.
  [[nodiscard]] bool cut_off() const noexcept { return cut_off_; }

  std::coroutine_handle<> completed(task_block& t) noexcept final;
  unwind_step unwound(task_block& t) noexcept final;

protected:
  ~scope_hook() = default;

private:
  cancel_scope& scope_;
  frame_link& link_;
  bool cut_off_ = false;
};

/// Spreads a change of cancellation down the tree of tasks, without recursion:
/// nurseries whose state has changed queue up behind one another.
class cancellation_walk {
public:
  /// The cancellation of `t` may have changed at any level.
  static void update(task_block& t) noexcept;
};

/// For the parts of the runtime that enter and leave scopes by themselves.
struct scope_access {
  static void enter(cancel_scope& s, task_block& t);
  static void leave(cancel_scope& s) noexcept;
  static bool effective(const cancel_scope& s) noexcept;
  static cancel_scope* outer(const cancel_scope& s) noexcept;
  static nursery* nursery_of(const cancel_scope& s) noexcept;
};

} // namespace troupe::detail
