// SPDX-License-Identifier: BSD-3-Clause
#include "poller.hpp"
#include "socket.hpp"

#include <troupe/detail/timer.hpp>
#include <troupe/net_error.hpp>
#include <troupe/resolve.hpp>

#include <ares.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <memory>

namespace troupe {

namespace {

using namespace detail;

const std::error_category& ares_category() noexcept {
  static const struct final : std::error_category {
    [[nodiscard]] const char* name() const noexcept override { return "c-ares"; }
    [[nodiscard]] std::string message(int status) const override { return ares_strerror(status); }
  } category;
  return category;
}

/// One look-up, with a channel of its own: it reads the machine's settings as they are now,
/// and giving up closes all that it has opened.
class resolve_op final : public suspension, private timer {
public:
  using troupe_awaitable = void;

  resolve_op(loop& home, const std::string& host, std::uint16_t port, const resolve_options& how)
    : home_(home), host_(host), port_(port) {
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    check(library);
    ares_options options{};
    options.timeout = static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(how.attempt_limit).count());
    options.tries = how.attempts;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<resolve_op*>(self)->watch(fd, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = this;
    check(ares_init_options(&channel_, &options,
                            ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB));
    if (how.servers.empty())
      return;
    if (const int status = ares_set_servers_ports_csv(channel_, how.servers.c_str());
        status != ARES_SUCCESS) {
      leave();
      throw name_not_found(std::error_code(status, ares_category()), "ask the name servers",
                           how.servers);
    }
  }
  resolve_op(const resolve_op&) = delete;
  resolve_op& operator=(const resolve_op&) = delete;
  ~resolve_op() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h))
      return true;
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM; // else each address comes once for each type
    ares_getaddrinfo(
      channel_, host_.c_str(), nullptr, &hints,
      [](void* self, int status, int, ares_addrinfo* found) {
        static_cast<resolve_op*>(self)->done(status, found);
      },
      this);
    if (done_)
      return t.must_yield(h);
    task_ = &t;
    t.wait(h, *this);
    set_timer();
    return true;
  }

  std::vector<socket_address> await_resume() {
    check(status_);
    if (out_of_memory_)
      throw std::bad_alloc();
    if (found_.empty())
      check(ARES_ENODATA);
    return std::move(found_);
  }

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "name look-up"; }

private:
  /// A socket of c-ares' in the loop's epoll set.
  struct watched final : poll_target {
    watched(resolve_op& o, ares_socket_t f) noexcept : op(o), fd(f) {}
    void ready(std::uint32_t events) noexcept override {
      constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
      op.process(events & (EPOLLIN | broken) ? fd : ARES_SOCKET_BAD,
                 events & (EPOLLOUT | broken) ? fd : ARES_SOCKET_BAD);
    }
    resolve_op& op;
    ares_socket_t fd;
  };

  void check(int status) const {
    if (status == ARES_ENOMEM)
      throw std::bad_alloc();
    if (status != ARES_SUCCESS)
      throw name_not_found(std::error_code(status, ares_category()), "find", host_);
  }

  void watch(ares_socket_t fd, bool readable, bool writable) noexcept {
    const auto known =
      std::find_if(sockets_.begin(), sockets_.end(), [fd](const watched& w) { return w.fd == fd; });
    auto& p = poller::of(home_);
    if (!readable && !writable) {
      if (known != sockets_.end()) {
        p.forget(fd, *known);
        sockets_.erase(known);
      }
      return;
    }
    try {
      const std::uint32_t events = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U);
      if (known == sockets_.end()) {
        sockets_.emplace_back(*this, fd);
        p.watch(home_, fd, sockets_.back(), events);
      } else
        p.watch_for(fd, *known, events);
    } catch (...) { // this server will not be heard; time is, and the next one may
      if (known == sockets_.end() && !sockets_.empty() && sockets_.back().fd == fd)
        sockets_.pop_back();
    }
  }

  void process(ares_socket_t readable, ares_socket_t writable) noexcept {
    ares_process_fd(channel_, readable, writable);
    if (!done_)
      set_timer();
    else if (task_)
      std::exchange(task_, nullptr)->wake();
  }

  void set_timer() noexcept {
    if (armed())
      home_.timers().remove(*this);
    timeval left{};
    if (!ares_timeout(channel_, nullptr, &left))
      return;
    try {
      home_.timers().add(*this, home_.now() + std::chrono::seconds(left.tv_sec)
                                  + std::chrono::microseconds(left.tv_usec) + least);
    } catch (...) { // NOLINT(bugprone-empty-catch): an answer still ends it, or the user's patience
    }
  }
  void expired() noexcept override { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

  void done(int status, ares_addrinfo* found) noexcept {
    if (leaving_)
      return;
    done_ = true;
    status_ = status;
    try {
      for (const ares_addrinfo_node* n = found ? found->nodes : nullptr; n; n = n->ai_next) {
        if (n->ai_family != AF_INET && n->ai_family != AF_INET6)
          continue;
        socket_address a;
        std::memcpy(a.data(), n->ai_addr, n->ai_addrlen);
        a.size(n->ai_addrlen);
        a = a.with_port(port_);
        if (std::find(found_.begin(), found_.end(), a) == found_.end())
          found_.push_back(a);
      }
    } catch (...) {
      out_of_memory_ = true;
    }
    if (found)
      ares_freeaddrinfo(found);
  }

  void leave() noexcept {
    leaving_ = true;
    task_ = nullptr;
    if (armed())
      home_.timers().remove(*this);
    if (channel_)
      ares_destroy(std::exchange(channel_, nullptr));
  }

  /// c-ares counts in milliseconds: a timer that is early would find nothing to do.
  static constexpr duration least = std::chrono::milliseconds(1);

  loop& home_;
  const std::string& host_;
  std::uint16_t port_;
  ares_channel channel_ = nullptr;
  std::list<watched> sockets_;
  task_block* task_ = nullptr; // while it waits
  std::vector<socket_address> found_;
  int status_ = ARES_SUCCESS;
  bool done_ = false;
  bool leaving_ = false;
  bool out_of_memory_ = false;
};

} // namespace

task<std::vector<socket_address>> resolve(std::string host, std::uint16_t port,
                                          resolve_options options) {
  if (const auto known = socket_address::parse(host, port))
    co_return std::vector<socket_address>(1, *known);
  loop& home = require_network_loop("resolve");
  if (network* net = current_network()) {
    auto found = co_await net->resolve(host, port);
    if (found.empty())
      throw name_not_found(std::error_code(ARES_ENOTFOUND, ares_category()), "find", host);
    co_return found;
  }
  resolve_op op(home, host, port, options);
  co_return co_await op;
}

task<std::vector<socket_address>> resolve(std::string host, std::uint16_t port) {
  return resolve(std::move(host), port, resolve_options());
}

} // namespace troupe
