// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <stdexcept>
#include <string>

namespace troupe::redis {

/// The server has answered a command with an error. `what()` names the command and says what
/// the server says: "redis: incr: WRONGTYPE Operation against a key holding the wrong kind of
/// value".
class error : public std::runtime_error {
public:
  error(const std::string& what, std::string code)
    : std::runtime_error(what), code_(std::move(code)) {}

  /// The first word of what the server says: "ERR", "WRONGTYPE", "NOAUTH", "OOM" ...
  [[nodiscard]] const std::string& code() const noexcept { return code_; }

private:
  std::string code_;
};

/// A reply is of another kind than what it was asked for as.
class bad_reply : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// What came is not Redis' protocol. The connection is good for nothing any more.
class protocol_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A connection that has failed before, or whose last command was cut off, was used again.
class connection_broken : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace troupe::redis
