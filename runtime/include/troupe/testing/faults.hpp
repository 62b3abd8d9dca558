// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/fault_hooks.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace troupe::testing {

/// When something happens: at which checkpoint or allocation of a task, message of an actor,
/// write of a stream, use of a file.
struct when {
  std::uint64_t nth = 0; ///< this one, counted from 1 for each that is named; 0: see `chance`
  double chance = 0;     ///< each with this probability, drawn from the seed
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max(); ///< times in one run
  std::uint64_t byte = 0; ///< of streams and files: where this byte moves, counted from 1

  [[nodiscard]] static when at(std::uint64_t n) { return {n, 0}; }
  [[nodiscard]] static when sometimes(double chance) { return {0, chance}; }
  [[nodiscard]] static when at_byte(std::uint64_t n) {
    return {0, 0, std::numeric_limits<std::uint64_t>::max(), n};
  }
};

/// Which messages a fault concerns.
enum class traffic {
  messages, ///< one-way messages and requests
  answers,  ///< to the requests of the one that is named
};

/// Which uses of a file a fault concerns.
using troupe::detail::file_use;

/// Something that goes wrong, under simulation (`simulation_options::faults`) or in a real
/// run (`live_faults`).
class fault {
public:
  struct failing {
    std::exception_ptr error;
  };
  struct cancelling {};
  struct stalling {
    duration time;
  };
  struct in_traffic {
    troupe::detail::message_fault what;
    traffic which;
  };
  struct breaking {};
  struct shortening {
    std::size_t bytes;
  };
  struct file_failing {
    std::errc error;
    file_use which;
  };
  struct crashing {
    duration down_for;
  };
  struct lacking_memory {};

  /// What it happens to, by name; `*` stands for anything. Tasks have the names that the task
  /// tree shows. Ordinary actors have that of their class (`name()`). Streams in memory and
  /// those of a simulated network are called "from > to", in the direction of their bytes:
  /// "the client > the server", "client:49152 > server:80"; those of the machine by their
  /// addresses: "127.0.0.1:50112 > 127.0.0.1:80", "/run/it (process 4711) > /run/it". Files have
  /// their paths, as they were opened; nodes have the names of their hosts.
  std::string names;
  when at;
  std::variant<failing, cancelling, stalling, in_traffic, breaking, shortening, file_failing,
               crashing, lacking_memory>
    what;
};

// -- tasks ------------------------------------------------------------------------------------

/// The await throws a copy of `error`.
template <class Error>
[[nodiscard]] fault fails(std::string tasks, when at, Error error) {
  return {std::move(tasks), at, fault::failing{std::make_exception_ptr(std::move(error))}};
}

/// The task is cancelled: the await does not come back.
[[nodiscard]] inline fault is_cancelled_at(std::string tasks, when at) {
  return {std::move(tasks), at, fault::cancelling{}};
}

/// The task does not go on for so long, even if what it waits for has happened. A stream that
/// is named: what is written from here on comes so much later, or is read so much later if
/// another program writes it.
[[nodiscard]] inline fault stalls(std::string names, when at, duration time) {
  return {std::move(names), at, fault::stalling{time}};
}

/// The n-th call of `operator new` that the task makes, or each with a chance, throws
/// `std::bad_alloc`. What a thread does for it (`to_thread`) is not counted, nor are frames and
/// tasks whose memory is left over from others. The program has to include
/// `troupe/testing/replace_new.hpp` in one of its sources: else such a plan is impossible.
[[nodiscard]] inline fault lacks_memory(std::string tasks, when at) {
  return {std::move(tasks), at, fault::lacking_memory{}};
}

// -- messages, and datagrams (by "from > to", where they are sent) --------------------------------

namespace internal {

[[nodiscard]] inline fault message_fault_at(std::string receivers, when at,
                                            troupe::detail::message_fault what, traffic which) {
  return {std::move(receivers), at, fault::in_traffic{what, which}};
}

} // namespace internal

/// The message is lost, and nobody hears of it: a request has no answer.
[[nodiscard]] inline fault drops(std::string receivers, when at,
                                 traffic which = traffic::messages) {
  return internal::message_fault_at(std::move(receivers), at,
                                    {troupe::detail::message_fault::fate::is_lost}, which);
}

/// The message comes so much later; others overtake it.
[[nodiscard]] inline fault delays(std::string receivers, when at, duration time,
                                  traffic which = traffic::messages) {
  return internal::message_fault_at(
    std::move(receivers), at, {troupe::detail::message_fault::fate::comes_later, time}, which);
}

/// The message comes twice, one right behind the other.
[[nodiscard]] inline fault duplicates(std::string receivers, when at,
                                      traffic which = traffic::messages) {
  return internal::message_fault_at(std::move(receivers), at,
                                    {troupe::detail::message_fault::fate::comes_twice}, which);
}

/// The message comes behind the next one that does; or, if there is none, after `at_most`.
[[nodiscard]] inline fault reorders(std::string receivers, when at,
                                    duration at_most = std::chrono::seconds(1),
                                    traffic which = traffic::messages) {
  return internal::message_fault_at(
    std::move(receivers), at, {troupe::detail::message_fault::fate::is_overtaken, at_most}, which);
}

/// The actor ends with `reason` when the message comes, whatever it does with exit messages: an
/// ordinary one instead of handling it. A task that is one is cancelled; if it was waiting, it has
/// the message already, and handles it up to its next checkpoint.
[[nodiscard]] inline fault exits(std::string actors, when at, caf::exit_reason reason) {
  return internal::message_fault_at(std::move(actors), at,
                                    {troupe::detail::message_fault::fate::ends, {}, reason},
                                    traffic::messages);
}

// -- streams: in memory, of a simulated network, TCP and Unix sockets -----------------------------

/// The connection is reset on both sides, at the n-th write or where a byte moves; what was
/// written before arrives, if no real network loses it. What another program writes: at the n-th
/// read. The other side of a Unix socket sees its end.
[[nodiscard]] inline fault resets(std::string streams, when at) {
  return {std::move(streams), at, fault::breaking{}};
}

/// A read or a write moves so many bytes at most; of streams and of files.
[[nodiscard]] inline fault shortens(std::string names, when at, std::size_t bytes = 1) {
  return {std::move(names), at, fault::shortening{bytes}};
}

// -- files, also in a real run
// ----------------------------------------------------------------------

/// The use of a file or directory fails with `error`: `std::errc::no_space_on_device`,
/// `std::errc::io_error`. With `when::at_byte(n)` all before that byte is written, or read, and
/// from there on it fails each time, up to `most`; a read even if the file ends there.
[[nodiscard]] inline fault file_fails(std::string paths, when at, std::errc error,
                                      file_use which = file_use::any) {
  return {std::move(paths), at, fault::file_failing{error, which}};
}

// -- nodes
// --------------------------------------------------------------------------------------------

/// Each `node` that is named crashes at the n-th checkpoint of all of its tasks, or with a chance
/// at each, and is up again after `down_for`.
[[nodiscard]] inline fault crashes(std::string hosts, when at, duration down_for) {
  return {std::move(hosts), at, fault::crashing{down_for}};
}

} // namespace troupe::testing
