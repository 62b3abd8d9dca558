// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"

#include <troupe/error.hpp>
#include <troupe/tcp.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace troupe {

namespace {

using namespace detail;

class read_op final : public socket_op {
public:
  read_op(socket_state& s, std::span<std::byte> into) noexcept
    : socket_op(s, direction::read), into_(into) {}

  [[nodiscard]] const char* waits_for() const noexcept override { return "socket read"; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
  [[nodiscard]] bool must_wait() const noexcept override { return socket_.drained(); }

  bool attempt() noexcept override {
    ssize_t n;
    do
      n = ::recv(socket_.fd(), into_.data(), into_.size(), MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
      return failed(errno);
    count_ = static_cast<std::size_t>(n);
    socket_.drained(count_ != 0 && count_ < into_.size());
    return true;
  }

  std::span<std::byte> into_;
  std::size_t count_ = 0;
};

class write_op final : public socket_op {
public:
  write_op(socket_state& s, std::span<const std::byte> data) noexcept
    : socket_op(s, direction::write), data_(data) {}

  [[nodiscard]] const char* waits_for() const noexcept override { return "socket write"; }

private:
  bool attempt() noexcept override {
    while (!data_.empty()) {
      const ssize_t n =
        ::send(socket_.fd(), data_.data(), data_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n >= 0)
        data_ = data_.subspan(static_cast<std::size_t>(n));
      else if (errno != EINTR)
        return failed(errno);
    }
    return true;
  }

  std::span<const std::byte> data_;
};

class connect_op final : public socket_op {
public:
  connect_op(socket_state& s, const endpoint& to) noexcept
    : socket_op(s, direction::write), to_(to) {}

  [[nodiscard]] const char* waits_for() const noexcept override { return "connect"; }

private:
  bool attempt() noexcept override {
    int result = 0;
    socklen_t size = sizeof result;
    if (started_ && ::getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &result, &size) != 0)
      result = errno;
    if (result != 0)
      return failed(result);
    // Again when it was woken: says whether that was too early, and cannot wait for a
    // connection that nobody is making.
    started_ = true;
    int done;
    do
      done = ::connect(socket_.fd(), to_.data(), static_cast<socklen_t>(to_.size()));
    while (done != 0 && errno == EINTR);
    if (done == 0)
      return true;
    switch (errno) {
    case EISCONN: return true;
    case EINPROGRESS:
    case EALREADY: return failed(EAGAIN);
    case EAGAIN: return failed(ENOBUFS); // out of routes, not a matter of waiting
    default: return failed(errno);
    }
  }

  const endpoint& to_;
  bool started_ = false;
};

/// Looks a name up on Asio's resolver thread. Giving up leaves the answer behind
/// for nobody.
class resolve_op final : public suspension {
  struct shared : boost::intrusive_ref_counter<shared, boost::thread_unsafe_counter> {
    explicit shared(boost::asio::io_context& io) : resolver(io) {}
    boost::asio::ip::tcp::resolver resolver;
    resolve_op* op = nullptr;
  };

public:
  using troupe_awaitable = void;

  resolve_op(const std::string& host, std::uint16_t port) : host_(host), port_(port) {}
  resolve_op(const resolve_op&) = delete;
  resolve_op& operator=(const resolve_op&) = delete;
  ~resolve_op() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  void await_suspend(std::coroutine_handle<Promise> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return;
    loop& home = task_->home();
    state_ = new shared(home.io());
    state_->resolver.async_resolve(
      host_, std::to_string(port_), boost::asio::ip::resolver_base::numeric_service,
      [state = state_, &home](const boost::system::error_code& error, const auto& results) {
        if (resolve_op* op = std::exchange(state->op, nullptr)) {
          op->done(error, results);
          home.pump();
        }
      });
    state_->op = this;
    task_->wait(h, *this);
  }

  std::vector<endpoint> await_resume() {
    if (error_)
      throw host_not_found(error_, "find", host_);
    return std::move(found_);
  }

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "name look-up"; }

private:
  template <class Results>
  void done(const boost::system::error_code& error, const Results& results) noexcept {
    error_ = error;
    try {
      for (const auto& r : results)
        found_.push_back(r.endpoint());
    } catch (...) {
      error_ = std::make_error_code(std::errc::not_enough_memory);
    }
    task_->wake();
  }

  void leave() noexcept {
    if (state_)
      state_->op = nullptr;
  }

  const std::string& host_;
  std::uint16_t port_;
  task_block* task_ = nullptr;
  boost::intrusive_ptr<shared> state_;
  std::error_code error_;
  std::vector<endpoint> found_;
};

task<std::vector<endpoint>> resolve(const std::string& host, std::uint16_t port) {
  boost::system::error_code not_numeric;
  const auto address = boost::asio::ip::make_address(host, not_numeric);
  if (!not_numeric)
    co_return std::vector<endpoint>(1, endpoint(address, port));
  resolve_op op(host, port);
  co_return co_await op;
}

socket_state& usable(socket_state* s, direction d, const char* what) {
  if (!s)
    throw usage_error(std::string("troupe: ") + what + ": the stream was moved from");
  s->check(d, what);
  return *s;
}

} // namespace

tcp_stream::tcp_stream(detail::socket_state& socket) noexcept : socket_(&socket) {
  intrusive_ptr_add_ref(socket_);
  const int on = 1; // best effort: a socket without it still works
  ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

tcp_stream::~tcp_stream() {
  if (socket_) {
    socket_->close();
    intrusive_ptr_release(socket_);
  }
}

task<std::size_t> tcp_stream::read_some(std::span<std::byte> into) {
  const socket_ptr s(&usable(socket_, direction::read, "read_some"));
  if (into.empty())
    throw usage_error("troupe: read_some: there must be room for a byte");
  read_op op(*s, into);
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "read from", s->peer());
  co_return op.count();
}

task<> tcp_stream::write_all(std::span<const std::byte> data) {
  const socket_ptr s(&usable(socket_, direction::write, "write_all"));
  write_op op(*s, data);
  co_await op;
  if (op.error())
    throw_net_error(op.error(), "write to", s->peer());
}

task<> tcp_stream::send_eof() {
  auto& s = usable(socket_, direction::write, "send_eof");
  if (::shutdown(s.fd(), SHUT_WR) != 0 && errno != ENOTCONN)
    throw_net_error(errno, "end writing to", s.peer());
  co_return;
}

task<> tcp_stream::close() {
  if (socket_) {
    socket_->check_loop("close");
    socket_->close();
  }
  co_return;
}

void tcp_stream::abort() noexcept {
  if (!socket_ || !socket_->open())
    return;
  const linger at_once{1, 0};
  ::setsockopt(socket_->fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket_->close();
}

std::string tcp_stream::peer() const { return socket_ ? socket_->peer() : "closed"; }

std::string tcp_stream::local() const { return socket_ ? socket_->local() : "closed"; }

int tcp_stream::native_handle() const noexcept { return socket_ ? socket_->fd() : -1; }

task<tcp_stream> open_tcp_stream(std::string host, std::uint16_t port) {
  loop& home = require_loop("open_tcp_stream");
  const auto addresses = co_await resolve(host, port);
  int error = EHOSTUNREACH;
  for (const endpoint& to : addresses) {
    owned_fd fd(make_socket(to.protocol().family()));
    if (fd.get() < 0) {
      error = errno;
      continue;
    }
    const socket_ptr s(new socket_state(home, std::move(fd), to_text(to)));
    tcp_stream connecting(*s); // closes, whatever happens
    connect_op op(*s, to);
    co_await op;
    error = op.error();
    if (error == 0)
      co_return std::move(connecting);
  }
  const std::string where =
    addresses.size() == 1 ? to_text(addresses.front()) : host + ":" + std::to_string(port);
  throw_net_error(error, "connect to", where);
}

} // namespace troupe
