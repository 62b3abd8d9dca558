// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/supervisor.hpp>
#include <troupe/event.hpp>
#include <troupe/mutex.hpp>

#include <deque>
#include <list>
#include <map>
#include <string_view>
#include <unordered_map>

namespace troupe {

/// What a supervisor is made of. Its children run in a nursery of their own, inside of a service:
/// cancelling the supervisor does not reach them, they are stopped one by one. One task (`manage`)
/// looks after them; it and whoever calls a member take turns (`busy_`).
class supervisor::core {
public:
  explicit core(const supervisor_options& options);
  core(const core&) = delete;
  core& operator=(const core&) = delete;

  task<> run(const std::function<task<>(supervisor&)>& body);

  // -- what users ask for
  task<> start_child(const child_spec& spec);
  task<> stop_child(const std::string& name);
  task<> restart_child(const std::string& name);
  task<> delete_child(const std::string& name);
  [[nodiscard]] std::vector<child_info> children() const;
  [[nodiscard]] receive_channel<supervisor_event> events(std::size_t capacity);
  [[nodiscard]] const supervisor_options& options() const noexcept { return options_; }

private:
  struct child;
  class end_of_life;
  class cut_off_start;

  /// Children in the order of their ends. Takes no memory: no end is lost for want of it.
  class ended_list {
  public:
    [[nodiscard]] bool empty() const noexcept { return !first_; }
    [[nodiscard]] child& front() const noexcept { return *first_; }
    void push_back(child& c) noexcept;
    /// Returns whether it was there.
    bool remove(child& c) noexcept;

  private:
    child* first_ = nullptr;
    child* last_ = nullptr;
  };

  struct subscriber {
    send_channel<supervisor_event> to;
    std::uint64_t missed = 0;
  };
  /// When, and, of several at the same time, who comes first.
  using due_order = std::pair<time_point, std::uint64_t>;

  [[nodiscard]] bool simple() const noexcept {
    return options_.restart_strategy == strategy::simple_one_for_one;
  }

  // -- tasks
  task<> host();
  task<> serve(const std::function<task<>(supervisor&)>& body);
  task<> manage(nursery& body);
  task<> stop_all();

  // -- under `busy_`
  task<> catch_up();
  task<> handle_end(child& c);
  task<> start_again(child& c);
  task<> plan_restart(child& c);
  task<> stop_for_restart(child& c, time_point due);
  task<> start(child& c, supervisor_event::kind as);
  task<> stop(child& c);
  void wait_for_restart(child& c, time_point due);
  void count_restart(const child& c);
  [[nodiscard]] bool ends_all(const child& c) const;
  [[nodiscard]] child& add(const child_spec& spec);
  [[nodiscard]] child& find(const std::string& name);
  void forget(child& c);
  void check_open(const char* what) const;

  // -- in the children's tasks
  task<> live(child& c);
  task<> live_in_nursery(child& c);
  void life_over(child& c) noexcept;

  void report_end(child& c) noexcept;
  void emit(supervisor_event::kind what, const child& c) noexcept;
  void wake() noexcept;

  supervisor_options options_;
  supervisor handle_{*this};
  std::list<child> children_;
  std::unordered_map<std::string_view, child*> by_name_;
  std::map<due_order, child*> due_;
  ended_list ended_; // not looked at yet
  std::deque<time_point> restarts_;
  std::vector<subscriber> subscribers_;
  mutex busy_;
  event hosted_;
  std::optional<event> work_;
  nursery* nursery_ = nullptr; // of the children
  std::uint64_t next_serial_ = 0;
  std::size_t alive_ = 0;
  bool body_ended_ = false;
  bool shut_down_ = false;
  bool closing_ = false; // `stop_all` is at it: nothing is added or forgotten
};

} // namespace troupe
