// SPDX-License-Identifier: BSD-3-Clause
#include "event_log.hpp"

#include "task_tracks.hpp"

#include <troupe/detail/task_extras.hpp>

#include <algorithm>
#include <cstring>
#include <iomanip>
#include <new>
#include <sstream>

namespace troupe::testing::internal {

namespace {

using troupe::detail::task_block;
using troupe::detail::task_state;

template <std::size_t N>
std::string_view copy(std::string_view from, std::array<char, N>& to) noexcept {
  const std::size_t n = from.copy(to.data(), N - 1);
  to[n] = '\0';
  return {to.data(), n};
}

/// The number of a task that has run; 0 of one that is none.
std::uint32_t number_of(const task_block* t) noexcept {
  return t && t->extras() ? t->extras()->number : 0;
}

} // namespace

event_log::event_log(std::size_t kept, trace* record)
  : kept_(kept), tracks_(record ? std::make_unique<task_tracks>(*record) : nullptr) {
  entries_.reserve(kept);
}

event_log::~event_log() = default;

void event_log::fold(std::uint64_t word) noexcept {
  hash_ = (hash_ ^ word) * 0x9e3779b97f4a7c15U;
  hash_ ^= hash_ >> 32;
}

void event_log::fold(std::string_view text) noexcept {
  fold(text.size());
  while (!text.empty()) {
    std::uint64_t word = 0;
    const std::size_t n = std::min(text.size(), sizeof word);
    std::memcpy(&word, text.data(), n);
    fold(word);
    text.remove_prefix(n);
  }
}

event_log::entry& event_log::next() noexcept {
  if (kept_ == 0)
    return spare_;
  if (entries_.size() < kept_) {
    last_ = entries_.size();
    return entries_.emplace_back();
  }
  if (++last_ == kept_)
    last_ = 0;
  return entries_[last_];
}

void event_log::begin(const step& s) noexcept {
  entry& e = next();
  open_ = &e;
  e.kind = s.kind;
  e.noted = e.first = false;
  e.loop = s.loop;
  e.number = 0;
  e.step = ++steps_;
  e.time = s.time.time_since_epoch();
  fold(static_cast<std::uint64_t>(e.time.count()));
  const std::uint64_t where = static_cast<std::uint64_t>(s.kind) | std::uint64_t{s.loop} << 8U;
  if (!s.task)
    return fold(where);
  const task_block& t = *s.task;
  name(e, t);
  if (!number_of(&t)) {
    try {
      const_cast<task_block&>(t).need_extras().number = ++tasks_; // NOLINT: only that
    } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch): without one, then
    }
    e.first = true;
    e.parent = number_of(parent_of(t));
    fold(e.parent);
    fold(std::string_view(e.function));
    fold(std::string_view(e.name.data()));
  }
  e.number = number_of(&t);
  fold(where ^ static_cast<std::uint64_t>(t.state()) << 24U ^ std::uint64_t{e.number} << 32U);
}

void event_log::name(entry& e, const task_block& t) noexcept {
  e.function = t.function_name();
  e.name[0] = '\0';
  if (t.extras() && !t.extras()->name.empty())
    copy(t.extras()->name, e.name);
}

event_log::fate event_log::fate_of(const task_block& t) noexcept {
  switch (t.state()) {
  case task_state::ready_unwind: return fate::is_cancelled;
  case task_state::waiting:
  case task_state::aborting: return fate::waits;
  case task_state::ended:
    if (t.ended_cancelled())
      return fate::was_cancelled;
    return const_cast<task_block&>(t).error() ? fate::failed : fate::ended; // NOLINT: reads
  default: return fate::gives_way;
  }
}

void event_log::end(const step& s) noexcept {
  entry& e = *open_;
  if (!s.task) {
    e.function = "";
    e.name[0] = '\0';
    return;
  }
  const task_block& t = *s.task;
  if (e.kind != step_kind::task) {
    name(e, t);
    e.number = number_of(&t);
    return fold(e.number);
  }
  e.then = fate_of(t);
  fold(static_cast<std::uint64_t>(e.then));
  if (e.then == fate::waits)
    fold(copy(t.waiting_for() ? t.waiting_for()->waits_for() : "nothing", e.text));
  if (tracks_)
    draw(e);
}

void event_log::note(time_point at, std::string_view what, std::string_view path) noexcept {
  entry& e = next();
  e.noted = true;
  e.step = steps_;
  e.time = at.time_since_epoch();
  const std::size_t n = copy(what, e.text).size();
  fold(std::string_view(e.text.data(), n));
  e.text[n + path.copy(e.text.data() + n, e.text.size() - 1 - n)] = '\0';
  if (!tracks_)
    return;
  try {
    tracks_->note(std::string(what).append(path), at);
  } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch): a gap in the picture
  }
}

/// What has become of a task.
void event_log::draw(const entry& e) noexcept {
  try {
    const time_point at(e.time);
    if (e.first)
      tracks_->begin(e.number, e.loop, task_of(e), at);
    switch (e.then) {
    case fate::waits: return tracks_->waits(e.number, e.text.data(), at);
    case fate::gives_way:
    case fate::is_cancelled: return tracks_->runs(e.number, at);
    case fate::ended:
    case fate::was_cancelled:
    case fate::failed: return tracks_->end(e.number, text_of(e), at);
    }
  } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch): a gap in the picture
  }
}

// -- for people -------------------------------------------------------------------------

const char* event_log::text_of(const entry& e) noexcept {
  switch (e.then) {
  case fate::gives_way: return "gives way";
  case fate::is_cancelled: return "is cancelled";
  case fate::waits: return e.text.data();
  case fate::ended: return "ended";
  case fate::was_cancelled: return "ended, cancelled";
  case fate::failed: return "ended with a failure";
  }
  return "";
}

std::string event_log::task_of(const entry& e) {
  return e.name[0] ? std::string(e.name.data()) : troupe::detail::short_name(e.function);
}

void event_log::write(std::ostream& out, const entry& e) {
  out << std::setw(6) << e.step << ' ' << std::fixed << std::setprecision(6) << std::setw(12)
      << std::chrono::duration<double>(e.time).count() << " s  ";
  if (e.noted) {
    out << e.text.data() << '\n';
    return;
  }
  if (e.kind == step_kind::job)
    out << "a thread: its job";
  else
    out << "loop " << e.loop << ": ";
  std::string task = task_of(e);
  if (e.number != 0)
    task += '#' + std::to_string(e.number);
  switch (e.kind) {
  case step_kind::task:
    out << task;
    if (e.first && e.parent)
      out << ", a child of #" << e.parent << ',';
    out << (e.first ? " starts, then " : " runs, then ")
        << (e.then == fate::waits ? "waits for " : "") << text_of(e) << '\n';
    return;
  case step_kind::callback: out << "a callback"; break;
  case step_kind::message: out << "a message from elsewhere"; break;
  case step_kind::timer: out << "a timer"; break;
  case step_kind::job: break;
  }
  out << (task.empty() ? "" : " for ") << task << '\n';
}

std::string event_log::text() const {
  std::ostringstream out;
  for (std::size_t i = 1; i <= entries_.size(); ++i)
    write(out, entries_[(last_ + i) % entries_.size()]);
  return out.str();
}

} // namespace troupe::testing::internal
