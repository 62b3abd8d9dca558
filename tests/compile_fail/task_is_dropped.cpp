// SPDX-License-Identifier: BSD-3-Clause
// says: a task does nothing until it is awaited or started in a nursery
#include <troupe/task.hpp>

troupe::task<> work() { co_return; }

troupe::task<> parent() {
#ifdef MISUSE
  work();
#else
  co_await work();
#endif
  co_return;
}
