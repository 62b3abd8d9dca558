// SPDX-License-Identifier: BSD-3-Clause
#include "node_of.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/detail/local_values.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/nursery.hpp>
#include <troupe/testing/node.hpp>
#include <troupe/time.hpp>

#include <utility>

namespace troupe::testing {

namespace {

/// The task-local value that says to whom a task belongs.
std::uint64_t node_key() noexcept {
  static const std::uint64_t key = troupe::detail::new_local_key();
  return key;
}

node* find_node(const troupe::detail::task_block& t) noexcept {
  const auto* v = static_cast<const troupe::detail::local_value*>(
    t.extras() ? t.extras()->locals.get() : nullptr);
  while (v && v->key != node_key())
    v = v->next.get();
  return v ? *static_cast<node* const*>(v->value.get()) : nullptr;
}

} // namespace

struct node::state {
  simulated_network& net;
  std::string host;
  std::function<task<>()> body;
  simulated_disk* disk;
  troupe::detail::loop* home = nullptr; // while it runs
  cancel_scope* scope = nullptr;        // while it is up
  event* restarted = nullptr;           // while it is down
  bool crashed = false;
  bool wanted = false; // up again, as soon as it can be
  duration down_for{};
  unsigned starts = 0;
};

node::node(simulated_network& net, std::string host, std::function<task<>()> body,
           simulated_disk* disk)
  : state_(std::make_unique<state>(state{net, std::move(host), std::move(body), disk})) {
  static_cast<void>(net.on(state_->host, []() -> task<> { co_return; })); // throws
}

node::~node() = default;

task<> node::run() {
  state& s = *state_;
  troupe::detail::loop& here = troupe::detail::require_current_task("node::run").home();
  if (s.home)
    throw usage_error("troupe: node::run: '" + s.host + "' runs already");
  const struct leave {
    state& of;
    ~leave() {
      of.home = nullptr;
      of.scope = nullptr;
      of.restarted = nullptr;
    }
  } at_end{s};
  s.home = &here;
  for (;;) {
    s.crashed = s.wanted = false;
    co_await run_once();
    if (!s.crashed)
      co_return;
    if (s.disk)
      s.disk->power_on();
    event again;
    s.restarted = &again;
    if (s.wanted)
      again.set();
    co_await move_on_after(s.down_for, [&]() -> task<> { co_await again.wait(); });
    s.restarted = nullptr;
  }
}

/// Until the body has ended, or been ended.
task<> node::run_once() {
  state& s = *state_;
  try {
    co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
      s.scope = &scope;
      ++s.starts;
      // in a task of its own, which has begun on the host
      co_await with_nursery([&](nursery& n) -> task<> {
        const troupe::detail::local_setting mine(node_key(), std::make_shared<node*>(this));
        co_await s.net.on(s.host, [&]() -> task<> {
          n.start_soon(named(s.host, [&]() -> task<> { co_await s.body(); }));
          co_return;
        });
      });
    });
  } catch (...) {
    s.scope = nullptr;
    if (!s.crashed)
      throw;
  }
  s.scope = nullptr;
}

void node::crash() { crash(duration::max()); }

void node::crash(duration down_for) {
  state& s = *state_;
  if (!s.scope || std::exchange(s.crashed, true))
    return;
  s.down_for = down_for;
  s.net.crash(s.host);
  if (s.disk)
    s.disk->power_off();
  if (troupe::detail::loop::current() == s.home)
    s.scope->cancel("the node has crashed");
  else
    s.scope->remote().cancel("the node has crashed");
}

void node::restart() {
  state& s = *state_;
  if (!s.crashed)
    return;
  s.wanted = true;
  if (s.restarted)
    s.restarted->set();
}

bool node::is_up() const noexcept { return state_->scope && !state_->crashed; }

unsigned node::starts() const noexcept { return state_->starts; }

const std::string& node::host() const noexcept { return state_->host; }

std::string internal::node_of(const troupe::detail::task_block& t) {
  const node* const n = find_node(t);
  return n ? n->host() : std::string();
}

void internal::crash_node_of(const troupe::detail::task_block& t, duration down_for) {
  if (node* const n = find_node(t))
    n->crash(down_for);
}

} // namespace troupe::testing
