// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/publish_group.hpp>
#include <troupe/error.hpp>
#include <troupe/time.hpp>

#include <algorithm>

namespace troupe::groups {

namespace {

bool has_wildcards(std::string_view pattern) noexcept {
  return pattern.find_first_of("+#") != std::string_view::npos;
}

/// The first level of `path`, which is taken off it.
std::string_view take_level(std::string_view& path, bool& more) noexcept {
  const auto end = path.find('/');
  more = end != std::string_view::npos;
  const auto level = path.substr(0, end);
  path.remove_prefix(more ? end + 1 : path.size());
  return level;
}

/// A wildcard is a level of its own, and '#' the last one.
bool is_pattern(std::string_view pattern) noexcept {
  for (bool more = true; more;) {
    const auto level = take_level(pattern, more);
    if (level.size() > 1 && has_wildcards(level))
      return false;
    if (level == "#" && more)
      return false;
  }
  return true;
}

} // namespace

bool matches(std::string_view pattern, std::string_view topic) noexcept {
  bool more_pattern = true, more_topic = true;
  while (more_pattern && more_topic) {
    const auto wanted = take_level(pattern, more_pattern);
    if (wanted == "#")
      return true;
    const auto level = take_level(topic, more_topic);
    if (wanted != "+" && wanted != level)
      return false;
  }
  return !more_topic && (!more_pattern || pattern == "#"); // "a/#" is for "a", too
}

// -- a subscriber -------------------------------------------------------------------

namespace {

/// Of a task in `next`.
class waiting {
public:
  explicit waiting(subscriber& s) noexcept : subscriber_(s) { s.awaited = true; }
  waiting(const waiting&) = delete;
  waiting& operator=(const waiting&) = delete;
  ~waiting() { subscriber_.awaited = false; }

private:
  subscriber& subscriber_;
};

} // namespace

subscriber_handle::~subscriber_handle() {
  if (!me_)
    return;
  if (me_->group)
    me_->group->remove(*me_);
  me_->queue.clear();
  me_->room.release(); // whoever waits for room sees that there is nobody, and passes it on
}

value subscriber_handle::try_next() noexcept {
  if (me_->queue.empty())
    return nullptr;
  value what = std::move(me_->queue.front().what);
  me_->queue.pop_front();
  return what;
}

task<value> subscriber_handle::next() {
  if (me_->awaited)
    throw usage_error("troupe: two tasks wait for what is published for '" + me_->pattern + "'");
  const waiting here(*me_);
  co_await checkpoint();
  for (;;) {
    if (value what = try_next())
      co_return what;
    if (me_->too_slow)
      throw subscriber_too_slow("troupe: the subscription to '" + me_->pattern
                                + "' has ended: its subscriber was too slow");
    if (!me_->group)
      co_return nullptr;
    me_->arrived.emplace();
    co_await me_->arrived->wait();
  }
}

// -- the group ----------------------------------------------------------------------

core::~core() {
  const auto end = [](const place& s) {
    s->group = nullptr;
    if (s->arrived)
      s->arrived->set();
  };
  for (auto& [topic, subscribers] : exact_)
    std::for_each(subscribers.begin(), subscribers.end(), end);
  std::for_each(with_wildcards_.begin(), with_wildcards_.end(), end);
}

subscriber_handle core::subscribe(std::string pattern, subscription_options options) {
  if (!is_pattern(pattern))
    throw std::invalid_argument("troupe: '" + pattern + "' is no pattern for topics of '" + name_
                                + "'");
  if (options.capacity == 0)
    throw std::invalid_argument("troupe: a subscription to '" + pattern + "' of '" + name_
                                + "' has room for one thing at least");
  auto s = std::make_shared<subscriber>(std::move(pattern), options, next_number_++);
  (has_wildcards(s->pattern) ? with_wildcards_ : exact_[s->pattern]).push_back(s);
  s->group = this;
  ++size_;
  return subscriber_handle(std::move(s));
}

void core::remove(subscriber& s) noexcept {
  s.group = nullptr;
  --size_;
  const auto is_it = [&s](const place& other) { return other.get() == &s; };
  if (has_wildcards(s.pattern)) {
    std::erase_if(with_wildcards_, is_it);
    return;
  }
  const auto topic = exact_.find(s.pattern);
  std::erase_if(topic->second, is_it);
  if (topic->second.empty())
    exact_.erase(topic);
}

template <class F>
void core::for_each(const std::string& topic, F f) {
  if (const auto same = exact_.find(topic); same != exact_.end())
    for (const place& s : same->second)
      f(s);
  for (const place& s : with_wildcards_)
    if (matches(s->pattern, topic))
      f(s);
}

void core::check_topic(const std::string& topic) const {
  if (has_wildcards(topic))
    throw std::invalid_argument("troupe: '" + topic + "' is a pattern, and no topic of '" + name_
                                + "'");
}

/// Takes room where it is to be waited for and there is some. Gives the first one that has none.
core::place core::lacking(const std::string& topic, std::vector<reserved>& rooms) {
  place none;
  for_each(topic, [&](const place& s) {
    if (none || s->options.policy != when_slow::wait)
      return;
    const bool has_it =
      std::any_of(rooms.begin(), rooms.end(), [&s](const reserved& r) { return r.who == s; });
    if (has_it)
      return;
    if (auto room = s->room.try_acquire())
      rooms.push_back({s, std::move(room)});
    else
      none = s;
  });
  return none;
}

task<std::size_t> core::publish(const std::string& topic, value what) {
  check_topic(topic);
  co_await checkpoint();
  std::vector<reserved> rooms;
  for (;;) {
    const place full = lacking(topic, rooms);
    if (!full)
      co_return deliver(topic, what, rooms);
    auto room = co_await full->room.acquire();
    if (full->group)
      rooms.push_back({full, std::move(room)});
  }
}

bool core::try_publish(const std::string& topic, const value& what) {
  check_topic(topic);
  std::vector<reserved> rooms;
  if (lacking(topic, rooms))
    return false;
  deliver(topic, what, rooms);
  return true;
}

std::size_t core::deliver(const std::string& topic, const value& what,
                          std::vector<reserved>& rooms) {
  std::vector<place> too_slow;
  std::size_t count = 0;
  for_each(topic, [&](const place& s) {
    ++count;
    subscriber& to = *s;
    if (to.options.policy == when_slow::wait) {
      const auto mine =
        std::find_if(rooms.begin(), rooms.end(), [&s](const reserved& r) { return r.who == s; });
      to.queue.push_back({what, std::move(mine->room)});
    } else if (to.queue.size() < to.options.capacity) {
      to.queue.push_back({what, {}});
    } else {
      ++to.missed;
      if (to.options.policy == when_slow::disconnect) {
        too_slow.push_back(s);
      } else if (to.options.policy == when_slow::drop_oldest) {
        to.queue.pop_front();
        to.queue.push_back({what, {}});
      }
    }
    if (to.arrived)
      to.arrived->set();
  });
  for (const place& s : too_slow) {
    s->too_slow = true;
    remove(*s);
  }
  return count;
}

} // namespace troupe::groups
