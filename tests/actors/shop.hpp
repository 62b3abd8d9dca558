// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/connection_pool.hpp>
#include <troupe/net_error.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

namespace troupe_test {

/// What there is on the other side of pooled connections.
struct shop {
  int open = 0, most_open = 0, made = 0;
  bool refuses = false;
  bool sick = false; // checks fail
};

/// A connection that counts itself.
class wire {
public:
  explicit wire(shop& s) : shop_(&s), number_(++s.made) {
    s.most_open = std::max(s.most_open, ++s.open);
  }
  wire(wire&& other) noexcept
    : shop_(std::exchange(other.shop_, nullptr)), number_(other.number_) {}
  wire& operator=(wire&& other) noexcept {
    std::swap(shop_, other.shop_);
    std::swap(number_, other.number_);
    return *this;
  }
  ~wire() {
    if (shop_)
      --shop_->open;
  }
  [[nodiscard]] int number() const noexcept { return number_; }

private:
  shop* shop_;
  int number_;
};

/// A connection takes so long to open.
inline troupe::connection_functions<wire>
functions_of(shop& s, troupe::duration opening = std::chrono::milliseconds(10)) {
  troupe::connection_functions<wire> f;
  f.open = [&s, opening]() -> troupe::task<wire> {
    co_await troupe::sleep_for(opening);
    if (s.refuses)
      throw troupe::connection_refused(std::make_error_code(std::errc::connection_refused),
                                       "connect to", "the shop");
    co_return wire(s);
  };
  f.check = [&s](wire&) -> troupe::task<bool> {
    co_await troupe::sleep_for(std::chrono::milliseconds(1));
    co_return !s.sick;
  };
  return f;
}

} // namespace troupe_test
