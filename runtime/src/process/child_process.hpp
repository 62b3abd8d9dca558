// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "spawn.hpp"

#include <troupe/descriptor_stream.hpp>
#include <troupe/process.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <array>
#include <csignal>
#include <optional>
#include <string>

namespace troupe::detail {

/// A child of this process: waited for through a descriptor (pidfd), which names it and
/// nobody else, even after it has ended. Its `process` and the tasks that wait share it.
class child_process
  : public boost::intrusive_ref_counter<child_process, boost::thread_unsafe_counter> {
public:
  child_process(loop& home, const command& what, spawned started);
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process() { end(); }

  /// Its object goes: what still runs is killed. A task that waits gets an error. Leaves
  /// neither the process behind nor what the kernel keeps of it.
  void end() noexcept;

  /// Asks the kernel whether it has ended; returns true if that is known now, or cannot be.
  bool reap() noexcept;

  [[nodiscard]] std::optional<exit_status> status() const noexcept { return status_; }
  /// The status was taken by somebody else.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  /// "sleep (pid 12)".
  [[nodiscard]] std::string label() const { return name_ + " (pid " + std::to_string(pid_) + ")"; }

  bool send_signal(int number);
  [[nodiscard]] task<exit_status> wait();
  [[nodiscard]] task<exit_status> stop(duration grace);

  [[nodiscard]] int pid() const noexcept { return pid_; }
  [[nodiscard]] duration grace() const noexcept { return grace_; }
  /// Null if there is no pipe.
  [[nodiscard]] descriptor_stream* end_of(std::size_t i) noexcept {
    return ends_[i] ? &*ends_[i] : nullptr;
  }
  [[nodiscard]] loop& home() const noexcept { return pidfd_->home(); }

private:
  void kill_and_reap() noexcept;
  int ask(siginfo_t& info, int flags) const noexcept;
  /// For one that waits while another does.
  [[nodiscard]] socket_ptr descriptor_of_its_own() const;

  std::string name_;
  pid_t pid_;
  bool own_group_;
  bool lost_ = false;
  bool waited_for_ = false;
  duration grace_;
  std::optional<exit_status> status_;
  socket_ptr pidfd_;
  std::array<std::optional<descriptor_stream>, 3> ends_;
};

using child_ptr = boost::intrusive_ptr<child_process>;

/// Our end of a pipe. `name` is for messages: "stdin of cat (pid 12)".
[[nodiscard]] descriptor_stream stream_of(loop& home, owned_fd end, std::string name);

/// Waits for a process that has been killed, beside the loop, and forgets it. At the end of
/// the loop, it waits in its stead.
void reap_later(loop& home, owned_fd pidfd) noexcept;

/// As the constructor of `process`, with other defaults.
struct process_access {
  [[nodiscard]] static child_process& child(const process& p) noexcept { return *p.child_; }
  [[nodiscard]] static process start(const command& what, const default_io& io);
  /// As above, on a thread: programs may lie on slow disks.
  [[nodiscard]] static task<process> open(const command& what, const default_io& io);
};

} // namespace troupe::detail
