// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <unistd.h>

/// What all workloads print: test, peer, wall ns and CPU ns an operation (bytes in the
/// third column where memory is measured).
namespace bench {

inline double seconds_of(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

class meter {
public:
  explicit meter(const char* peer) : peer_(peer) {}

  void report(const char* test, double operations) const {
    std::printf("%s\t%s\t%.1f\t%.1f\n", test, peer_,
                (seconds_of(CLOCK_MONOTONIC) - wall_) * 1e9 / operations,
                (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_) * 1e9 / operations);
    std::fflush(stdout);
  }

private:
  const char* peer_;
  double wall_ = seconds_of(CLOCK_MONOTONIC);
  double cpu_ = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
};

inline double resident() {
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  long total = 0, pages = 0;
  if (!f || std::fscanf(f, "%ld %ld", &total, &pages) != 2)
    std::abort();
  std::fclose(f);
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

inline void report_bytes(const char* test, const char* peer, double bytes) {
  std::printf("%s\t%s\t%.1f\t0\n", test, peer, bytes);
  std::fflush(stdout);
}

} // namespace bench
