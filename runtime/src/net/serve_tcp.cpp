// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/loop.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/nursery.hpp>
#include <troupe/tcp.hpp>
#include <troupe/time.hpp>

#include <chrono>
#include <iostream>

namespace troupe {

namespace {

using namespace std::chrono_literals;

/// How long to wait for a free descriptor before accepting is tried again.
constexpr duration accept_pause = 50ms;

/// A shortage that comes back within this time is the same one, and not reported
/// again.
constexpr duration same_shortage = 60s;

/// What the tasks of one server share.
struct server {
  tcp_handler handler;
  tcp_listener listener;
  serve_options options;
  std::string acceptor_name = "acceptor of " + listener.local();
  std::size_t connections = 0;
  detail::suspension* waiting = nullptr;
  detail::task_block* acceptor = nullptr;
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

/// Waits until there are fewer connections than the limit.
class slot_awaiter final : public detail::suspension {
public:
  using troupe_awaitable = void;

  explicit slot_awaiter(server& s) noexcept : server_(s) {}
  slot_awaiter(const slot_awaiter&) = delete;
  slot_awaiter& operator=(const slot_awaiter&) = delete;
  ~slot_awaiter() { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <detail::troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    auto& t = *h.promise().task;
    if (t.cancelled_at(h))
      return true;
    if (server_.connections < server_.options.connection_limit)
      return t.must_yield(h);
    server_.waiting = this;
    server_.acceptor = &t;
    t.wait(h, *this);
    return true;
  }
  void await_resume() const noexcept {}

  bool withdraw() noexcept override {
    leave();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override {
    return "a connection to end (limit)";
  }

private:
  void leave() noexcept {
    if (server_.waiting == this)
      server_.waiting = nullptr;
  }

  server& server_;
};

/// Counts a connection for as long as its task lives.
class counted {
public:
  explicit counted(server& s) noexcept : server_(&s) { ++s.connections; }
  counted(counted&& other) noexcept : server_(std::exchange(other.server_, nullptr)) {}
  counted& operator=(counted&&) = delete;
  ~counted() {
    if (!server_)
      return;
    --server_->connections;
    if (std::exchange(server_->waiting, nullptr))
      server_->acceptor->wake();
  }

private:
  server* server_;
};

task<> serve_one(server& s, tcp_stream peer, std::string name, counted) {
  try {
    co_await s.handler(peer);
  } catch (const connection_reset&) { // NOLINT(bugprone-empty-catch): the client has left
  } catch (const broken_pipe&) {      // NOLINT(bugprone-empty-catch)
  } catch (...) {
    s.report(std::current_exception(), name);
  }
}

task<> accept_all(server& s, nursery& n) {
  for (;;) {
    slot_awaiter slot(s);
    co_await slot;
    bool pause = false;
    try {
      tcp_stream peer = co_await s.listener.accept();
      std::string name = s.options.name + " from " + peer.peer();
      n.start_soon(named(name, serve_one), std::ref(s), std::move(peer), name, counted(s));
    } catch (const stream_closed&) {
      co_return;
    } catch (const std::system_error& e) {
      const auto code = e.code();
      if (code != std::errc::too_many_files_open && code != std::errc::too_many_files_open_in_system
          && code != std::errc::no_buffer_space && code != std::errc::not_enough_memory
          && code != std::errc::no_space_on_device)
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

task<> run_server(server& s) {
  co_await with_nursery([&s](nursery& n) -> task<> {
    n.start_soon(named(s.acceptor_name, accept_all), std::ref(s), std::ref(n));
    n.start_service(named("stop watcher",
                          [](server& of) -> task<> {
                            co_await stopping();
                            of.listener.close();
                          }),
                    std::ref(s));
    co_return;
  });
}

} // namespace

task<> serve_listener(tcp_handler handler, tcp_listener listener, serve_options options) {
  server s{std::move(handler), std::move(listener), std::move(options)};
  co_await run_server(s);
}

// not default arguments: g++ 12 destroys those of an awaited call twice
task<> serve_listener(tcp_handler handler, tcp_listener listener) {
  return serve_listener(std::move(handler), std::move(listener), serve_options());
}

task<> serve_tcp(tcp_handler handler, std::uint16_t port) {
  return serve_tcp(std::move(handler), port, serve_options());
}

task<> serve_tcp(tcp_handler handler, std::uint16_t port, serve_options options) {
  listen_options where;
  where.address = options.address;
  where.backlog = options.backlog;
  tcp_listener listener(port, where);
  co_await serve_listener(std::move(handler), std::move(listener), std::move(options));
}

} // namespace troupe
