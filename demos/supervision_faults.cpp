// SPDX-License-Identifier: BSD-3-Clause
// A supervision tree lives through an hour of faults, which takes no time: it is simulated. Its
// workers fail, hang, are cancelled and lose messages by plan, and every event is printed with its
// virtual time. The same seed makes the same hour, down to the hash of the run; the picture opens
// at ui.perfetto.dev.
// Try: supervision_faults [seed [file for a picture, .json]]
#include <troupe/actors/supervisor.hpp>
#include <troupe/testing/faults.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/trace.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using testing::when;

struct sale {
  int cents = 0;
};
TROUPE_MESSAGES(supervision_faults_demo, 0, sale)

void print(const std::string& what) {
  const auto ms =
    std::chrono::duration_cast<std::chrono::milliseconds>(current_time().time_since_epoch());
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  std::cout << two(ms / 1h) << ':' << two(ms % 1h / 1min) << ':' << two(ms % 1min / 1s) << '.'
            << std::setw(3) << std::setfill('0') << ms.count() % 1000 << "  " << what << std::endl;
}

supervisor_options talking(std::string name, strategy s) {
  supervisor_options options;
  options.name = name;
  options.restart_strategy = s;
  options.intensity = 2;
  options.period = 1min;
  options.backoff.emplace().first_delay = 1s;
  options.on_event = [name](const supervisor_event& e) { print(name + ": " + describe(e)); };
  return options;
}

// What people have bought outlives the till.
struct shop {
  int served = 0;
  int left = 0; // without an answer in time
  caf::actor till{};
};

task<> till(shop& here, mailbox& in) {
  here.till = in.address();
  co_await in.serve([&](sale) { return ++here.served; });
}

task<> work() {
  for (;;)
    co_await sleep_for(10s);
}

task<> team(std::string name, strategy s, std::vector<child_spec> children) {
  co_await supervise(talking(std::move(name), s), std::move(children));
}

task<> customers(shop& here) {
  for (;;) {
    co_await sleep_for(5s);
    if (!here.till)
      continue;
    try {
      co_await request<int>(here.till, 1s, sale{250});
    } catch (const actor_error&) { // the till has fallen
      ++here.left;
    } catch (const timeout_error&) {
      ++here.left;
    }
  }
}

task<> hour() {
  shop here;
  const child_spec front{
    .name = "front", .start = [&] {
      return team("front", strategy::one_for_one,
                  {{.name = "till", .start = [&](mailbox& in) { return till(here, in); }},
                   {.name = "door", .start = work}});
    }};
  const child_spec kitchen{.name = "kitchen", .start = [] {
                             return team("kitchen", strategy::one_for_all,
                                         {{.name = "oven", .start = work, .loop = 1},
                                          {.name = "cook", .start = work, .loop = 1}});
                           }};
  const child_spec guests{.name = "customers", .start = [&] { return customers(here); }};
  const supervisor_options options = talking("root", strategy::one_for_one);
  co_await move_on_after(1h, [&]() -> task<> {
    co_await with_supervisor(options, [&](supervisor& root) -> task<> {
      co_await root.start_child(front);
      co_await root.start_child(kitchen);
      co_await root.start_child(guests);
      co_await sleep_forever();
    });
  });
  print("closed: " + std::to_string(here.served) + " customers were served, "
        + std::to_string(here.left) + " have left");
}

int main(int argc, char** argv) {
  testing::trace picture;
  testing::simulation_options options;
  options.record = &picture;
  options.faults = {
    testing::fails("till", when::sometimes(0.005), std::runtime_error("out of paper")),
    testing::drops("till", when::sometimes(0.02)),
    testing::stalls("till", when::sometimes(0.01), 3s),
    testing::is_cancelled_at("door", when::sometimes(0.01)),
    testing::fails("oven", when::sometimes(0.01), std::runtime_error("burnt")),
    testing::fails("cook", when::sometimes(0.01), std::runtime_error("cut a finger")),
    testing::fails("customers", when::at(500), std::runtime_error("a riot")),
  };
  const auto run = testing::simulate(argc > 1 ? std::stoull(argv[1]) : 1, hour, options);
  std::cout << run.text() << run.steps << " steps, hash " << std::hex << run.hash << '\n';
  if (argc > 2) {
    std::ofstream file(argv[2]);
    picture.write(file);
  }
  return run.failed() ? 1 : 0;
}
