// SPDX-License-Identifier: BSD-3-Clause
// says: a lambda says so with '-> troupe::task<>'
#include <troupe/nursery.hpp>

troupe::task<> parent() {
#ifdef MISUSE
  co_await troupe::with_nursery([](troupe::nursery&) {});
#else
  co_await troupe::with_nursery([](troupe::nursery&) -> troupe::task<> { co_return; });
#endif
}
