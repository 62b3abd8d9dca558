// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../net/socket.hpp"
#include "file_state.hpp"

#include <boost/asio/execution_context.hpp>

#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>

namespace troupe::detail {

class io_uring_op;

/// The io_uring of a loop: the kernel reads and writes files beside it and says when it
/// is done. The ring is a descriptor, which the loop waits for with its sockets.
///
/// Made by system calls alone, as it is three of them: without a library, a program that
/// was built here runs where the kernel has no io_uring or forbids it.
class io_uring final : public boost::asio::execution_context::service, private poll_target {
public:
  using key_type = io_uring;
  static inline boost::asio::execution_context::id id;

  explicit io_uring(boost::asio::execution_context& io) : service(io) {}
  ~io_uring() override;

  /// That of `home`, made when first asked for; null if there is none.
  [[nodiscard]] static io_uring* of(loop& home);

  /// Returns false if it could not be taken on.
  [[nodiscard]] bool start(io_uring_op& op) noexcept;

  /// Asks for an end; what becomes of the operation is heard as ever.
  void cancel(io_uring_op& op) noexcept;

  /// Hears what is done already. Calls the operations.
  void reap() noexcept;

private:
  enum class state { unknown, usable, unusable };

  void shutdown() override;
  void ready(std::uint32_t) noexcept override { reap(); }
  [[nodiscard]] bool set_up(loop& home) noexcept;
  [[nodiscard]] bool map(const io_uring_params& p) noexcept;
  [[nodiscard]] bool submit(const io_uring_sqe& what) noexcept;

  owned_fd ring_{-1};
  state state_ = state::unknown;
  unsigned under_way_ = 0;

  void* rings_ = nullptr;
  std::size_t rings_size_ = 0;
  io_uring_sqe* entries_ = nullptr;
  std::size_t entries_size_ = 0;
  unsigned* submitted_head_ = nullptr;
  unsigned* submitted_tail_ = nullptr;
  unsigned* submitted_index_ = nullptr;
  unsigned submitted_mask_ = 0;
  unsigned* done_head_ = nullptr;
  unsigned* done_tail_ = nullptr;
  io_uring_cqe* done_ = nullptr;
  unsigned done_mask_ = 0;
};

/// A transfer by a ring. Gives what the system call would, or minus the error number;
/// -EAGAIN if the ring did not do it.
class [[nodiscard]] io_uring_op final : public suspension {
public:
  using troupe_awaitable = void;

  io_uring_op(io_uring& ring, const file_call& t) noexcept : ring_(ring), call_(t) {}
  io_uring_op(const io_uring_op&) = delete;
  io_uring_op& operator=(const io_uring_op&) = delete;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    if (!ring_.start(*this))
      return false;
    ring_.reap();
    if (done_)
      return task_->must_yield(h);
    waiting_ = true;
    task_->home().outside(1);
    task_->wait(h, *this);
    return true;
  }
  [[nodiscard]] ssize_t await_resume() const noexcept { return result_; }

  bool withdraw() noexcept override {
    withdrawn_ = true;
    ring_.cancel(*this);
    return false; // the kernel says what has become of it
  }
  [[nodiscard]] const char* waits_for() const noexcept override { return "a file"; }

  // -- for the ring
  void completed(int result) noexcept;
  [[nodiscard]] const file_call& what() const noexcept { return call_; }

private:
  io_uring& ring_;
  const file_call& call_;
  task_block* task_ = nullptr;
  ssize_t result_ = -EAGAIN;
  bool done_ = false;
  bool waiting_ = false;
  bool withdrawn_ = false;
};

} // namespace troupe::detail
