// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/cleanup.hpp>
#include <troupe/command.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace troupe {

namespace detail {
class child_process;
struct process_access;
} // namespace detail

/// How a process has ended.
class exit_status {
public:
  [[nodiscard]] static exit_status exited(int code) noexcept { return {code, 0, false}; }
  [[nodiscard]] static exit_status killed(int signal, bool core_dumped = false) noexcept {
    return {0, signal, core_dumped};
  }

  [[nodiscard]] bool success() const noexcept { return signal_ == 0 && code_ == 0; }
  /// The exit code; as a shell has it, 128 plus the number, if a signal has ended it.
  [[nodiscard]] int code() const noexcept { return signal_ ? 128 + signal_ : code_; }
  /// The signal that has ended it, or 0.
  [[nodiscard]] int signal() const noexcept { return signal_; }
  [[nodiscard]] bool core_dumped() const noexcept { return core_dumped_; }

  friend bool operator==(const exit_status&, const exit_status&) = default;

private:
  exit_status(int code, int signal, bool core) noexcept
    : code_(code), signal_(signal), core_dumped_(core) {}

  int code_;
  int signal_;
  bool core_dumped_;
};

/// "exit code 3", "SIGKILL", "SIGABRT (core dumped)".
[[nodiscard]] std::string to_string(const exit_status& status);

/// A process could not be started, or waited for: "cannot run foo: No such file or
/// directory".
class process_error : public std::system_error {
public:
  using std::system_error::system_error;
};

/// A program that was to be checked has not exited with 0: "'sh -c ...' has failed with
/// exit code 3: ", and the end of what it wrote to stderr.
class process_failed : public std::runtime_error {
public:
  process_failed(std::string command, exit_status status, std::string_view errors);

  [[nodiscard]] const std::string& command() const noexcept { return command_; }
  [[nodiscard]] exit_status status() const noexcept { return status_; }

private:
  std::string command_;
  exit_status status_;
};

/// A program wrote more than `run_process` was to keep, and was ended.
class output_too_long : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// What has become of a program, and what it wrote where it was captured.
class process_result {
public:
  process_result(exit_status ended, std::string written, std::string complained)
    : status(ended), out(std::move(written)), err(std::move(complained)) {}

  exit_status status;
  std::string out;
  std::string err;
};

/// Runs a program to its end, feeding it `input` and capturing what it writes; neither can
/// block the other.
///
///     const auto sorted = co_await run_process(command("sort").input(text).check());
///
/// Waits until the program has ended and its stdout and stderr are closed, if they are
/// captured: also by those that it has started. A program that does not read its input
/// is no error.
///
/// A checkpoint. Cancelled (use `fail_after` for a time limit), it sends SIGTERM, SIGKILL
/// after the grace, and goes on when the process is gone. Throws `process_error` that
/// names the program if it cannot be run, `process_failed` if it was to be checked,
/// `output_too_long`.
[[nodiscard]] task<process_result> run_process(command what);

/// A child process, with streams to its standard descriptors.
///
/// It does not outlive its object: the destructor kills (SIGKILL) what still runs, without
/// waiting for it, and leaves no zombie. `with_process` ends it in an orderly way.
///
/// Whoever else waits for children, and handlers of SIGCHLD, are not disturbed: it waits
/// for its own process only, by a descriptor. Belongs to the loop that made it.
class process {
public:
  /// Starts the program. Not a checkpoint: it holds the loop until the program has replaced
  /// this one in the child, about a millisecond; see `open_process`. Throws `process_error` that
  /// names it: "cannot run foo: No such file or directory"; `usage_error` outside of a task.
  explicit process(const command& what);
  process(process&& other) noexcept : child_(std::exchange(other.child_, nullptr)) {}
  process& operator=(process&& other) noexcept {
    std::swap(child_, other.child_);
    return *this;
  }
  ~process();

  [[nodiscard]] int pid() const noexcept;

  /// The streams to and from it, for what is a pipe; else `usage_error`. Each goes one
  /// way; the other one is a `net_error`. Closing `std_in` (or `send_eof`) is the end of the
  /// program's input; writing to a program that has closed it throws `broken_pipe`. Cancellation as
  /// with all streams.
  [[nodiscard]] stream& std_in() const;
  [[nodiscard]] stream& std_out() const;
  [[nodiscard]] stream& std_err() const;

  /// Waits until the process has ended. Any number of tasks, and again afterwards. A
  /// program that writes to a pipe which nobody reads does not end.
  ///
  /// A checkpoint; cancelled, the process goes on, and nothing is lost. Throws
  /// `process_error` if somebody else has taken the status (`waitpid(-1)`, ignored SIGCHLD).
  [[nodiscard]] task<exit_status> wait();

  /// The status, if the process is known to have ended. Never waits.
  [[nodiscard]] std::optional<exit_status> status() const noexcept;

  /// Sends a signal, to the group if it has one of its own. Returns false if the process
  /// has ended. Throws `process_error`. Not a checkpoint.
  bool send_signal(int number);
  bool terminate() { return send_signal(15); }
  bool kill() { return send_signal(9); }

  /// Ends the process: SIGTERM, after the grace SIGKILL; gives the status. Not a
  /// checkpoint: cancellation waits until the process has ended. Throws as `wait`.
  [[nodiscard]] task<exit_status> stop(duration grace);
  /// As above, not a checkpoint, with the grace of its command.
  [[nodiscard]] task<exit_status> stop();

private:
  friend struct detail::process_access;

  explicit process(detail::child_process& started) noexcept;

  [[nodiscard]] detail::child_process& child(const char* what) const;
  [[nodiscard]] stream& end_of(std::size_t which, const char* what) const;

  detail::child_process* child_;
};

/// Starts a program, as the constructor of `process` does, but on a thread (`to_thread`):
/// starting one from a slow disk takes its time, and the loop goes on.
///
/// A checkpoint; cancelled, there is no process. Throws as the constructor. What the command
/// names (descriptors) must be there until it returns.
[[nodiscard]] task<process> open_process(command what);

namespace detail {

template <class Body>
using process_body_result = typename std::invoke_result_t<Body&, process&>::value_type;

template <class Body>
task<process_body_result<Body>> run_with_process(command what, Body body) {
  process p = co_await open_process(what);
  co_return co_await with_cleanup([&]() { return std::invoke(body, p); },
                                  [&]() -> task<> { static_cast<void>(co_await p.stop()); },
                                  duration::max());
}

} // namespace detail

/// Starts a program, runs `body(process&)`, a coroutine, beside it, and when the body has
/// ended in whatever way, ends the process if it still runs (SIGTERM, SIGKILL after the
/// grace):
///
///     co_await with_process(command("bc", "-q"), [](process& bc) -> task<> {
///       co_await bc.std_in().write_all("6 * 7\n");
///       buffered_reader lines(bc.std_out());
///       std::cout << *co_await lines.read_line() << '\n';
///     });
///
/// Gives the body's value. Throws what the constructor of `process` and the body throw. Not
/// a checkpoint by itself.
template <class Body>
[[nodiscard]] auto with_process(command what, Body&& body) {
  detail::check_awaited_arguments<Body>();
  return detail::run_with_process<std::decay_t<Body>>(std::move(what), std::forward<Body>(body));
}

} // namespace troupe
