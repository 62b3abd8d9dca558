// SPDX-License-Identifier: BSD-3-Clause
#include "hub.hpp"

#include "core.hpp"
#include "room.hpp"
#include "words.hpp"

#include <troupe/actors/supervisor.hpp>

#include <tuple>
#include <utility>
#include <vector>

namespace troupe::chat {

namespace {

class hub {
public:
  hub(mailbox& in, service::core& c, hub_state& state, supervisor& rooms)
    : in_(in), core_(c), state_(state), rooms_(rooms) {
    core_.hub.set(in.address());
  }
  hub(const hub&) = delete;
  hub& operator=(const hub&) = delete;
  ~hub() { core_.hub.set({}); }

  task<> run() {
    co_await take_over();
    co_await in_.serve(
      [this](const claim& m) { return admit(m); },
      [this](const enter& m) -> task<std::tuple<bool, caf::actor>> { co_return co_await open(m); },
      [this](const whisper_to& m) { return pass_on(m.what); },
      [this](list_rooms) { return room_list(); },
      [this](const too_slow& m) { state_.clients[m.client.address()].slow = true; },
      [this](const caf::down_msg& gone) -> task<> { co_await forget(gone.source); });
  }

private:
  /// What the life before has left: clients, and rooms that have to be opened again.
  task<> take_over() {
    for (auto& [name, r] : core_.rooms)
      r.clients = 0;
    for (const auto& [address, c] : state_.clients) {
      monitor(c.address);
      if (!c.room.empty())
        ++core_.rooms[c.room].clients;
    }
    std::erase_if(core_.rooms, [](const auto& r) { return r.second.clients == 0; });
    static_cast<void>(core_.rooms[core_.options.first_room]);
    std::vector<std::string> names;
    for (const auto& [name, r] : core_.rooms)
      names.push_back(name);
    for (const std::string& name : names)
      co_await start(name);
  }

  task<> start(std::string name) {
    // nothing of this: a room may begin when the hub has just crashed
    const child_spec spec{
      .name = name, .start = [&c = core_, name](mailbox& in) { return run_room(in, c, name); }};
    co_await rooms_.start_child(spec);
  }

  bool admit(const claim& m) {
    const auto [place, is_new] = state_.names.try_emplace(folded(m.nick), m.client);
    if (!is_new)
      return place->second == m.client; // asked again after a crash
    monitor(m.client);
    hub_state::client& c = state_.clients[m.client.address()];
    c.nick = m.nick;
    c.address = m.client;
    core_.log(m.nick + " has come from " + m.from);
    core_.numbers.clients = state_.clients.size();
    return true;
  }

  task<std::tuple<bool, caf::actor>> open(const enter& m) {
    const auto found = state_.clients.find(m.client.address());
    if (found == state_.clients.end())
      co_return std::tuple(false, caf::actor());
    if (found->second.room != m.room) {
      const bool is_new = !core_.rooms.contains(m.room);
      if (is_new && core_.rooms.size() >= core_.options.room_limit)
        co_return std::tuple(false, caf::actor());
      ++core_.rooms[m.room].clients;
      const std::string before = std::exchange(found->second.room, m.room);
      core_.log(found->second.nick + " has joined " + m.room);
      if (is_new)
        co_await start(m.room);
      co_await count_out(before);
    }
    core_.numbers.rooms = core_.rooms.size();
    co_return std::tuple(true, core_.rooms[m.room].address);
  }

  bool pass_on(const event& what) {
    const auto to = state_.names.find(folded(what.to));
    if (to == state_.names.end())
      return false;
    event e = what;
    e.to = state_.clients[to->second.address()].nick;
    send(to->second, std::move(e));
    return true;
  }

  event room_list() {
    event e{.what = event_kind::rooms};
    for (const auto& [name, r] : core_.rooms)
      e.names.push_back(name + " " + std::to_string(r.clients));
    return e;
  }

  task<> forget(caf::actor_addr who) {
    const auto found = state_.clients.find(who);
    if (found == state_.clients.end())
      co_return;
    const hub_state::client gone = std::move(found->second);
    state_.clients.erase(found);
    state_.names.erase(folded(gone.nick));
    core_.numbers.clients = state_.clients.size();
    core_.log(gone.nick + (gone.slow ? " was too slow and was dropped" : " has left"));
    co_await count_out(gone.room);
  }

  task<> count_out(std::string name) {
    const auto found = core_.rooms.find(name);
    if (found == core_.rooms.end() || --found->second.clients != 0
        || name == core_.options.first_room)
      co_return;
    co_await rooms_.stop_child(name); // with nobody in it; what it waits for the scribe has
    try {
      co_await rooms_.delete_child(name);
    } catch (const supervisor_error&) { // NOLINT(bugprone-empty-catch): forgotten already
    }
    core_.rooms.erase(name);
    core_.numbers.rooms = core_.rooms.size();
  }

  mailbox& in_;
  service::core& core_;
  hub_state& state_;
  supervisor& rooms_;
};

} // namespace

task<> run_hub(mailbox& in, service::core& c) {
  kept<std::unique_ptr<hub_state>> state(c.hub_keeper, std::make_unique<hub_state>());
  supervisor_options options;
  options.name = "rooms";
  options.restart_strategy = strategy::simple_one_for_one;
  options.intensity = 10;
  options.on_event = [&c](const supervisor_event& e) {
    if (e.what == supervisor_event::kind::failed || e.what == supervisor_event::kind::restarted
        || e.what == supervisor_event::kind::gave_up)
      c.log("room: " + describe(e));
  };
  co_await with_supervisor(options, [&](supervisor& rooms) -> task<> {
    hub h(in, c, **state, rooms);
    co_await h.run();
  });
}

} // namespace troupe::chat
