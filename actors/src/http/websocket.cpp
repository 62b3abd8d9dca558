// SPDX-License-Identifier: BSD-3-Clause
#include "websocket_state.hpp"

#include <troupe/error.hpp>

#include <stdexcept>
#include <string>
#include <utility>

namespace troupe::http {

namespace {

constexpr std::size_t longest_control = 125;

websocket::state& usable(websocket::state* s, const char* what) {
  if (!s)
    throw usage_error(std::string("troupe: ") + what + ": the WebSocket was moved from");
  return *s;
}

/// This task receives, and no other.
class receiving_turn {
public:
  explicit receiving_turn(websocket::state& s) : state_(s) { s.receiving = true; }
  receiving_turn(const receiving_turn&) = delete;
  receiving_turn& operator=(const receiving_turn&) = delete;
  ~receiving_turn() { state_.receiving = false; }

private:
  websocket::state& state_;
};

bool may_be_sent(std::uint16_t code) noexcept {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != close_code::none
          && code != close_code::abnormal)
         || (code >= 3000 && code <= 4999);
}

} // namespace

websocket make_websocket(std::unique_ptr<stream> transport, websocket_beginning beginning) {
  auto* s = new websocket::state(std::move(transport), std::move(beginning));
  intrusive_ptr_add_ref(s);
  return websocket(*s);
}

websocket::~websocket() {
  if (state_) {
    state_->drop();
    intrusive_ptr_release(state_);
  }
}

task<std::optional<websocket_message>> websocket::receive() {
  const websocket_state_ptr s(&usable(state_, "receive"));
  if (s->in_pieces)
    throw usage_error("troupe: receive: the message before has not been received to its end");
  if (s->receiving) {
    if (!s->closing())
      throw usage_error("troupe: receive: another task is at it already, on the same WebSocket");
    co_await s->wait_until_over();
    co_return std::nullopt;
  }
  const receiving_turn turn(*s);
  const bool there = co_await s->advance(false);
  if (!there)
    co_return std::nullopt;
  std::optional<websocket_message> message(std::in_place);
  message->kind = s->codec().kind();
  message->data = s->codec().take();
  co_return message;
}

task<std::optional<websocket_piece>> websocket::receive_piece() {
  const websocket_state_ptr s(&usable(state_, "receive_piece"));
  if (s->receiving) {
    if (!s->closing())
      throw usage_error("troupe: receive_piece: another task is at it already, on the same "
                        "WebSocket");
    co_await s->wait_until_over();
    co_return std::nullopt;
  }
  const receiving_turn turn(*s);
  const bool there = co_await s->advance(true);
  if (!there)
    co_return std::nullopt;
  std::optional<websocket_piece> piece(std::in_place);
  piece->kind = s->codec().kind();
  piece->data = s->codec().take();
  piece->last = !s->codec().in_message();
  s->in_pieces = !piece->last;
  co_return piece;
}

task<> websocket::send_text(std::string_view text) {
  const websocket_state_ptr s(&usable(state_, "send_text"));
  if (!is_utf8(text))
    throw std::invalid_argument("troupe: send_text: the text is not UTF-8");
  co_await s->send(message_kind::text, std::as_bytes(std::span(text)));
}

task<> websocket::send_binary(std::span<const std::byte> data) {
  const websocket_state_ptr s(&usable(state_, "send_binary"));
  co_await s->send(message_kind::binary, data);
}

task<> websocket::send_binary(std::string_view data) {
  return send_binary(std::as_bytes(std::span(data)));
}

task<> websocket::send(const websocket_message& message) {
  if (message.is_text())
    return send_text(message.data);
  return send_binary(message.data);
}

task<> websocket::ping(std::string_view data) {
  const websocket_state_ptr s(&usable(state_, "ping"));
  if (data.size() > longest_control)
    throw usage_error("troupe: ping: more than 125 bytes");
  co_await s->ping(data);
}

task<> websocket::close(std::uint16_t code, std::string_view reason) {
  if (!state_)
    co_return;
  const websocket_state_ptr s(state_);
  if (!may_be_sent(code))
    throw usage_error("troupe: close: " + std::to_string(code) + " is not a code to be sent");
  if (reason.size() > longest_control - 2 || !is_utf8(reason))
    throw usage_error("troupe: close: the reason is longer than 123 bytes or no UTF-8");
  co_await s->close(code, reason);
}

void websocket::abort() noexcept {
  if (state_)
    state_->abort();
}

const std::string& websocket::subprotocol() const noexcept {
  return state_->beginning().subprotocol;
}

bool websocket::deflates() const noexcept { return state_->codec().deflates(); }

const request_head& websocket::request() const noexcept { return state_->beginning().request; }

std::string websocket::peer() const { return state_ ? state_->peer() : "closed"; }

std::string websocket::local() const { return state_ ? state_->local() : "closed"; }

websocket_statistics websocket::statistics() const {
  return state_ ? state_->statistics() : websocket_statistics{};
}

} // namespace troupe::http
