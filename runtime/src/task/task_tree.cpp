// SPDX-License-Identifier: BSD-3-Clause
#include "wait_cycle.hpp"

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/detail/runtime.hpp>
#include <troupe/detail/simulation.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/nursery.hpp>
#include <troupe/task_tree.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iomanip>
#include <iterator>
#include <memory>
#include <mutex>
#include <sstream>
#include <utility>
#include <vector>

namespace troupe {

namespace detail {

namespace {

const char* state_text(const task_block& t) noexcept {
  switch (t.state()) {
  case task_state::running: return "running";
  case task_state::ready:
  case task_state::ready_yield: return "ready";
  case task_state::ready_unwind: return "being cancelled";
  case task_state::waiting: return "waiting";
  case task_state::aborting: return "being cancelled";
  case task_state::ended: return "ended";
  }
  return "unknown";
}

std::string seconds(duration d) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3) << std::chrono::duration<double>(d).count() << " s";
  return text.str();
}

void write_task(std::ostream& out, const task_block& t, unsigned depth, time_point now) {
  out << std::string(std::size_t{2} * depth + 2, ' ') << t.name() << ": " << state_text(t);
  if (const suspension* s = t.waiting_for()) {
    out << " for " << s->waits_for();
    if (s->wakes_at() != time_point::max())
      out << " (" << seconds(s->wakes_at() - now) << ")";
  }
  if (t.suspended_at() && t.state() != task_state::running) {
    const auto& where = frame_promise::of(t.suspended_at()).where;
    std::string_view file = where.file_name();
    if (const auto slash = file.rfind('/'); slash != file.npos)
      file.remove_prefix(slash + 1);
    out << " in " << file << ':' << where.line();
  }
  time_point deadline = time_point::max();
  for (const cancel_scope* s = t.scope(); s; s = scope_access::outer(*s))
    deadline = std::min(deadline, s->deadline());
  if (deadline != time_point::max())
    out << ", deadline in " << seconds(deadline - now);
  if (t.service_)
    out << ", service";
  if (t.cancelled())
    if (const cancel_reason* why = reason_for(t))
      out << ", cancelled: " << to_string(*why);
  out << '\n';
}

/// What there is on one loop.
struct picture {
  std::string text;
  std::vector<waiting_task> waiting;
};

picture look_at(loop& l) {
  picture seen;
  std::ostringstream out;
  const time_point now = l.now();
  out << "loop " << l.index() << '\n';
  l.roots().for_each([&](task_block& root) {
    tree_access::for_each_from(root, [&](task_block& t, unsigned depth) {
      write_task(out, t, depth, now);
      add_if_waiting(t, seen.waiting);
    });
  });
  seen.text = out.str();
  return seen;
}

/// Asks a loop for its part; shared, because the asker may give up first.
class dump_request final : public inbox_node {
public:
  explicit dump_request(loop& l) noexcept : loop_(l) {}

  void run() noexcept override {
    const auto keep = std::move(self_);
    picture seen;
    try {
      seen = look_at(loop_);
    } catch (...) { // NOLINT(bugprone-empty-catch): no memory, no dump
    }
    const std::lock_guard lock(mutex_);
    seen_ = std::move(seen);
    done_ = true;
    changed_.notify_all();
  }

  static picture ask(loop& l, std::chrono::milliseconds patience) {
    auto request = std::make_shared<dump_request>(l);
    request->self_ = request;
    l.post(*request);
    std::unique_lock lock(request->mutex_);
    if (!request->changed_.wait_for(lock, patience, [&] { return request->done_; }))
      return {"loop " + std::to_string(l.index()) + ": busy, no answer within "
                + std::to_string(patience.count()) + " ms\n",
              {}};
    return std::move(request->seen_);
  }

private:
  loop& loop_;
  std::shared_ptr<dump_request> self_;
  std::mutex mutex_;
  std::condition_variable changed_;
  picture seen_;
  bool done_ = false;
};

std::mutex runtimes_mutex;
std::vector<runtime*> runtimes;

/// With `runtimes_mutex`.
picture look_at_all() {
  // While another loop is asked it may be asking us: then the patience ends it.
  constexpr std::chrono::milliseconds patience{500};
  picture all;
  for (runtime* rt : runtimes)
    for (std::size_t i = 0; i < rt->size(); ++i) {
      loop& l = rt->at(i);
      const bool here =
        &l == loop::current() || (rt->simulated() && rt->simulated() == simulation::current());
      picture one = here ? look_at(l) : dump_request::ask(l, patience);
      all.text += one.text;
      all.waiting.insert(all.waiting.end(), std::make_move_iterator(one.waiting.begin()),
                         std::make_move_iterator(one.waiting.end()));
    }
  return all;
}

std::string text_of_cycle(const std::string& cycle) {
  return cycle.empty() ? cycle
                       : "Each of these waits for the next, and the last for the first:\n" + cycle;
}

} // namespace

std::string dump_below(const nursery& n) {
  std::ostringstream out;
  const time_point now = current_time();
  tree_access::for_each_below(
    n, [&](task_block& t, unsigned depth) { write_task(out, t, depth, now); });
  return out.str() + text_of_cycle(wait_cycle(look_at(*loop::current()).waiting));
}

void register_runtime(runtime& rt) {
  const std::lock_guard lock(runtimes_mutex);
  runtimes.push_back(&rt);
}

void unregister_runtime(runtime& rt) noexcept {
  const std::lock_guard lock(runtimes_mutex);
  std::erase(runtimes, &rt);
}

void post_to_each_loop(const std::function<inbox_node&(loop&)>& make) {
  const std::lock_guard lock(runtimes_mutex); // each takes its messages before it stops
  for (runtime* rt : runtimes)
    for (std::size_t i = 0; i < rt->size() && !rt->simulated(); ++i)
      rt->at(i).post(make(rt->at(i)));
}

} // namespace detail

std::string dump_task_tree() {
  const std::lock_guard lock(detail::runtimes_mutex);
  const detail::picture all = detail::look_at_all();
  const std::string cycle = detail::wait_cycle(all.waiting);
  // each loop is seen at a time of its own: what is not there twice has never been there
  if (cycle.empty() || detail::wait_cycle(detail::look_at_all().waiting) != cycle)
    return all.text;
  return all.text + detail::text_of_cycle(cycle);
}

} // namespace troupe
