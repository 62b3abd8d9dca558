// SPDX-License-Identifier: BSD-3-Clause
#include "file_seam.hpp"
#include "file_state.hpp"
#include "io_uring.hpp"

#include <troupe/detail/simulation.hpp>
#include <troupe/time.hpp>

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

task<ssize_t> carry_out_in_fact(file_call t) {
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

file_use use_of(file_call::kind what) noexcept {
  switch (what) {
  case file_call::kind::read: return file_use::read;
  case file_call::kind::write: return file_use::write;
  case file_call::kind::sync:
  case file_call::kind::sync_data: break;
  }
  return file_use::sync;
}

task<ssize_t> carry_out_by_plan(file_call t) {
  const file_use use = use_of(t.what);
  if (const int error = ask_file(use, *t.path, t.size)) {
    co_await checkpoint();
    co_return -error;
  }
  const ssize_t n = co_await carry_out_in_fact(t);
  if (n > 0)
    tell_file_moved(use, *t.path, static_cast<std::size_t>(n));
  if (n >= 0 && use != file_use::read)
    tell_file_changed(use, *t.path, *t.path);
  co_return n;
}

} // namespace

task<ssize_t> carry_out(file_call t) {
  if (faults_in_force() && t.path) [[unlikely]]
    return carry_out_by_plan(t);
  return carry_out_in_fact(t);
}

} // namespace troupe::detail
