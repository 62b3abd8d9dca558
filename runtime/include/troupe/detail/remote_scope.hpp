// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/loop.hpp>

#include <memory>
#include <mutex>
#include <string_view>

namespace troupe::detail {

/// What other threads hold of a scope. The mutex orders what comes from outside with the
/// scope's end, after which its loop may be gone.
class remote_scope : public std::enable_shared_from_this<remote_scope> {
public:
  remote_scope(cancel_scope& s, loop& home) noexcept : scope_(&s), home_(&home) {}

  /// Any thread. Throws `std::bad_alloc`.
  void cancel(std::string_view why);

  /// Sends `message` to the scope's loop, where the scope may be gone by then. Returns
  /// false if it is gone now. Any thread.
  [[nodiscard]] bool post(inbox_node& message) noexcept;

  /// Null if it is gone. On its loop.
  [[nodiscard]] cancel_scope* scope() const noexcept { return scope_; }

  /// The scope ends. On its loop, which alone writes `scope_`.
  void close() noexcept;

private:
  std::mutex mutex_;
  cancel_scope* scope_;
  loop* home_;
};

} // namespace troupe::detail
