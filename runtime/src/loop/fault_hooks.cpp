// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/fault_hooks.hpp>

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace troupe::detail {

alignas(64) constinit std::atomic<unsigned> fault_hooks_there{0};

namespace {

/// Shared: those who ask, on all loops.
std::shared_mutex mutex;

constinit std::atomic<std::uint64_t> last_stream{0};

std::vector<fault_hooks*>& all() {
  static std::vector<fault_hooks*> hooks;
  return hooks;
}

template <class F>
void for_each(F f) noexcept {
  const std::shared_lock lock(mutex);
  for (fault_hooks* h : all())
    try {
      f(*h);
    } catch (...) { // NOLINT(bugprone-empty-catch): no memory, no fault
    }
}

} // namespace

void add_fault_hooks(fault_hooks& h) {
  const std::lock_guard lock(mutex);
  all().push_back(&h);
  fault_hooks_there.fetch_add(1, std::memory_order_relaxed);
}

void remove_fault_hooks(fault_hooks& h) noexcept {
  const std::lock_guard lock(mutex);
  if (std::erase(all(), &h) != 0)
    fault_hooks_there.fetch_sub(1, std::memory_order_relaxed);
}

stream_number::stream_number() noexcept
  : value_(last_stream.fetch_add(1, std::memory_order_relaxed) + 1) {}

void tell_task_begins(task_block& t) noexcept {
  for_each([&](fault_hooks& h) { h.task_begins(t); });
}

message_fault ask_message(std::uint64_t id, const std::string& name, bool answer) noexcept {
  message_fault first;
  for_each([&](fault_hooks& h) {
    const message_fault f = h.message_arrives(id, name, answer);
    if (first.what == message_fault::fate::arrives)
      first = f;
  });
  return first;
}

stream_fault ask_stream(const stream_use& use) noexcept {
  stream_fault all_of_them;
  for_each([&](fault_hooks& h) {
    const stream_fault f = h.stream_moves(use);
    if (f.most <= all_of_them.most) // who lets the least through says what comes then
      all_of_them.breaks = f.breaks || (f.most == all_of_them.most && all_of_them.breaks);
    all_of_them.most = std::min(all_of_them.most, f.most);
    all_of_them.stall = std::max(all_of_them.stall, f.stall);
    if (f.datagram != message_fault::fate::arrives)
      all_of_them.datagram = f.datagram;
  });
  return all_of_them;
}

void tell_stream_ends(std::uint64_t stream) noexcept {
  for_each([&](fault_hooks& h) { h.stream_ends(stream); });
}

int ask_file(file_use what, const std::string& path, std::size_t& size) noexcept {
  int error = 0;
  for_each([&](fault_hooks& h) {
    if (error == 0)
      error = h.file_used(what, path, size);
  });
  return error;
}

void tell_file_moved(file_use what, const std::string& path, std::size_t size) noexcept {
  for_each([&](fault_hooks& h) { h.file_moved(what, path, size); });
}

void tell_file_changed(file_use what, const std::string& path, const std::string& to) noexcept {
  for_each([&](fault_hooks& h) { h.file_changed(what, path, to); });
}

} // namespace troupe::detail
