// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/event.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/task.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe {

/// What becomes of something that is published for a subscriber whose queue is full.
enum class when_slow {
  wait,        ///< the publisher waits; the others get it then, too
  drop_oldest, ///< what has waited for the longest time goes
  drop_newest, ///< it is not put in
  disconnect,  ///< the subscription ends when the queue has been read
};

/// How one subscribes.
struct subscription_options {
  std::size_t capacity = 64; ///< of the queue
  when_slow policy = when_slow::drop_oldest;
};

} // namespace troupe

/// What a publish_group is made of, whatever it publishes.
namespace troupe::groups {

class core;

using value = std::shared_ptr<const void>;

struct subscriber {
  subscriber(std::string p, subscription_options o, std::uint64_t n)
    : pattern(std::move(p)), options(o), number(n), room(o.capacity) {}

  struct entry {
    value what;
    semaphore::permit room; // if publishers wait for that
  };

  const std::string pattern;
  const subscription_options options;
  const std::uint64_t number;
  semaphore room;
  std::deque<entry> queue;
  core* group = nullptr; // null when it gets no more
  bool too_slow = false;
  std::uint64_t missed = 0;
  bool awaited = false; // somebody waits for
  std::optional<event> arrived;
};

/// Ends the subscription with it.
class subscriber_handle {
public:
  explicit subscriber_handle(std::shared_ptr<subscriber> s) noexcept : me_(std::move(s)) {}
  subscriber_handle(subscriber_handle&&) noexcept = default;
  subscriber_handle& operator=(subscriber_handle&& other) noexcept {
    std::swap(me_, other.me_);
    return *this;
  }
  ~subscriber_handle();

  [[nodiscard]] task<value> next();
  [[nodiscard]] value try_next() noexcept;
  [[nodiscard]] std::uint64_t missed() const noexcept { return me_->missed; }

private:
  std::shared_ptr<subscriber> me_;
};

class core {
public:
  explicit core(std::string name) : name_(std::move(name)) {}
  core(const core&) = delete;
  core& operator=(const core&) = delete;
  ~core();

  [[nodiscard]] subscriber_handle subscribe(std::string pattern, subscription_options options);
  [[nodiscard]] task<std::size_t> publish(const std::string& topic, value what);
  [[nodiscard]] bool try_publish(const std::string& topic, const value& what);

  /// It gets no more; what it has, it keeps.
  void remove(subscriber& s) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
  using place = std::shared_ptr<subscriber>;
  struct reserved {
    place who;
    semaphore::permit room;
  };

  /// Those that `topic` is for, in an order that is the same for all topics.
  template <class F>
  void for_each(const std::string& topic, F f);

  void check_topic(const std::string& topic) const;
  [[nodiscard]] place lacking(const std::string& topic, std::vector<reserved>& rooms);
  std::size_t deliver(const std::string& topic, const value& what, std::vector<reserved>& rooms);

  std::string name_;
  std::unordered_map<std::string, std::vector<place>> exact_;
  std::vector<place> with_wildcards_;
  std::uint64_t next_number_ = 0;
  std::size_t size_ = 0;
};

/// Whether `pattern` is for `topic`.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view topic) noexcept;

} // namespace troupe::groups
