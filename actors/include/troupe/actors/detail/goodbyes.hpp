// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cancel_scope.hpp>
#include <troupe/clock.hpp>
#include <troupe/nursery.hpp>
#include <troupe/task.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace troupe::pools {

template <class T>
struct connection;

/// How the good connections of a pool end: each says goodbye in a task of its own, which has a
/// limit, and is destroyed then.
template <class T>
class goodbyes {
public:
  using holder = std::unique_ptr<connection<T>>;

  /// `close`: says it; may be empty.
  goodbyes(const std::function<task<>(T&)>& close, duration limit) : close_(close), limit_(limit) {}
  goodbyes(const goodbyes&) = delete;
  goodbyes& operator=(const goodbyes&) = delete;

  /// As long as what this gives lives, the tasks are of that nursery; else nothing is said.
  [[nodiscard]] auto open(nursery& n) noexcept {
    struct while_it_lives {
      nursery*& here;
      explicit while_it_lives(nursery*& h) noexcept : here(h) {}
      while_it_lives(const while_it_lives&) = delete;
      while_it_lives& operator=(const while_it_lives&) = delete;
      ~while_it_lives() { here = nullptr; }
    };
    nursery_ = &n;
    return while_it_lives(nursery_);
  }

  /// Does not wait.
  void say(holder one) noexcept {
    if (!close_ || !nursery_)
      return;
    try {
      nursery_->start_soon(say_to, std::ref(*this), std::move(one));
    } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch): it goes without
    }
  }

  /// At the end. Waits, within the limit.
  [[nodiscard]] task<> say_to_all(std::vector<holder> last) {
    if (!close_ || last.empty())
      co_return;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (holder& one : last)
        n.start_soon(say_to, std::ref(*this), std::move(one));
      co_return;
    });
  }

private:
  static task<> say_to(goodbyes& self, holder one) {
    try {
      co_await move_on_after(self.limit_, [&]() { return self.close_(one->value); });
    } catch (const std::exception&) { // NOLINT(bugprone-empty-catch): it is gone all the same
    }
  }

  const std::function<task<>(T&)>& close_;
  duration limit_;
  nursery* nursery_ = nullptr;
};

} // namespace troupe::pools
