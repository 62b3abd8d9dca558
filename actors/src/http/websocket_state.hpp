// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "websocket_codec.hpp"

#include <troupe/http/message.hpp>
#include <troupe/http/websocket.hpp>

#include <troupe/event.hpp>
#include <troupe/mutex.hpp>
#include <troupe/stream.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::http {

/// How a WebSocket begins.
struct websocket_beginning {
  websocket_role role = websocket_role::server;
  websocket_options options = {};
  std::optional<deflate_agreement> deflate = std::nullopt;
  std::string subprotocol = {};
  request_head request = {};
  std::string behind = {}; ///< was read with the handshake
};

/// One connection. At most one task reads from the transport; whoever writes holds `writing`.
///
/// Answers that are to be sent (to pings, to the other side's goodbye) wait in `answers_` until
/// somebody writes: the task that writes already, as it looks there when it is done, or else the
/// one that has received what is answered. That one is shielded while it does: cut off in the
/// middle it would spoil the connection, and whoever receives may be cancelled. It does not take
/// longer than `close_limit`.
class websocket::state
  : public boost::intrusive_ref_counter<websocket::state, boost::thread_unsafe_counter> {
public:
  state(std::unique_ptr<stream> transport, websocket_beginning beginning);
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state();

  /// Runs until a message or a piece is there: true; false at the ordinary end.
  [[nodiscard]] task<bool> advance(bool in_pieces);
  [[nodiscard]] task<> send(message_kind kind, std::span<const std::byte> data);
  [[nodiscard]] task<> ping(std::string_view data);
  [[nodiscard]] task<> close(std::uint16_t code, std::string_view reason);
  void abort() noexcept;
  /// Closes the transport without waiting, whoever is in it.
  void drop() noexcept;
  /// Waits until nothing comes any more, while another task closes.
  [[nodiscard]] task<> wait_until_over() { co_await over_.wait(); }
  [[nodiscard]] bool closing() const noexcept { return closing_; }

  [[nodiscard]] websocket_codec& codec() noexcept { return codec_; }
  [[nodiscard]] const websocket_beginning& beginning() const noexcept { return beginning_; }
  [[nodiscard]] std::string peer() const { return transport_ ? transport_->peer() : peer_; }
  [[nodiscard]] std::string local() const { return transport_ ? transport_->local() : "closed"; }
  [[nodiscard]] websocket_statistics statistics() const;

  bool receiving = false; // by a task
  bool in_pieces = false; // a message was begun to be received so
  std::uint64_t received = 0;

private:
  class writing_turn;

  [[nodiscard]] task<> read_more();
  [[nodiscard]] task<> read_or_ask();
  [[nodiscard]] task<> answer();
  [[nodiscard]] task<bool> answer_in_time();
  [[nodiscard]] task<> write_answers();
  [[nodiscard]] task<> write(std::string_view head, std::span<const std::byte> data);
  [[nodiscard]] task<> say_goodbye();
  [[nodiscard]] task<> drain();

  void landed(std::size_t count);
  void pong();
  void heard_goodbye();
  void fail(std::exception_ptr why) noexcept;
  void fail_protocol();
  void ended();
  void check_sendable(std::string_view operation) const;

  std::unique_ptr<stream> transport_;
  websocket_beginning beginning_;
  websocket_codec codec_;
  std::string peer_;
  std::string answers_; // frames
  mutex writing_;
  event over_;                 // nothing comes any more
  std::exception_ptr failure_; // what `receive` throws
  std::exception_ptr write_failure_;
  std::unique_ptr<std::array<std::byte, 8192>> buffer_;
  time_point heard_ = {};
  time_point asked_ = {};
  std::uint64_t sent_ = 0;
  bool goodbye_said_ = false;
  bool goodbye_heard_ = false;
  bool closing_ = false; // by `close`
  bool broken_ = false;  // cut off in the middle of a frame
  bool closed_ = false;
  bool transport_ended_ = false; // there is nothing more to read
};

using websocket_state_ptr = boost::intrusive_ptr<websocket::state>;

/// Makes one of an open connection.
[[nodiscard]] websocket make_websocket(std::unique_ptr<stream> transport,
                                       websocket_beginning beginning);

} // namespace troupe::http
