// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/connection.hpp>
#include <troupe/event.hpp>

#include <deque>
#include <optional>
#include <string>

namespace troupe::chat {

/// A client that is an ordinary actor. Its events are requests, one after the other: how many wait
/// in its mailbox is bounded, too.
class actor_connection final : public connection {
public:
  explicit actor_connection(caf::actor client) : client_(std::move(client)) {}

  /// What the actor has said; false if it says too much.
  bool feed(std::string line);
  /// The actor has ended.
  void end();

  [[nodiscard]] const caf::actor& client() const noexcept { return client_; }

  [[nodiscard]] task<input_line> read() override;
  void add(const event& e) override { out_.push_back(e); }
  [[nodiscard]] std::size_t pending() const override { return out_.size() * sizeof(event); }
  [[nodiscard]] task<> flush() override;
  [[nodiscard]] task<> close() override;
  void abort() noexcept override;
  [[nodiscard]] std::string peer() const override { return "an actor"; }

private:
  caf::actor client_;
  std::deque<std::string> said_;
  std::deque<event> out_;
  std::optional<troupe::event> more_; // while `read` waits
  bool ended_ = false;
  bool aborted_ = false;
};

} // namespace troupe::chat
