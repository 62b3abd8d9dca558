// SPDX-License-Identifier: BSD-3-Clause
#include "scribe.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <map>
#include <utility>

namespace troupe::chat {

namespace {

constexpr std::size_t batch_limit = 1000;
constexpr duration rest_limit = std::chrono::seconds(5); // for what is left at the end

// When a batch is cut off, in patiences: twice as late each time, as the store may just be slow.
constexpr int first_limit = 5;
constexpr unsigned most_doublings = 4;

} // namespace

/// Says what could not be written.
class scribe::at_the_end {
public:
  explicit at_the_end(scribe& s) noexcept : scribe_(s) {}
  at_the_end(const at_the_end&) = delete;
  at_the_end& operator=(const at_the_end&) = delete;
  ~at_the_end() {
    const std::size_t left = scribe_.waiting();
    if (left == 0)
      return;
    scribe_.counts_.lost += left;
    try {
      scribe_.listener_.state(true, std::to_string(left) + " lines are lost");
    } catch (...) { // NOLINT(bugprone-empty-catch): no memory to say it
    }
  }

private:
  scribe& scribe_;
};

bool scribe::add(history_line line) {
  if (waiting() >= limits_.backlog) {
    ++counts_.lost;
    ++lost_now_;
    return false;
  }
  waiting_.push_back(std::move(line));
  if (work_)
    work_->set();
  return true;
}

std::vector<history_line> scribe::waiting_in(const std::string& room) const {
  std::vector<history_line> lines;
  const auto is_of = [&room](const history_line& l) { return l.room == room; };
  std::copy_if(batch_.begin(), batch_.end(), std::back_inserter(lines), is_of);
  std::copy_if(waiting_.begin(), waiting_.end(), std::back_inserter(lines), is_of);
  return lines;
}

std::optional<std::int64_t> scribe::first_waiting_in(const std::string& room) const {
  const auto is_of = [&room](const history_line& l) { return l.room == room; };
  if (const auto l = std::find_if(batch_.begin(), batch_.end(), is_of); l != batch_.end())
    return l->id;
  if (const auto l = std::find_if(waiting_.begin(), waiting_.end(), is_of); l != waiting_.end())
    return l->id;
  return std::nullopt;
}

task<> scribe::run() {
  co_await with_cleanup([this]() -> task<> { co_await write_all(); },
                        [this]() -> task<> { co_await write_rest(); }, rest_limit);
}

task<> scribe::write_all() {
  for (;;) {
    if (waiting() == 0) {
      work_.emplace();
      co_await work_->wait();
      work_.reset();
    }
    const bool ok = co_await write_batch();
    if (!ok)
      co_await sleep_for(limits_.retry_after);
  }
}

task<> scribe::write_rest() {
  const at_the_end last(*this);
  while (waiting() != 0) {
    const bool ok = co_await write_batch();
    if (!ok)
      break;
  }
  co_await store_.close();
}

task<bool> scribe::write_batch() {
  if (batch_.empty()) {
    const auto end =
      waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(batch_limit, waiting_.size()));
    batch_.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
  }
  std::string why;
  try {
    co_await with_nursery([this](nursery& n) -> task<> {
      n.start_service(named("patience with the history", [this]() -> task<> {
        co_await sleep_for(limits_.patience);
        in_trouble(store_.name() + " does not answer");
      }));
      const duration limit = limits_.patience * (first_limit << std::min(cut_off_, most_doublings));
      co_await fail_after(limit, [this] { return store_.append(batch_); });
    });
  } catch (const timeout_error&) {
    ++cut_off_;
    why = store_.name() + " does not answer";
  } catch (const std::exception& e) {
    why = e.what();
    if (why.empty())
      why = "failed";
  }
  if (why.empty())
    written();
  else
    in_trouble(why);
  co_return why.empty();
}

void scribe::in_trouble(const std::string& why) {
  if (std::exchange(trouble_, true))
    return;
  cause_ = why;
  listener_.state(true, why);
}

void scribe::written() {
  cut_off_ = 0;
  counts_.kept += batch_.size();
  ++counts_.commits;
  std::map<std::string, std::int64_t> up_to;
  for (const history_line& l : batch_)
    up_to[l.room] = std::max(up_to[l.room], l.id);
  batch_.clear();
  for (const auto& [room, id] : up_to)
    listener_.kept(room, id);
  if (!std::exchange(trouble_, false))
    return;
  const std::uint64_t lost = std::exchange(lost_now_, 0);
  listener_.state(false, lost == 0 ? std::string() : std::to_string(lost) + " lines were lost");
}

} // namespace troupe::chat
