// SPDX-License-Identifier: BSD-3-Clause
// A tree of supervisors that is hurt on purpose, and heals while you watch: every event is
// printed, and the tree before and after. What hurts it ends by itself, or by Ctrl-C.
// Try: supervision_tree
#include <troupe/actors/supervisor.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

struct hit {};
TROUPE_MESSAGES(supervision_tree_demo, 0, hit)

// A worker does its work until something hits it.
task<> worker(mailbox& in) {
  co_await in.receive([](hit) {});
  throw std::runtime_error("hit");
}

child_spec worker_named(std::string name) { return {.name = std::move(name), .start = worker}; }

supervisor_options talking(std::string name, strategy s) {
  supervisor_options options;
  options.name = name;
  options.restart_strategy = s;
  options.intensity = 2;
  options.period = 1s;
  options.on_event = [name](const supervisor_event& e) {
    std::cout << "  " << name << ": " << describe(e) << std::endl;
  };
  return options;
}

// What the chaos needs to know of a supervisor while that lives.
struct office {
  const char* name;
  supervisor* s = nullptr;
};

// A supervisor as a child: when it gives up, the one above starts it again.
child_start team(office& o, strategy s, std::vector<std::string> names) {
  return [&o, s, names](task_status<>& status) -> task<> {
    const supervisor_options options = talking(o.name, s);
    co_await with_supervisor(options, [&](supervisor& mine) -> task<> {
      struct open_office {
        open_office(office& x, supervisor& m) : o(x) { o.s = &m; }
        ~open_office() { o.s = nullptr; }
        office& o;
      } const open(o, mine);
      for (const auto& name : names) {
        const child_spec child = worker_named(name);
        co_await mine.start_child(child);
      }
      status.started();
      co_await sleep_forever();
    });
  };
}

void print(const std::string& title, const supervisor& root, const std::vector<office*>& offices) {
  std::cout << title << '\n';
  for (const child_info& c : root.children())
    std::cout << "  " << c.name << ", restarted " << c.restarts << " times\n";
  for (const office* o : offices)
    for (const child_info& c : o->s->children())
      std::cout << "    " << o->name << '/' << c.name
                << (c.now == child_info::state::running ? ": runs" : ": does not run")
                << ", restarted " << c.restarts << " times\n";
  std::cout << std::flush;
}

task<> hurt(office& o, std::string name) {
  std::cout << "chaos hits " << o.name << '/' << name << std::endl;
  if (o.s)
    for (const child_info& c : o.s->children())
      if (c.name == name && c.address)
        send(c.address, hit{});
  co_await sleep_for(50ms); // watch it heal
}

task<> parent() {
  office shop{"shop"}, kitchen{"kitchen"};
  const std::vector<office*> offices{&shop, &kitchen};
  const supervisor_options options = talking("root", strategy::one_for_one);
  co_await with_supervisor(options, [&](supervisor& root) -> task<> {
    const child_spec shop_team{.name = "shop",
                               .start = team(shop, strategy::one_for_one, {"till", "door"})};
    const child_spec kitchen_team{.name = "kitchen",
                                  .start = team(kitchen, strategy::one_for_all, {"oven", "cook"})};
    co_await root.start_child(shop_team);
    co_await root.start_child(kitchen_team);
    print("The tree:", root, offices);

    co_await hurt(shop, "till");    // one_for_one: it alone is started again
    co_await hurt(kitchen, "oven"); // one_for_all: the cook as well
    for (int i = 0; i < 3; ++i)     // too often: the shop gives up, and root starts it again
      co_await hurt(shop, "door");

    print("The tree has healed:", root, offices);
    co_await root.stop_child("kitchen");
    co_await root.stop_child("shop");
  });
  std::cout << "closed\n";
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
