// SPDX-License-Identifier: BSD-3-Clause
#include "../loop/without_sigpipe.hpp"
#include "socket.hpp"
#include "system_calls.hpp"

#include <troupe/descriptor_stream.hpp>
#include <troupe/detail/fault_hooks.hpp>
#include <troupe/error.hpp>
#include <troupe/net_error.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace troupe {

namespace {

using namespace detail;

using parts = std::span<const std::span<const std::byte>>;

class read_op final : public socket_op {
public:
  read_op(socket_state& s, std::span<std::byte> into) noexcept
    : socket_op(s, direction::read), into_(into) {}

  [[nodiscard]] const char* waits_for() const noexcept override { return "stream read"; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
  [[nodiscard]] bool must_wait() const noexcept override { return socket_.drained(); }

  bool attempt() noexcept override {
    return faults_in_force() ? attempt_by_plan() : attempt(into_.size());
  }

  [[gnu::noinline]] bool attempt_by_plan() noexcept {
    std::size_t room = into_.size();
    return socket_.may_read(into_, room) ? attempt(room) : failed(errno);
  }

  [[gnu::always_inline]] bool attempt(std::size_t room) noexcept {
    ssize_t n;
    do
      n = socket_.kind() == descriptor_kind::pipe
            ? socket_.may_proceed(POLLIN) ? ::read(socket_.fd(), into_.data(), room) : -1
            : sys::receive(socket_.fd(), into_.data(), room);
    while (n < 0 && errno == EINTR);
    if (n < 0) // a terminal whose other side is gone says EIO: its end
      return failed(errno == EIO && socket_.kind() == descriptor_kind::pipe ? 0 : errno);
    count_ = static_cast<std::size_t>(n);
    socket_.has_read(count_);
    socket_.drained(socket_.kind() == descriptor_kind::tcp && count_ != 0 && count_ < room);
    return true;
  }

  std::span<std::byte> into_;
  std::size_t count_ = 0;
};

class write_op final : public socket_op {
public:
  write_op(socket_state& s, parts data) noexcept : socket_op(s, direction::write), data_(data) {
    skip(0);
  }

  [[nodiscard]] const char* waits_for() const noexcept override { return "stream write"; }

private:
  bool attempt() noexcept override {
    while (!data_.empty()) {
      const ssize_t n = faults_in_force() ? write_by_plan() : write();
      if (n >= 0) {
        socket_.has_written(static_cast<std::size_t>(n));
        skip(static_cast<std::size_t>(n));
      } else if (errno != EINTR)
        return failed(errno);
    }
    return true;
  }

  ssize_t write() noexcept {
    const bool pipe = socket_.kind() == descriptor_kind::pipe;
    if (data_.size() == 1 && !pipe) {
      const auto rest = data_.front().subspan(offset_);
      return sys::send(socket_.fd(), rest.data(), rest.size());
    }
    std::array<iovec, 16> list;
    std::size_t count = 0;
    std::size_t room = socket_.write_room();
    for (std::size_t skipped = offset_; count != std::min(data_.size(), list.size()) && room != 0;
         skipped = 0) {
      const auto rest = data_[count].subspan(skipped);
      const std::size_t length = std::min(rest.size(), room);
      list[count++] = {const_cast<std::byte*>(rest.data()), length}; // NOLINT: only read
      room -= length;
    }
    if (pipe)
      return socket_.may_proceed(POLLOUT)
               ? without_sigpipe().write(socket_.fd(), list.data(), static_cast<int>(count))
               : -1;
    msghdr message{};
    message.msg_iov = list.data();
    message.msg_iovlen = count;
    return sys::send(socket_.fd(), message);
  }

  [[gnu::noinline]] ssize_t write_by_plan() noexcept {
    std::size_t size = 0;
    for (const auto part : data_)
      size += part.size();
    size -= offset_;
    const std::size_t all = size;
    if (!socket_.may_write(size))
      return -1;
    if (size == all)
      return write();
    const auto rest = data_.front().subspan(offset_);
    return sys::send(socket_.fd(), rest.data(), std::min(rest.size(), size));
  }

  /// `n` bytes are gone, and the parts that this has emptied.
  void skip(std::size_t n) noexcept {
    offset_ += n;
    while (!data_.empty() && offset_ >= data_.front().size()) {
      offset_ -= data_.front().size();
      data_ = data_.subspan(1);
    }
  }

  parts data_;
  std::size_t offset_ = 0; // into the first part
};

/// Closes `fd` even if there is no loop.
socket_ptr adopted(int fd, std::string name) {
  owned_fd owned(fd);
  return adopt(require_loop("descriptor_stream"), std::move(owned), std::move(name));
}

} // namespace

descriptor_stream::descriptor_stream(int fd, std::string name)
  : socket_(*adopted(fd, std::move(name))) {}

task<std::size_t> descriptor_stream::read_some(std::span<std::byte> into) {
  const socket_ptr s = usable(socket_, direction::read, "read_some", "stream");
  if (into.empty())
    throw usage_error("troupe: read_some: there must be room for a byte");
  read_op op(*s, into);
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "read from", s->peer());
  co_return op.count();
}

task<> descriptor_stream::write_all(std::span<const std::byte> data) {
  const socket_ptr s = usable(socket_, direction::write, "write_all", "stream");
  write_op op(*s, {&data, 1});
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "write to", s->peer());
}

task<> descriptor_stream::write_all(parts data) {
  const socket_ptr s = usable(socket_, direction::write, "write_all", "stream");
  write_op op(*s, data);
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "write to", s->peer());
}

task<> descriptor_stream::send_eof() {
  const socket_ptr s = usable(socket_, direction::write, "send_eof", "stream");
  if (s->kind() == descriptor_kind::pipe)
    s->close();
  else if (s->closed_with() != ECONNRESET && sys::shutdown_writing(s->fd()) != 0
           && errno != ENOTCONN)
    throw_net_error(errno, "end writing to", s->peer());
  co_return;
}

task<> descriptor_stream::close() {
  if (socket_) {
    socket_->check_loop("close");
    socket_->close();
  }
  co_return;
}

void descriptor_stream::abort() noexcept {
  if (!socket_)
    return;
  socket_->drop_at_close();
  socket_->close();
}

std::string descriptor_stream::peer() const { return socket_ ? socket_->peer() : "closed"; }

std::string descriptor_stream::local() const { return socket_.local(); }

stream_statistics descriptor_stream::statistics() const {
  return socket_ ? socket_->statistics() : stream_statistics();
}

} // namespace troupe
