// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/pulse.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/nursery.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace troupe {

/// When a queue of bytes counts as full, and when as drained again.
struct water_marks {
  std::size_t high = 65536; ///< with so many bytes queued, writers wait
  std::size_t low = 16384;  ///< until no more than this are left
};

/// A queue in front of a stream: several tasks write without waiting for each other, and
/// nobody waits for a peer that is only a little slow. See `with_queued_writer`.
///
/// Bounded: who writes into a full queue waits until it has drained, or is told so. What one
/// call adds stays together. For the loop of the stream.
///
/// After asyncio's transports with their high and low water.
class queued_writer {
public:
  queued_writer(const queued_writer&) = delete;
  queued_writer& operator=(const queued_writer&) = delete;

  /// Waits while the queue is full, then adds `data`, which is copied. A checkpoint; cancelled,
  /// nothing was added. Throws `usage_error` after the body has ended.
  [[nodiscard]] task<> write(std::span<const std::byte> data);
  [[nodiscard]] task<> write(std::string_view text);

  /// Adds `data` if the queue is not full, and says whether it has. Not a checkpoint.
  bool try_write(std::span<const std::byte> data);
  bool try_write(std::string_view text);

  /// Waits until all that was added before is written. A checkpoint.
  [[nodiscard]] task<> flush();

  /// How many bytes are queued, and whether that is too many.
  [[nodiscard]] std::size_t size() const noexcept { return pending_.size() + writing_.size(); }
  [[nodiscard]] bool full() const noexcept { return full_; }

  /// For `with_queued_writer`. Checkpoints.
  queued_writer(stream& to, water_marks marks) noexcept : to_(to), marks_(marks) {}
  task<> run();
  void close();

private:
  void add(std::span<const std::byte> data);

  stream& to_;
  water_marks marks_;
  std::string pending_;
  std::string writing_;
  detail::pulse work_;    // the writing task waits for it
  detail::pulse room_;    // those who write wait for it
  detail::pulse written_; // those who flush wait for it
  std::size_t added_ = 0;
  std::size_t done_ = 0;
  bool full_ = false;
  bool closed_ = false;
};

/// Runs `body(writer)`, a coroutine, with a queue in front of `to`, and a task that writes what
/// is queued; returns when the body has ended and all is written.
///
/// Gives the body's value. When a write fails, the body is cancelled, and the failure thrown.
/// Not a checkpoint by itself, but waits for what is queued.
template <class Body>
[[nodiscard]] auto with_queued_writer(stream& to, water_marks marks, Body&& body);
template <class Body>
[[nodiscard]] auto with_queued_writer(stream& to, Body&& body);

// -- implementation -----------------------------------------------------------------

namespace detail {

template <class Body>
task<typename std::invoke_result_t<Body&, queued_writer&>::value_type>
run_queued_writer(stream& to, water_marks marks, Body body) {
  using value = typename std::invoke_result_t<Body&, queued_writer&>::value_type;
  queued_writer writer(to, marks);
  co_return co_await with_nursery([&](nursery& n) -> task<value> {
    n.start_soon(named("queued writer", [&writer]() { return writer.run(); }));
    struct closing { // also when the body fails: nothing may be added any more
      queued_writer& w;
      ~closing() { w.close(); }
    } const at_the_end{writer};
    co_return co_await std::invoke(body, writer);
  });
}

} // namespace detail

template <class Body>
auto with_queued_writer(stream& to, water_marks marks, Body&& body) {
  detail::check_awaited_arguments<Body>();
  return detail::run_queued_writer<std::decay_t<Body>>(to, marks, std::forward<Body>(body));
}

template <class Body>
auto with_queued_writer(stream& to, Body&& body) {
  return with_queued_writer(to, water_marks{}, std::forward<Body>(body));
}

} // namespace troupe
