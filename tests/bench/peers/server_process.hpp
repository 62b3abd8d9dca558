// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <algorithm>
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/// A server in a process of its own, which prints its port first, and what it uses.
namespace bench {

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "bench client: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

/// This many may be open in this process and in those that it starts.
inline void allow_descriptors(rlim_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    fail("getrlimit");
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, count));
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    fail("setrlimit");
}

struct server {
  pid_t id;
  std::uint16_t port;
};

inline server start(char** command) {
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
inline cpu_time used_by(pid_t id) {
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

/// Bytes of it that are in memory.
inline double resident_of(pid_t id) {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/statm", static_cast<int>(id));
  std::FILE* f = std::fopen(path.data(), "r");
  long total = 0, pages = 0;
  if (!f || std::fscanf(f, "%ld %ld", &total, &pages) != 2)
    fail("/proc");
  std::fclose(f);
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// Ends it, and gives all it has used, exactly.
inline cpu_time end(pid_t id) {
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

/// Non-blocking.
inline int open_connection(std::uint16_t port) {
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

} // namespace bench
