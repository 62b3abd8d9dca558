// SPDX-License-Identifier: BSD-3-Clause
// The workloads of actors.cpp on CAF as it comes: stock_caf TEST. Its scheduler slows down
// as its queues grow, so batches are short, and run.sh gives it a time limit.
#include "../meter.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr const char* peer = "stock";

long started = 0;
long left = 0;

void spawn(caf::event_based_actor* self) {
  const auto m = std::make_shared<bench::meter>(peer);
  self->become([self, m](int batch) {
    if (batch == 100) {
      m->report("a1", 1e5);
      if (started != 100'000)
        std::abort();
      self->quit();
      return;
    }
    left = 1000;
    for (int i = 0; i < 1000; ++i)
      self->system().spawn([parent = caf::actor(self), batch](caf::event_based_actor* child) {
        ++started;
        if (--left == 0)
          child->send(parent, batch + 1);
      });
  });
  self->send(self, 0);
}

caf::behavior echo(caf::event_based_actor*) {
  return {[](int x) { return x; }};
}

void ask_next(caf::event_based_actor* self, const caf::actor& server, int i, int count,
              const std::function<void()>& end) {
  if (i == count)
    return end();
  self->request(server, caf::infinite, i).then([=](int answer) {
    if (answer != i)
      std::abort();
    ask_next(self, server, i + 1, count, end);
  });
}

caf::behavior adder(caf::event_based_actor*) {
  const auto total = std::make_shared<int>(0);
  return {[total](int x) { *total += x; }, [total](double) { return *total; }};
}

void burst(caf::event_based_actor* self, const caf::actor& server, int number,
           const std::shared_ptr<bench::meter>& m) {
  for (int i = 0; i < 1000; ++i)
    self->send(server, 1);
  self->request(server, caf::infinite, 0.0).then([=](int total) {
    if (total != number * 1000)
      std::abort();
    if (number < 500)
      return burst(self, server, number + 1, m);
    m->report("a4", 5e5);
    caf::anon_send_exit(server, caf::exit_reason::user_shutdown);
  });
}

void memory(caf::actor_system& system) {
  constexpr int count = 100'000;
  const double before = bench::resident();
  std::vector<caf::actor> all;
  all.reserve(count);
  for (int i = 0; i < count; ++i) {
    all.push_back(system.spawn(echo));
    if (i % 1000 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  bench::report_bytes("a5", peer, (bench::resident() - before) / count);
  std::quick_exit(0); // their end takes longer than all else
}

} // namespace

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "";
  caf::actor_system_config config;
  config.set("scheduler.max-threads", test == "a3" ? 2 : 1);
  caf::actor_system system(config);
  if (test == "a1")
    system.spawn(spawn);
  else if (test == "a2" || test == "a3")
    system.spawn([&](caf::event_based_actor* self) {
      const int count = test == "a2" ? 300'000 : 50'000;
      const auto server = system.spawn(echo);
      const auto m = std::make_shared<bench::meter>(peer);
      ask_next(self, server, 0, count, [=] {
        m->report(count == 300'000 ? "a2" : "a3", count);
        caf::anon_send_exit(server, caf::exit_reason::user_shutdown);
      });
    });
  else if (test == "a4")
    system.spawn([&](caf::event_based_actor* self) {
      burst(self, system.spawn(adder), 1, std::make_shared<bench::meter>(peer));
    });
  else if (test == "a5")
    memory(system);
  else {
    std::fprintf(stderr, "stock_caf: a1 to a5, not '%s'\n", test.c_str());
    return 2;
  }
  system.await_all_actors_done();
}
