// SPDX-License-Identifier: BSD-3-Clause
#include "simulator.hpp"

#include <troupe/testing/clock_reading.hpp>

#include <dlfcn.h>
#include <execinfo.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace troupe::testing::internal {

namespace {

/// Whether it is the program that reads a clock, and not a library for itself: libstdc++ does it
/// for those that call it.
[[gnu::noinline]] bool program_reads() noexcept {
  constexpr int stand_in = 2; // for the clock, in the program; what it has called comes first
  std::array<void*, 8> calls{};
  const int n = ::backtrace(calls.data(), static_cast<int>(calls.size()));
  const auto where = [&](int i) {
    Dl_info info{};
    return ::dladdr(calls[static_cast<std::size_t>(i)], &info) != 0 ? info : Dl_info{};
  };
  for (int i = stand_in + 1; i < n; ++i) {
    const Dl_info by = where(i);
    const std::string_view file = by.dli_fname ? by.dli_fname : "";
    if (file.find("/libstdc++.") == std::string_view::npos)
      return by.dli_fbase == where(stand_in).dli_fbase;
  }
  return false;
}

} // namespace

void clock_is_read(const char* call) noexcept {
  static thread_local constinit bool asking = false; // who asks may read a clock
  simulator* const s = simulator::in_step();
  if (!s || asking)
    return;
  asking = true;
  try {
    const auto* const task = troupe::detail::current_task_block();
    if (program_reads())
      s->fail((task ? "task '" + name_or_empty(*task) + "'" : std::string("a call on a thread"))
              + " has read the machine's clock, which no seed brings back: " + call
              + "; current_time() and current_wall_time() are those of the simulation");
  } catch (...) {
    s->fail(std::current_exception());
  }
  asking = false;
}

} // namespace troupe::testing::internal
