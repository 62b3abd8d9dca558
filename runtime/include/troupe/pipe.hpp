// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/descriptor_stream.hpp>

#include <string>
#include <vector>

namespace troupe {

/// The two ends of a pipe.
struct pipe_ends {
  descriptor_stream reader;
  descriptor_stream writer;
};

/// Makes a pipe. Throws `too_many_files`, `net_error`; `usage_error` outside of a task. Not a
/// checkpoint.
[[nodiscard]] pipe_ends make_pipe();

/// The program's standard input, output and error output as streams: a terminal, a pipe, a
/// file or a socket. Writing to one that nobody reads is a `broken_pipe`, not a signal.
///
/// The program's own descriptors stay open, and stay blocking, for they may be shared with
/// other programs. What `std::cin` has buffered already is not seen here. Throws as
/// `make_pipe`. Not checkpoints.
[[nodiscard]] descriptor_stream standard_input();
[[nodiscard]] descriptor_stream standard_output();
[[nodiscard]] descriptor_stream standard_error();

/// A descriptor that was passed to this program by the one that has started it.
struct inherited_descriptor {
  int fd;
  std::string name; ///< as given in `LISTEN_FDNAMES`; else empty
};

/// The sockets that systemd, or whoever speaks its protocol (`LISTEN_PID`, `LISTEN_FDS`), has
/// opened for this program: for `tcp_listener::adopt` and the like. They are no longer
/// inherited by child processes, and a second call gives none. Throws `net_error` if the
/// variables are wrong. Changes the environment, which no other thread may read meanwhile. Not a
/// checkpoint.
[[nodiscard]] std::vector<inherited_descriptor> inherited_descriptors();

} // namespace troupe
