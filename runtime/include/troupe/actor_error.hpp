// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <caf/error.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

namespace troupe {

/// An actor has answered a request with an error. The message says which, and
/// what the actor said. Kinds that a program treats apart have types of their own;
/// a request that has timed out throws `timeout_error`.
///
/// Errors and exceptions stand for each other: what a handler throws reaches the
/// one who asked as an `actor_error` with the same text, and an `actor_error` that
/// a handler lets through goes on as the error it came from.
class actor_error : public std::runtime_error {
public:
  actor_error(const std::string& what, caf::error why);

  /// CAF's error: category, code and context.
  [[nodiscard]] const caf::error& error() const noexcept { return *error_; }

private:
  std::shared_ptr<const caf::error> error_; // shared: exceptions are copied without throwing
};

/// The actor had ended, or ended before it answered.
class actor_down : public actor_error {
public:
  using actor_error::actor_error;
};

/// The actor has no handler for the message, or has answered with values of other
/// types than the request asks for.
class unexpected_message : public actor_error {
public:
  using actor_error::actor_error;
};

/// The actor's mailbox is full and refuses more.
class mailbox_full : public actor_error {
public:
  using actor_error::actor_error;
};

namespace detail {

/// Throws what stands for `e`. `doing` begins the message: "request to 'counter'".
[[noreturn]] void throw_actor_error(const caf::error& e, const std::string& doing);

/// What stands for `e` in messages, and as a reason to end. Throws `std::bad_alloc`.
[[nodiscard]] caf::error to_caf_error(const std::exception_ptr& e);

/// The words in `e`, without its category.
[[nodiscard]] std::string describe(const caf::error& e);

[[nodiscard]] caf::error mailbox_full_error();

} // namespace detail

} // namespace troupe
