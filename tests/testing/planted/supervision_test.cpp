// SPDX-License-Identifier: BSD-3-Clause
// Bugs in copies of demos/supervision_tree.cpp and demos/supervision_faults.cpp.
#include "planted.hpp"

#include <troupe/actors/supervisor.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace planted {

struct hit {};
struct sale {};
struct dish {};
struct delivery {};
struct payment {};

} // namespace planted

TROUPE_MESSAGES(planted_bugs, 61000, planted::hit, planted::sale, planted::dish, planted::delivery,
                planted::payment)

using namespace planted;

namespace {

/// demos/supervision_tree.cpp, but who is hit goes home, and is called back when an event tells of
/// it. Planted: that it may have missed one is forgotten.
namespace supervision_tree_demo {

task<> worker(mailbox& in) {
  co_await in.receive([](hit) {});
}

child_spec worker_named(std::string name) {
  return {.name = std::move(name), .start = worker, .restarts = restart::transient};
}

struct office {
  const char* name;
  supervisor* s = nullptr;
};

task<> call_back(supervisor& mine, receive_channel<supervisor_event> events, bool planted) {
  for (;;) {
    const supervisor_event e = co_await events.receive();
    const std::vector<child_info> team = mine.children();
    for (const child_info& c : team)
      if (c.now == child_info::state::ended && (!planted || c.name == e.child))
        co_await mine.restart_child(c.name);
  }
}

child_start team(office& o, strategy s, std::vector<std::string> names, bool planted) {
  return [&o, s, names, planted](task_status<>& status) -> task<> {
    supervisor_options options;
    options.name = o.name;
    options.restart_strategy = s;
    co_await with_supervisor(options, [&](supervisor& mine) -> task<> {
      o.s = &mine;
      for (const auto& name : names) {
        const child_spec child = worker_named(name);
        co_await mine.start_child(child);
      }
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_service(call_back, std::ref(mine), mine.events(1), planted);
        status.started();
        co_await sleep_forever();
      });
    });
  };
}

task<> hurt(office& o, std::string name) {
  for (const child_info& c : o.s->children())
    if (c.name == name && c.address)
      send(c.address, hit{});
  co_await sleep_for(50ms); // watch it heal
}

task<> parent(bool planted) {
  office shop{"shop"}, kitchen{"kitchen"};
  const std::vector<office*> offices{&shop, &kitchen};
  supervisor_options options;
  options.name = "root";
  options.on_event = [](const supervisor_event&) {};
  co_await with_supervisor(options, [&](supervisor& root) -> task<> {
    const child_spec shop_team{
      .name = "shop", .start = team(shop, strategy::one_for_one, {"till", "door"}, planted)};
    const child_spec kitchen_team{
      .name = "kitchen", .start = team(kitchen, strategy::one_for_all, {"oven", "cook"}, planted)};
    co_await root.start_child(shop_team);
    co_await root.start_child(kitchen_team);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(hurt, std::ref(shop), "till");
      n.start_soon(hurt, std::ref(shop), "door");
      n.start_soon(hurt, std::ref(kitchen), "oven");
      n.start_soon(hurt, std::ref(kitchen), "cook");
      co_return;
    });
    for (const office* o : offices)
      for (const child_info& c : o->s->children())
        demand(c.now == child_info::state::running,
               o->name + std::string("/") + c.name + ": does not run");
    co_await root.stop_child("kitchen");
    co_await root.stop_child("shop");
  });
}

} // namespace supervision_tree_demo

/// demos/supervision_faults.cpp, whose till and cook ask each other. Planted: they do one thing at
/// a time, and wait for each other.
namespace supervision_faults_demo {

struct shop {
  int served = 0;
  caf::actor till{};
  caf::actor cook{};
};

task<> till(shop& here, mailbox& in, bool planted) {
  here.till = in.address();
  const auto sells = [&](sale) -> task<int> {
    static_cast<void>(co_await request<int>(here.cook, duration::max(), dish{}));
    co_return ++here.served;
  };
  const auto pays = [](payment) { return 250; };
  if (planted)
    co_await in.serve(sells, pays); // one after the other
  else
    co_await in.serve(concurrent{4}, sells, pays);
}

task<> cook(shop& here, mailbox& in, bool planted) {
  here.cook = in.address();
  const auto takes = [&](delivery) -> task<int> {
    co_return co_await request<int>(here.till, duration::max(), payment{});
  };
  const auto makes = [](dish) { return 1; };
  if (planted)
    co_await in.serve(takes, makes);
  else
    co_await in.serve(concurrent{4}, takes, makes);
}

task<> hour(bool planted) {
  shop here;
  const child_spec front{.name = "till",
                         .start = [&](mailbox& in) { return till(here, in, planted); }};
  const child_spec kitchen{
    .name = "cook", .start = [&](mailbox& in) { return cook(here, in, planted); }, .loop = 1};
  supervisor_options options;
  options.name = "root";
  options.on_event = [](const supervisor_event&) {};
  co_await with_supervisor(options, [&](supervisor& root) -> task<> {
    co_await root.start_child(front);
    co_await root.start_child(kitchen);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("customer", [&]() -> task<> {
        for (int i = 0; i < 3; ++i) {
          co_await sleep_for(std::chrono::seconds(1 + random_bits() % 5));
          static_cast<void>(co_await request<int>(here.till, duration::max(), sale{}));
        }
      }));
      n.start_soon(named("supplier", [&]() -> task<> {
        for (int i = 0; i < 3; ++i) {
          co_await sleep_for(std::chrono::seconds(1 + random_bits() % 5));
          static_cast<void>(co_await request<int>(here.cook, duration::max(), delivery{}));
        }
      }));
      co_return;
    });
    co_await root.stop_child("cook");
    co_await root.stop_child("till");
  });
  demand(here.served == 3, "a customer was not served");
}

} // namespace supervision_faults_demo

} // namespace

BOOST_AUTO_TEST_SUITE(planted_bugs)

BOOST_AUTO_TEST_CASE(missed_restart) {
  is_found({"missed restart", supervision_tree_demo::parent, "does not run"});
}

BOOST_AUTO_TEST_CASE(deadlock_between_two_mailboxes) {
  is_found({"deadlock between two mailboxes", supervision_faults_demo::hour,
            "Each of these waits for the next, and the last for the first"});
}

BOOST_AUTO_TEST_SUITE_END()
