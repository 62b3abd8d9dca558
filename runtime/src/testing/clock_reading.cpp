// SPDX-License-Identifier: BSD-3-Clause
// Stands in for the functions of the C library by which a clock is read, also by those of C++, in
// each program in which this is linked: a test program that simulates. They are weak, so that
// those of the program go before.
#include "clock_reading.hpp"
#include "allocation_plan.hpp"
#include "simulator.hpp"

#include <troupe/testing/test_failure.hpp>

#include <dlfcn.h>
#include <execinfo.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::testing::internal {

namespace {

thread_local constinit simulator* refused_by = nullptr;

Dl_info module_of(const void* address) noexcept {
  Dl_info info{};
  return ::dladdr(address, &info) != 0 ? info : Dl_info{};
}

/// The standard library reads a clock for those that call it, the sanitizers' stand in for it.
bool is_on_the_way(const void* address) noexcept {
  const Dl_info in = module_of(address);
  if (!in.dli_fname)
    return false;
  const auto is = [name = std::string_view(in.dli_fname)](std::string_view library) {
    return name.find(library) != std::string_view::npos;
  };
  return is("/libstdc++.") || is("/libc++.") || is("/libasan.") || is("/libtsan.");
}

/// Whether the program is there, its own libraries with it, and not one of the system, which may
/// look at the clock for itself (OpenSSL, SQLite).
bool is_in_program(const void* address) noexcept {
  const Dl_info in = module_of(address);
  if (!in.dli_fname)
    return false;
  const auto headers = static_cast<std::uintptr_t>(::getauxval(AT_PHDR)); // of the program
  if (in.dli_fbase == module_of(reinterpret_cast<const void*>(headers)).dli_fbase)
    return true;
  const std::string_view name = in.dli_fname;
  return !name.starts_with("/usr/") && !name.starts_with("/lib") && !name.starts_with("/opt/");
}

/// Whether it is the program that reads a clock, by a call which returns to `by`.
bool program_reads(void* by) noexcept {
  if (!is_on_the_way(by))
    return is_in_program(by);
  std::array<void*, 16> calls{};
  auto* const end = calls.data() + ::backtrace(calls.data(), static_cast<int>(calls.size()));
  auto* const reader = std::find_if_not(std::find(calls.data(), end, by), end,
                                        [](const void* c) { return is_on_the_way(c); });
  return reader != end && is_in_program(*reader);
}

/// Somebody is about to read a clock by `call`, which returns to `by`.
void clock_is_read(const char* call, void* by) noexcept {
  simulator* const s = std::exchange(refused_by, nullptr); // who asks may read a clock
  if (!s)
    return;
  const quiet_here now;
  try {
    const auto* const task = troupe::detail::current_task_block();
    if (program_reads(by))
      s->fail(std::make_exception_ptr(test_failure(
        (task ? "task '" + name_or_empty(*task) + "'" : std::string("a call on a thread"))
        + " has read the machine's clock, which no seed brings back: " + call
        + "; current_time() and current_wall_time() are those of the simulation"
          " (simulation_options::may_read_clocks lets it read)")));
  } catch (...) {
    s->fail(std::current_exception());
  }
  refused_by = s;
}

using clock_reader = int (*)(clockid_t, timespec*);

int ask_kernel(clockid_t id, timespec* into) {
  return static_cast<int>(::syscall(SYS_clock_gettime, id, into));
}

/// The C library's own; the kernel's where there is none to be found (linked statically), and while
/// it is looked for. No lock: others may look at the same time, and the loader has one.
clock_reader real_reader() noexcept {
  static constinit std::atomic<clock_reader> found{nullptr};
  static thread_local constinit bool looking = false;
  clock_reader real = found.load(std::memory_order_relaxed);
  if (real || looking)
    return real ? real : ask_kernel;
  looking = true;
  real = reinterpret_cast<clock_reader>(::dlsym(RTLD_NEXT, "clock_gettime"));
  looking = false;
  if (!real)
    real = ask_kernel;
  found.store(real, std::memory_order_relaxed);
  return real;
}

int read_clock(clockid_t id, timespec* into) noexcept { return real_reader()(id, into); }

} // namespace

clocks_refused::clocks_refused(simulator* s) noexcept { refused_by = s; }

clocks_refused::~clocks_refused() { refused_by = nullptr; }

extern "C" {

[[gnu::weak, gnu::visibility("default")]] int clock_gettime(clockid_t id, timespec* into) noexcept {
  clock_is_read(
    id == CLOCK_REALTIME    ? "std::chrono::system_clock::now or clock_gettime(CLOCK_REALTIME)"
    : id == CLOCK_MONOTONIC ? "std::chrono::steady_clock::now or clock_gettime(CLOCK_MONOTONIC)"
                            : "clock_gettime",
    __builtin_return_address(0));
  return read_clock(id, into);
}

[[gnu::weak, gnu::visibility("default")]] int gettimeofday(timeval* into, void* zone) noexcept {
  clock_is_read("gettimeofday", __builtin_return_address(0));
  timespec now{};
  const int failed = read_clock(CLOCK_REALTIME, &now);
  if (into)
    *into = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1'000};
  if (zone)
    *static_cast<struct timezone*>(zone) = {}; // has long been the C library's answer
  return failed;
}

[[gnu::weak, gnu::visibility("default")]] std::time_t time(std::time_t* into) noexcept {
  clock_is_read("std::time", __builtin_return_address(0));
  timespec now{};
  read_clock(CLOCK_REALTIME_COARSE, &now); // as the C library's does
  if (into)
    *into = now.tv_sec;
  return now.tv_sec;
}

[[gnu::weak, gnu::visibility("default")]] int timespec_get(timespec* into, int base) noexcept {
  clock_is_read("std::timespec_get", __builtin_return_address(0));
  return base == TIME_UTC && read_clock(CLOCK_REALTIME, into) == 0 ? base : 0;
}

} // extern "C"

} // namespace troupe::testing::internal
