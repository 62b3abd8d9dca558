// SPDX-License-Identifier: BSD-3-Clause
#include "wait_cycle.hpp"

#include <troupe/detail/task_block.hpp>
#include <troupe/nursery.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace troupe::testing::internal {

namespace {

using troupe::detail::task_block;

/// It is looked at each task for each.
constexpr std::size_t most_tasks = 5000;

class wait_graph {
public:
  explicit wait_graph(troupe::detail::runtime& rt) {
    for (std::size_t i = 0; i < rt.size(); ++i)
      rt.at(i).roots().for_each([this](task_block& root) {
        troupe::detail::tree_access::for_each_from(
          root, [this](task_block& t, unsigned) { nodes_.push_back({&t}); });
      });
  }

  /// The tasks of a circle, in order.
  [[nodiscard]] std::vector<const task_block*> cycle() {
    if (nodes_.size() > most_tasks)
      return {};
    for (node& n : nodes_)
      if (n.seen == mark::never && visit(n))
        return {std::find(path_.begin(), path_.end(), path_.back()), path_.end() - 1};
    return {};
  }

private:
  enum class mark { never, on_path, done };
  struct node {
    const task_block* task;
    mark seen = mark::never;
  };

  /// Whether a circle can be reached; then the path ends with a task that it has already.
  bool visit(node& n) {
    path_.push_back(n.task);
    if (n.seen == mark::on_path)
      return true;
    if (n.seen == mark::never) {
      n.seen = mark::on_path;
      for (node& next : nodes_)
        if (needs(*n.task, *next.task) && visit(next))
          return true;
      n.seen = mark::done;
    }
    path_.pop_back();
    return false;
  }

  static bool needs(const task_block& t, const task_block& other) noexcept {
    const auto* s = t.waiting_for();
    if (!s)
      return false;
    if (const task_block* one = s->waits_for_task())
      return one == &other;
    return std::string_view(s->waits_for()) == "children" && parent_of(other) == &t;
  }

  std::vector<node> nodes_; // what has ended is not among them
  std::vector<const task_block*> path_;
};

} // namespace

std::string wait_cycle(troupe::detail::runtime& rt) {
  std::string text;
  for (const task_block* t : wait_graph(rt).cycle())
    text += "  " + t->name() + ", for " + t->waiting_for()->waits_for() + '\n';
  return text;
}

} // namespace troupe::testing::internal
