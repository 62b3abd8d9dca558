// SPDX-License-Identifier: BSD-3-Clause
#include "fault_plan.hpp"

#include <troupe/error.hpp>
#include <troupe/testing/failing_allocations.hpp>

#include <bit>
#include <string>

namespace troupe::testing::internal {

unmatched_fault::unmatched_fault(const std::string& names)
  : test_failure("the fault plan names '" + names
                 + "', and nothing that it could happen to has such a name") {}

unmatched_fault::~unmatched_fault() = default;

using troupe::detail::message_fault;

bool matches(std::string_view pattern, std::string_view text) noexcept {
  const auto star = pattern.find('*');
  if (star == pattern.npos)
    return pattern == text;
  if (pattern.substr(0, star) != text.substr(0, star))
    return false;
  pattern.remove_prefix(star + 1);
  for (std::size_t at = star; at <= text.size(); ++at)
    if (matches(pattern, text.substr(at)))
      return true;
  return false;
}

namespace {

/// What is wrong with it; null if nothing is.
const char* mistake(const fault& f) noexcept {
  const when& at = f.at;
  const int said = (at.nth != 0) + (at.chance != 0) + (at.byte != 0);
  if (at.most == 0 || said != 1 || !(at.chance >= 0 && at.chance <= 1))
    return "it strikes at the n-th checkpoint, message or byte, or with a chance above 0 and up "
           "to 1";
  const auto* stalls = std::get_if<fault::stalling>(&f.what);
  if (stalls && stalls->time <= duration::zero())
    return "it stalls for a time";
  if (const auto* m = std::get_if<fault::in_traffic>(&f.what)) {
    const bool later = m->what.what == message_fault::fate::comes_later
                       || m->what.what == message_fault::fate::is_overtaken;
    if (later && m->what.time <= duration::zero())
      return "it takes a time to come later";
  }
  if (const auto* s = std::get_if<fault::shortening>(&f.what); s && s->bytes == 0)
    return "what is short moves one byte at least";
  if (const auto* c = std::get_if<fault::crashing>(&f.what); c && c->down_for < duration::zero())
    return "a node is down for a time";
  const bool has_bytes = stalls || std::holds_alternative<fault::breaking>(f.what)
                         || std::holds_alternative<fault::shortening>(f.what)
                         || std::holds_alternative<fault::file_failing>(f.what);
  if (at.byte != 0 && !has_bytes)
    return "only streams and files have bytes";
  if (std::holds_alternative<fault::lacking_memory>(f.what) && allocations.live() == 0)
    return "one source of the program has to include troupe/testing/replace_new.hpp";
  if (const auto* e = std::get_if<fault::file_failing>(&f.what)) {
    if (static_cast<int>(e->error) == 0)
      return "a file fails with an error";
    if (at.byte != 0 && e->which != file_use::any && e->which != file_use::read
        && e->which != file_use::write)
      return "only what is read or written has bytes";
  }
  return nullptr;
}

} // namespace

void check_plan(const std::vector<fault>& plan) {
  for (const fault& f : plan)
    if (const char* why = mistake(f))
      throw usage_error("troupe: the fault for '" + f.names + "' is impossible: " + why);
}

std::uint64_t identity(const fault& f) noexcept {
  std::uint64_t h = 0xcbf29ce484222325U; // FNV-1a, the same on all machines
  const auto fold = [&h](std::uint64_t x) { h = (h ^ x) * 0x100000001b3U; };
  for (const char c : f.names)
    fold(static_cast<unsigned char>(c));
  fold(f.at.nth);
  fold(std::bit_cast<std::uint64_t>(f.at.chance));
  fold(f.at.byte);
  fold(f.what.index());
  if (const auto* m = std::get_if<fault::in_traffic>(&f.what))
    fold(static_cast<std::uint64_t>(m->what.what) * 2 + static_cast<std::uint64_t>(m->which));
  return h;
}

bool is_for_tasks(const fault& f) noexcept {
  return std::holds_alternative<fault::failing>(f.what)
         || std::holds_alternative<fault::cancelling>(f.what)
         || std::holds_alternative<fault::stalling>(f.what)
         || std::holds_alternative<fault::crashing>(f.what)
         || std::holds_alternative<fault::lacking_memory>(f.what);
}

const char* to_text(message_fault::fate f) noexcept {
  switch (f) {
  case message_fault::fate::arrives: return "arrives";
  case message_fault::fate::is_lost: return "is lost";
  case message_fault::fate::comes_later: return "comes later";
  case message_fault::fate::comes_twice: return "comes twice";
  case message_fault::fate::is_overtaken: return "is overtaken";
  case message_fault::fate::ends: return "ends the actor";
  }
  return "";
}

} // namespace troupe::testing::internal
