// SPDX-License-Identifier: BSD-3-Clause
// echo_client TEST PEER SERVER [ARGS...]: starts the server, which prints its port, keeps its
// connections busy for three seconds, and prints wall ns and the server's CPU ns a request: the
// user part (TEST), which the kernel samples, and all of it (TESTt). 6: 64 bytes on each of 50
// connections; 6b: 64 KiB on each of 8; 6w: as 6, and what counts is the wall; 6m: bytes of the
// server for each of 10,000 connections that are idle.
#include "../meter.hpp"
#include "server_process.hpp"

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

using namespace bench;

namespace {

constexpr double warm_up = 0.3, span = 3;

void request(int fd, std::size_t size) {
  static const std::vector<char> text(65536, 'x');
  if (send(fd, text.data(), size, MSG_NOSIGNAL) != static_cast<ssize_t>(size))
    fail("send");
}

/// Each has had one request answered.
void measure_idle(const char* test, const char* name, const server& peer) {
  constexpr int idle_connections = 10'000;
  const double before = resident_of(peer.id);
  for (int i = 0; i < idle_connections; ++i) {
    const int fd = open_connection(peer.port);
    request(fd, 64);
    std::array<char, 64> in;
    pollfd answer{fd, POLLIN, 0};
    for (std::size_t got = 0; got < in.size();) {
      const ssize_t r = poll(&answer, 1, 5000) == 1 ? recv(fd, in.data(), in.size() - got, 0) : -1;
      if (r <= 0)
        fail("recv");
      got += static_cast<std::size_t>(r);
    }
  }
  const double bytes = (resident_of(peer.id) - before) / idle_connections;
  std::printf("%s\t%s\t%.1f\t%.1f\n", test, name, bytes, bytes);
  end(peer.id);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: echo_client TEST PEER SERVER [ARGS...]\n");
    return 2;
  }
  const std::string test = argv[1];
  const std::size_t size = test == "6b" ? 65536 : 64;
  allow_descriptors(10'100); // the server as well
  const server peer = start(argv + 3);
  if (test == "6m") {
    measure_idle(argv[1], argv[2], peer);
    return 0;
  }
  struct connection {
    int fd = 0;
    std::size_t got = 0;
  };
  std::vector<connection> all(test == "6b" ? 8 : 50);
  const int poll = epoll_create1(0);
  for (connection& c : all) {
    c.fd = open_connection(peer.port);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &c;
    epoll_ctl(poll, EPOLL_CTL_ADD, c.fd, &e);
  }
  for (const connection& c : all)
    request(c.fd, size);

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
      static std::array<char, 2 * 65536> in;
      const ssize_t r = recv(c.fd, in.data(), in.size(), 0);
      if (r <= 0)
        fail("recv");
      c.got += static_cast<std::size_t>(r);
      if (c.got > size)
        fail("too much came back");
      if (c.got == size) {
        c.got = 0;
        ++count;
        request(c.fd, size);
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
  std::printf("%s\t%s\t%.1f\t%.1f\n", argv[1], argv[2], wall, user * scale);
  if (test != "6w")
    std::printf("%st\t%s\t%.1f\t%.1f\n", argv[1], argv[2], wall, (user + system) * scale);
}
