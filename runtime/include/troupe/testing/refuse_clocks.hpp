// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Lets a simulated run fail where the program reads the machine's clock, which no seed brings
// back: `std::chrono::steady_clock::now()`, `std::time`, and so on. The failure, a `test_failure`,
// names the call and the task. Stands in for the functions of the C library on which those of C++
// are built, in the whole program; runs that are not simulated read the clock as ever, and so do
// libraries for themselves (OpenSSL, SQLite). To be included in one source of a test program; a
// part of no other header.

#include <troupe/testing/clock_reading.hpp>

#include <dlfcn.h>
#include <sys/time.h>

#include <ctime>

namespace troupe::testing::internal {

/// The C library's own.
template <class Function>
Function* real_function(const char* name) noexcept {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

} // namespace troupe::testing::internal

extern "C" int clock_gettime(clockid_t id, timespec* into) noexcept {
  static auto* const real =
    troupe::testing::internal::real_function<int(clockid_t, timespec*)>("clock_gettime");
  troupe::testing::internal::clock_is_read(
    id == CLOCK_REALTIME    ? "std::chrono::system_clock::now or clock_gettime(CLOCK_REALTIME)"
    : id == CLOCK_MONOTONIC ? "std::chrono::steady_clock::now or clock_gettime(CLOCK_MONOTONIC)"
                            : "clock_gettime",
    __builtin_return_address(0));
  return real(id, into);
}

extern "C" int gettimeofday(timeval* into, void* zone) noexcept {
  static auto* const real =
    troupe::testing::internal::real_function<int(timeval*, void*)>("gettimeofday");
  troupe::testing::internal::clock_is_read("gettimeofday", __builtin_return_address(0));
  return real(into, zone);
}

extern "C" std::time_t time(std::time_t* into) noexcept {
  static auto* const real =
    troupe::testing::internal::real_function<std::time_t(std::time_t*)>("time");
  troupe::testing::internal::clock_is_read("std::time", __builtin_return_address(0));
  return real(into);
}
