// SPDX-License-Identifier: BSD-3-Clause
// says: use of deleted function
#include <troupe/task.hpp>

#include <utility>

troupe::task<> run_it(troupe::task<> t) { co_await std::move(t); }

troupe::task<> parent(troupe::task<> t) {
#ifdef MISUSE
  co_await run_it(t);
#else
  co_await run_it(std::move(t));
#endif
}
