// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/fault_hooks.hpp>

#include <caf/mailbox_element.hpp>
#include <caf/resumable.hpp>

#include <functional>
#include <string>

namespace caf {
class abstract_actor;
class scheduled_actor;
} // namespace caf

namespace troupe::detail {

/// What fault plans do to messages on their way into a mailbox: asked only where
/// `faults_in_force()`.
class message_faults {
public:
  using deliver_fn = std::function<void(caf::mailbox_element_ptr)>;

  /// `e` comes to `to`, which is called `name`: calls `deliver` for what arrives now, in order,
  /// and gives the reason if the receiver is to end. On the loop that runs `to`.
  static message_fault pass(caf::abstract_actor& to, const std::string& name,
                            caf::mailbox_element_ptr e, const deliver_fn& deliver);

  /// The same, when it is known what becomes of `e`.
  static void apply(const message_fault& f, caf::abstract_actor& to, caf::mailbox_element_ptr e,
                    const deliver_fn& deliver);

  /// What one actor says to another; not what CAF says to an actor.
  [[nodiscard]] static bool concerns(const caf::mailbox_element& e);
};

/// Shows what has come for `job`, if it is an ordinary actor, to the fault plans. Before it
/// runs, on its loop. Gives how many messages it may take, out of `messages`.
[[nodiscard]] std::size_t fault_mailbox(caf::resumable& job, std::size_t messages) noexcept;

} // namespace troupe::detail
