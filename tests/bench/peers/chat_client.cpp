// SPDX-License-Identifier: BSD-3-Clause
// chat_client PEER SERVER [ARGS...]: starts the server, which prints its port; 1,000 people enter
// the one room, and one of them says a line each time that all have heard the last one, for three
// seconds. Prints wall ns and the server's user CPU ns a line (c1), and, of the times until a
// member has heard a line, the 99th percentile (c1p).
#include "../meter.hpp"
#include "server_process.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>

using namespace bench;

namespace {

constexpr int members = 1000;
constexpr double warm_up = 0.3, span = 3;

struct member {
  int fd = 0;
};

void say(int fd, const std::string& text) {
  if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    fail("send");
}

/// Waits for `lines` line ends, on all together; up to 0: until nothing comes for `quiet` ms.
/// Calls `heard` for each.
template <class Heard>
void hear(int poll, long lines, Heard heard, int quiet = 1000) {
  std::array<epoll_event, 256> events;
  static std::array<char, 65536> in;
  while (true) {
    const int n =
      epoll_wait(poll, events.data(), static_cast<int>(events.size()), lines == 0 ? quiet : 10'000);
    if (n == 0 && lines == 0)
      return;
    if (n <= 0)
      fail("the server has stalled");
    for (int i = 0; i < n; ++i) {
      const auto& m = *static_cast<member*>(events[static_cast<std::size_t>(i)].data.ptr);
      const ssize_t r = recv(m.fd, in.data(), in.size(), 0);
      if (r <= 0)
        fail("recv");
      for (auto ends = std::count(in.begin(), in.begin() + r, '\n'); ends > 0; --ends) {
        heard();
        if (lines != 0 && --lines == 0)
          return;
      }
    }
  }
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: chat_client PEER SERVER [ARGS...]\n");
    return 2;
  }
  allow_descriptors(2100); // the server as well
  const server peer = start(argv + 2);
  const int poll = epoll_create1(0);
  std::vector<member> all(members);
  const auto nothing = [] {};
  for (int i = 0; i < members; ++i) {
    member& m = all[static_cast<std::size_t>(i)];
    m.fd = open_connection(peer.port);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &m;
    epoll_ctl(poll, EPOLL_CTL_ADD, m.fd, &e);
    say(m.fd, "member" + std::to_string(i) + "\n");
    if (i % 50 == 49)
      hear(poll, 0, nothing, 20);
  }
  hear(poll, 0, nothing);

  const std::string line(60, 'x');
  const double begin = seconds_of(CLOCK_MONOTONIC);
  double since = 0, now = begin;
  cpu_time used{};
  long count = 0;
  std::vector<double> delays;
  while (since == 0 || now < since + span) {
    const double said = seconds_of(CLOCK_MONOTONIC);
    say(all.front().fd, line + "\n");
    hear(poll, members, [&] { delays.push_back(seconds_of(CLOCK_MONOTONIC) - said); });
    ++count;
    now = seconds_of(CLOCK_MONOTONIC);
    if (since == 0 && now > begin + warm_up) {
      since = now;
      used = used_by(peer.id);
      count = 0;
      delays.clear();
    }
  }
  const double user = end(peer.id).user - used.user;
  const double scale = 1e9 / static_cast<double>(count);
  const auto place = delays.begin() + static_cast<std::ptrdiff_t>(delays.size() / 100 * 99);
  std::nth_element(delays.begin(), place, delays.end());
  std::printf("c1\t%s\t%.1f\t%.1f\n", argv[1], (now - since) * scale, user * scale);
  std::printf("c1p\t%s\t%.1f\t%.1f\n", argv[1], *place * 1e9, *place * 1e9);
}
