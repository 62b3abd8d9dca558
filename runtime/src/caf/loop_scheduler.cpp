// SPDX-License-Identifier: BSD-3-Clause
#include "loop_scheduler.hpp"

#include "message_faults.hpp"

#include <troupe/caf_scheduler.hpp>
#include <troupe/detail/simulation.hpp>

#include <caf/actor_system_config.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/logger.hpp>

#include <algorithm>
#include <latch>

namespace troupe {

caf::actor_system::module* caf_scheduler::make(caf::actor_system& sys,
                                               caf::detail::type_list<> /*none*/) {
  return new detail::loop_scheduler(sys, nullptr);
}

} // namespace troupe

namespace troupe::detail {

namespace {

/// A turn that has taken this long is over, and jobs that wait are given to a loop
/// that sleeps: waking it costs less than what they would wait.
constexpr duration long_turn = std::chrono::microseconds(20);
constexpr std::size_t many_jobs = 32;

} // namespace

// -- the jobs of one loop -------------------------------------------------------------

/// Jobs on their way to another loop.
class loop_jobs::message final : public inbox_node {
public:
  explicit message(loop_jobs& to) noexcept : to_(to) {}
  void run() noexcept override {
    for (caf::resumable* job : jobs)
      to_.push(job);
    delete this;
  }
  std::vector<caf::resumable*> jobs;

private:
  loop_jobs& to_;
};

loop_jobs::loop_jobs(loop_scheduler& owner, loop& home) noexcept
  : execution_unit(&owner.system()), owner_(owner), loop_(home) {}

void loop_jobs::exec_later(caf::resumable* job) {
  if (loop::current() == &loop_)
    return push(job);
  auto on_its_way = std::make_unique<message>(*this);
  on_its_way->jobs.push_back(job);
  loop_.post(*on_its_way.release());
}

void loop_jobs::push(caf::resumable* job) {
  if (closed_)
    return caf::scheduler::abstract_coordinator::cleanup_and_release(job);
  jobs_.push_back(job);
  if (!linked())
    loop_.push(*this);
}

void loop_jobs::run_one(caf::resumable* job, std::size_t messages) noexcept {
  if (faults_in_force()) [[unlikely]]
    messages = fault_mailbox(*job, messages);
  switch (job->resume(this, owner_.throughput(messages))) {
  case caf::resumable::resume_later: jobs_.push_back(job); break;
  case caf::resumable::shutdown_execution_unit: break; // ours end with their loop
  case caf::resumable::done:
  case caf::resumable::awaiting_message: caf::intrusive_ptr_release(job); break;
  }
}

void loop_jobs::run() noexcept {
  if (simulation::current())
    return run_in_simulation();
  const time_point begin = clock::now();
  duration turn{};
  for (std::size_t n = jobs_per_turn; n != 0 && !jobs_.empty() && turn < long_turn; --n) {
    caf::resumable* job = jobs_.front();
    jobs_.pop_front();
    run_one(job, messages_per_job);
    turn = clock::now() - begin;
  }
  if (jobs_.empty())
    return;
  if (turn >= long_turn || jobs_.size() >= many_jobs)
    share();
  if (!linked())
    loop_.push(*this);
  loop_.look_around();
}

/// One message of one actor a step, and nothing that depends on the machine's clock.
void loop_jobs::run_in_simulation() noexcept {
  if (jobs_.empty())
    return; // closed meanwhile
  caf::resumable* job = jobs_.front();
  jobs_.pop_front();
  run_one(job, 1);
  if (!jobs_.empty() && !linked())
    loop_.push(*this);
}

/// Ordinary actors have no home: a loop that has nothing to do takes half of them.
void loop_jobs::share() noexcept {
  loop_jobs* const to = owner_.idle(loop_);
  if (!to)
    return;
  try {
    auto half = std::make_unique<message>(*to);
    const auto from = jobs_.end() - static_cast<std::ptrdiff_t>((jobs_.size() + 1) / 2);
    half->jobs.assign(from, jobs_.end());
    jobs_.erase(from, jobs_.end());
    to->loop_.post(*half.release());
  } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch): they stay here
  }
}

void loop_jobs::close() noexcept {
  closed_ = true;
  unlink(); // this is gone before the loop comes to it
  while (!jobs_.empty()) {
    caf::resumable* job = jobs_.front();
    jobs_.pop_front();
    caf::scheduler::abstract_coordinator::cleanup_and_release(job);
  }
}

// -- the module -----------------------------------------------------------------------

/// Calls a function on a loop.
class loop_scheduler::on_loop final : public inbox_node {
public:
  on_loop(std::function<void()> f, std::latch& done) : call_(std::move(f)), done_(done) {}
  void run() noexcept override {
    call_();
    done_.count_down(); // this is gone when the last has counted
  }

private:
  std::function<void()> call_;
  std::latch& done_;
};

loop_scheduler::loop_scheduler(caf::actor_system& sys, runtime* rt)
  : abstract_coordinator(sys), runtime_(rt) {}

loop_scheduler::~loop_scheduler() = default;

void loop_scheduler::init(caf::actor_system_config& config) {
  abstract_coordinator::init(config);
  if (!runtime_) {
    owned_ = std::make_unique<runtime>(static_cast<unsigned>(num_workers_), nullptr, false, false);
    runtime_ = owned_.get();
  }
  num_workers_ = runtime_->size();
  clock_.emplace(*runtime_);
  for (std::size_t i = 0; i < num_workers_; ++i)
    jobs_.push_back(std::make_unique<loop_jobs>(*this, runtime_->at(i)));
}

std::size_t loop_scheduler::throughput(std::size_t ours) const noexcept {
  return std::min(ours, max_throughput());
}

void loop_scheduler::start() {
  abstract_coordinator::start();
  if (owned_) // the others are not CAF's, and one of them may be waiting for this
    on_each_loop([this](std::size_t) { system().thread_started(); });
}

void loop_scheduler::stop() {
  stop_actors();
  clock_->cancel_all();
  on_each_loop([this](std::size_t i) {
    clock_->detach(i);
    jobs_[i]->close();
    // whoever spawns is bound to the system's logger, and the system waits for all who are
    caf::logger::set_current_actor_system(nullptr);
    if (owned_)
      system().thread_terminates();
  });
  on_each_loop([](std::size_t) {}); // what one had sent before another was closed has arrived
  owned_.reset();
}

void loop_scheduler::on_each_loop(const std::function<void(std::size_t)>& f) {
  std::latch done(static_cast<std::ptrdiff_t>(num_workers_));
  std::deque<on_loop> calls;
  for (std::size_t i = 0; i < num_workers_; ++i)
    runtime_->at(i).post(calls.emplace_back([&f, i] { f(i); }, done));
  if (simulation* s = runtime_->simulated())
    s->run_until(*runtime_, [&done] { return done.try_wait(); });
  else
    done.wait();
}

void loop_scheduler::enqueue(caf::resumable* job) {
  loop* const here = loop::current();
  const std::size_t to = here && &here->owner() == runtime_
                           ? here->index()
                           : next_worker_.fetch_add(1, std::memory_order_relaxed) % jobs_.size();
  jobs_[to]->exec_later(job);
}

loop_jobs* loop_scheduler::idle(const loop& here) noexcept {
  for (std::size_t i = 1; i < jobs_.size(); ++i) {
    const std::size_t at = (here.index() + i) % jobs_.size();
    if (runtime_->at(at).sleeping())
      return jobs_[at].get();
  }
  return nullptr;
}

} // namespace troupe::detail
