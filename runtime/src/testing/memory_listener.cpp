// SPDX-License-Identifier: BSD-3-Clause
#include "only_one.hpp"

#include <troupe/channel.hpp>
#include <troupe/net_error.hpp>
#include <troupe/testing/memory_listener.hpp>
#include <troupe/time.hpp>

#include <cerrno>
#include <optional>

namespace troupe::testing {

struct memory_listener::state {
  explicit state(memory_listener_options o)
    : options(std::move(o)), waiting(make_channel<memory_stream>(options.backlog)) {}

  memory_listener_options options;
  channel_ends<memory_stream> waiting; // to be accepted
  troupe::detail::home_loop home;
  std::size_t clients = 0;
  bool accepting = false;
  bool closed = false;
};

memory_listener::memory_listener(memory_listener_options options)
  : state_(std::make_shared<state>(std::move(options))) {}

memory_listener::memory_listener() : memory_listener(memory_listener_options()) {}

const std::shared_ptr<memory_listener::state>& memory_listener::usable(const char* what) const {
  if (!state_)
    throw usage_error(std::string("troupe: ") + what + ": the listener was moved from");
  only_here(state_->home, what, "listener");
  return state_;
}

task<memory_stream> memory_listener::accept() {
  const auto s = usable("accept");
  const only_one acceptor(s->accepting, "accept");
  bool closed = s->closed;
  std::optional<memory_stream> next;
  if (closed)
    co_await checkpoint();
  else
    try {
      next.emplace(co_await s->waiting.rx.receive());
    } catch (const closed_resource_error&) {
      closed = true;
    }
  if (closed)
    throw_net_error(EBADF, "accept a connection on", s->options.name);
  co_return *std::move(next);
}

task<memory_stream> memory_listener::connect() {
  const auto s = usable("connect");
  memory_stream_options how;
  how.capacity = s->options.capacity;
  how.first = "client " + std::to_string(++s->clients) + " of " + s->options.name;
  how.second = s->options.name;
  auto [here, there] = memory_stream_pair(std::move(how));
  bool refused = false;
  try {
    co_await s->waiting.tx.send(std::move(there));
  } catch (const broken_resource_error&) {
    refused = true;
  }
  if (refused)
    throw_net_error(ECONNREFUSED, "connect to", s->options.name);
  co_return std::move(here);
}

void memory_listener::close() noexcept {
  if (!state_ || state_->closed)
    return;
  state_->closed = true;
  auto& left = state_->waiting.rx;
  try {
    while (auto unaccepted = left.try_receive())
      unaccepted->abort();
  } catch (...) { // NOLINT(bugprone-empty-catch): closing drops them, too
  }
  left.close();
}

std::string memory_listener::local() const {
  return state_ && !state_->closed ? state_->options.name : "closed";
}

} // namespace troupe::testing
