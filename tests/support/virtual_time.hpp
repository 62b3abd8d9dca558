// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/troupe.hpp>

#include <utility>

namespace troupe_test {

/// Time that stands still while anything can run, and otherwise jumps to the next
/// timer. For one loop.
class virtual_time final : public troupe::detail::time_source {
public:
  [[nodiscard]] troupe::time_point now() const noexcept override { return now_; }
  bool idle(troupe::detail::loop&, troupe::time_point next) noexcept override {
    if (next == troupe::time_point::max())
      return false;
    now_ = next;
    return true;
  }
  void busy(troupe::detail::loop&) noexcept override {}

private:
  troupe::time_point now_{};
};

/// Runs a root task on one loop, on virtual time.
template <class F>
auto run_virtually(F fn) {
  virtual_time time;
  troupe::run_options options;
  options.loops = 1;
  options.time = &time;
  return troupe::run(options, std::move(fn));
}

} // namespace troupe_test
