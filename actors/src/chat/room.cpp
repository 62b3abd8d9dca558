// SPDX-License-Identifier: BSD-3-Clause
#include "room.hpp"

#include "core.hpp"

#include <troupe/actor.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/event.hpp>
#include <troupe/nursery.hpp>
#include <troupe/time.hpp>

#include <caf/message.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::chat {

namespace {

constexpr std::uint64_t at_once = 16;   // events
constexpr unsigned retry_doublings = 4; // of the time until the past is asked for again

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
    co_await with_nursery([this](nursery& n) -> task<> {
      if (!state().loaded) {
        n.start_service(named("past", [this] { return load(); }));
        if (state().members.empty()) // nobody is held up but who comes, and wants to hear it
          co_await move_on_after(core_.options.patience,
                                 [this]() -> task<> { co_await tried_.wait(); });
      }
      co_await serve();
    });
  }

private:
  room_state& state() { return **state_; }

  task<> serve() {
    return in_.serve(
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

  /// What the life before has left.
  task<> take_over() {
    for (const auto& [address, m] : state().members) {
      monitor(m.address);
      send(m.address, moved{in_.address(), name_});
    }
    if (const auto bad = std::exchange(state().handling, std::nullopt))
      send(bad->client, refused{bad->number, "the room has crashed on it"});
    bool soon = true;
    for (room_state::waiting_line& w : state().waiting) // twice is as good as once
      soon = keep(w) && soon;
    if (!std::exchange(state().opened, true))
      take_up();
    if (!soon || core_.scribe.trouble())
      co_await release_all();
  }

  /// What was said when the room was open before, and is not in the history yet: it is shown
  /// when it is, as it would have been.
  void take_up() {
    for (history_line& l : core_.scribe.waiting_in(name_))
      if (l.id > state().last_id) { // else it waits twice
        state().last_id = l.id;
        state().waiting.push_back({std::move(l)});
      }
  }

  /// The past, from the store: beside the mailbox, as the store may not answer.
  task<> load() {
    std::string known;
    for (unsigned failed = 0;; ++failed) {
      std::string why;
      try {
        std::vector<history_line> past = co_await fail_after(
          core_.options.patience,
          [this] { return core_.store->recent(name_, core_.options.history_shown); },
          "reading the history");
        put_before(std::move(past));
      } catch (const std::exception& e) {
        why = e.what();
      }
      tried_.set();
      if (state().loaded)
        co_return;
      if (why != known)
        core_.log("room " + name_ + ": " + why);
      known = std::move(why);
      again_.emplace();
      // less and less often: there may be many rooms, and one thread or connection for them
      co_await move_on_after(core_.options.retry_after * (1 << std::min(failed, retry_doublings)),
                             [this]() -> task<> { co_await again_->wait(); });
      again_.reset();
    }
  }

  /// What was said meanwhile comes behind it; some of that may be in it already.
  void put_before(std::vector<history_line> past) {
    state().loaded = true;
    std::set<std::int64_t> known;
    for (const room_state::shown_line& l : state().recent)
      known.insert(l.line.id);
    for (const room_state::waiting_line& w : state().waiting)
      known.insert(w.line.id);
    for (auto l = past.rbegin(); l != past.rend(); ++l)
      if (!known.contains(l->id)) {
        state().last_id = std::max(state().last_id, l->id);
        state().recent.push_front({std::move(*l)});
      }
    trim();
  }

  task<> add(const join& m) {
    // one who asks again, because the room has crashed before it could answer, has heard the rest
    const bool is_new = !state().members.contains(m.client.address());
    if (is_new) {
      look_again();
      for (const auto& [l, known] : state().recent)
        send(m.client, event{.what = event_kind::line,
                             .room = l.room,
                             .nick = l.nick,
                             .text = l.text,
                             .id = l.id,
                             .kept = known == room_state::fate::kept,
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

  /// What was shown before it was kept may be kept by now.
  void look_again() {
    const auto first = core_.scribe.first_waiting_in(name_);
    for (auto& [l, known] : state().recent)
      if (known == room_state::fate::waits && (!first || l.id < *first))
        known = room_state::fate::kept;
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
    state().waiting.push_back({std::move(l)});
    state().handling.reset();
    ++core_.numbers.lines;
    if (!keep(state().waiting.back()))
      co_await release_all();
  }

  /// Whether it will be in the history soon.
  bool keep(room_state::waiting_line& w) {
    w.lost = !core_.scribe.add(w.line);
    return !w.lost && !core_.scribe.trouble();
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
    auto [l, lost] = std::move(state().waiting.front());
    state().waiting.pop_front();
    using fate = room_state::fate;
    state().recent.push_back({l, kept ? fate::kept : lost ? fate::lost : fate::waits});
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
    if (!m.trouble && again_)
      again_->set();
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
  troupe::event tried_;                // is set when the past was asked for
  std::optional<troupe::event> again_; // while it is waited to ask again
  std::uint64_t told_ = 0;
};

} // namespace

task<> run_room(mailbox& in, service::core& c, std::string name) {
  room r(in, c, std::move(name));
  co_await r.run();
}

} // namespace troupe::chat
