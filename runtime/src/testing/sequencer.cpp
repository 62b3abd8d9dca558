// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/sequencer.hpp>

#include <troupe/error.hpp>
#include <troupe/testing/test_failure.hpp>

#include <limits>
#include <string>

namespace troupe::testing {

task<sequencer::holder> sequencer::turn(unsigned number) {
  if (!taken_.insert(number).second)
    throw usage_error("troupe: turn " + std::to_string(number)
                      + " of a sequencer was asked for twice");
  if (number == 0)
    begins_[0].set();
  struct guard {
    sequencer& owner;
    bool came = false;
    ~guard() {
      if (!came)
        owner.broken();
    }
  } waiting{*this};
  if (!broken_)
    co_await begins_[number].wait();
  waiting.came = true;
  if (broken_)
    throw test_failure("turn " + std::to_string(number)
                       + " of a sequencer does not come: a task that waited for another one "
                         "was cancelled");
  co_return holder(*this, number);
}

void sequencer::over(unsigned number) {
  if (number != std::numeric_limits<unsigned>::max())
    begins_[number + 1].set();
}

void sequencer::broken() {
  broken_ = true;
  for (auto& [number, begins] : begins_)
    begins.set();
}

} // namespace troupe::testing
