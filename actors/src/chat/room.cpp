// SPDX-License-Identifier: BSD-3-Clause
#include "room.hpp"

#include "core.hpp"

#include <troupe/actor.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/time.hpp>

#include <caf/message.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <set>
#include <utility>

namespace troupe::chat {

namespace {

constexpr std::uint64_t at_once = 16; // events

class room {
public:
  room(mailbox& in, service::core& c, std::string name)
    : in_(in), core_(c), name_(std::move(name)), here_(c.rooms[name_]),
      state_(here_.state, std::make_unique<room_state>()) {
    here_.address = in_.address();
  }
  room(const room&) = delete;
  room& operator=(const room&) = delete;
  ~room() { here_.address = {}; }

  task<> run() {
    co_await take_over();
    co_await load();
    co_await in_.serve(
      [this](const join& m) -> task<> { co_await add(m); },
      [this](const leave& m) -> task<> {
        demonitor(m.client);
        co_await remove(m.client.address(), m.why);
      },
      [this](const caf::down_msg& gone) -> task<> { co_await remove(gone.source, {}); },
      [this](const say& m) -> task<> { co_await take(m); },
      [this](who) { return event{.what = event_kind::members, .room = name_, .names = nicks()}; },
      [this](const now_kept& m) -> task<> { co_await release(m.id); },
      [this](const store_state& m) -> task<> { co_await store_changed(m); });
  }

private:
  room_state& state() { return **state_; }

  /// What the life before has left.
  task<> take_over() {
    for (const auto& [address, m] : state().members) {
      monitor(m.address);
      send(m.address, moved{in_.address(), name_});
    }
    if (const auto bad = std::exchange(state().handling, std::nullopt))
      send(bad->client, refused{bad->number, "the room has crashed on it"});
    bool kept = true;
    for (const room_state::waiting_line& w : state().waiting) // twice is as good as once
      kept = core_.scribe.add(w.line) && kept;
    if (!kept)
      co_await release_all();
  }

  /// The past, from the store.
  task<> load() {
    if (state().loaded || current_time() < load_again_)
      co_return;
    load_again_ = current_time() + core_.options.retry_after;
    std::vector<history_line> unwritten = core_.scribe.waiting_in(name_); // before `past` is read
    std::vector<history_line> past;
    std::string why;
    try {
      past = co_await fail_after(
        core_.options.patience,
        [this] { return core_.store->recent(name_, core_.options.history_shown); },
        "reading the history");
    } catch (const std::exception& e) {
      why = e.what();
    }
    if (!why.empty()) {
      core_.log("room " + name_ + ": " + why);
      co_return;
    }
    state().loaded = true;
    for (history_line& l : state().recent) // said meanwhile
      if (past.empty() || l.id > past.back().id)
        past.push_back(std::move(l));
    state().recent.assign(std::make_move_iterator(past.begin()),
                          std::make_move_iterator(past.end()));
    if (!state().recent.empty())
      state().last_id = std::max(state().last_id, state().recent.back().id);
    co_await take_up(std::move(unwritten));
    trim();
  }

  /// What was said when the room was open before, and is not in the history yet: it is shown
  /// when it is, as it would have been. All that is known already is left out.
  task<> take_up(std::vector<history_line> unwritten) {
    std::set<std::int64_t> known;
    for (const history_line& l : state().recent)
      known.insert(l.id);
    for (const room_state::waiting_line& w : state().waiting)
      known.insert(w.line.id);
    for (history_line& l : unwritten)
      if (known.insert(l.id).second) {
        state().last_id = std::max(state().last_id, l.id);
        state().waiting.push_back({std::move(l), {}});
      }
    std::sort(state().waiting.begin(), state().waiting.end(),
              [](const room_state::waiting_line& a, const room_state::waiting_line& b) {
                return a.line.id < b.line.id;
              });
    if (core_.scribe.trouble())
      co_await release_all();
  }

  task<> add(const join& m) {
    co_await load();
    // one who asks again, because the room has crashed before it could answer, has heard the rest
    const bool is_new = !state().members.contains(m.client.address());
    if (is_new) {
      for (const history_line& l : state().recent)
        send(m.client, event{.what = event_kind::line,
                             .room = l.room,
                             .nick = l.nick,
                             .text = l.text,
                             .id = l.id,
                             .kept = true,
                             .old = true});
      monitor(m.client);
      state().members[m.client.address()] = {m.nick, m.client};
    }
    send(m.client, event{.what = event_kind::entered, .room = name_, .names = nicks()});
    if (is_new) {
      event joined{.what = event_kind::joined, .room = name_, .nick = m.nick};
      co_await tell_all(std::move(joined));
    }
    if (core_.scribe.trouble())
      send(m.client, event{.what = event_kind::trouble, .text = core_.scribe.cause()});
    else if (!state().loaded)
      send(m.client, event{.text = "older lines cannot be read right now"});
  }

  task<> remove(caf::actor_addr who, std::string why) {
    const auto found = state().members.find(who);
    if (found == state().members.end())
      co_return;
    const std::string nick = found->second.nick;
    state().members.erase(found);
    event left{.what = event_kind::left, .room = name_, .nick = nick, .text = why};
    co_await tell_all(std::move(left));
  }

  task<> take(const say& m) {
    const auto found = state().members.find(m.client.address());
    if (found == state().members.end())
      co_return send(m.client, refused{m.number, "you are not in the room"});
    room_state::member& sender = found->second;
    if (m.number <= sender.last_line)
      co_return; // said before a crash: it is waiting, or the sender has heard it
    state().handling = {m.client, m.number};
    sender.last_line = m.number;
    history_line l{.room = name_, .nick = sender.nick, .text = m.text};
    l.id = std::max(core_.now(), state().last_id + 1);
    if (core_.options.on_line)
      core_.options.on_line(l);
    state().last_id = l.id;
    state().waiting.push_back({l, found->first});
    state().handling.reset();
    ++core_.numbers.lines;
    if (!core_.scribe.add(std::move(l)))
      co_await release_all();
  }

  task<> release(std::int64_t up_to) {
    while (!state().waiting.empty() && state().waiting.front().line.id <= up_to)
      co_await show_next(true);
    trim();
  }

  task<> release_all() {
    while (!state().waiting.empty())
      co_await show_next(false);
    trim();
  }

  task<> show_next(bool kept) {
    history_line l = std::move(state().waiting.front().line);
    state().waiting.pop_front();
    state().recent.push_back(l);
    event shown{.what = event_kind::line,
                .room = std::move(l.room),
                .nick = std::move(l.nick),
                .text = std::move(l.text),
                .id = l.id,
                .kept = kept};
    co_await tell_all(std::move(shown));
  }

  void trim() {
    while (state().recent.size() > core_.options.history_shown)
      state().recent.pop_front();
  }

  task<> store_changed(const store_state& m) {
    if (m.trouble)
      co_await release_all();
    event news{.what = m.trouble ? event_kind::trouble : event_kind::recovered, .text = m.text};
    co_await tell_all(std::move(news));
    if (!m.trouble)
      co_await load();
  }

  /// One message for all: what is in it is shared. Now and then those who hear it may take it from
  /// their mailboxes: these are for clients that are slow, not for a room that is fast.
  task<> tell_all(event e) {
    const caf::message shared = caf::make_message(std::move(e));
    for (const auto& [address, m] : state().members)
      send(m.address, shared);
    if (++told_ % at_once == 0)
      co_await checkpoint();
  }

  [[nodiscard]] std::vector<std::string> nicks() {
    std::vector<std::string> all;
    all.reserve(state().members.size());
    for (const auto& [address, m] : state().members)
      all.push_back(m.nick);
    std::sort(all.begin(), all.end());
    return all;
  }

  mailbox& in_;
  service::core& core_;
  std::string name_;
  service::core::open_room& here_;
  kept<std::unique_ptr<room_state>> state_;
  time_point load_again_{};
  std::uint64_t told_ = 0;
};

} // namespace

task<> run_room(mailbox& in, service::core& c, std::string name) {
  room r(in, c, std::move(name));
  co_await r.run();
}

} // namespace troupe::chat
