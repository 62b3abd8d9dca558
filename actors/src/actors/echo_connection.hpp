// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/echo.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/clock.hpp>
#include <troupe/nursery.hpp>
#include <troupe/task.hpp>
#include <troupe/time.hpp>

#include <functional>

namespace troupe {

/// What a connection waits for when it has nothing to do: it is cut off when a nursery around is
/// asked to stop, or after some time.
class until_stopped {
public:
  until_stopped() = default;
  until_stopped(const until_stopped&) = delete;
  until_stopped& operator=(const until_stopped&) = delete;

  /// For a service of the connection's nursery: waits for the stop. A checkpoint.
  [[nodiscard]] task<> watch() {
    co_await stopping();
    if (waiting_)
      waiting_->cancel("asked to stop");
  }

  /// Runs `wait()`, a coroutine; gives false if it was cut off. A checkpoint as `wait`.
  [[nodiscard]] task<bool> run(duration limit, const std::function<task<>()>& wait) {
    if (is_stopping())
      co_return false;
    co_return co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      const struct marked {
        cancel_scope*& mark;
        ~marked() { mark = nullptr; }
      } here{waiting_ = &s};
      if (limit != duration::max())
        s.deadline(current_time() + limit);
      co_await wait();
    });
  }

private:
  cancel_scope* waiting_ = nullptr;
};

/// Counts a connection as long as it lives.
class counted_connection {
public:
  explicit counted_connection(echo_meter* meter) noexcept : meter_(meter) {
    if (meter_)
      meter_->connected();
  }
  counted_connection(const counted_connection&) = delete;
  counted_connection& operator=(const counted_connection&) = delete;
  ~counted_connection() {
    if (meter_)
      meter_->disconnected();
  }

private:
  echo_meter* meter_;
};

} // namespace troupe
