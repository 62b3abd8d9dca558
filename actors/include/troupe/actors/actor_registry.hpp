// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/registry.hpp>
#include <troupe/clock.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/messages.hpp>
#include <troupe/task.hpp>

#include <caf/actor.hpp>

#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// Requests to an actor that runs `serve_actor_registry`.
struct register_actor { ///< answered with nothing, or an error if the name is taken
  std::string name;
  caf::actor who;
};
struct unregister_actor { ///< answered with nothing
  std::string name;
};
struct find_actor { ///< answered with a `caf::actor`, a null one if nobody has the name
  std::string name;
};
struct await_actor { ///< answered with a `caf::actor` when there is one, with an error after
                     ///< `limit`
  std::string name;
  duration limit = duration::max();
};
struct list_actors {}; ///< answered with a `std::vector<std::string>`, sorted

/// Keeps names of actors, and answers by name: an actor itself. It is weak: it keeps nobody alive,
/// and an actor that ends, be it a task or an ordinary CAF actor, loses its names. One more under
/// the same name is refused; the same one again is not. Returns when cancelled. A checkpoint.
///
///     const auto names = n.start_actor(serve_actor_registry);
[[nodiscard]] task<> serve_actor_registry(mailbox& in);

/// A registry of actors as tasks see it: the address of one that runs `serve_actor_registry`, and
/// requests to it. A value, for any loop.
class actor_registry {
public:
  explicit actor_registry(caf::actor address) noexcept : address_(std::move(address)) {}

  /// Gives `who` a name. Throws `name_taken`, `actor_down` if the registry has ended. A checkpoint.
  [[nodiscard]] task<> add(std::string name, caf::actor who) const;

  /// Takes a name back, which `who` may have lost already. Throws `actor_down`. A checkpoint.
  [[nodiscard]] task<> remove(std::string name) const;

  /// Who has this name; null if nobody has. Throws `actor_down`. A checkpoint.
  [[nodiscard]] task<caf::actor> find(std::string name) const;

  /// Waits until somebody has this name, for `limit` at most. Throws `timeout_error`, `actor_down`.
  /// A checkpoint.
  [[nodiscard]] task<caf::actor> wait_for(std::string name, duration limit = duration::max()) const;

  /// All names, sorted. Throws `actor_down`. A checkpoint.
  [[nodiscard]] task<std::vector<std::string>> names() const;

  [[nodiscard]] const caf::actor& address() const noexcept { return address_; }

private:
  caf::actor address_;
};

} // namespace troupe

TROUPE_MESSAGES(troupe_actor_registry, 60110, troupe::register_actor, troupe::unregister_actor,
                troupe::find_actor, troupe::await_actor, troupe::list_actors)
