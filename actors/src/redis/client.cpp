// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/redis/client.hpp>

#include <troupe/net_error.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <utility>

namespace troupe::redis {

/// Who waits for replies: on the frame of the task.
struct client::waiting {
  explicit waiting(client& c) noexcept : shared(c) {}
  waiting(const waiting&) = delete;
  waiting& operator=(const waiting&) = delete;
  /// Cancelled, its replies are for nobody.
  ~waiting() {
    for (std::uint64_t i = std::max(first, shared.first_); i < first + wanted; ++i)
      shared.asked_[i - shared.first_].who = nullptr;
  }

  client& shared;
  std::vector<reply> replies;
  std::exception_ptr failure;
  event done;
  std::uint64_t first = 0; // the number of its first command
  std::size_t wanted = 0;
};

client::client(connection over, std::size_t max_pending)
  : over_(std::move(over)), room_(max_pending) {}

task<std::vector<reply>> client::run(batch commands) {
  waiting w(*this);
  w.replies.reserve(commands.size());
  auto permit = co_await room_.acquire();
  if (failure_)
    std::rethrow_exception(failure_);
  if (commands.empty())
    co_return std::move(w.replies);
  try {
    w.first = first_ + asked_.size();
    for (; w.wanted != commands.size(); ++w.wanted)
      asked_.push_back({&w, semaphore::permit()});
    asked_.back().permit = std::move(permit); // until the last reply, even if nobody waits for it
    out_ += commands.bytes();
  } catch (const std::bad_alloc&) { // what was asked is not what is sent
    fail(std::current_exception());
    throw;
  }
  if (work_)
    work_->set();
  co_await w.done.wait();
  if (w.failure)
    std::rethrow_exception(w.failure);
  co_return std::move(w.replies);
}

task<reply> client::run_one(batch b) {
  std::string name = b.name();
  std::vector<reply> replies = co_await run(std::move(b));
  reply r = std::move(replies.front());
  if (r.is_error())
    throw error("redis: " + name + ": " + r.text(), r.text().substr(0, r.text().find(' ')));
  co_return r;
}

task<> client::write() {
  std::string writing;
  try {
    for (;;) {
      work_.emplace();
      while (!out_.empty()) {
        writing.clear();
        writing.swap(out_);
        co_await over_.over().write_all(writing);
      }
      co_await work_->wait();
    }
  } catch (const net_error&) {
    fail(std::current_exception());
  }
}

task<> client::read() {
  reply_reader replies;
  std::array<std::byte, 16384> buffer; // NOLINT: written before it is read
  try {
    for (;;) {
      const std::size_t size = co_await over_.over().read_some(buffer);
      if (size == 0)
        throw end_of_stream("read from", over_.peer(), "redis has closed the connection");
      replies.feed(std::span<const std::byte>(buffer.data(), size));
      while (auto r = replies.next())
        deliver(std::move(*r));
    }
  } catch (const std::exception&) {
    fail(std::current_exception());
  }
}

void client::deliver(reply r) {
  if (asked_.empty())
    throw protocol_error("redis: a reply came that nothing was asked for: " + to_string(r));
  waiting* const who = asked_.front().who;
  asked_.pop_front();
  ++first_;
  if (!who)
    return;
  who->replies.push_back(std::move(r));
  if (who->replies.size() == who->wanted)
    who->done.set();
}

void client::fail(const std::exception_ptr& why) noexcept {
  if (!failure_)
    failure_ = why;
  first_ += asked_.size();
  const auto lost = std::exchange(asked_, {});
  for (const asked& a : lost)
    if (a.who) {
      a.who->failure = failure_;
      a.who->done.set();
    }
  out_.clear();
}

} // namespace troupe::redis
