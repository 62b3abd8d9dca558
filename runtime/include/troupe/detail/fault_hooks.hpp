// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace caf {
enum class exit_reason : std::uint8_t;
} // namespace caf

namespace troupe::detail {

class inbox_node;
class loop;
class task_block;

/// What is to become of a message.
struct message_fault {
  enum class fate : std::uint8_t { arrives, is_lost, comes_later, comes_twice, is_overtaken, ends };
  fate what = fate::arrives;
  duration time{};           // how much later, at most
  caf::exit_reason reason{}; // of the receiver, which it ends
};

/// What somebody does with a file or a directory.
enum class file_use : std::uint8_t {
  any, // in plans
  open,
  read,
  write,
  sync,
  truncate,
  close,
  rename,
  remove,
  make_directory,
  look, // at what it is, or what is in it
};

/// So many bytes of a stream move, or a datagram does.
struct stream_use {
  const std::string& name; ///< of the direction: "from > to"
  std::uint64_t stream;    ///< its `stream_number`
  std::uint64_t before;    ///< bytes that have moved before, in this direction
  std::size_t size;
  bool reading = false;
  bool datagram = false;
  bool far = false; ///< the other end may be in another program, which asks nobody
};
struct stream_fault {
  bool breaks = false;                             // after `most`
  std::size_t most = static_cast<std::size_t>(-1); // bytes now
  duration stall{};
  message_fault::fate datagram = message_fault::fate::arrives;
};

/// Who is asked whether something goes wrong on purpose: fault plans, simulated disks. There
/// may be several, of which each sees to its own; mostly there is none, and then what is
/// asked is one global number. Called with a lock: nothing here may add or remove hooks.
class fault_hooks {
public:
  fault_hooks(const fault_hooks&) = delete;
  fault_hooks& operator=(const fault_hooks&) = delete;

  /// `t` is about to be ready for the first time. On its loop.
  virtual void task_begins(task_block& /*t*/) {}
  /// A message comes to the actor with that number and name. On the loop that runs it.
  virtual message_fault message_arrives(std::uint64_t /*id*/, const std::string& /*name*/,
                                        bool /*answer*/) {
    return {};
  }
  virtual stream_fault stream_moves(const stream_use& /*use*/) { return {}; }
  /// The one of that number. Any thread.
  virtual void stream_ends(std::uint64_t /*stream*/) {}
  /// Before: gives 0, or the `errno` value to fail with; may make `size` less. Any thread.
  virtual int file_used(file_use /*what*/, const std::string& /*path*/, std::size_t& /*size*/) {
    return 0;
  }
  /// After so many bytes were read or written. Any thread.
  virtual void file_moved(file_use /*what*/, const std::string& /*path*/, std::size_t /*size*/) {}
  /// After it has succeeded. `to` is where it is now.
  virtual void file_changed(file_use /*what*/, const std::string& /*path*/,
                            const std::string& /*to*/) {}

protected:
  fault_hooks() = default;
  ~fault_hooks() = default;
};

/// Any thread, but not from a hook. Throws `std::bad_alloc`.
void add_fault_hooks(fault_hooks& h);
void remove_fault_hooks(fault_hooks& h) noexcept;

extern constinit std::atomic<unsigned> fault_hooks_there;

/// Whether anybody has to be asked. relaxed: who adds hooks makes what is to be seen of them
/// known by other means.
[[nodiscard]] inline bool faults_in_force() noexcept {
  return fault_hooks_there.load(std::memory_order_relaxed) != 0;
}

/// Lets hooks be asked while there is one: for what they have held up. Any thread.
class fault_under_way {
public:
  fault_under_way() noexcept { fault_hooks_there.fetch_add(1, std::memory_order_relaxed); }
  fault_under_way(const fault_under_way&) = delete;
  fault_under_way& operator=(const fault_under_way&) = delete;
  ~fault_under_way() { fault_hooks_there.fetch_sub(1, std::memory_order_relaxed); }
};

// Ask all of them. None throws: what a hook throws for want of memory is no fault.
void tell_task_begins(task_block& t) noexcept;
[[nodiscard]] message_fault ask_message(std::uint64_t id, const std::string& name,
                                        bool answer) noexcept;
[[nodiscard]] stream_fault ask_stream(const stream_use& use) noexcept;
void tell_stream_ends(std::uint64_t stream) noexcept;
[[nodiscard]] int ask_file(file_use what, const std::string& path, std::size_t& size) noexcept;
void tell_file_moved(file_use what, const std::string& path, std::size_t size) noexcept;
void tell_file_changed(file_use what, const std::string& path, const std::string& to) noexcept;

/// What tells a stream, of which it is a part, from all others that there have been. Any thread.
class stream_number {
public:
  stream_number() noexcept;
  stream_number(const stream_number&) = delete;
  stream_number& operator=(const stream_number&) = delete;
  ~stream_number() {
    if (faults_in_force())
      tell_stream_ends(value_);
  }

  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

private:
  const std::uint64_t value_;
};

/// Posts what `make` makes, to each loop of each real run of the process. Any thread.
void post_to_each_loop(const std::function<inbox_node&(loop&)>& make);

} // namespace troupe::detail
