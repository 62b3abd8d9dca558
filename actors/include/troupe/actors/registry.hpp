// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/event.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <list>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// There is something of this name already.
class name_taken : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

namespace names {

/// Names of things whose type does not matter.
class table {
public:
  explicit table(std::string name) : name_(std::move(name)) {}
  table(const table&) = delete;
  table& operator=(const table&) = delete;
  ~table();

  /// An entry for as long as it lives.
  class entry {
  public:
    entry() = default;
    entry(entry&& other) noexcept { *this = std::move(other); }
    entry& operator=(entry&& other) noexcept;
    ~entry() { remove(); }
    void remove() noexcept;
    [[nodiscard]] bool is_there() const noexcept { return table_ != nullptr; }

  private:
    friend table;
    table* table_ = nullptr; // null when moved from, removed, or the table has gone
    void* thing_ = nullptr;
    std::map<std::string, entry*, std::less<>>::iterator place_;
  };

  [[nodiscard]] entry add(std::string name, void* thing);
  [[nodiscard]] void* find(std::string_view name) const noexcept;
  [[nodiscard]] task<void*> wait_for(std::string name, duration limit);
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
  struct waiter {
    const std::string& name;
    event there;
  };
  class waiting;

  task<void*> wait_for(const std::string& name);

  std::string name_;
  std::map<std::string, entry*, std::less<>> entries_;
  std::list<waiter> waiters_;
};

} // namespace names

/// Finds things by name that belong to others: connections, sessions, rooms. It is weak: whoever
/// owns a thing adds it and keeps the `registration`, whose end takes the name back; the thing
/// itself stays with its owner.
///
///     registry<session> sessions("sessions");
///     ...
///     const auto here = sessions.add(nick, my_session); // throws name_taken
///     ...
///     if (session* other = sessions.find("alice")) // until the next await
///       other->deliver(text);
///
/// For one loop. Actors, on any loop, have an `actor_registry`.
template <class T>
class registry {
public:
  /// `name` is for messages.
  explicit registry(std::string name = "registry") : table_(std::move(name)) {}

  /// Owns an entry. Movable; may outlive the registry. `remove` takes the name back at once.
  using registration = names::table::entry;

  /// Gives `thing` a name for as long as the registration lives; who waits for it goes on. Throws
  /// `name_taken`, `std::bad_alloc`. Not a checkpoint.
  [[nodiscard]] registration add(std::string name, T& thing) {
    return table_.add(std::move(name), &thing);
  }

  /// What has this name; null if nothing has. Do not keep it across an await. Not a checkpoint.
  [[nodiscard]] T* find(std::string_view name) const noexcept {
    return static_cast<T*>(table_.find(name));
  }

  /// Waits until something has this name, for `limit` at most. Throws `timeout_error`. A
  /// checkpoint.
  [[nodiscard]] task<T*> wait_for(std::string name, duration limit = duration::max()) {
    co_return static_cast<T*>(co_await table_.wait_for(std::move(name), limit));
  }

  /// All names, sorted. Not a checkpoint.
  [[nodiscard]] std::vector<std::string> names() const { return table_.names(); }

  [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }

private:
  names::table table_;
};

} // namespace troupe
