// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/detail/caf/letter.hpp>
#include <troupe/detail/loop.hpp>

#include <caf/actor.hpp>
#include <caf/monitorable_actor.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace troupe {
enum class when_full;
} // namespace troupe

namespace troupe::detail {

class letter_wait;
class overflow_wait;
class reply_wait;

/// Messages in order.
class letter_list {
public:
  letter_list() = default;
  letter_list(const letter_list&) = delete;
  letter_list& operator=(const letter_list&) = delete;

  [[nodiscard]] bool empty() const noexcept { return !head_.next; }

  void push_back(caf::mailbox_element_ptr e) noexcept {
    e->next = nullptr;
    last_->next = e.get();
    last_ = e.release();
  }

  /// Takes out the first for which `wanted(element)`.
  template <class Wanted>
  caf::mailbox_element_ptr take_if(Wanted wanted) noexcept {
    for (node* before = &head_; before->next; before = before->next) {
      auto* e = static_cast<caf::mailbox_element*>(before->next);
      if (!wanted(*e))
        continue;
      before->next = e->next;
      if (last_ == e)
        last_ = before;
      return caf::mailbox_element_ptr(e);
    }
    return nullptr;
  }

  caf::mailbox_element_ptr pop_front() noexcept {
    return take_if([](const caf::mailbox_element&) { return true; });
  }

private:
  using node = caf::intrusive::singly_linked<caf::mailbox_element>;
  node head_;
  node* last_ = &head_;
};

/// A task seen from outside: a real actor to CAF, with the mailbox of the task.
/// Made the first time somebody asks for it; lives as long as anybody holds its
/// address.
///
/// Messages from the home loop go straight into the lanes, and the task that waits
/// for one is woken; those from other threads come over a stack that only they
/// push to and only the home loop empties. Which is in order for each sender: a
/// sender that comes to the home loop finds what it has sent before in the stack.
class task_actor final : public caf::monitorable_actor, private inbox_node {
public:
  task_actor(caf::actor_config& config, task_block& t) noexcept;
  ~task_actor() override;

  // -- for CAF, any thread ------------------------------------------------------

  using monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* from) override;
  const char* name() const override { return "troupe.task"; }
  void on_destroy() override;

  /// As it was when the actor was made.
  [[nodiscard]] std::string task_name() const;

  [[nodiscard]] caf::strong_actor_ptr pointer() const noexcept {
    return caf::strong_actor_ptr(ctrl());
  }

  // -- for the task, home loop only -----------------------------------------------

  [[nodiscard]] loop& home() const noexcept { return *home_; }
  /// Null, if it has ended. On another loop it may be about to: to be compared there.
  [[nodiscard]] const task_block* task() const noexcept {
    return task_.load(std::memory_order_relaxed);
  }

  /// The next message that `w` wants; null if there is none yet.
  caf::mailbox_element_ptr take(const letter_wait& w) noexcept;

  void receiver(letter_wait* w) noexcept { receiver_ = w; }
  [[nodiscard]] letter_wait* receiver() const noexcept { return receiver_; }

  /// Who waits for an overflow.
  void watcher(overflow_wait* w) noexcept { watcher_ = w; }
  [[nodiscard]] overflow_wait* watcher() const noexcept { return watcher_; }

  /// Who waits for the answer to `request`; a task has one request at a time.
  void expect(reply_wait* w) noexcept { reply_ = w; }
  [[nodiscard]] caf::message_id new_request() noexcept;

  /// Takes back a message that waits for room; see `send_when_room`. `answered`: its
  /// sender is told.
  bool withdraw(const caf::strong_actor_ptr& sender, caf::message_id id, bool answered) noexcept;

  /// The function of the task is known only when it is about to run.
  void called(const char* function) noexcept { function_ = function; }

  /// Closes the mailbox, answers what is left in it, and tells monitors and links.
  void task_ended() noexcept;

  void trap_exit(bool on) noexcept { trap_exit_ = on; }

  /// See `mailbox::close`.
  void close() noexcept;
  [[nodiscard]] bool take_closed() noexcept { return std::exchange(closing_, false); }

  struct limits {
    std::size_t capacity = std::numeric_limits<std::size_t>::max();
    when_full policy{};
  };
  void bound(limits l) noexcept { limits_ = l; }

  struct counts {
    std::size_t size = 0;
    std::uint64_t received = 0;
    std::uint64_t dropped = 0;
    std::uint64_t rejected = 0;
  };
  [[nodiscard]] const counts& statistics() const noexcept { return counts_; }
  [[nodiscard]] const limits& bounds() const noexcept { return limits_; }

private:
  void run() noexcept override; // messages from other threads have arrived
  void drain() noexcept;
  void arrive(caf::mailbox_element_ptr e) noexcept;
  void arrive_faulty(caf::mailbox_element_ptr e) noexcept;
  void deliver(caf::mailbox_element_ptr e) noexcept;
  void exit_arrived(caf::mailbox_element_ptr e) noexcept;
  void admission_arrived(caf::mailbox_element_ptr e);
  bool make_room(caf::mailbox_element_ptr& e) noexcept;
  void accept(caf::mailbox_element_ptr e, letter_list& lane) noexcept;
  caf::mailbox_element_ptr admit(caf::mailbox_element& e);
  void admit_waiting() noexcept;
  void refuse(caf::mailbox_element_ptr e) noexcept;

  loop* home_;
  std::atomic<task_block*> task_;
  std::atomic<caf::mailbox_element*> from_others_{nullptr}; // or `closed()`
  std::atomic<bool> posted_{false};
  bool trap_exit_ = false;
  bool closing_ = false;
  letter_wait* receiver_ = nullptr;
  reply_wait* reply_ = nullptr;
  overflow_wait* watcher_ = nullptr;
  std::uint64_t last_request_ = 0;
  letter_list control_; // down, trapped exit: before all others, never dropped
  letter_list urgent_;
  letter_list normal_;
  letter_list waiting_; // for room
  counts counts_;       // size: urgent and normal
  limits limits_;
  const char* function_;
  std::string given_name_;
  caf::error exit_reason_; // of the exit message that has cancelled the task
};

/// The actor of `t`; makes it if there is none. Throws `std::bad_alloc`.
[[nodiscard]] task_actor& actor_of(task_block& t);

/// The mailbox side of the current task. Throws `usage_error` that names `what`.
[[nodiscard]] task_actor& actor_of_current_task(const char* what);

/// The local task actor behind `a`; null if it is anything else.
[[nodiscard]] task_actor* as_task_actor(const caf::actor& a) noexcept;

[[nodiscard]] std::string name_of(const caf::actor& a);

/// To the dead letters. Any thread.
void bury(task_actor* receiver, caf::mailbox_element_ptr e, undelivered why) noexcept;

} // namespace troupe::detail
