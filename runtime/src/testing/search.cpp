// SPDX-License-Identifier: BSD-3-Clause
#include "search.hpp"
#include "fault_plan.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace troupe::testing::internal {

namespace {

constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();
constexpr unsigned most_processes = 64;

/// What the processes tell each other.
struct shared {
  std::atomic<std::uint64_t> lowest{none}; // failing seed
  std::array<std::atomic<std::uint64_t>, most_processes> runs{};
};

/// ...and behind it, of each fault of the plan, whether it was there.
class shared_memory {
public:
  explicit shared_memory(std::size_t faults)
    : bytes_(sizeof(shared) + faults * sizeof(std::atomic<bool>)),
      at_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED)
      throw std::system_error(errno, std::generic_category(), "troupe: explore");
    new (at_) shared;
    matched_ = reinterpret_cast<std::atomic<bool>*>(static_cast<std::byte*>(at_) + sizeof(shared));
    std::uninitialized_value_construct_n(matched_, faults);
  }
  shared_memory(const shared_memory&) = delete;
  shared_memory& operator=(const shared_memory&) = delete;
  ~shared_memory() { ::munmap(at_, bytes_); }
  shared* operator->() noexcept { return static_cast<shared*>(at_); }
  std::atomic<bool>& matched(std::size_t fault) noexcept { return matched_[fault]; }

private:
  std::size_t bytes_;
  void* at_;
  std::atomic<bool>* matched_;
};

/// A process with threads must not be forked: the child would have their locks, and not
/// them.
bool has_threads() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return error || std::distance(begin(tasks), end(tasks)) != 1;
}

unsigned processes_for(const explore_options& options, std::uint64_t runs) {
  constexpr std::uint64_t few = 20; // not worth a fork
  if (runs < few || has_threads())
    return 1;
  const unsigned wanted =
    options.processes != 0 ? options.processes : std::max(1U, std::thread::hardware_concurrency());
  return std::min(wanted, most_processes);
}

void lower(std::atomic<std::uint64_t>& lowest, std::uint64_t seed) noexcept {
  std::uint64_t before = lowest;
  while (seed < before && !lowest.compare_exchange_weak(before, seed)) {
  }
}

/// Every `step`-th seed, from the `i`-th on, until one fails or a lower one has. What is thrown
/// counts as a failure: the same seed throws it once more where it is looked at.
void search_part(shared_memory& common, unsigned i, unsigned step, const simulated_program& program,
                 std::uint64_t runs, const explore_options& options) noexcept {
  for (std::uint64_t n = i; n < runs && options.first_seed + n < common->lowest; n += step) {
    common->runs[i] = options.first_seed + n;
    try {
      const simulation_report r = program(common->runs[i], options.simulation);
      if (has_failed(r))
        lower(common->lowest, common->runs[i]);
      for (std::size_t fault = 0; fault < options.simulation.faults.size(); ++fault)
        if (!std::binary_search(r.unmatched.begin(), r.unmatched.end(), fault))
          common.matched(fault) = true;
    } catch (...) { // out of a child it would go on behind `explore`, as another caller
      lower(common->lowest, common->runs[i]);
    }
  }
}

} // namespace

bool has_failed(const simulation_report& r) noexcept {
  if (!r.failed() || r.unmatched.empty())
    return r.failed();
  try {
    std::rethrow_exception(r.failure);
  } catch (const unmatched_fault&) {
    return false;
  } catch (...) {
    return true;
  }
}

search_result search(const simulated_program& program, std::uint64_t runs,
                     const explore_options& options) {
  const unsigned count = processes_for(options, runs);
  shared_memory common(options.simulation.faults.size());
  std::fflush(nullptr); // or the children would write it, too
  std::vector<pid_t> children;
  for (unsigned i = 0; i < count; ++i) {
    const pid_t child = count == 1 ? -1 : ::fork();
    children.push_back(child);
    if (child > 0)
      continue;
    search_part(common, i, count, program, runs, options); // here, if there is no process
    if (child == 0)
      ::_exit(0);
  }
  std::uint64_t died = none;
  int signal = 0;
  for (unsigned i = 0; i < children.size(); ++i) {
    int status = 0;
    while (children[i] > 0 && ::waitpid(children[i], &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0 && common->runs[i] < died) {
      died = common->runs[i];
      signal = WIFSIGNALED(status) ? WTERMSIG(status) : SIGABRT;
    }
  }
  search_result result;
  if (died < common->lowest) {
    result.failing = died;
    result.signal = signal;
  } else if (common->lowest != none) {
    result.failing = common->lowest;
  } else {
    for (std::size_t fault = 0; fault < options.simulation.faults.size(); ++fault)
      if (!common.matched(fault))
        result.unmatched.push_back(fault);
  }
  return result;
}

} // namespace troupe::testing::internal
