// SPDX-License-Identifier: BSD-3-Clause
// What an event loop does, in a page: a selector says which sockets are ready, the loop calls
// whoever waits for them, and sock_accept, sock_recv and sock_sendall are written on that. The
// selector is a nursery with a task for each socket that somebody waits for.
// Try: selector_loop [port]        and in other terminals: nc localhost 5567
#include <troupe/troupe.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

using namespace troupe;

enum class wanted { read, write };

/// A socket that is ready, and whom to call.
struct ready_event {
  int fd;
  std::function<void()> callback;
};

/// Register sockets, then select: gives those that have become ready.
class selector {
public:
  explicit selector(nursery& n) : waiting_(n), channel_(make_channel<ready_event>(100)) {}

  void add(int fd, wanted what, std::function<void()> callback) {
    waiting_.start_soon(
      [](selector& self, int socket, wanted w, std::function<void()> f) -> task<> {
        if (w == wanted::read)
          co_await wait_readable(socket);
        else
          co_await wait_writable(socket);
        ready_event e{socket, std::move(f)};
        co_await self.channel_.tx.emplace(std::move(e));
      },
      std::ref(*this), fd, what, std::move(callback));
  }

  task<ready_event> select() { co_return co_await channel_.rx.receive(); }

private:
  nursery& waiting_;
  channel_ends<ready_event> channel_;
};

/// The loop: select, call, for ever.
class event_loop {
public:
  explicit event_loop(nursery& n) : selector_(n) {}

  task<> run_forever() {
    for (;;) {
      const ready_event e = co_await selector_.select();
      e.callback();
    }
  }

  // The three calls of asyncio's loop: try; when the socket is not ready, come back later.

  void sock_accept(int listening, std::function<void(int)> then) {
    const int fd = ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN)
      return selector_.add(listening, wanted::read,
                           [this, listening, then] { sock_accept(listening, then); });
    if (fd < 0)
      throw std::system_error(errno, std::system_category(), "accept");
    then(fd);
  }

  void sock_recv(int fd, std::function<void(std::string)> then) {
    std::array<char, 1024> buffer;
    const auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EAGAIN)
      return selector_.add(fd, wanted::read, [this, fd, then] { sock_recv(fd, then); });
    then(n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string());
  }

  void sock_sendall(int fd, std::string data, std::function<void()> then) {
    const auto n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (n >= 0)
      data.erase(0, static_cast<std::size_t>(n));
    else if (errno != EAGAIN)
      return then(); // the peer has left: the next recv says so
    if (!data.empty())
      return selector_.add(fd, wanted::write,
                           [this, fd, data, then] { sock_sendall(fd, data, then); });
    then();
  }

private:
  selector selector_;
};

/// An echo server of callbacks, as one wrote them before there were coroutines.
class echo_server {
public:
  echo_server(event_loop& loop, int listening) : loop_(loop), listening_(listening) {}

  void accept_next() {
    loop_.sock_accept(listening_, [this](int fd) {
      std::cout << "connection " << fd << std::endl;
      receive_next(fd);
      accept_next();
    });
  }

private:
  void receive_next(int fd) {
    loop_.sock_recv(fd, [this, fd](std::string data) {
      if (data.empty()) {
        std::cout << "connection " << fd << " has ended" << std::endl;
        ::close(fd);
        return;
      }
      loop_.sock_sendall(fd, std::move(data), [this, fd] { receive_next(fd); });
    });
  }

  event_loop& loop_;
  int listening_;
};

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 5567;
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;
  co_await with_nursery([&](nursery& n) -> task<> {
    event_loop loop(n);
    echo_server server(loop, listener.native_handle());
    server.accept_next();
    co_await loop.run_forever();
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, serve); }
