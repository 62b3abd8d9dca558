// SPDX-License-Identifier: BSD-3-Clause
#include "allocation_plan.hpp"
#include "simulator.hpp"

#include <troupe/detail/fault_hooks.hpp>
#include <troupe/random.hpp>
#include <troupe/testing/simulated_disk.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::testing {

namespace {

namespace fs = std::filesystem;
using troupe::detail::file_use;

constexpr std::size_t block = 512;

/// What a file is on the disk, whatever its name.
struct content {
  std::string synced;
};
using content_ref = std::shared_ptr<content>;
using directory_of = std::map<std::string, content_ref>; // by path

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string folder_of(const std::string& path) { return fs::path(path).parent_path().native(); }

/// A change of names that is not on the disk yet.
struct change {
  std::string from; // empty: `to` is new
  std::string to;   // empty: `from` is removed
  content_ref what;

  [[nodiscard]] bool is_in(const std::string& folder) const {
    return (!from.empty() && folder_of(from) == folder) || (!to.empty() && folder_of(to) == folder);
  }
  void apply(directory_of& names) const {
    if (!from.empty())
      names.erase(from);
    if (!to.empty())
      names[to] = what;
  }
};

fs::path make_directory() {
  std::string name = (fs::temp_directory_path() / "troupe-disk-XXXXXX").native();
  if (!::mkdtemp(name.data()))
    throw fs::filesystem_error("troupe: simulated_disk", name,
                               std::error_code(errno, std::generic_category()));
  return name;
}

} // namespace

class simulated_disk::state final : public troupe::detail::fault_hooks {
public:
  explicit state(simulated_disk_options o) : options_(o), path(make_directory()) {
    if (o.seed != 0)
      random_.emplace(o.seed);
    troupe::detail::add_fault_hooks(*this);
  }
  ~state() {
    troupe::detail::remove_fault_hooks(*this);
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }

  int file_used(file_use what, const std::string& name, std::size_t& /*size*/) override {
    if (!is_here(name))
      return 0;
    const std::lock_guard lock(mutex_);
    if (off_)
      return what == file_use::close ? 0 : EIO;
    const std::string p = normal(name);
    if (!now_.contains(p) && fs::is_regular_file(p)) // it has been there
      synced_[p] = now_[p] = std::make_shared<content>(content{read(p)});
    return 0;
  }

  void file_changed(file_use what, const std::string& name, const std::string& to) override {
    if (!is_here(name) && !is_here(to))
      return;
    const std::lock_guard lock(mutex_);
    if (off_)
      return;
    const std::string p = normal(name);
    switch (what) {
    case file_use::open:
      if (!now_.contains(p) && fs::is_regular_file(p))
        note({"", p, std::make_shared<content>()});
      return;
    case file_use::rename: return renamed(p, normal(to));
    case file_use::remove: return removed(p);
    case file_use::sync: return fs::is_directory(p) ? sync_directory(p) : sync_file(p);
    default: return;
    }
  }

  void power_off() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(off_, true))
      return;
    after_.clear();
    directory_of names = synced_;
    const bool lucky = fraction() < options_.spares;
    // the changes of names are written in order
    const auto done = lucky ? below(changes_.size() + 1) : 0;
    for (std::size_t i = 0; i < done; ++i)
      changes_[i].apply(names);
    for (const auto& [name, what] : names)
      after_[name] = lucky ? torn(*what) : what->synced;
  }

  void power_on() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(off_, false))
      return;
    for (const auto& [name, what] : now_)
      if (!after_.contains(name))
        fs::remove(name);
    now_.clear();
    changes_.clear();
    for (const auto& [name, bytes] : after_) {
      fs::create_directories(fs::path(name).parent_path());
      write(name, bytes);
      now_[name] = std::make_shared<content>(content{bytes});
    }
    synced_ = now_;
  }

private:
  [[nodiscard]] bool is_here(const std::string& name) const {
    return name.starts_with(path.native());
  }
  [[nodiscard]] static std::string normal(const std::string& name) {
    fs::path p = fs::path(name).lexically_normal();
    return (p.has_filename() ? p : p.parent_path()).native();
  }

  void note(change c) {
    c.apply(now_);
    changes_.push_back(std::move(c));
  }

  void renamed(const std::string& from, const std::string& to) {
    for (const auto& [name, what] : directory_of(now_)) // a directory takes its files along
      if (name == from || name.starts_with(from + "/"))
        note({name, to + name.substr(from.size()), what});
  }

  void removed(const std::string& p) {
    for (const auto& [name, what] : directory_of(now_))
      if (name == p || name.starts_with(p + "/"))
        note({name, "", what});
  }

  void sync_directory(const std::string& p) {
    std::erase_if(changes_, [&](const change& c) {
      if (!c.is_in(p))
        return false;
      c.apply(synced_);
      return true;
    });
  }

  void sync_file(const std::string& p) {
    const auto found = now_.find(p);
    if (found == now_.end())
      return;
    found->second->synced = read(p);
    std::erase_if(changes_, [&](const change& c) {
      if (!c.from.empty() || c.what != found->second)
        return false;
      c.apply(synced_); // a new file has its name
      return true;
    });
  }

  /// Some of what was written since the last sync.
  [[nodiscard]] std::string torn(const content& c) {
    const auto found =
      std::find_if(now_.begin(), now_.end(), [&](const auto& n) { return n.second.get() == &c; });
    if (found == now_.end())
      return c.synced;
    const std::string written = read(found->first);
    const std::size_t shorter = std::min(written.size(), c.synced.size());
    const std::size_t longer = std::max(written.size(), c.synced.size());
    const std::size_t size = shorter + below(longer - shorter + 1);
    std::string result = (written.size() > c.synced.size() ? written : c.synced).substr(0, size);
    for (std::size_t at = 0; at < shorter; at += block) {
      const std::size_t n = std::min(block, shorter - at);
      result.replace(at, n, (below(2) != 0 ? written : c.synced).substr(at, n));
    }
    return result;
  }

  [[nodiscard]] std::uint64_t bits() {
    return random_ ? internal::simulator::leave_to_chance((*random_)()) : random_bits();
  }
  [[nodiscard]] std::size_t below(std::size_t n) { return bits() % n; }
  [[nodiscard]] double fraction() { return internal::fraction_of(bits()); }

  const simulated_disk_options options_;
  internal::quiet_mutex mutex_;
  std::optional<std::mt19937_64> random_;
  directory_of now_;
  directory_of synced_; // the names that last
  std::vector<change> changes_;
  std::map<std::string, std::string> after_; // what is left by the crash
  bool off_ = false;

public:
  const fs::path path;
};

simulated_disk::simulated_disk(simulated_disk_options options)
  : state_(std::make_unique<state>(options)) {}

simulated_disk::simulated_disk() : simulated_disk(simulated_disk_options()) {}

simulated_disk::~simulated_disk() = default;

const std::filesystem::path& simulated_disk::path() const noexcept { return state_->path; }

void simulated_disk::power_off() { state_->power_off(); }

void simulated_disk::power_on() { state_->power_on(); }

} // namespace troupe::testing
