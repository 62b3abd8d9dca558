// SPDX-License-Identifier: BSD-3-Clause
// says: only coroutines that return task<T> can be started
#include <troupe/nursery.hpp>

troupe::task<> parent() {
  co_await troupe::with_nursery([](troupe::nursery& n) -> troupe::task<> {
#ifdef MISUSE
    n.start_soon([] {});
#else
    n.start_soon([]() -> troupe::task<> { co_return; });
#endif
    co_return;
  });
}
