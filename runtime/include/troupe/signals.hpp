// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/socket_owner.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe {

namespace detail {
class signal_op;
} // namespace detail

/// Hears signals of the operating system, from construction to destruction:
///
///     signal_receiver signals({SIGHUP, SIGUSR1});
///     while (const int number = co_await signals.next())
///       co_await reload(number);
///
/// While it lives, these signals do not have their usual effect (end the program, be
/// ignored). A handler function that was there before is called as well, and what was
/// there before is put back by the last receiver of a signal. So SIGINT and SIGTERM still
/// cancel the root under `troupe::main`, and SIGQUIT writes the task tree, whoever else
/// hears of them.
///
/// Signals that arrive while nobody waits are kept, once a number, as the kernel does.
/// Of several receivers of one signal, on any loops, each hears it. A handler that is
/// installed by other means (`sigaction`, `asio::signal_set`) while a receiver lives takes
/// its signals away; then the receiver leaves that handler alone.
///
/// Belongs to the loop that made it, and must outlive the tasks that wait in it. After
/// Trio's `open_signal_receiver`.
class signal_receiver {
public:
  /// Throws `std::system_error` that names the signal if it cannot be heard (SIGKILL,
  /// SIGSTOP), or if there is no descriptor left; `usage_error` outside of a task, for no
  /// signals at all, and for those that are a fault of the program (SIGSEGV ...).
  explicit signal_receiver(const std::vector<int>& signals);
  signal_receiver(const signal_receiver&) = delete;
  signal_receiver& operator=(const signal_receiver&) = delete;
  ~signal_receiver();

  /// Waits for the next signal; gives its number, which is never 0. A checkpoint;
  /// cancelled, it has taken none. Throws `usage_error` on another loop, or if another
  /// task waits already.
  [[nodiscard]] task<int> next();

private:
  friend class detail::signal_op;

  struct heard {
    int number;
    std::uint64_t seen; // of the count of this signal
  };

  /// A signal that has come and was not given out yet, or 0.
  int take() noexcept;
  void uninstall(std::size_t count) noexcept;

  std::vector<heard> signals_;
  std::size_t next_ = 0; // whose turn it is
  detail::socket_owner wake_;
};

} // namespace troupe
