// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/runtime.hpp>

#include <caf/actor_clock.hpp>

#include <memory>
#include <vector>

namespace troupe::detail {

/// The clock of ordinary CAF actors on the timers of the loops: delayed sends
/// and request timeouts need no thread of their own.
///
/// An actor's timeouts are kept by one loop, chosen by the actor's id, so that
/// loops seldom meet at a lock; they are delivered from there.
class loop_clock final : public caf::actor_clock {
public:
  explicit loop_clock(runtime& rt);
  ~loop_clock() override;

  [[nodiscard]] time_point now() const noexcept override;

  void set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                            std::uint64_t id) override;
  void set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                         std::uint64_t id) override;
  void set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) override;
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override;
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override;
  void cancel_timeouts(caf::abstract_actor* self) override;
  void schedule_message(time_point t, caf::strong_actor_ptr receiver,
                        caf::mailbox_element_ptr content) override;
  void schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender,
                        caf::message content) override;
  void cancel_all() override;

  /// Takes the timer of loop `index` out of its heap; nothing is delivered from
  /// there any more. On that loop.
  void detach(std::size_t index) noexcept;

private:
  class shard;

  [[nodiscard]] shard& of(caf::actor_id id) noexcept;

  time_source* time_;
  std::vector<std::unique_ptr<shard>> shards_;
};

} // namespace troupe::detail
