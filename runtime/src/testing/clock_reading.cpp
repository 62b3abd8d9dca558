// SPDX-License-Identifier: BSD-3-Clause
#include "simulator.hpp"

#include <troupe/testing/clock_reading.hpp>

#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace troupe::testing::internal {

namespace {

Dl_info module_of(const void* address) noexcept {
  Dl_info info{};
  return ::dladdr(address, &info) != 0 ? info : Dl_info{};
}

/// libstdc++ reads a clock for those that call it.
bool is_in_standard_library(const void* address) noexcept {
  const Dl_info in = module_of(address);
  return in.dli_fname && std::string_view(in.dli_fname).find("/libstdc++.") != std::string::npos;
}

/// Whether it is the program that reads a clock, by a call which returns to `by`, and not a library
/// for itself.
bool program_reads(const void* program, void* by) noexcept {
  const void* reader = by;
  if (is_in_standard_library(by)) {
    std::array<void*, 16> calls{};
    auto* const end = calls.data() + ::backtrace(calls.data(), static_cast<int>(calls.size()));
    reader = nullptr;
    for (auto* c = std::find(calls.data(), end, by); c != end && !reader; ++c)
      if (!is_in_standard_library(*c))
        reader = *c;
  }
  return module_of(reader).dli_fbase == module_of(program).dli_fbase;
}

} // namespace

void clock_is_read(const char* call, void* by) noexcept {
  static thread_local constinit bool asking = false; // who asks may read a clock
  simulator* const s = simulator::in_step();
  if (!s || asking)
    return;
  asking = true;
  try {
    const auto* const task = troupe::detail::current_task_block();
    if (program_reads(call, by))
      s->fail((task ? "task '" + name_or_empty(*task) + "'" : std::string("a call on a thread"))
              + " has read the machine's clock, which no seed brings back: " + call
              + "; current_time() and current_wall_time() are those of the simulation");
  } catch (...) {
    s->fail(std::current_exception());
  }
  asking = false;
}

} // namespace troupe::testing::internal
