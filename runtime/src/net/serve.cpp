// SPDX-License-Identifier: BSD-3-Clause
#include "listen.hpp"

#include <troupe/cleanup.hpp>
#include <troupe/detail/runtime.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/nursery.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/serve.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <vector>

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// How long to wait for a free descriptor before accepting is tried again.
constexpr duration accept_pause = 50ms;

/// A shortage that comes back within this time is the same one, and not reported
/// again.
constexpr duration same_shortage = 60s;

using namespace detail;

/// What the tasks of one server share. Those on other loops only read it.
template <class Listener>
struct server {
  using stream_type = typename Listener::stream_type;

  awaited_function<task<>(stream_type&)> handler;
  Listener listener;
  serve_options options;
  std::string acceptor_name = "acceptor of " + listener.local();
  semaphore slots{options.connection_limit};
  std::vector<std::atomic<std::size_t>> on_loop =
    std::vector<std::atomic<std::size_t>>(loop::current()->owner().size());
  time_point last_shortage = time_point::min();

  void report(const std::exception_ptr& error, std::string_view task_name) const noexcept {
    try {
      if (options.on_failure)
        options.on_failure(error, task_name);
      else
        print_tree(std::cerr, error, std::string(task_name));
    } catch (...) { // NOLINT(bugprone-empty-catch): nobody is left to tell
    }
  }

  void report_shortage(const std::exception_ptr& error) noexcept {
    const time_point now = current_time();
    if (last_shortage == time_point::min() || now - last_shortage > same_shortage)
      report(error, acceptor_name);
    last_shortage = now;
  }
};

/// One of the connections that there may be, and its place in the count of its loop.
class slot {
public:
  slot(semaphore::permit permit, std::atomic<std::size_t>& of_loop) noexcept
    : permit_(std::move(permit)), of_loop_(&of_loop) {
    of_loop_->fetch_add(1, std::memory_order_relaxed);
  }
  slot(slot&& other) noexcept
    : permit_(std::move(other.permit_)), of_loop_(std::exchange(other.of_loop_, nullptr)) {}
  slot& operator=(slot&&) = delete;
  ~slot() {
    if (of_loop_)
      of_loop_->fetch_sub(1, std::memory_order_relaxed);
  }

private:
  semaphore::permit permit_;
  std::atomic<std::size_t>* of_loop_;
};

// for clang-tidy: a coroutine moves its parameters into its frame, and the paths differ
// NOLINTBEGIN(bugprone-use-after-move)
template <class Listener>
task<> serve_one(const server<Listener>& s, owned_fd fd, std::string peer, std::string name, slot) {
  try {
    const auto kind =
      std::is_same_v<Listener, tcp_listener> ? descriptor_kind::tcp : descriptor_kind::socket;
    const socket_ptr socket(
      new socket_state(*loop::current(), std::move(fd), std::move(peer), kind));
    typename Listener::stream_type stream(*socket);
    co_await s.handler(stream);
  } catch (const connection_reset&) { // NOLINT(bugprone-empty-catch): the client has left
  } catch (const broken_pipe&) {      // NOLINT(bugprone-empty-catch)
  } catch (...) {
    s.report(std::current_exception(), name);
  }
}

/// Takes the next connection and starts its task.
template <class Listener>
task<> accept_one(server<Listener>& s, nursery& n, semaphore::permit free) {
  const socket_ptr listening = ready_to_accept(s.listener.socket());
  accept_op op(*listening);
  co_await op;
  check_accepted(op, *listening);
  owned_fd fd = op.take();
  std::string peer = name_of_peer(*listening, op, fd.get());
  std::string name = s.options.name + " from " + peer;
  auto serve = named(name, &serve_one<Listener>);
  if (s.options.spread) {
    const auto least = std::min_element(s.on_loop.begin(), s.on_loop.end());
    n.start_on(static_cast<unsigned>(least - s.on_loop.begin()), std::move(serve), std::cref(s),
               std::move(fd), std::move(peer), std::move(name), slot(std::move(free), *least));
  } else
    n.start_soon(std::move(serve), std::cref(s), std::move(fd), std::move(peer), std::move(name),
                 slot(std::move(free), s.on_loop.front()));
}

// NOLINTEND(bugprone-use-after-move)

bool is_shortage(const std::error_code& code) {
  return code == std::errc::too_many_files_open || code == std::errc::too_many_files_open_in_system
         || code == std::errc::no_buffer_space || code == std::errc::not_enough_memory
         || code == std::errc::no_space_on_device;
}

template <class Listener>
task<> accept_all(server<Listener>& s, nursery& n) {
  for (;;) {
    auto free = co_await s.slots.acquire();
    bool pause = false;
    try {
      co_await accept_one(s, n, std::move(free));
    } catch (const stream_closed&) {
      co_return;
    } catch (const std::system_error& e) {
      if (!is_shortage(e.code()))
        throw;
      s.report_shortage(std::current_exception());
      pause = true;
    } catch (const std::bad_alloc&) {
      s.report_shortage(std::current_exception());
      pause = true;
    }
    if (pause)
      co_await sleep_for(accept_pause);
  }
}

/// The nursery that serves, while there is one.
struct serving_now {
  nursery* serving = nullptr;
  bool asked_to_stop = false;
};

template <class Listener>
task<> serve_until_stopped(server<Listener>& s, serving_now& now) {
  struct unset {
    serving_now& now;
    ~unset() { now.serving = nullptr; }
  } const at_the_end{now};
  co_await with_nursery([&](nursery& n) -> task<> {
    now.serving = &n;
    if (now.asked_to_stop)
      n.stop(s.options.drain_limit);
    n.start_soon(named(s.acceptor_name, &accept_all<Listener>), std::ref(s), std::ref(n));
    n.start_service(named("stop watcher",
                          [](server<Listener>& of) -> task<> {
                            co_await stopping();
                            of.listener.close();
                          }),
                    std::ref(s));
    co_return;
  });
}

/// Serves behind a shield; a task before it sees the cancellation, and asks to stop.
template <class Listener>
task<> serve_and_drain(server<Listener>& s) {
  serving_now now;
  co_await with_nursery([&](nursery& outer) -> task<> {
    auto watcher = outer.start_soon(named("drain watcher", [&]() -> task<> {
      co_await with_cleanup([]() -> task<> { co_await sleep_forever(); },
                            [&]() -> task<> {
                              now.asked_to_stop = true;
                              if (now.serving)
                                now.serving->stop(s.options.drain_limit,
                                                  "the server was cancelled");
                              co_return;
                            });
    }));
    co_await shielded([&]() -> task<> { co_await serve_until_stopped(s, now); });
    watcher.cancel();
  });
}

template <class Listener, class Handler>
task<> serve(Handler handler, Listener listener, serve_options options) {
  server<Listener> s{std::move(handler), std::move(listener), std::move(options)};
  if (s.options.drain_limit > duration::zero()) {
    co_await serve_and_drain(s);
  } else {
    serving_now unused;
    co_await serve_until_stopped(s, unused);
  }
}

} // namespace

// not default arguments: g++ 12 destroys those of an awaited call twice
task<> serve_listener(tcp_handler handler, tcp_listener listener, serve_options options) {
  return serve(std::move(handler), std::move(listener), std::move(options));
}

task<> serve_listener(tcp_handler handler, tcp_listener listener) {
  return serve(std::move(handler), std::move(listener), serve_options());
}

task<> serve_listener(unix_handler handler, unix_listener listener, serve_options options) {
  return serve(std::move(handler), std::move(listener), std::move(options));
}

task<> serve_listener(unix_handler handler, unix_listener listener) {
  return serve(std::move(handler), std::move(listener), serve_options());
}

task<> serve_tcp(tcp_handler handler, std::uint16_t port, serve_options options) {
  tcp_listener listener(port, options.listen);
  co_await serve(std::move(handler), std::move(listener), std::move(options));
}

task<> serve_tcp(tcp_handler handler, std::uint16_t port) {
  return serve_tcp(std::move(handler), port, serve_options());
}

task<> serve_unix(unix_handler handler, std::string path, serve_options options) {
  unix_listen_options how;
  how.backlog = options.listen.backlog;
  unix_listener listener(std::move(path), how);
  co_await serve(std::move(handler), std::move(listener), std::move(options));
}

task<> serve_unix(unix_handler handler, std::string path) {
  return serve_unix(std::move(handler), std::move(path), serve_options());
}

} // namespace troupe
