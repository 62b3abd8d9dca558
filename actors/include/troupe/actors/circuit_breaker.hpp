// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/awaited_function.hpp>
#include <troupe/clock.hpp>
#include <troupe/task.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace troupe {

enum class circuit_state {
  closed,    ///< calls go through
  open,      ///< calls are refused
  half_open, ///< a few go through, to see whether it works again
};

/// When a circuit breaker opens, and for how long.
struct circuit_breaker_options {
  std::string name = "circuit breaker";       ///< for messages
  std::size_t failures = 5;                   ///< so many in a row open it; 0: that is not counted
  double failure_rate = 0;                    ///< and so does this part of the calls (0.5: half)
  duration window = std::chrono::seconds(10); ///< of this time,
  std::size_t least_calls = 20;               ///< if there were so many; 0 as a rate: not counted
  duration open_for = std::chrono::seconds(30); ///< then it lets probes through
  double jitter = 0.1;                          ///< a random part of that is left out, at most this
  std::size_t probes = 1;                       ///< so many at a time; as many successes close it

  /// Which failures count; the others say that it works. All, if not given. Must not throw.
  std::function<bool(const std::exception_ptr&)> counts = {};

  /// Hears of each change. Must not throw.
  std::function<void(circuit_state)> on_change = {};
};

struct circuit_breaker_statistics {
  std::uint64_t succeeded;
  std::uint64_t failed; ///< of those that count
  std::uint64_t refused;
  std::uint64_t opened;
};

/// A circuit breaker has refused a call. The message names the breaker, says for how long, and what
/// the last failure was.
class circuit_open : public std::runtime_error {
public:
  circuit_open(const std::string& what, duration retry_after)
    : std::runtime_error(what), retry_after_(retry_after) {}

  /// When it is worth trying again; zero if a probe is under way.
  [[nodiscard]] duration retry_after() const noexcept { return retry_after_; }

private:
  duration retry_after_;
};

/// Stops calling what does not work: after too many failures, calls fail at once, so that nobody
/// waits for what is not there, and what is overloaded can recover. After a time a few probes go
/// through; when these succeed, all do.
///
///     circuit_breaker breaker({.name = "database", .failures = 3});
///     auto rows = co_await breaker.call([&] { return database.find(query); });
///
/// For one loop; all calls of it may be under way at a time.
class circuit_breaker {
public:
  /// Throws `std::invalid_argument` if the options contradict each other.
  explicit circuit_breaker(circuit_breaker_options options);
  circuit_breaker(const circuit_breaker&) = delete;
  circuit_breaker& operator=(const circuit_breaker&) = delete;

  /// Calls `body()`, a coroutine, and gives its value. Throws what it throws, and `circuit_open`
  /// without having called it. One that is cancelled counts neither way: give it its limit inside
  /// (`fail_after`). A checkpoint where `body` is one, and when it is refused.
  template <class Body>
  [[nodiscard]] auto call(Body&& body);

  /// Opens it, or closes it and forgets what was, whatever the calls say. Not a checkpoint.
  void open();
  void close();

  /// As a call would find it now. Not a checkpoint.
  [[nodiscard]] circuit_state state();

  [[nodiscard]] const circuit_breaker_statistics& statistics() const noexcept { return counted_; }

private:
  /// A call that is under way; without a verdict in the end, it was cancelled.
  class attempt {
  public:
    explicit attempt(circuit_breaker& b) noexcept;
    attempt(const attempt&) = delete;
    attempt& operator=(const attempt&) = delete;
    ~attempt();

    void succeeded();
    void failed(const std::exception_ptr& why);

  private:
    circuit_breaker& breaker_;
    std::uint64_t era_;
    bool probe_;
  };

  struct slot {
    time_point::rep number = -1;
    std::size_t calls = 0;
    std::size_t failures = 0;
  };

  template <class Body>
  task<typename std::invoke_result_t<Body&>::value_type> run(Body body);

  // Throws `circuit_open` if it is to be refused. A checkpoint then.
  task<> ask();
  void count(bool failed);
  [[nodiscard]] bool too_many() const;
  void change(circuit_state to);

  circuit_breaker_options options_;
  circuit_state state_ = circuit_state::closed;
  time_point open_until_{};
  std::uint64_t era_ = 0; // a call that began before the last change has no say
  std::size_t in_a_row_ = 0;
  std::size_t probing_ = 0;
  std::size_t probes_passed_ = 0;
  std::array<slot, 10> window_;
  std::string last_failure_;
  circuit_breaker_statistics counted_{};
};

// -- implementation -----------------------------------------------------------------

template <class Body>
task<typename std::invoke_result_t<Body&>::value_type> circuit_breaker::run(Body body) {
  co_await ask();
  attempt mine(*this);
  try {
    if constexpr (std::is_void_v<typename std::invoke_result_t<Body&>::value_type>) {
      co_await std::invoke(body);
      mine.succeeded();
    } else {
      auto value = co_await std::invoke(body);
      mine.succeeded();
      co_return value;
    }
  } catch (...) {
    mine.failed(std::current_exception());
    throw;
  }
}

template <class Body>
auto circuit_breaker::call(Body&& body) {
  check_awaited_arguments<Body>();
  return run<std::decay_t<Body>>(std::forward<Body>(body));
}

} // namespace troupe
