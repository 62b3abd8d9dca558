// SPDX-License-Identifier: BSD-3-Clause
// What plans do to streams and datagrams.
#include "fault_injector.hpp"

#include "fault_plan.hpp"

#include <algorithm>
#include <variant>

namespace troupe::testing::internal {

using troupe::detail::stream_fault;
using troupe::detail::stream_use;

/// Whether it strikes when so many bytes move, and counts it.
bool fault_injector::strikes_move(planned& p, const counted_use& use, std::size_t moving) {
  if (p.what.at.byte == 0)
    return strikes(p, use.nth);
  if (!strikes_bytes(p, use.before, moving))
    return false;
  ++p.struck;
  return true;
}

void fault_injector::note_move(const planned& p, const counted_use& use, const char* what) {
  const std::uint64_t byte = p.what.at.byte;
  const char* const counted = byte != 0      ? ", byte "
                              : use.reading  ? ", read "
                              : use.datagram ? ", datagram "
                                             : ", write ";
  note_(std::string("by plan, ") + what + counted + std::to_string(byte != 0 ? byte : use.nth)
          + ": " + use.name,
        "");
}

template <class Fault, class F>
void fault_injector::each_for(const std::string& name, F f) {
  for (planned& p : plan_)
    if (const auto* what = std::get_if<Fault>(&p.what.what); what && matches(p.what.names, name)) {
      p.matched = true;
      f(p, *what);
    }
}

stream_fault fault_injector::stream_moves(const stream_use& use) {
  if (!mine_())
    return {};
  const std::lock_guard lock(mutex_);
  const auto names_it = [&](const planned& p) { return matches(p.what.names, use.name); };
  if (std::none_of(plan_.begin(), plan_.end(), names_it))
    return {};
  stream_count& count = streams_[2 * use.stream + (use.reading ? 1 : 0)];
  if (count.moves++ == 0)
    count.begin = use.before;
  counted_use now{use, count.moves};
  now.before -= count.begin;
  if (!use.reading && use.far && count.written.empty()) {
    std::size_t& of = written_[use.name];
    count.written = use.name;
    ++of;
  }
  return use.datagram ? datagram_moves(now) : bytes_move(now);
}

/// What it has written may be read later; but who reads it after so many others have ended is taken
/// for another program.
void fault_injector::stream_ends(std::uint64_t stream) {
  constexpr std::size_t most = 1000;
  const std::lock_guard lock(mutex_);
  for (const std::uint64_t way : {2 * stream, 2 * stream + 1})
    if (auto gone = streams_.extract(way); gone && !gone.mapped().written.empty())
      ended_.push_back(std::move(gone.mapped().written));
  while (ended_.size() > most) {
    const auto oldest = written_.find(ended_.front());
    if (--oldest->second == 0)
      written_.erase(oldest);
    ended_.pop_front();
  }
}

stream_fault fault_injector::datagram_moves(const counted_use& use) {
  stream_fault last;
  each_for<fault::in_traffic>(use.name, [&](planned& p, const fault::in_traffic& m) {
    if (m.which != traffic::messages || !strikes(p, use.nth))
      return;
    note_move(p, use, to_text(m.what.what));
    last.datagram = m.what.what;
    last.stall = m.what.time;
  });
  return last;
}

stream_fault fault_injector::bytes_move(const counted_use& use) {
  stream_fault all;
  each_for<fault::shortening>(use.name, [&](planned& p, const fault::shortening& shorter) {
    if (!strikes_move(p, use, use.size))
      return;
    note_move(p, use, "is short");
    all.most = std::min(all.most, shorter.bytes);
  });
  // the rest strikes where it is written, if that is in this program
  if (use.reading && (!use.far || written_.contains(use.name)))
    return all;
  // what does not move now meets its fault with a later write
  const std::size_t moving = std::min(use.size, all.most);
  const planned* first = nullptr;
  std::size_t until = 0;
  each_for<fault::breaking>(use.name, [&](planned& p, const fault::breaking&) {
    const std::uint64_t byte = p.what.at.byte;
    if (use.reading && use.before + 1 < byte && strikes_bytes(p, use.before, moving)) {
      all.most = std::min(all.most, static_cast<std::size_t>(byte - 1 - use.before));
      return; // the next read meets it
    }
    if (!strikes_move(p, use, moving))
      return;
    const std::size_t here = byte != 0 ? static_cast<std::size_t>(byte - 1 - use.before) : 0;
    if (!first || here < until) {
      first = &p;
      until = here;
    }
  });
  if (first) {
    note_move(*first, use, "is reset");
    all.breaks = true;
    all.most = until;
  }
  each_for<fault::stalling>(use.name, [&](planned& p, const fault::stalling& stalls) {
    if (!strikes_move(p, use, std::min(use.size, all.most)))
      return;
    note_move(p, use, "stalls");
    all.stall = std::max(all.stall, stalls.time);
  });
  return all;
}

} // namespace troupe::testing::internal
