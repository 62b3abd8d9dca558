// SPDX-License-Identifier: BSD-3-Clause
#include "socket.hpp"

#include <troupe/detail/simulation.hpp>
#include <troupe/net_error.hpp>
#include <troupe/readiness.hpp>

#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <string>

namespace troupe {

namespace {

using namespace detail;

class readiness_op final : public suspension, private poll_target {
public:
  using troupe_awaitable = void;

  readiness_op(int fd, short events) noexcept : fd_(fd), events_(events) {}
  readiness_op(const readiness_op&) = delete;
  readiness_op& operator=(const readiness_op&) = delete;
  ~readiness_op() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h))
      return true;
    if (is_ready())
      return t.must_yield(h);
    // a descriptor of its own: others may wait for the same one
    own_.reset(::fcntl(fd_, F_DUPFD_CLOEXEC, 3));
    if (own_.get() < 0)
      throw_net_error(errno, "wait for", name());
    loop& home = t.home();
    poller::of(home).watch(home, own_.get(), *this,
                           events_ == POLLIN ? EPOLLIN | EPOLLRDHUP : EPOLLOUT);
    task_ = &t;
    t.wait(h, *this);
    return true;
  }
  void await_resume() const noexcept {}

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override {
    return events_ == POLLIN ? "a readable descriptor" : "a writable descriptor";
  }

private:
  void ready(std::uint32_t) noexcept override {
    task_block& t = *task_;
    leave();
    t.wake();
  }

  [[nodiscard]] bool is_ready() const {
    pollfd p{fd_, events_, 0};
    if (::poll(&p, 1, 0) > 0 && (p.revents & POLLNVAL))
      throw_net_error(EBADF, "wait for", name());
    return p.revents != 0;
  }

  [[nodiscard]] std::string name() const { return "descriptor " + std::to_string(fd_); }

  void leave() noexcept {
    if (!task_)
      return;
    poller::of(task_->home()).forget(own_.get(), *this);
    own_.reset(-1);
    task_ = nullptr;
  }

  int fd_;
  short events_;
  owned_fd own_{-1};
  task_block* task_ = nullptr; // while it waits
};

} // namespace

task<> wait_readable(int fd) {
  refuse_under_simulation("wait_readable");
  readiness_op op(fd, POLLIN);
  co_await op;
}

task<> wait_writable(int fd) {
  refuse_under_simulation("wait_writable");
  readiness_op op(fd, POLLOUT);
  co_await op;
}

} // namespace troupe
