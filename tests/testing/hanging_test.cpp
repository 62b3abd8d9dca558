// SPDX-License-Identifier: BSD-3-Clause
// A test that hangs: what run_test does about it.
#include <troupe/testing/testing.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <string_view>

using namespace troupe;

int main(int argc, char** argv) {
  const std::string_view how = argc > 1 ? argv[1] : "waits";
  const bool spins = how == "spins";
  testing::test_options options;
  options.name = "the_one_that_hangs";
  options.hangs_after = std::chrono::milliseconds(100);
  testing::run_test(options, [=]() -> task<> {
    mutex one, other;
    const auto take = [](mutex& first, mutex& second) -> task<> {
      const auto held = co_await first.lock();
      co_await checkpoint();
      const auto wanted = co_await second.lock();
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      if (how == "deadlocks") {
        n.start_soon(named("left", take), std::ref(one), std::ref(other));
        n.start_soon(named("right", take), std::ref(other), std::ref(one));
      }
      n.start_soon(named("stuck_worker", [=]() -> task<> {
        while (spins) {
        }
        co_await sleep_forever();
      }));
      co_return;
    });
  });
}
