// SPDX-License-Identifier: BSD-3-Clause
// echo_client PEER SERVER [ARGS...]: starts the server, which prints its port, keeps 50
// connections busy with 64 bytes there and back for three seconds, and prints wall ns and the
// server's CPU ns a request: the user part (6), which the kernel samples, and all of it (6t).
#include "../meter.hpp"
#include "server_process.hpp"

#include <array>
#include <cstdio>

#include <sys/epoll.h>
#include <sys/socket.h>

using namespace bench;

namespace {

constexpr std::size_t size = 64;
constexpr std::size_t connections = 50;
constexpr double warm_up = 0.3, span = 3;

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
