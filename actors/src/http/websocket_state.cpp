// SPDX-License-Identifier: BSD-3-Clause
#include "websocket_state.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/error.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace troupe::http {

namespace {

/// As many bytes of answers as may wait for a writer; the other side may be content with one for
/// the last of its pings (RFC 6455, 5.5.3).
constexpr std::size_t most_answers = 16384;

constexpr unsigned ping_frame = 9, pong_frame = 10;

std::string closed_text(std::uint16_t code, std::string_view reason, bool by_peer) {
  std::string text = by_peer ? "closed by the other side" : "closed on this side";
  text += " with " + std::to_string(code);
  if (!reason.empty())
    text.append(": ").append(reason);
  return text;
}

bool is_ordinary(std::uint16_t code) noexcept {
  return code == close_code::normal || code == close_code::going_away || code == close_code::none;
}

} // namespace

websocket_closed::websocket_closed(std::string_view operation, std::string_view address,
                                   std::uint16_t code, std::string reason, bool by_peer)
  : end_of_stream(operation, address, closed_text(code, reason, by_peer)), code_(code),
    reason_(std::move(reason)), by_peer_(by_peer) {}

/// Somebody writes: cut off before `done`, nobody can say what has been sent.
class websocket::state::writing_turn {
public:
  explicit writing_turn(state& s) noexcept : state_(s) {}
  writing_turn(const writing_turn&) = delete;
  writing_turn& operator=(const writing_turn&) = delete;
  ~writing_turn() {
    if (!done_)
      state_.broken_ = true;
  }
  void done() noexcept { done_ = true; }

private:
  state& state_;
  bool done_ = false;
};

websocket::state::state(std::unique_ptr<stream> transport, websocket_beginning beginning)
  : transport_(std::move(transport)), beginning_(std::move(beginning)),
    codec_(beginning_.role, beginning_.options, beginning_.deflate), peer_(transport_->peer()),
    heard_(current_time()), asked_(heard_) {
  codec_.feed(std::as_bytes(std::span(beginning_.behind)));
}

websocket::state::~state() = default;

websocket_statistics websocket::state::statistics() const {
  websocket_statistics s{received, sent_, {}};
  if (transport_)
    s.transport = transport_->statistics();
  return s;
}

// -- receiving

task<bool> websocket::state::advance(bool pieces) {
  for (;;) {
    if (failure_)
      std::rethrow_exception(failure_);
    if (goodbye_heard_ || closed_)
      co_return false;
    auto step = websocket_codec::step::wants_more;
    try {
      step = codec_.next(pieces);
    } catch (...) { // no memory: what has come is lost
      fail(std::current_exception());
      throw;
    }
    switch (step) {
    case websocket_codec::step::message: ++received; [[fallthrough]];
    case websocket_codec::step::piece:
      if (!answers_.empty())
        co_await answer();
      if (closing_) { // it is dropped
        static_cast<void>(codec_.take());
        continue;
      }
      co_return true;
    case websocket_codec::step::ping: pong(); continue;
    case websocket_codec::step::pong: continue;
    case websocket_codec::step::closed: heard_goodbye(); break;
    case websocket_codec::step::failed: fail_protocol(); break;
    case websocket_codec::step::wants_more: break;
    }
    if (!answers_.empty())
      co_await answer();
    if (!failure_ && !goodbye_heard_ && step == websocket_codec::step::wants_more)
      co_await read_more();
  }
}

void websocket::state::landed(std::size_t count) {
  if (beginning_.options.keepalive)
    heard_ = current_time();
  if (count == 0)
    ended();
  else
    codec_.feed(std::span(*buffer_).first(count));
}

task<> websocket::state::read_more() {
  if (!buffer_)
    buffer_ = std::make_unique<std::array<std::byte, 8192>>();
  try {
    if (beginning_.options.keepalive)
      co_await read_or_ask();
    else
      landed(co_await transport_->read_some(*buffer_));
  } catch (...) {
    transport_ended_ = true;
    if (goodbye_said_)
      goodbye_heard_ = true; // it does not matter any more
    fail(std::current_exception());
  }
}

task<> websocket::state::read_or_ask() {
  const heartbeat_options& beat = *beginning_.options.keepalive;
  for (;;) {
    const time_point dead = heard_ + beat.limit;
    const time_point until = std::min(dead, std::max(heard_, asked_) + beat.interval);
    const auto got =
      co_await move_on_at(until, [this]() { return transport_->read_some(*buffer_); });
    if (got)
      co_return landed(*got);
    if (current_time() >= dead)
      throw connection_timeout(std::make_error_code(std::errc::timed_out), "hear from", peer());
    asked_ = current_time();
    codec_.encode_control(answers_, ping_frame, {});
    co_await answer();
  }
}

void websocket::state::pong() {
  if (goodbye_said_)
    return;
  if (answers_.size() > most_answers)
    answers_.clear();
  codec_.encode_control(answers_, pong_frame, codec_.control());
}

void websocket::state::heard_goodbye() {
  goodbye_heard_ = true;
  const bool first = !goodbye_said_;
  const std::uint16_t code = codec_.code();
  if (first) {
    codec_.encode_close(answers_, code, codec_.control());
    goodbye_said_ = true;
    if (!is_ordinary(code))
      failure_ = std::make_exception_ptr(
        websocket_closed("receive from", peer(), code, std::string(codec_.control()), true));
  }
  over_.set();
}

void websocket::state::fail_protocol() {
  const std::string why(codec_.control());
  if (!goodbye_said_) {
    codec_.encode_close(answers_, codec_.code(), why);
    goodbye_said_ = true;
  }
  fail(
    std::make_exception_ptr(websocket_closed("receive from", peer(), codec_.code(), why, false)));
}

void websocket::state::ended() {
  transport_ended_ = true;
  if (goodbye_said_) {
    goodbye_heard_ = true;
    over_.set();
  } else {
    fail(std::make_exception_ptr(
      websocket_closed("receive from", peer(), close_code::abnormal,
                       codec_.in_message() ? "in the middle of a message" : "", true)));
  }
}

void websocket::state::fail(std::exception_ptr why) noexcept {
  if (closing_)
    goodbye_heard_ = true; // nobody wants to know
  else if (!failure_ && !goodbye_heard_)
    failure_ = std::move(why);
  over_.set();
}

// -- sending

void websocket::state::check_sendable(std::string_view operation) const {
  if (write_failure_)
    std::rethrow_exception(write_failure_);
  if (broken_)
    throw websocket_closed(operation, peer(), close_code::abnormal,
                           "a send was cancelled in the middle", false);
  if (failure_)
    std::rethrow_exception(failure_);
  if (goodbye_said_ || closed_)
    throw websocket_closed(operation, peer(),
                           goodbye_heard_ && !closing_ ? codec_.code() : close_code::normal, {},
                           goodbye_heard_ && !closing_);
}

task<> websocket::state::write(std::string_view head, std::span<const std::byte> data) {
  writing_turn turn(*this);
  try {
    if (data.empty()) {
      co_await transport_->write_all(head);
    } else {
      const std::array<std::span<const std::byte>, 2> parts{std::as_bytes(std::span(head)), data};
      co_await transport_->write_all(std::span(parts));
    }
  } catch (...) {
    write_failure_ = std::current_exception();
    throw;
  }
  turn.done();
}

task<> websocket::state::write_answers() {
  while (!answers_.empty() && !broken_ && transport_) {
    const std::string now = std::exchange(answers_, {});
    co_await write(now, {});
  }
}

task<> websocket::state::send(message_kind kind, std::span<const std::byte> data) {
  check_sendable("send to");
  if (is_cancelled())
    co_await checkpoint(); // here, nothing has happened
  auto turn = writing_.try_lock();
  if (!turn)
    turn = co_await writing_.lock();
  check_sendable("send to");
  std::string head = std::exchange(answers_, {});
  const bool apart = codec_.encode(head, kind, data);
  co_await write(head, apart ? data : std::span<const std::byte>());
  ++sent_;
  co_await write_answers();
}

task<> websocket::state::ping(std::string_view data) {
  check_sendable("ping");
  if (is_cancelled())
    co_await checkpoint();
  auto turn = writing_.try_lock();
  if (!turn)
    turn = co_await writing_.lock();
  check_sendable("ping");
  codec_.encode_control(answers_, ping_frame, data);
  co_await write_answers();
}

task<bool> websocket::state::answer_in_time() {
  co_return co_await move_on_after(beginning_.options.close_limit,
                                   [this]() { return write_answers(); });
}

task<> websocket::state::answer() {
  if (broken_ || write_failure_ || closed_) {
    answers_.clear();
    co_return;
  }
  auto turn = writing_.try_lock();
  if (!turn)
    co_return; // who writes will do it
  try {
    const bool done = co_await shielded([this]() { return answer_in_time(); });
    if (done)
      co_return;
  } catch (...) {
    co_return; // senders hear of it
  }
  write_failure_ = std::make_exception_ptr(
    connection_timeout(std::make_error_code(std::errc::timed_out), "send an answer to", peer()));
  fail(write_failure_);
}

// -- the end

task<> websocket::state::say_goodbye() {
  if (!answers_.empty() && !broken_ && !write_failure_) {
    auto turn = writing_.try_lock();
    if (!turn)
      turn = co_await writing_.lock();
    co_await write_answers();
  }
  if (broken_ || write_failure_)
    co_return;
  while (!goodbye_heard_ && !failure_) {
    if (receiving) {
      co_await over_.wait(); // that task drops what comes
    } else {
      const struct mark {
        bool& on;
        ~mark() { on = false; }
      } alone{receiving = true};
      try {
        static_cast<void>(co_await advance(false));
      } catch (const net_error&) { // NOLINT(bugprone-empty-catch): see failure_
      }
    }
  }
}

/// Unread bytes would make the system reset the connection, and with it what is on its way: the
/// last messages, and the goodbye. So the other side may close first (RFC 6455, 7.1.1).
task<> websocket::state::drain() {
  if (!transport_ || receiving || broken_ || write_failure_ || transport_ended_)
    co_return;
  co_await transport_->send_eof();
  if (!buffer_)
    buffer_ = std::make_unique<std::array<std::byte, 8192>>();
  while (transport_ && !transport_ended_)
    transport_ended_ = co_await transport_->read_some(*buffer_) == 0;
}

task<> websocket::state::close(std::uint16_t code, std::string_view reason) {
  if (closed_ || closing_)
    co_return;
  closing_ = true;
  struct cutting { // also when this is cancelled
    state* s;
    ~cutting() {
      if (s)
        s->abort();
    }
  } otherwise{this};
  if (!goodbye_said_) {
    codec_.encode_close(answers_, code, reason);
    goodbye_said_ = true;
  }
  const time_point until = current_time() + beginning_.options.close_limit;
  try {
    const bool answered = co_await move_on_at(until, [this]() { return say_goodbye(); });
    if (!answered)
      co_return;
    static_cast<void>(co_await move_on_at(until, [this]() { return drain(); }));
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it is gone, then
  }
  try {
    if (transport_)
      static_cast<void>(co_await move_on_at(until, [this]() { return transport_->close(); }));
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch): as above
  }
  otherwise.s = nullptr;
  closed_ = true;
  over_.set();
}

void websocket::state::abort() noexcept {
  closed_ = true;
  if (transport_)
    transport_->abort();
  try {
    over_.set();
  } catch (...) { // NOLINT(bugprone-empty-catch): on another loop nobody waits
  }
}

void websocket::state::drop() noexcept {
  closed_ = true;
  transport_.reset();
  try {
    over_.set();
  } catch (...) { // NOLINT(bugprone-empty-catch): on another loop nobody waits
  }
}

} // namespace troupe::http
