// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actors/actor_registry.hpp>
#include <troupe/answer.hpp>

#include <caf/actor_control_block.hpp>

#include <limits>
#include <list>

namespace troupe {

namespace {

/// What the actor knows.
class known_actors {
public:
  void add(std::string name, const caf::actor& who) {
    if (!who)
      throw std::invalid_argument("troupe: nobody cannot be registered as '" + name + "'");
    const caf::actor_addr address = who.address();
    if (const owner* o = table_.find(name); o && o->address == address)
      return;
    owners_.emplace_back(address);
    try {
      owners_.back().name = table_.add(std::move(name), owners_.back());
    } catch (...) {
      owners_.pop_back();
      throw;
    }
    monitor(who); // at once if it has ended
  }

  void remove(const std::string& name) {
    if (const owner* o = table_.find(name))
      owners_.remove_if([o](const owner& other) { return &other == o; });
  }

  void remove_all_of(const caf::actor_addr& address) {
    owners_.remove_if([&](const owner& o) { return o.address == address; });
  }

  [[nodiscard]] caf::actor find(const std::string& name) const {
    const owner* o = table_.find(name);
    return o ? caf::actor_cast<caf::actor>(o->address) : caf::actor();
  }

  task<caf::actor> wait_for(std::string name, duration limit) {
    for (;;) {
      const owner* o = co_await table_.wait_for(name, limit);
      if (caf::actor found = caf::actor_cast<caf::actor>(o->address))
        co_return found;
      remove(name); // it has ended, and the message of that is on its way
    }
  }

  [[nodiscard]] std::vector<std::string> names() const { return table_.names(); }

private:
  struct owner {
    explicit owner(caf::actor_addr a) : address(std::move(a)) {}
    caf::actor_addr address; // weak
    registry<owner>::registration name;
  };

  registry<owner> table_{"the registry of actors"};
  std::list<owner> owners_;
};

} // namespace

task<> serve_actor_registry(mailbox& in) {
  known_actors known;
  const concurrent any_number{
    std::numeric_limits<std::size_t>::max()}; // who waits is in nobody's way
  co_await in.serve(
    any_number,
    [&](register_actor m) { return as_answer([&]() { known.add(std::move(m.name), m.who); }); },
    [&](const unregister_actor& m) { known.remove(m.name); },
    [&](const find_actor& m) { return known.find(m.name); },
    [&](await_actor m) { return as_answer(known.wait_for(std::move(m.name), m.limit)); },
    [&](list_actors) { return known.names(); },
    [&](const caf::down_msg& m) { known.remove_all_of(m.source); });
}

task<> actor_registry::add(std::string name, caf::actor who) const {
  std::string refused;
  try {
    co_await request<void>(address_, duration::max(),
                           message<register_actor>(std::move(name), std::move(who)));
  } catch (const actor_down&) {
    throw;
  } catch (const actor_error& e) {
    refused = e.what();
  }
  if (!refused.empty())
    throw name_taken(refused);
}

task<> actor_registry::remove(std::string name) const {
  co_await request<void>(address_, duration::max(), message<unregister_actor>(std::move(name)));
}

task<caf::actor> actor_registry::find(std::string name) const {
  co_return co_await request<caf::actor>(address_, duration::max(),
                                         message<find_actor>(std::move(name)));
}

task<caf::actor> actor_registry::wait_for(std::string name, duration limit) const {
  co_return co_await request<caf::actor>(address_, duration::max(),
                                         message<await_actor>(std::move(name), limit));
}

task<std::vector<std::string>> actor_registry::names() const {
  co_return co_await request<std::vector<std::string>>(address_, duration::max(), list_actors{});
}

} // namespace troupe
