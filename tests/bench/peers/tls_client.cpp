// SPDX-License-Identifier: BSD-3-Clause
// tls_client PEER SERVER [ARGS...]: starts the server, which prints its port, and prints wall ns
// and the server's user CPU ns a request for 50 connections with 64 bytes there and back (7),
// the same for full handshakes, one after the other (7h), and the server's memory, bytes an
// idle connection (7m). TLS 1.3, AES-128-GCM.
#include "../meter.hpp"
#include "server_process.hpp"

#include <openssl/ssl.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

using namespace bench;

namespace {

constexpr std::size_t size = 64;
constexpr std::size_t connections = 50, idle_connections = 800;
constexpr double warm_up = 0.3, span = 3;

struct free_ssl {
  void operator()(SSL* s) const { SSL_free(s); }
};

struct connection {
  int fd = -1;
  std::unique_ptr<SSL, free_ssl> ssl;
  std::size_t got = 0;

  connection() = default;
  connection(connection&& other) noexcept
    : fd(std::exchange(other.fd, -1)), ssl(std::move(other.ssl)) {}
  connection& operator=(connection&&) = delete;
  ~connection() {
    if (fd >= 0)
      close(fd);
  }
};

void request(const connection& c) {
  static const std::array<char, size> text{'x'};
  if (SSL_write(c.ssl.get(), text.data(), size) != static_cast<int>(size))
    fail("SSL_write");
}

void blocking(int fd, bool yes) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, yes ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/// With a first request answered, so that tickets are out of the way.
connection open_one(SSL_CTX* context, std::uint16_t port) {
  connection c;
  c.fd = open_connection(port);
  blocking(c.fd, true);
  c.ssl.reset(SSL_new(context));
  SSL_set_fd(c.ssl.get(), c.fd);
  if (SSL_connect(c.ssl.get()) != 1)
    fail("SSL_connect");
  request(c);
  std::array<char, 2 * size> in;
  for (std::size_t got = 0; got < size;) {
    const int n = SSL_read(c.ssl.get(), in.data(), in.size());
    if (n <= 0)
      fail("SSL_read");
    got += static_cast<std::size_t>(n);
  }
  return c;
}

void print(const char* test, const char* peer, double wall, const cpu_time& before,
           const cpu_time& after, long count) {
  const double scale = 1e9 / static_cast<double>(count);
  std::printf("%s\t%s\t%.1f\t%.1f\n", test, peer, wall * scale, (after.user - before.user) * scale);
}

void measure_idle(const char* name, SSL_CTX* context, const server& peer) {
  std::vector<connection> all;
  all.reserve(idle_connections);
  const double before = resident_of(peer.id);
  for (std::size_t i = 0; i < idle_connections; ++i)
    all.push_back(open_one(context, peer.port));
  const double bytes = (resident_of(peer.id) - before) / static_cast<double>(idle_connections);
  std::printf("7m\t%s\t%.1f\t%.1f\n", name, bytes, bytes);
}

void measure_handshakes(const char* name, SSL_CTX* context, const server& peer) {
  const cpu_time used = used_by(peer.id);
  const double begin = seconds_of(CLOCK_MONOTONIC);
  double now = begin;
  long count = 0;
  for (; now < begin + span; now = seconds_of(CLOCK_MONOTONIC), ++count) {
    const connection c = open_one(context, peer.port);
    SSL_shutdown(c.ssl.get());
  }
  print("7h", name, now - begin, used, used_by(peer.id), count);
}

void measure_echo(const char* name, SSL_CTX* context, const server& peer) {
  std::vector<connection> all;
  all.reserve(connections);
  const int poll = epoll_create1(0);
  for (std::size_t i = 0; i < connections; ++i) {
    connection& c = all.emplace_back(open_one(context, peer.port));
    blocking(c.fd, false);
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.ptr = &c;
    epoll_ctl(poll, EPOLL_CTL_ADD, c.fd, &e);
  }
  for (const connection& c : all)
    request(c);
  const double begin = seconds_of(CLOCK_MONOTONIC);
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
      const int r = SSL_read(c.ssl.get(), in.data(), in.size());
      if (r <= 0) {
        if (SSL_get_error(c.ssl.get(), r) != SSL_ERROR_WANT_READ)
          fail("SSL_read");
        continue;
      }
      c.got += static_cast<std::size_t>(r);
      if (c.got > size)
        fail("too much came back");
      if (c.got == size) {
        c.got = 0;
        ++count;
        request(c);
      }
    }
    now = seconds_of(CLOCK_MONOTONIC);
    if (since == 0 && now > begin + warm_up) {
      since = now;
      used = used_by(peer.id);
      count = 0;
    }
  }
  print("7", name, now - since, used, used_by(peer.id), count);
  close(poll);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: tls_client PEER SERVER [ARGS...]\n");
    return 2;
  }
  const server peer = start(argv + 2);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  if (SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1)
    fail("no AES-128-GCM");
  open_one(context, peer.port);
  measure_idle(argv[1], context, peer);
  measure_handshakes(argv[1], context, peer);
  measure_echo(argv[1], context, peer);
  end(peer.id);
  SSL_CTX_free(context);
}
