// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "poller.hpp"

#include <troupe/detail/loop.hpp>
#include <troupe/detail/network.hpp>
#include <troupe/detail/socket_owner.hpp>
#include <troupe/socket_address.hpp>
#include <troupe/stream.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace troupe::detail {

class socket_faults;
class socket_op;

enum class direction : unsigned { read, write };

/// What system calls a descriptor takes.
enum class descriptor_kind : std::uint8_t {
  tcp,    ///< `recv` and `send`; that a read gives less than there is room for says that
          ///< there is no more
  socket, ///< `recv` and `send`
  pipe,   ///< `read` and `write`; terminals and files as well
};

/// A descriptor that is closed if nobody takes it.
class owned_fd {
public:
  explicit owned_fd(int fd) noexcept : fd_(fd) {}
  owned_fd(owned_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  owned_fd& operator=(owned_fd&&) = delete;
  ~owned_fd();

  [[nodiscard]] int get() const noexcept { return fd_; }
  void release() noexcept { fd_ = -1; }
  void reset(int fd) noexcept { owned_fd(fd).swap(*this); }
  void swap(owned_fd& other) noexcept { std::swap(fd_, other.fd_); }

private:
  int fd_;
};

/// A non-blocking descriptor on a loop. The poller only says when it is ready; the
/// operations are system calls of ours. So a wait can be given up at any moment.
class socket_state final
  : public poll_target,
    public boost::intrusive_ref_counter<socket_state, boost::thread_unsafe_counter> {
public:
  /// Throws `std::system_error`.
  socket_state(loop& home, owned_fd fd, std::string peer,
               descriptor_kind kind = descriptor_kind::socket);
  socket_state(const socket_state&) = delete;
  socket_state& operator=(const socket_state&) = delete;
  ~socket_state();

  [[nodiscard]] loop& home() const noexcept { return home_; }
  [[nodiscard]] bool open() const noexcept { return fd_.get() >= 0; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] descriptor_kind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }
  void peer(std::string name) noexcept { peer_ = std::move(name); }
  [[nodiscard]] std::string local() const;
  [[nodiscard]] socket_address local_address() const noexcept; ///< empty if there is none

  /// Closes; a waiting operation fails with EBADF.
  void close() noexcept;

  /// What operations fail with when it is closed: EBADF, or ECONNRESET by plan.
  [[nodiscard]] int closed_with() const noexcept { return closed_with_; }

  /// From here on, closing drops what has not been sent, and the other side hears of it.
  void drop_at_close() noexcept;

  /// While `faults_in_force()`, before up to `size` bytes move: makes `size` less, or gives false
  /// and `errno`, as the fault plans say. What is to be read is looked at in `into`.
  [[nodiscard]] bool may_read(std::span<std::byte> into, std::size_t& size) noexcept;
  [[nodiscard]] bool may_write(std::size_t& size) noexcept;

  /// While `faults_in_force()`, before a datagram is sent to `to`, null if that is connected:
  /// false if the fault plans have lost it, or hold it back.
  [[nodiscard]] bool may_send(const socket_address* to, std::span<const std::byte> data) noexcept;

  /// A datagram was sent: those that it was to overtake follow.
  void was_sent(const socket_address* to) noexcept {
    if (faults_) [[unlikely]]
      send_overtaken(to);
  }

  /// A Unix socket has made the file `path`, which goes when this is closed.
  void remove_at_close(std::string path) noexcept { file_ = std::move(path); }

  /// Throws `usage_error` on another loop.
  void check_loop(const char* what) const;

  /// As above, and if a task waits in `d` already.
  void check(direction d, const char* what) const;

  /// A read has got less than it had room for: the next one will have to wait, unless
  /// the other side has ended, of which there is no further news.
  void drained(bool yes) noexcept { drained_ = yes && !ended_; }
  [[nodiscard]] bool drained() const noexcept { return drained_; }

  void ready(std::uint32_t events) noexcept override;

  /// The descriptor is shared with other programs and must stay blocking: it is asked
  /// each time whether a call would block.
  void stays_blocking() noexcept { blocking_ = true; }

  /// Whether a call that waits for `events` (of poll) would not block; else `errno` is EAGAIN.
  [[nodiscard]] bool may_proceed(short events) const noexcept {
    return !blocking_ || would_not_block(events);
  }

  /// How much may be written at once.
  [[nodiscard]] std::size_t write_room() const noexcept;

  void has_read(std::size_t bytes) noexcept {
    if (bytes == 0)
      return;
    statistics_.bytes_read += bytes;
    statistics_.last_read = home_.rough_now();
  }
  void has_written(std::size_t bytes) noexcept {
    statistics_.bytes_written += bytes;
    statistics_.last_written = home_.rough_now();
  }
  [[nodiscard]] const stream_statistics& statistics() const noexcept { return statistics_; }

private:
  friend class socket_faults;
  friend class socket_op;

  [[nodiscard]] bool heeds_plans() const noexcept;
  template <class F>
  [[nodiscard]] bool ask_faults(F f) noexcept; // `f(*faults_)`; true for want of memory
  [[nodiscard]] bool may_move(direction d, std::size_t& size) noexcept;
  void send_overtaken(const socket_address* to) noexcept;
  void reset(direction d) noexcept;
  [[nodiscard]] bool would_not_block(short events) const noexcept;
  void retry(direction d) noexcept;
  [[nodiscard]] socket_op*& waiting(direction d) noexcept {
    return waiting_[static_cast<unsigned>(d)];
  }

  loop& home_;
  owned_fd fd_;
  std::string peer_;
  std::string file_; // to remove
  socket_op* waiting_[2] = {};
  stream_statistics statistics_;
  std::unique_ptr<socket_faults> faults_; // null until one is asked about
  int closed_with_ = EBADF;
  descriptor_kind kind_;
  bool drained_ = false;
  bool ended_ = false;
  bool blocking_ = false;
};

using socket_ptr = boost::intrusive_ptr<socket_state>;

/// A system call that is tried, and tried again when the socket is ready.
class socket_op : public suspension {
public:
  using troupe_awaitable = void;

  socket_op(socket_state& s, direction d) noexcept : socket_(s), direction_(d) {}
  socket_op(const socket_op&) = delete;
  socket_op& operator=(const socket_op&) = delete;
  ~socket_op() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    if (!socket_.open()) {
      error_ = socket_.closed_with();
      return false;
    }
    if (!must_wait() && attempt())
      return task_->must_yield(h);
    socket_.waiting(direction_) = this;
    task_->wait(h, *this);
    return true;
  }

  void await_resume() const noexcept {}

  bool withdraw() noexcept final {
    leave();
    return true;
  }

  /// 0, or an `errno` value.
  [[nodiscard]] int error() const noexcept { return error_; }

protected:
  /// Returns false if the socket is not ready.
  virtual bool attempt() noexcept = 0;

  /// Trying now is known to be in vain.
  [[nodiscard]] virtual bool must_wait() const noexcept { return false; }

  /// For the end of `attempt`: false if `cause` says "not ready".
  bool failed(int cause) noexcept;

  socket_state& socket_;

private:
  friend class socket_state;

  void leave() noexcept {
    if (socket_.waiting(direction_) == this)
      socket_.waiting(direction_) = nullptr;
  }

  task_block* task_ = nullptr;
  direction direction_;
  int error_ = 0;
};

/// The loop of this thread; throws `usage_error` that names `what`.
[[nodiscard]] loop& require_loop(const char* what);

/// As above, for what goes to `current_network`.
[[nodiscard]] loop& require_network_loop(const char* what);

/// The network of the program that runs on this thread; null if it is the machine's.
[[nodiscard]] network* current_network() noexcept;

/// A non-blocking socket that is not inherited, or -1 and `errno`. TCP and UDP are those of
/// `current_network`.
[[nodiscard]] int make_socket(int family, int type) noexcept;

/// The socket of `s`, for an operation `what` in direction `d`. Throws `usage_error` on another
/// loop, if a task waits in `d` already, and if the owner, a `kind`, was moved from.
[[nodiscard]] socket_ptr usable(const socket_owner& s, direction d, const char* what,
                                const char* kind);

/// Whom a socket of the machine is connected to; empty if to nobody.
[[nodiscard]] socket_address peer_address(int fd) noexcept;

/// Whatever `fd` is, on `home`. Called `name` in errors, or by its address if that is empty.
/// Throws `net_error`.
[[nodiscard]] socket_ptr adopt(loop& home, owned_fd fd, std::string name);

} // namespace troupe::detail
