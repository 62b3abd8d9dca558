// SPDX-License-Identifier: BSD-3-Clause
// says: to_thread runs plain functions; a coroutine is awaited, or started in a nursery
#include <troupe/thread.hpp>

int plain() { return 1; }
troupe::task<int> coroutine() { co_return 1; }

troupe::task<int> parent() {
#ifdef MISUSE
  co_return co_await troupe::to_thread(coroutine);
#else
  co_return co_await troupe::to_thread(plain);
#endif
}
