// SPDX-License-Identifier: BSD-3-Clause
// Children on another loop than their supervisor.
#include "supervised.hpp"

#include <troupe/actors/supervisor.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using namespace troupe_test;
using testing::run_virtually;

namespace {

/// Of lives on any loop.
class locked_diary {
public:
  void add(const std::string& text) {
    const std::lock_guard only(mutex_);
    text_ += text;
  }
  [[nodiscard]] std::string text() {
    const std::lock_guard only(mutex_);
    return text_;
  }

private:
  std::mutex mutex_;
  std::string text_;
};

std::string here() { return "@" + std::to_string(current_loop()) + " "; }

} // namespace

BOOST_AUTO_TEST_SUITE(supervisor_loops)

BOOST_AUTO_TEST_CASE(children_on_other_loops_live_there_in_all_their_lives) {
  locked_diary diary;
  std::atomic<int> living = 0;
  run_virtually(
    [&]() -> task<> {
      std::atomic<int> lives = 0;
      supervisor_options options = quiet();
      const child_spec plain{.name = "plain",
                             .start = [&]() -> task<> {
                               diary.add("+" + here());
                               if (++lives == 2)
                                 co_await sleep_forever();
                               co_await with_cleanup(
                                 []() -> task<> {
                                   co_await sleep_for(1s);
                                   throw std::runtime_error("crash");
                                 },
                                 [&]() -> task<> {
                                   co_await sleep_for(1s);
                                   diary.add("-" + here());
                                 });
                             },
                             .loop = 1};
      const child_spec polite{.name = "polite",
                              .start = [&]() -> task<> {
                                co_await stopping();
                                co_await sleep_for(1s);
                                diary.add("bye" + here());
                              },
                              .grace = 2s,
                              .loop = 2};
      const child_spec actor{.name = "actor",
                             .start = [](mailbox& in) -> task<> {
                               co_await in.serve([](int n) {
                                 if (n < 0)
                                   throw std::runtime_error("crash");
                                 return n + static_cast<int>(current_loop());
                               });
                             },
                             .loop = 4}; // of three: 1
      const child_spec ordinary{.name = "ordinary",
                                .start = caf_child([&]() {
                                  ++living;
                                  caf::actor a = actor_system().spawn([](caf::event_based_actor*) {
                                    return caf::behavior{[](int) {}};
                                  });
                                  a->attach_functor([&](const caf::error&) { --living; });
                                  return a;
                                }),
                                .loop = 2};
      const child_spec waits{
        .name = "waits", .start = [](task_status<>&) -> task<> { co_return; }, .loop = 1};
      options.intensity = 2;
      co_await with_supervisor(options, [&](supervisor& s) -> task<> {
        co_await s.start_child(plain);
        co_await s.start_child(polite);
        co_await s.start_child(actor);
        co_await s.start_child(ordinary);
        const auto refused = co_await as_outcome(s.start_child(waits)); // no hand-shake over there
        BOOST_CHECK_THROW(std::rethrow_exception(refused.error()), usage_error);
        BOOST_TEST(s.children().size() == 4u);
        const auto ask = [&](int n) -> task<int> {
          co_return co_await request<int>(s.children()[2].address, 1min, n);
        };
        BOOST_TEST(co_await ask(10) == 11);
        const auto crashed = co_await as_outcome(ask(-1));
        BOOST_TEST(crashed.failed());
        co_await sleep_for(3s);
        BOOST_TEST(co_await ask(20) == 21);
        BOOST_TEST(living == 1);
        const time_point begin = current_time();
        co_await s.stop_child("ordinary");
        BOOST_TEST(living == 0);
        co_await s.stop_child("actor");
        co_await s.stop_child("polite");
        BOOST_TEST((current_time() - begin == 1s));
        co_await s.stop_child("plain");
      });
    },
    3);
  BOOST_TEST(diary.text() == "+@1 -@1 +@1 bye@2 ");
}

BOOST_AUTO_TEST_CASE(p15_p16_lives_on_other_loops_are_in_order_and_never_overlap) {
  testing::simulation_options how;
  how.loops = 3;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::string log;
    const auto r = testing::simulate(
      seed,
      [&]() -> task<> {
        int lives = 0;
        std::vector<child_spec> children;
        for (const char* name : {"a", "b", "c"})
          children.push_back({.name = name,
                              .start = [&log, &lives, name]() -> task<> {
                                const trace t(log, name);
                                if (name[0] == 'b' && ++lives == 1) {
                                  co_await sleep_for(1s);
                                  throw std::runtime_error("crash");
                                }
                                co_await sleep_forever();
                              },
                              .loop = static_cast<unsigned>(children.size())});
        supervisor_options options = quiet();
        options.restart_strategy = strategy::one_for_all;
        co_await move_on_after(2s, [&]() { return supervise(options, children); });
      },
      how);
    BOOST_TEST(!r.failed(), r.text());
    // those who start on other loops are ready at once: they begin to live in any order
    BOOST_REQUIRE(log.size() == 24u);
    std::string ends;
    for (std::size_t i = 0; i < log.size(); i += 2)
      if (log[i] == '-')
        ends += log[i + 1];
    BOOST_TEST(ends == "bcacba");
    BOOST_TEST(log.substr(6, 6) == "-b-c-a");
    BOOST_TEST(log.substr(18) == "-c-b-a");
  }
}

BOOST_AUTO_TEST_SUITE_END()
