// SPDX-License-Identifier: BSD-3-Clause
// A test that hangs: what run_test does about it.
#include <troupe/testing/testing.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <string_view>

using namespace troupe;

int main(int argc, char** argv) {
  const bool spins = argc > 1 && std::string_view(argv[1]) == "spins";
  testing::test_options options;
  options.name = "the_one_that_hangs";
  options.hangs_after = std::chrono::milliseconds(100);
  testing::run_test(options, [=]() -> task<> {
    co_await with_nursery([=](nursery& n) -> task<> {
      n.start_soon(named("stuck_worker", [=]() -> task<> {
        while (spins) {
        }
        co_await sleep_forever();
      }));
      co_return;
    });
  });
}
