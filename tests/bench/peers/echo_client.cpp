// SPDX-License-Identifier: BSD-3-Clause
// echo_client PEER SERVER [ARGS...]: starts the server, which prints its port, keeps 50
// connections busy with 64 bytes there and back for three seconds, and prints wall ns and the
// server's CPU ns a request: the user part (6), which the kernel samples, and all of it (6t).
#include "../meter.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::size_t size = 64;
constexpr std::size_t connections = 50;
constexpr double warm_up = 0.3, span = 3;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "echo_client: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

struct server {
  pid_t id;
  std::uint16_t port;
};

server start(char** command) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0)
    fail("pipe");
  const pid_t id = fork();
  if (id == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    execvp(command[0], command);
    fail(command[0]);
  }
  close(ends[1]);
  std::FILE* out = fdopen(ends[0], "r");
  unsigned port = 0;
  if (id < 0 || !out || std::fscanf(out, "%u", &port) != 1)
    fail("the server has not said its port");
  std::fclose(out);
  return {id, static_cast<std::uint16_t>(port)};
}

struct cpu_time {
  double user, system;
};

/// Of a running process, in steps of 10 ms.
cpu_time used_by(pid_t id) {
  std::array<char, 1024> text{};
  std::snprintf(text.data(), text.size(), "/proc/%d/stat", static_cast<int>(id));
  std::FILE* f = std::fopen(text.data(), "r");
  if (!f || std::fread(text.data(), 1, text.size() - 1, f) == 0)
    fail("/proc");
  std::fclose(f);
  unsigned long user = 0, system = 0;
  std::sscanf(std::strrchr(text.data(), ')'),
              ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  const auto second = static_cast<double>(sysconf(_SC_CLK_TCK));
  return {static_cast<double>(user) / second, static_cast<double>(system) / second};
}

/// Ends it, and gives all it has used, exactly.
cpu_time end(pid_t id) {
  kill(id, SIGKILL);
  rusage use{};
  int status = 0;
  if (wait4(id, &status, 0, &use) != id || !WIFSIGNALED(status))
    fail("the server has ended early");
  const auto in_seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return {in_seconds(use.ru_utime), in_seconds(use.ru_stime)};
}

int open_connection(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(port);
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  if (connect(fd, reinterpret_cast<sockaddr*>(&there), sizeof there) != 0
      || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0
      || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
    fail("connect");
  return fd;
}

void request(int fd) {
  static const std::array<char, size> text{'x'};
  if (send(fd, text.data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size))
    fail("send");
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: echo_client PEER SERVER [ARGS...]\n");
    return 2;
  }
  const server peer = start(argv + 2);
  struct connection {
    int fd = 0;
    std::size_t got = 0;
  };
  std::array<connection, connections> all;
  const int poll = epoll_create1(0);
  for (connection& c : all) {
    c.fd = open_connection(peer.port);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &c;
    epoll_ctl(poll, EPOLL_CTL_ADD, c.fd, &e);
  }
  for (const connection& c : all)
    request(c.fd);

  const double begin = bench::seconds_of(CLOCK_MONOTONIC);
  double since = 0, now = begin;
  cpu_time used{};
  long count = 0;
  while (since == 0 || now < since + span) {
    std::array<epoll_event, 64> events;
    const int n = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 5000);
    if (n <= 0)
      fail("the server has stalled");
    for (int i = 0; i < n; ++i) {
      auto& c = *static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      std::array<char, 2 * size> in;
      const ssize_t r = recv(c.fd, in.data(), in.size(), 0);
      if (r <= 0)
        fail("recv");
      c.got += static_cast<std::size_t>(r);
      if (c.got > size)
        fail("too much came back");
      if (c.got == size) {
        c.got = 0;
        ++count;
        request(c.fd);
      }
    }
    now = bench::seconds_of(CLOCK_MONOTONIC);
    if (since == 0 && now > begin + warm_up) {
      since = now;
      used = used_by(peer.id);
      count = 0;
    }
  }
  const cpu_time all_used = end(peer.id);
  const double user = all_used.user - used.user, system = all_used.system - used.system;
  const double scale = 1e9 / static_cast<double>(count), wall = (now - since) * scale;
  std::printf("6\t%s\t%.1f\t%.1f\n", argv[1], wall, user * scale);
  std::printf("6t\t%s\t%.1f\t%.1f\n", argv[1], wall, (user + system) * scale);
}
