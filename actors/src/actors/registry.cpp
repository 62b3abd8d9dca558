// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/registry.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/time.hpp>

namespace troupe::names {

table::~table() {
  for (auto& [name, e] : entries_)
    e->table_ = nullptr;
}

table::entry& table::entry::operator=(entry&& other) noexcept {
  if (this == &other)
    return *this;
  remove();
  table_ = std::exchange(other.table_, nullptr);
  thing_ = other.thing_;
  place_ = other.place_;
  if (table_)
    place_->second = this;
  return *this;
}

void table::entry::remove() noexcept {
  if (table_)
    std::exchange(table_, nullptr)->entries_.erase(place_);
}

table::entry table::add(std::string name, void* thing) {
  entry e;
  const auto [place, added] = entries_.try_emplace(std::move(name), &e);
  if (!added)
    throw name_taken("troupe: there is a '" + place->first + "' in '" + name_ + "' already");
  e.table_ = this;
  e.thing_ = thing;
  e.place_ = place;
  for (waiter& w : waiters_)
    if (w.name == place->first)
      w.there.set();
  return e;
}

void* table::find(std::string_view name) const noexcept {
  const auto place = entries_.find(name);
  return place == entries_.end() ? nullptr : place->second->thing_;
}

std::vector<std::string> table::names() const {
  std::vector<std::string> result;
  result.reserve(entries_.size());
  for (const auto& [name, e] : entries_)
    result.push_back(name);
  return result;
}

/// Of who waits.
class table::waiting {
public:
  waiting(table& t, const std::string& name)
    : table_(t), place_(t.waiters_.emplace(t.waiters_.end(), name)) {}
  waiting(const waiting&) = delete;
  waiting& operator=(const waiting&) = delete;
  ~waiting() { table_.waiters_.erase(place_); }

  [[nodiscard]] event& there() noexcept { return place_->there; }

private:
  table& table_;
  std::list<waiter>::iterator place_;
};

task<void*> table::wait_for(std::string name, duration limit) {
  co_return co_await fail_after(
    limit, [&]() { return wait_for(name); }, "wait for '" + name + "' in '" + name_ + "'");
}

task<void*> table::wait_for(const std::string& name) {
  co_await checkpoint();
  for (;;) {
    if (void* thing = find(name))
      co_return thing;
    waiting here(*this, name);
    co_await here.there().wait(); // it may be gone again by then
  }
}

} // namespace troupe::names
