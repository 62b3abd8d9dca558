// SPDX-License-Identifier: BSD-3-Clause
#include "file_state.hpp"
#include "io_uring.hpp"

#include <troupe/detail/simulation.hpp>

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

namespace troupe::detail {

namespace {

/// From this size on, what was copied at once counts as a step of its own.
constexpr std::size_t large = std::size_t{32} * 1024;

/// Not more at once on the loop, where the others wait for it.
constexpr std::size_t most_on_loop = std::size_t{1024} * 1024;

/// Tries to do it with what the system has in memory. A checkpoint; gives -EAGAIN if it
/// would have to wait, without an effect.
class [[nodiscard]] attempt {
public:
  using troupe_awaitable = void;

  explicit attempt(const file_call& t) noexcept : call_(t) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    if (t.cancelled_at(h))
      return true;
    result_ = now();
    if (result_ < static_cast<ssize_t>(large))
      return result_ != -EAGAIN && t.must_yield(h);
    t.schedule_resume(h); // the others first
    t.home().look_around();
    return true;
  }
  [[nodiscard]] ssize_t await_resume() const noexcept { return result_; }

private:
  [[nodiscard]] ssize_t now() const noexcept {
    const iovec part{call_.data, std::min(call_.size, most_on_loop)};
    const ssize_t n = call_.what == file_call::kind::read
                        ? ::preadv2(call_.fd, &part, 1, call_.offset, RWF_NOWAIT)
                        : ::pwritev2(call_.fd, &part, 1, call_.offset, RWF_NOWAIT);
    if (n >= 0)
      return n;
    switch (errno) {
    case EAGAIN:
    case EINTR:
    case EOPNOTSUPP: // not with this file system
    case ENOSYS:
    case EINVAL: return -EAGAIN; // the call that waits says what is wrong
    default: return -errno;
    }
  }

  const file_call& call_;
  ssize_t result_ = 0;
};

} // namespace

task<ssize_t> carry_out(file_call t) {
  if (t.writes_to_pipe()) // only a thread can take the signal
    co_return co_await to_thread([&] { return carry_out_here(t); });
  const bool moves_bytes = t.what == file_call::kind::read || t.what == file_call::kind::write;
  if (moves_bytes && !simulation::current()) { // it depends on what the system has in memory
    const ssize_t n = co_await attempt(t);
    if (n != -EAGAIN)
      co_return n;
  }
  if (io_uring* ring = io_uring::of(current_task_block()->home())) {
    const ssize_t n = co_await io_uring_op(*ring, t);
    // what the ring could not do, a thread can, or says why not
    if (n != -EAGAIN && n != -EINTR && n != -EINVAL && n != -EOPNOTSUPP)
      co_return n;
  }
  co_return co_await to_thread([&] { return carry_out_here(t); });
}

} // namespace troupe::detail
