// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/testing/failing_allocations.hpp>

/// Failures on demand, for programs that link fault_injection.cpp: it replaces
/// `operator new` and the system calls of sockets for the whole program.
namespace troupe_test::faults {

/// accept4, connect, recv and send: fail with `io_error`.
extern troupe::testing::failing_events io;
void io_error(int error) noexcept;

} // namespace troupe_test::faults
