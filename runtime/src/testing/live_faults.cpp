// SPDX-License-Identifier: BSD-3-Clause
#include "fault_injector.hpp"

#include <troupe/detail/runtime.hpp>
#include <troupe/detail/simulation.hpp>
#include <troupe/error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/testing/live_faults.hpp>

#include <map>
#include <mutex>
#include <random>

namespace troupe::testing {

namespace {

using internal::fault_injector;

/// Shows the tasks of a loop to a plan.
class show_tasks final : public troupe::detail::inbox_node {
public:
  show_tasks(troupe::detail::loop& l, std::shared_ptr<fault_injector> to)
    : loop_(l), to_(std::move(to)) {}

  void run() noexcept override {
    const std::unique_ptr<show_tasks> self(this);
    loop_.roots().for_each([this](troupe::detail::task_block& root) {
      troupe::detail::tree_access::for_each_from(
        root, [this](troupe::detail::task_block& t, unsigned) {
          if (&t.home() != &loop_ || t.ended())
            return;
          try {
            to_->task_begins(t);
          } catch (...) { // NOLINT(bugprone-empty-catch): no memory, no fault
          }
        });
    });
  }

private:
  troupe::detail::loop& loop_;
  std::shared_ptr<fault_injector> to_;
};

} // namespace

struct live_faults::impl {
  std::uint64_t seed;
  std::function<void(const std::string&)> log;
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<fault_injector>, std::less<>> plans;

  std::shared_ptr<fault_injector> find(std::string_view name) {
    const auto found = plans.find(name);
    if (found == plans.end())
      throw usage_error("troupe: live_faults: there is no plan '" + std::string(name) + "'");
    return found->second;
  }
};

live_faults::live_faults(std::uint64_t seed, std::function<void(const std::string&)> log)
  : impl_(std::make_unique<impl>()) {
  impl_->seed = seed != 0 ? seed : std::random_device()();
  impl_->log = std::move(log);
}

live_faults::~live_faults() {
  for (const auto& [name, plan] : impl_->plans)
    plan->off();
}

void live_faults::add(std::string name, std::vector<fault> plan) {
  for (const fault& f : plan)
    if (std::holds_alternative<fault::crashing>(f.what))
      throw usage_error("troupe: live_faults: nodes crash only under simulation");
  const std::lock_guard lock(impl_->mutex);
  if (impl_->plans.contains(name))
    throw usage_error("troupe: live_faults: there is a plan '" + name + "' already");
  auto log = [log = impl_->log](const std::string& what, const std::string& path) {
    if (log)
      log(what + path);
  };
  auto made = std::make_shared<fault_injector>(
    std::move(plan), impl_->seed + impl_->plans.size() * 1000, std::move(log),
    [] { return !troupe::detail::simulation::current(); });
  impl_->plans.emplace(std::move(name), std::move(made));
}

void live_faults::on(std::string_view name) {
  const std::lock_guard lock(impl_->mutex);
  const auto plan = impl_->find(name);
  plan->on();
  if (plan->is_for_tasks())
    troupe::detail::post_to_each_loop([&](troupe::detail::loop& l) -> troupe::detail::inbox_node& {
      return *std::make_unique<show_tasks>(l, plan).release();
    });
}

void live_faults::off(std::string_view name) {
  const std::lock_guard lock(impl_->mutex);
  impl_->find(name)->off();
}

bool live_faults::is_on(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->find(name)->is_on();
}

std::vector<std::string> live_faults::names() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<std::string> all;
  for (const auto& [name, plan] : impl_->plans)
    all.push_back(name);
  return all;
}

std::string live_faults::unmatched(std::string_view name) const {
  const std::lock_guard lock(impl_->mutex);
  const auto plan = impl_->find(name);
  const auto all = plan->unmatched();
  return all.empty() ? std::string() : plan->names(all.front());
}

} // namespace troupe::testing
