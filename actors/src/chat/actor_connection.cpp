// SPDX-License-Identifier: BSD-3-Clause
#include "actor_connection.hpp"

#include <troupe/error.hpp>
#include <troupe/net_error.hpp>

#include <cerrno>
#include <chrono>
#include <utility>

namespace troupe::chat {

namespace {

constexpr std::size_t said_limit = 64;                      // lines that it may be ahead
constexpr duration answer_limit = std::chrono::seconds(60); // to an event

} // namespace

bool actor_connection::feed(std::string line) {
  if (said_.size() >= said_limit)
    return false;
  said_.push_back(std::move(line));
  if (more_)
    more_->set();
  return true;
}

void actor_connection::end() {
  ended_ = true;
  if (more_)
    more_->set();
}

void actor_connection::abort() noexcept {
  aborted_ = true;
  end();
}

task<connection::input_line> actor_connection::read() {
  if (said_.empty() && !ended_) {
    more_.emplace();
    co_await more_->wait();
    more_.reset();
  }
  input_line in;
  if (aborted_)
    throw_net_error(EPIPE, "read from", peer());
  if (said_.empty()) {
    in.what = input_line::kind::end;
  } else {
    in.text = std::move(said_.front());
    said_.pop_front();
  }
  co_return in;
}

task<> actor_connection::flush() {
  while (!out_.empty()) {
    if (aborted_)
      throw_net_error(EPIPE, "write to", peer());
    const event e = std::move(out_.front()); // when this is cut off, the rest is still there
    out_.pop_front();
    bool gone = false;
    try {
      co_await request<void>(client_, answer_limit, e);
    } catch (const actor_error&) {
      gone = true;
    } catch (const timeout_error&) {
      gone = true;
    }
    if (gone)
      throw_net_error(EPIPE, "write to", peer());
  }
}

task<> actor_connection::close() { co_return; }

} // namespace troupe::chat
