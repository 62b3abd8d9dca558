// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// Where a standard descriptor of a child process leads.
enum class child_io {
  inherit,   ///< where that of this process leads
  null,      ///< /dev/null
  pipe,      ///< to a stream of this process
  to_stdout, ///< for stderr: where stdout leads
};

/// How long a child process may take to end after SIGTERM, if nothing is said.
inline constexpr duration default_grace = std::chrono::seconds(5);

/// How much `run_process` keeps of stdout, and of stderr, if nothing is said: 16 MiB.
inline constexpr std::size_t default_output_limit = std::size_t{16} << 20U;

namespace detail {

/// What a `command` says.
struct command_parts {
  /// A child's descriptor: one of ours (`fd` not negative), or what `io` says, if anything.
  struct target {
    std::optional<child_io> io;
    int fd = -1;
  };
  /// A change to the environment; without a value, the variable is taken out.
  struct variable {
    std::string name;
    std::optional<std::string> value;
  };

  std::vector<std::string> argv;
  std::vector<variable> variables;
  bool empty_environment = false;
  std::string directory;
  std::optional<std::string> input;
  target standard[3];
  std::vector<int> descriptors; // become 3, 4 ...
  duration grace = default_grace;
  std::size_t output_limit = default_output_limit;
  bool own_group = false;
  bool check = false;
};

} // namespace detail

/// A program to run, and how:
///
///     co_await run_process(command("sort", "-r").input(text).env("LC_ALL", "C"));
///
/// The program is looked for in the PATH of this process if it has no slash. No shell is
/// involved: arguments are passed on as they are. A child inherits the three standard
/// descriptors as said here and no other, whether or not they are marked close-on-exec; it
/// has no signal blocked, and SIGPIPE has its default effect.
class command {
public:
  template <class... Args>
    requires(std::convertible_to<Args, std::string>&&...)
  explicit command(std::string program, Args&&... args) {
    parts_.argv.reserve(1 + sizeof...(Args));
    parts_.argv.push_back(std::move(program));
    (parts_.argv.push_back(std::forward<Args>(args)), ...);
  }
  /// The program and its arguments. Throws `usage_error` if there is none.
  explicit command(std::vector<std::string> argv);

  /// One more argument.
  command& arg(std::string a) {
    parts_.argv.push_back(std::move(a));
    return *this;
  }

  /// Sets a variable of the environment, takes one out, or begins with none at all. What is
  /// not named here is as in this process.
  command& env(std::string name, std::string value);
  command& unset_env(std::string name);
  command& clear_env() noexcept {
    parts_.empty_environment = true;
    parts_.variables.clear();
    return *this;
  }

  /// The working directory; a relative path of the program is relative to it.
  command& cwd(std::string directory) {
    parts_.directory = std::move(directory);
    return *this;
  }

  /// What the program reads; for `run_process`. Without it: nothing (/dev/null).
  command& input(std::string text) {
    parts_.input = std::move(text);
    return *this;
  }

  /// Where the standard descriptors lead. A number is a descriptor of this process, which
  /// the child gets a copy of. If nothing is said, `run_process` captures stdout and stderr;
  /// a `process` has pipes for stdin and stdout, and inherits stderr.
  command& std_in(child_io where) { return standard(0, where); }
  command& std_out(child_io where) { return standard(1, where); }
  command& std_err(child_io where) { return standard(2, where); }
  command& std_in(int fd) noexcept { return standard(0, fd); }
  command& std_out(int fd) noexcept { return standard(1, fd); }
  command& std_err(int fd) noexcept { return standard(2, fd); }

  /// One more descriptor for the child: the first that is passed becomes 3 there, the
  /// second 4, and so on. It stays open here.
  command& pass_descriptor(int fd) {
    parts_.descriptors.push_back(fd);
    return *this;
  }

  /// How long the program may take to end after SIGTERM, before SIGKILL.
  command& grace(duration d) noexcept {
    parts_.grace = d;
    return *this;
  }

  /// How much of stdout, and of stderr, `run_process` keeps. More is an error,
  /// `output_too_long`.
  command& output_limit(std::size_t bytes) noexcept {
    parts_.output_limit = bytes;
    return *this;
  }

  /// The child leads a process group of its own: signals go to all of the group, and what is
  /// left of it when the child has ended is killed. For programs that start others. Ctrl-C
  /// on the terminal does not reach it then.
  command& own_group(bool on = true) noexcept {
    parts_.own_group = on;
    return *this;
  }

  /// `run_process` throws `process_failed` if the program does not exit with 0.
  command& check(bool on = true) noexcept {
    parts_.check = on;
    return *this;
  }

  /// The program's name, as given.
  [[nodiscard]] const std::string& program() const noexcept { return parts_.argv.front(); }

  /// For messages: "sh -c 'exit 3'", shortened if it is long.
  [[nodiscard]] std::string text() const;

  /// For the runtime.
  [[nodiscard]] const detail::command_parts& parts() const noexcept { return parts_; }

private:
  command& standard(std::size_t which, child_io where);
  command& standard(std::size_t which, int fd) noexcept {
    parts_.standard[which].fd = fd;
    return *this;
  }

  detail::command_parts parts_;
};

} // namespace troupe
