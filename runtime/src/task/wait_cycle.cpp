// SPDX-License-Identifier: BSD-3-Clause
#include "wait_cycle.hpp"

#include <troupe/nursery.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace troupe::detail {

namespace {

/// Depth first, with a path of its own: chains of tasks may be long.
class wait_graph {
public:
  explicit wait_graph(const std::vector<waiting_task>& tasks)
    : tasks_(tasks), seen_(tasks.size(), mark::never) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      by_task_[tasks[i].task] = i;
      if (tasks[i].parent)
        children_[tasks[i].parent].push_back(i);
    }
  }

  /// The tasks of a circle, in order.
  [[nodiscard]] std::vector<std::size_t> cycle() {
    for (std::size_t i = 0; i < tasks_.size(); ++i)
      if (seen_[i] == mark::never)
        if (auto found = cycle_from(i); !found.empty())
          return found;
    return {};
  }

private:
  enum class mark : std::uint8_t { never, on_path, done };
  struct place {
    std::size_t task;
    std::size_t next; // of those it waits for
  };
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  std::vector<std::size_t> cycle_from(std::size_t start) {
    std::vector<place> path{{start, 0}};
    seen_[start] = mark::on_path;
    while (!path.empty()) {
      const std::size_t next = waits_for(path.back().task, path.back().next++);
      if (next == none) {
        seen_[path.back().task] = mark::done;
        path.pop_back();
      } else if (seen_[next] == mark::never) {
        seen_[next] = mark::on_path;
        path.push_back({next, 0});
      } else if (seen_[next] == mark::on_path) {
        std::vector<std::size_t> circle;
        for (const place& p : path)
          if (!circle.empty() || p.task == next)
            circle.push_back(p.task);
        return circle;
      }
    }
    return {};
  }

  /// The `nth` of those that a task waits for and that wait themselves.
  [[nodiscard]] std::size_t waits_for(std::size_t task, std::size_t nth) const {
    const waiting_task& t = tasks_[task];
    if (t.needs) {
      const auto found = nth == 0 ? by_task_.find(t.needs) : by_task_.end();
      return found == by_task_.end() ? none : found->second;
    }
    const auto found = children_.find(t.task);
    return found == children_.end() || nth >= found->second.size() ? none : found->second[nth];
  }

  const std::vector<waiting_task>& tasks_;
  std::vector<mark> seen_;
  std::unordered_map<const task_block*, std::size_t> by_task_;
  std::unordered_map<const task_block*, std::vector<std::size_t>> children_;
};

} // namespace

void add_if_waiting(const task_block& t, std::vector<waiting_task>& to) {
  const suspension* s = t.waiting_for();
  if (!s)
    return;
  const task_block* needs = s->waits_for_task();
  if (needs || std::string_view(s->waits_for()) == "children")
    to.push_back({&t, parent_of(t), needs, t.name() + ", for " + s->waits_for()});
}

std::string wait_cycle(const std::vector<waiting_task>& tasks) {
  std::vector<std::size_t> circle = wait_graph(tasks).cycle();
  // by the task that comes first in the tree: the same circle gives the same text
  std::rotate(circle.begin(), std::min_element(circle.begin(), circle.end()), circle.end());
  std::string text;
  for (const std::size_t i : circle)
    text += "  " + tasks[i].text + '\n';
  return text;
}

} // namespace troupe::detail
