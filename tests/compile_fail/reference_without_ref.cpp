// SPDX-License-Identifier: BSD-3-Clause
// says: where the function takes a non-const reference, pass std::ref(x)
#include <troupe/nursery.hpp>

#include <functional>

troupe::task<> count(int& total) {
  ++total;
  co_return;
}

troupe::task<> parent() {
  int total = 0;
  co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
#ifdef MISUSE
    n.start_soon(count, total);
#else
    n.start_soon(count, std::ref(total));
#endif
    co_return;
  });
}
