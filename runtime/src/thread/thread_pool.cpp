// SPDX-License-Identifier: BSD-3-Clause
#include "pool_core.hpp"

#include <troupe/detail/runtime.hpp>
#include <troupe/error.hpp>
#include <troupe/thread_pool.hpp>

#include <string>

namespace troupe {

namespace {

detail::runtime& this_runtime(const char* what) {
  return detail::require_current_task(what).home().owner();
}

} // namespace

thread_pool::thread_pool(std::size_t size, thread_pool_options options)
  : core_(
    std::make_unique<detail::pool_core>(size, std::string(options.name), options.keep_alive)) {}

thread_pool::~thread_pool() = default;

std::size_t thread_pool::size() const { return core_->size(); }
void thread_pool::size(std::size_t jobs) { core_->resize(jobs); }
std::size_t thread_pool::running() const { return core_->running(); }
std::size_t thread_pool::waiting() const { return core_->waiting(); }
std::size_t thread_pool::threads() const { return core_->threads(); }
void thread_pool::close() { core_->close(); }

thread_pool& default_thread_pool() { return this_runtime("default_thread_pool").threads(); }

thread_pool& cpu_pool() { return this_runtime("cpu_pool").cpu_threads(); }

namespace detail {

thread_place place_for(loop& home, thread_pool* pool, bool has_limiter) {
  if (pool)
    return {&pool_access::core(*pool), true};
  return {&pool_access::core(home.owner().threads()), !has_limiter};
}

void submit(const thread_place& place, thread_job& job) { place.pool->submit(job, place.counted); }

bool take_back(const thread_place& place, thread_job& job) noexcept {
  return !job.taken() && place.pool->take_back(job);
}

} // namespace detail

} // namespace troupe
