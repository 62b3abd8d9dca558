// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/redis/connection.hpp>

#include <troupe/cancel_scope.hpp>
#include <troupe/error.hpp>
#include <troupe/net_error.hpp>
#include <troupe/time.hpp>

#include <poll.h>

#include <array>
#include <cstdint>
#include <new>
#include <span>

namespace troupe::redis {

struct connection::state {
  std::unique_ptr<stream> over;
  int descriptor = -1;
  reply_reader replies;
  std::string broken;         // why
  std::size_t missing = 0;    // replies
  std::uint8_t remembers = 0; // the server, of this connection: as `connection_state`
  bool busy = false;
  bool strange = false; // it was taken over, or something came unasked
};

/// For as long as a task uses it. Unless all went well, what was sent and not answered breaks it.
class connection::use {
public:
  explicit use(state& s) : state_(s) {
    if (s.busy)
      throw usage_error("troupe: two tasks use one connection at a time: redis at "
                        + s.over->peer());
    if (!s.broken.empty())
      throw connection_broken("redis at " + s.over->peer()
                              + ": the connection is broken: " + s.broken);
    s.busy = true;
  }
  use(const use&) = delete;
  use& operator=(const use&) = delete;
  ~use() {
    state_.busy = false;
    if (begun_)
      state_.broken = "cut off"; // fits without memory
  }

  /// From here on it is broken until `done`.
  void begin() noexcept { begun_ = true; }
  void begin(const batch& commands) noexcept {
    begin();
    state_.missing += commands.size();
    state_.remembers = commands.state_after(state_.remembers);
  }
  void done() noexcept { begun_ = false; }

private:
  state& state_;
  bool begun_ = false;
};

connection::connection(std::unique_ptr<stream> over, int descriptor)
  : state_(std::make_unique<state>()) {
  state_->over = std::move(over);
  state_->descriptor = descriptor;
}
connection::connection(connection&& other) noexcept = default;
connection& connection::operator=(connection&& other) noexcept {
  state_.swap(other.state_);
  return *this;
}
connection::~connection() = default;

task<reply> connection::next_reply() {
  state& s = *state_;
  std::array<std::byte, 16384> buffer; // NOLINT: written before it is read
  for (;;) {
    if (auto r = s.replies.next()) {
      if (s.missing != 0)
        --s.missing;
      else
        s.strange = true;
      co_return std::move(*r);
    }
    const std::size_t size = co_await s.over->read_some(buffer);
    if (size == 0)
      throw end_of_stream("read from", s.over->peer(), "redis has closed the connection");
    s.replies.feed(std::span<const std::byte>(buffer.data(), size));
  }
}

task<reply> connection::run_one(batch b) {
  use in_use(*state_);
  if (is_cancelled())
    co_await checkpoint(); // and no further
  in_use.begin(b);
  co_await state_->over->write_all(b.bytes());
  reply r = co_await next_reply();
  in_use.done();
  if (r.is_error())
    throw error("redis: " + b.name() + ": " + r.text(), r.text().substr(0, r.text().find(' ')));
  co_return r;
}

task<std::vector<reply>> connection::run(batch commands) {
  use in_use(*state_);
  std::vector<reply> replies;
  replies.reserve(commands.size());
  if (commands.empty() || is_cancelled())
    co_await checkpoint();
  in_use.begin(commands);
  co_await state_->over->write_all(commands.bytes());
  while (replies.size() != commands.size()) {
    reply r = co_await next_reply();
    replies.push_back(std::move(r));
  }
  in_use.done();
  co_return replies;
}

task<> connection::send(batch commands) {
  use in_use(*state_);
  if (is_cancelled())
    co_await checkpoint();
  in_use.begin(commands);
  co_await state_->over->write_all(commands.bytes());
  in_use.done();
}

task<reply> connection::receive() {
  use in_use(*state_);
  co_await checkpoint();
  try {
    co_return co_await next_reply(); // cancelled, it has read nothing
  } catch (...) {
    in_use.begin();
    throw;
  }
}

task<message> connection::next_message() {
  for (;;) {
    const reply r = co_await receive();
    const std::string kind = r.size() == 0 ? "" : r[0].get<std::string>();
    message m;
    if (kind == "message" && r.size() == 3) {
      m.channel = r[1].text();
      m.payload = r[2].text();
      co_return m;
    }
    if (kind == "pmessage" && r.size() == 4) {
      m.pattern = r[1].text();
      m.channel = r[2].text();
      m.payload = r[3].text();
      co_return m;
    }
    if (!kind.ends_with("subscribe")) // that another channel counts from now on, or no more
      throw bad_reply("redis: a message was waited for, and this came: " + to_string(r));
  }
}

bool connection::usable() const noexcept {
  if (!state_) // moved away, out of a lease
    return false;
  const state& s = *state_;
  if (s.busy || !s.broken.empty() || s.missing != 0 || s.remembers != 0 || s.strange
      || s.replies.has_rest())
    return false;
  // nothing comes unasked: if there is something to read, it is the end
  pollfd p{s.descriptor, POLLIN, 0};
  return s.descriptor < 0 || ::poll(&p, 1, 0) == 0;
}

std::string connection::peer() const { return state_->over->peer(); }

void connection::keep_settings() noexcept {
  state_->remembers &= static_cast<std::uint8_t>(~connection_state::settings);
}

stream& connection::over() noexcept {
  state_->strange = true;
  return *state_->over;
}

} // namespace troupe::redis
