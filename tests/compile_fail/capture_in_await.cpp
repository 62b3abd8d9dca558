// SPDX-License-Identifier: BSD-3-Clause
// says: this compiler destroys twice what a temporary lambda has captured by value
#include <troupe/nursery.hpp>

#include <memory>

troupe::task<> parent(std::shared_ptr<int> data) {
#ifdef MISUSE
  co_await troupe::with_nursery([data](troupe::nursery&) -> troupe::task<> { co_return; });
#else
  auto body = [data](troupe::nursery&) -> troupe::task<> { co_return; };
  co_await troupe::with_nursery(body);
  co_await troupe::with_nursery(std::ref(body));
  co_await troupe::with_nursery([&](troupe::nursery&) -> troupe::task<> { co_return; });
#endif
}
