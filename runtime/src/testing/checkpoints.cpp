// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/checkpoints.hpp>

#include <troupe/testing/test_failure.hpp>

#include <string>

namespace troupe::testing {

checkpoint_counter::checkpoint_counter()
  : task_(detail::require_current_task("checkpoint_counter")),
    outer_(task_.watch_checkpoints(this)) {}

checkpoint_counter::~checkpoint_counter() { task_.watch_checkpoints(outer_); }

void checkpoint_counter::at_checkpoint(detail::task_block& t) {
  ++count_;
  if (outer_)
    outer_->at_checkpoint(t);
}

} // namespace troupe::testing

namespace troupe::detail {

void check_checkpoints(std::size_t count, bool expected) {
  if (expected && count == 0)
    throw testing::test_failure("assert_checkpoints: there was no checkpoint");
  if (!expected && count != 0)
    throw testing::test_failure(
      "assert_no_checkpoints: there "
      + (count == 1 ? "was a checkpoint" : "were " + std::to_string(count) + " checkpoints"));
}

} // namespace troupe::detail
