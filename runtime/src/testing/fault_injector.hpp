// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "allocation_plan.hpp"

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/detail/task_block.hpp>
#include <troupe/testing/faults.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::testing::internal {

/// Lets happen what a fault plan says, where it is asked by the runtime. Any thread.
class fault_injector final : public troupe::detail::fault_hooks,
                             public allocation_plan,
                             public std::enable_shared_from_this<fault_injector> {
public:
  /// Of what has struck, and behind it of what may be called otherwise the next time: a path.
  using note_fn = std::function<void(const std::string&, const std::string&)>;
  using mine_fn = std::function<bool()>;

  /// `note` hears of each fault that strikes; `mine` says whether who asks, on this thread, is
  /// concerned. Neither may ask for faults. Throws `usage_error` if the plan is impossible.
  fault_injector(std::vector<fault> plan, std::uint64_t seed, note_fn note, mine_fn mine);
  ~fault_injector();

  /// Begins and ends to happen; idempotent. `on` throws `std::bad_alloc`.
  void on();
  void off() noexcept;

  [[nodiscard]] bool is_on() const noexcept { return on_; }
  [[nodiscard]] bool empty() const noexcept { return plan_.empty(); }
  [[nodiscard]] bool is_for_tasks() const noexcept;

  /// The faults of the plan, from 0, whose names nothing has had.
  [[nodiscard]] std::vector<std::size_t> unmatched() const;

  /// How often they have struck, together.
  [[nodiscard]] std::uint64_t struck() const;

  /// What fault `i` of the plan names.
  [[nodiscard]] const std::string& names(std::size_t i) const noexcept {
    return plan_[i].what.names;
  }

  void task_begins(troupe::detail::task_block& t) override;
  troupe::detail::message_fault message_arrives(std::uint64_t id, const std::string& name,
                                                bool answer) override;
  troupe::detail::stream_fault stream_moves(const troupe::detail::stream_use& use) override;
  void stream_ends(std::uint64_t stream) override;
  int file_used(file_use what, const std::string& path, std::size_t& size) override;
  void file_moved(file_use what, const std::string& path, std::size_t size) override;
  bool allocation_fails(troupe::detail::task_block& t) noexcept override;

private:
  class watch;
  struct planned {
    planned(fault f, std::uint64_t seed) : what(std::move(f)), random(seed) {}
    [[nodiscard]] bool chance(double of);

    fault what;
    std::mt19937_64 random; // of its own: the others' chances are the same without it
    bool matched = false;
    std::uint64_t struck = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> seen; // or bytes; by receiver, by file
  };

  struct allocating {
    std::vector<planned*> faults;
    std::uint64_t seen = 0;
  };

  /// What moves on a stream, as the plan counts it.
  struct counted_use : troupe::detail::stream_use {
    std::uint64_t nth = 0; // write, read or datagram; `before`, too, is since it is on
  };
  struct stream_count {
    std::uint64_t moves = 0;
    std::uint64_t begin = 0; // the bytes before it was on
    std::string written;     // what others may read yet: its name
  };

  [[nodiscard]] bool is_for_allocations() const noexcept;
  void watch_allocations(const troupe::detail::task_block& t, planned& p);
  void checkpoint(watch& w, planned& p, std::uint64_t number);
  [[nodiscard]] static bool strikes(planned& p, std::uint64_t number);
  [[nodiscard]] static bool strikes_bytes(planned& p, std::uint64_t before, std::size_t size);
  [[nodiscard]] static bool strikes_move(planned& p, const counted_use& use, std::size_t moving);
  [[nodiscard]] static bool concerns(const planned& p, file_use what);
  void note_move(const planned& p, const counted_use& use, const char* what);
  template <class Fault, class F>
  void each_for(const std::string& name, F f); // those of this kind that name it
  troupe::detail::stream_fault datagram_moves(const counted_use& use);
  troupe::detail::stream_fault bytes_move(const counted_use& use);
  void forget(const troupe::detail::task_block& t) noexcept;

  std::deque<planned> plan_;
  note_fn note_;
  mine_fn mine_;
  std::atomic<bool> on_{false};
  std::atomic<std::uint64_t> times_on_{0};
  mutable quiet_mutex mutex_; // guards what follows, and `plan_`
  std::unordered_map<const troupe::detail::task_block*, std::unique_ptr<watch>> watches_;
  std::unordered_map<std::uint64_t, stream_count> streams_; // by number and direction
  std::unordered_map<std::string, std::size_t> written_;    // directions, by name: of how many
  std::deque<std::string> ended_;                           // of these, the last ones to end
  // guards what follows, and the faults in it; behind the other
  mutable quiet_mutex allocations_mutex_;
  std::unordered_map<const troupe::detail::task_block*, allocating> allocating_;
};

} // namespace troupe::testing::internal
