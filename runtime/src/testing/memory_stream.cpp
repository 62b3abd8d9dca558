// SPDX-License-Identifier: BSD-3-Clause
#include "only_one.hpp"

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/net_error.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

namespace troupe::testing {

/// A wait in a pipe, which is tried again when something has changed there.
class memory_wait : public troupe::detail::suspension {
public:
  using troupe_awaitable = void;

  memory_wait(memory_pipe& p, const memory_pipe& back) noexcept : pipe_(p), back_(back) {}
  memory_wait(const memory_wait&) = delete;
  memory_wait& operator=(const memory_wait&) = delete;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_resume() const noexcept {}

  /// 0, or an `errno` value.
  [[nodiscard]] int error() const noexcept { return error_; }

protected:
  ~memory_wait() = default;

  bool failed(int cause) noexcept {
    error_ = cause;
    return true;
  }

  memory_pipe& pipe_;
  const memory_pipe& back_; // the other direction
  troupe::detail::task_block* task_ = nullptr;

private:
  int error_ = 0;
};

class memory_read final : public memory_wait {
public:
  memory_read(memory_pipe& p, const memory_pipe& back, std::span<std::byte> into) noexcept
    : memory_wait(p, back), into_(into) {}
  ~memory_read() { leave(); }

  template <troupe::detail::troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    const bool done = attempt();
    if (!done) {
      pipe_.reader_ = this;
      task_->wait(h, *this);
      return true;
    }
    pipe_.retry();
    return task_->must_yield(h);
  }

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "stream read"; }

  bool attempt() noexcept;
  void wake() noexcept {
    leave();
    task_->wake();
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
  void leave() noexcept {
    if (pipe_.reader_ == this)
      pipe_.reader_ = nullptr;
  }

  std::span<std::byte> into_;
  std::size_t count_ = 0;
};

class memory_write final : public memory_wait {
public:
  memory_write(memory_pipe& p, const memory_pipe& back, std::span<const std::byte> data) noexcept
    : memory_wait(p, back), data_(data) {}
  ~memory_write() { leave(); }

  template <troupe::detail::troupe_promise P>
  bool await_suspend(std::coroutine_handle<P> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    if (attempt()) {
      pipe_.retry();
      return task_->must_yield(h);
    }
    pipe_.writer_ = this;
    task_->wait(h, *this);
    pipe_.retry(); // a reader may wait for what is there now
    return true;
  }

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "stream write"; }

  bool attempt() noexcept;
  void wake() noexcept {
    leave();
    task_->wake();
  }

  /// What is not in the buffer, for the reader.
  [[nodiscard]] std::span<const std::byte> rest() const noexcept { return data_; }
  void taken(std::size_t n) noexcept {
    data_ = data_.subspan(n);
    count_ += n;
    pipe_.written_ += n;
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
  void leave() noexcept {
    if (pipe_.writer_ == this)
      pipe_.writer_ = nullptr;
  }

  std::span<const std::byte> data_;
  std::size_t count_ = 0;
};

bool memory_read::attempt() noexcept {
  if (pipe_.closed_)
    return failed(EBADF);
  if (pipe_.reset_)
    return failed(ECONNRESET);
  const auto there = pipe_.bytes();
  const std::size_t room = std::min(into_.size(), pipe_.piece_);
  if (!there.empty()) {
    count_ = std::min(room, there.size());
    std::memcpy(into_.data(), there.data(), count_);
    pipe_.drop(count_);
    return true;
  }
  if (pipe_.broken_)
    return failed(ECONNRESET);
  if (pipe_.writer_ && !pipe_.writer_->rest().empty()) {
    count_ = std::min(room, pipe_.writer_->rest().size());
    std::memcpy(into_.data(), pipe_.writer_->rest().data(), count_);
    pipe_.writer_->taken(count_);
    return true;
  }
  return pipe_.ended_;
}

bool memory_write::attempt() noexcept {
  if (back_.closed_) // this end
    return failed(EBADF);
  if (data_.empty())
    return true;
  if (pipe_.reset_ || pipe_.broken_)
    return failed(ECONNRESET);
  if (pipe_.ended_ || pipe_.closed_)
    return failed(EPIPE);
  const std::size_t there = pipe_.bytes().size();
  const std::size_t n =
    std::min(data_.size(), pipe_.capacity_ > there ? pipe_.capacity_ - there : 0);
  if (n != 0) {
    try {
      pipe_.bytes_.append(reinterpret_cast<const char*>(data_.data()), n);
    } catch (...) {
      return failed(ENOBUFS);
    }
    taken(n);
  }
  return data_.empty();
}

void memory_pipe::capacity(std::size_t bytes) noexcept {
  capacity_ = bytes;
  retry();
}

void memory_pipe::bytes(std::string now) {
  bytes_ = std::move(now);
  read_ = 0;
  retry();
}

void memory_pipe::put(std::string_view more) {
  bytes_.append(more);
  retry();
}

void memory_pipe::drop(std::size_t n) noexcept {
  read_ += n;
  if (read_ >= bytes_.size() / 2) {
    bytes_.erase(0, read_);
    read_ = 0;
  }
}

void memory_pipe::end() noexcept {
  ended_ = true;
  retry();
}

void memory_pipe::reset() noexcept {
  reset_ = true;
  retry();
}

void memory_pipe::break_off() noexcept {
  broken_ = true;
  retry();
}

void memory_pipe::close() noexcept {
  closed_ = true;
  bytes_.clear();
  read_ = 0;
  retry();
}

void memory_pipe::retry() noexcept {
  for (bool progress = true; progress;) {
    progress = false;
    if (reader_ && reader_->attempt()) {
      reader_->wake();
      progress = true;
    }
    if (!writer_)
      continue;
    const std::uint64_t before = written_;
    const bool done = writer_->attempt();
    progress = progress || written_ != before;
    if (done)
      writer_->wake();
  }
}

struct memory_stream::end {
  end(std::shared_ptr<memory_pipe> i, std::shared_ptr<memory_pipe> o, std::string p, std::string l)
    : in(std::move(i)), out(std::move(o)), peer(std::move(p)), local(std::move(l)) {
    statistics.opened = statistics.last_read = statistics.last_written = current_time();
  }

  void shut() noexcept {
    if (in->closed_)
      return;
    in->close();
    out->end();
  }

  std::shared_ptr<memory_pipe> in, out;
  static void count(std::uint64_t& bytes, time_point& last, std::size_t n) noexcept {
    bytes += n;
    last = n != 0 ? current_time() : last;
  }

  /// What the fault plans say of the next bytes.
  troupe::detail::stream_fault ask_plans(std::size_t size, bool is_read) {
    if (!troupe::detail::faults_in_force())
      return {};
    const auto& [from, to] = is_read ? std::tie(peer, local) : std::tie(local, peer);
    const auto before = is_read ? statistics.bytes_read : statistics.bytes_written;
    return troupe::detail::ask_stream({from + " > " + to, number.value(), before, size, is_read});
  }

  std::string peer, local;
  stream_statistics statistics;
  troupe::detail::stream_number number;
  troupe::detail::home_loop home;
  bool reading = false;
  bool writing = false;
};

memory_stream::~memory_stream() {
  if (end_)
    end_->shut();
}

const std::shared_ptr<memory_stream::end>& memory_stream::usable(const char* what) const {
  if (!end_)
    throw usage_error(std::string("troupe: ") + what + ": the stream was moved from");
  only_here(end_->home, what, "stream");
  return end_;
}

task<std::size_t> memory_stream::read_some(std::span<std::byte> into) {
  const auto e = usable("read_some");
  const only_one reader(e->reading, "read_some");
  if (into.empty())
    throw usage_error("troupe: read_some: there must be room for a byte");
  if (e->in->before_read)
    co_await e->in->before_read();
  memory_read op(*e->in, *e->out,
                 into.first(std::min(into.size(), e->ask_plans(into.size(), true).most)));
  co_await op;
  if (op.error() != 0)
    throw_net_error(op.error(), "read from", e->peer);
  end::count(e->statistics.bytes_read, e->statistics.last_read, op.count());
  co_return op.count();
}

task<> memory_stream::write_piece(std::shared_ptr<end> e, std::span<const std::byte> data) {
  memory_write op(*e->out, *e->in, data);
  const struct counting { // also of those that are cancelled
    end& of;
    memory_write& op;
    ~counting() { end::count(of.statistics.bytes_written, of.statistics.last_written, op.count()); }
  } count{*e, op};
  co_await op;
  if (op.error() != 0)
    throw_net_error(op.error(), "write to", e->peer);
}

task<> memory_stream::write_all(std::span<const std::byte> data) {
  const auto e = usable("write_all");
  const only_one writer(e->writing, "write_all");
  if (e->out->before_write)
    co_await e->out->before_write();
  for (;;) {
    const auto fault = e->ask_plans(data.size(), false);
    if (fault.stall > duration::zero())
      co_await sleep_for(fault.stall);
    const std::size_t now = std::min(data.size(), fault.most);
    co_await write_piece(e, data.first(now));
    data = data.subspan(now);
    if (fault.breaks) {
      e->out->break_off();
      e->in->break_off();
      throw_net_error(ECONNRESET, "write to", e->peer);
    }
    if (data.empty())
      co_return;
  }
}

task<> memory_stream::send_eof() {
  const auto& e = usable("send_eof");
  const only_one writer(e->writing, "send_eof");
  if (e->in->closed_)
    throw_net_error(EBADF, "end writing to", e->peer);
  e->out->end();
  co_return;
}

task<> memory_stream::close() {
  if (end_)
    usable("close")->shut();
  co_return;
}

void memory_stream::abort() noexcept {
  if (!end_ || end_->in->closed_)
    return;
  end_->in->closed_ = end_->out->ended_ = true;
  end_->in->reset();
  end_->out->reset();
}

std::string memory_stream::peer() const { return end_ ? end_->peer : "closed"; }

std::string memory_stream::local() const {
  return end_ && !end_->in->closed_ ? end_->local : "closed";
}

stream_statistics memory_stream::statistics() const {
  return end_ ? end_->statistics : stream_statistics();
}

const std::shared_ptr<memory_pipe>& memory_stream::incoming() const noexcept { return end_->in; }

const std::shared_ptr<memory_pipe>& memory_stream::outgoing() const noexcept { return end_->out; }

std::pair<memory_stream, memory_stream> memory_stream_pair(memory_stream_options options) {
  const auto forth = std::make_shared<memory_pipe>(options.capacity);
  const auto back = std::make_shared<memory_pipe>(options.capacity);
  auto one = std::make_shared<memory_stream::end>(back, forth, options.second, options.first);
  auto other = std::make_shared<memory_stream::end>(forth, back, std::move(options.first),
                                                    std::move(options.second));
  return {memory_stream(std::move(one)), memory_stream(std::move(other))};
}

std::pair<memory_stream, memory_stream> memory_stream_pair() {
  return memory_stream_pair(memory_stream_options());
}

std::pair<memory_stream, memory_stream> lockstep_stream_pair() {
  memory_stream_options in_step;
  in_step.capacity = 0;
  return memory_stream_pair(std::move(in_step));
}

} // namespace troupe::testing
