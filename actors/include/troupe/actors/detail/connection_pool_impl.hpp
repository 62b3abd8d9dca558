// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/connection_pool.hpp>
#include <troupe/actors/detail/body_value.hpp>
#include <troupe/actors/detail/goodbyes.hpp>
#include <troupe/awaited_function.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/nursery.hpp>
#include <troupe/rough_time.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace troupe::pools {

/// What a pool is made of. Who is lent a connection, opens or checks one has the right to one that
/// is not idle. Who has a right takes an idle connection, and opens one only if there is none, or
/// while idle ones and rights together are fewer than `min`: so there are never more connections
/// than `max`.
template <class T>
class connection_core final : private limited {
public:
  using holder = std::unique_ptr<connection<T>>;

  connection_core(const connection_pool_options& options, const connection_functions<T>& functions)
    : limited(options.shared), options_(options), functions_(functions), permits_(options.max) {
    if (options.max == 0 || options.min > options.max)
      throw std::invalid_argument("troupe: connection pool '" + options.name
                                  + "' must allow one connection at least, and its minimum");
    if (!functions.open)
      throw std::invalid_argument("troupe: connection pool '" + options.name
                                  + "' has no function that opens connections");
  }
  connection_core(const connection_core&) = delete;
  connection_core& operator=(const connection_core&) = delete;

  template <class Body>
  task<> run(Body& body) {
    co_await with_cleanup([&]() { return run_open(body); },
                          [this]() { return goodbyes_.say_to_all(std::move(idle_)); },
                          duration::max()); // goodbyes have their limit
  }

  task<lease<T>> borrow() {
    connection_right right;
    {
      const counted waiting(counted_.waiting);
      right.own = co_await permits_.acquire();
      if (is_limited())
        right.shared = co_await acquire_shared();
    }
    holder one;
    if (!idle_.empty()) {
      one = take_last();
      if (is_young(*one) && is_usable(*one) && !has_to_be_checked(*one))
        ++counted_.reused;
      else
        one = co_await find(std::move(one));
    } else
      one = co_await open_one();
    ++counted_.lent;
    co_return lease<T>(*this, std::move(one), std::move(right));
  }

  task<lease<T>> borrow_within(duration limit) {
    co_return co_await fail_after(
      limit, [this]() { return borrow(); }, "a lease of '" + options_.name + "'");
  }

  /// In the end of a lease.
  void give_back(holder one, bool discarded, bool cut_off) noexcept {
    --counted_.lent;
    if (discarded || (functions_.usable ? !functions_.usable(one->value) : cut_off)) {
      ++counted_.broken;
      one.reset();
      missing();
      return;
    }
    if (!is_young(*one)) {
      goodbyes_.say(std::move(one));
      missing();
      return;
    }
    one->last_used = rough_time();
    idle_.push_back(std::move(one)); // has the room
  }

  void close_all() noexcept {
    ++generation_;
    idle_.clear();
    missing();
  }

  [[nodiscard]] connection_pool_statistics statistics() const noexcept {
    connection_pool_statistics s = counted_;
    s.idle = idle_.size();
    return s;
  }
  [[nodiscard]] const connection_pool_options& options() const noexcept { return options_; }

private:
  /// One more of something for as long as it lives.
  class counted {
  public:
    explicit counted(std::size_t& n) noexcept : n_(n) { ++n_; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --n_; }

  private:
    std::size_t& n_;
  };

  template <class Body>
  task<> run_open(Body& body) {
    const nursery_options named_as{.name = options_.name};
    co_await with_nursery(named_as, [&](nursery& n) -> task<> {
      const auto open = goodbyes_.open(n);
      n.start_service(named(options_.name + " keeper", [this]() { return keep(); }));
      co_await body();
    });
  }

  [[nodiscard]] bool try_right(connection_right& right, purpose what) {
    right.own = permits_.try_acquire();
    return right.own && try_acquire_shared(right.shared, what);
  }

  /// `one` if it passes its check, or the next idle one that does, or a new one.
  task<holder> find(holder one) {
    for (;;) {
      bool good = is_sound(*one);
      if (good && has_to_be_checked(*one))
        good = co_await passes_check(*one);
      if (good) {
        ++counted_.reused;
        co_return one;
      }
      if (!is_young(*one))
        goodbyes_.say(std::move(one));
      one.reset();
      if (idle_.empty())
        break;
      one = take_last();
    }
    co_return co_await open_one();
  }

  [[nodiscard]] holder take_last() noexcept {
    holder one = std::move(idle_.back());
    idle_.pop_back();
    return one;
  }

  [[nodiscard]] bool is_usable(connection<T>& c) const noexcept {
    return !functions_.usable || functions_.usable(c.value);
  }

  [[nodiscard]] bool is_young(const connection<T>& c) const noexcept {
    return is_young(c, options_.max_age == duration::max() ? c.opened : rough_time());
  }
  [[nodiscard]] bool is_young(const connection<T>& c, time_point now) const noexcept {
    return !c.retired && c.generation == generation_ && now - c.opened < options_.max_age;
  }

  /// Counts it as broken, if it is.
  [[nodiscard]] bool is_sound(connection<T>& c) noexcept {
    if (!is_young(c))
      return false;
    if (is_usable(c))
      return true;
    ++counted_.broken;
    return false;
  }

  [[nodiscard]] bool has_to_be_checked(const connection<T>& c) const noexcept {
    return functions_.check && rough_time() - c.last_used >= options_.check_after;
  }

  task<holder> open_one() {
    make_room();
    const counted opening(counted_.opening);
    const std::uint64_t generation = generation_;
    std::exception_ptr error;
    holder one;
    try {
      std::optional<T> value;
      if (options_.open_limit == duration::max())
        value.emplace(co_await functions_.open());
      else
        value.emplace(co_await fail_after(
          options_.open_limit, [this]() { return functions_.open(); },
          "opening a connection of '" + options_.name + "'"));
      reserve_room();
      const time_point now = rough_time();
      one = std::make_unique<connection<T>>(connection<T>{*std::move(value), now, now, generation});
    } catch (...) {
      error = std::current_exception();
    }
    if (error) {
      ++counted_.open_errors;
      missing(); // of the minimum, perhaps
      std::rethrow_exception(error);
    }
    ++counted_.opened;
    co_return one;
  }

  /// So that giving back needs no memory.
  void reserve_room() {
    const std::size_t needed = all();
    if (idle_.capacity() < needed)
      idle_.reserve(std::min(options_.max, 2 * needed));
  }

  task<bool> passes_check(connection<T>& c) {
    bool good = false;
    try {
      co_await move_on_after(options_.check_limit,
                             [&]() -> task<> { good = co_await functions_.check(c.value); });
    } catch (...) { // NOLINT(bugprone-empty-catch): that it is not good is all it says
    }
    if (!good)
      ++counted_.broken;
    co_return good;
  }

  // -- the keeper -------------------------------------------------------------------

  /// Opens what is missing, closes what is old, checks what is idle.
  task<> keep() {
    time_point next_check = deadline_after(current_time(), options_.check_every);
    for (;;) {
      drop_old();
      const bool could_open = co_await fill_up();
      if (current_time() >= next_check) {
        co_await check_idle();
        next_check = deadline_after(current_time(), options_.check_every);
        continue;
      }
      work_.emplace();
      time_point until = std::min(next_check, next_end());
      if (!could_open)
        until = std::min(until, deadline_after(current_time(), std::chrono::seconds(1)));
      co_await move_on_at(until, [this]() -> task<> { co_await work_->wait(); });
    }
  }

  [[nodiscard]] std::size_t all() const noexcept {
    return idle_.size() + options_.max - permits_.value();
  }

  /// Returns false if one could not be opened.
  task<bool> fill_up() {
    while (all() < options_.min) {
      connection_right right;
      if (!try_right(right, purpose::open))
        co_return true;
      try {
        holder one = co_await open_one();
        idle_.insert(idle_.begin(), std::move(one));
      } catch (...) {
        co_return false; // counted; who asks for a connection hears why
      }
    }
    co_return true;
  }

  void drop_old() noexcept {
    const time_point now = current_time(); // a rough one could be short of a timer's
    for (auto c = idle_.begin(); c != idle_.end();)
      if (!is_young(**c, now)
          || (now - (*c)->last_used >= options_.idle_limit && all() > options_.min)) {
        goodbyes_.say(std::move(*c));
        c = idle_.erase(c);
      } else
        ++c;
  }

  /// When the next one is too old, or has been idle for too long.
  [[nodiscard]] time_point next_end() const noexcept {
    time_point next = time_point::max();
    for (const holder& c : idle_) {
      next = std::min(next, deadline_after(c->opened, options_.max_age));
      if (all() > options_.min)
        next = std::min(next, deadline_after(c->last_used, options_.idle_limit));
    }
    return next;
  }

  /// Each that was idle when this began; it counts as not idle meanwhile.
  task<> check_idle() {
    for (std::size_t left = idle_.size(); left != 0 && !idle_.empty(); --left) {
      connection_right right;
      if (!try_right(right, purpose::check))
        co_return; // all are in use
      holder one = std::move(idle_.front());
      idle_.erase(idle_.begin());
      bool good = is_sound(*one);
      if (good && functions_.check)
        good = co_await passes_check(*one);
      if (!is_young(*one))
        goodbyes_.say(std::move(one));
      else if (good)
        idle_.push_back(std::move(one));
    }
  }

  // -- for a shared limit --------------------------------------------------------------

  [[nodiscard]] std::size_t idle_count() const noexcept override { return idle_.size(); }
  [[nodiscard]] time_point oldest_idle() const noexcept override {
    return idle_.front()->last_used;
  }
  void close_oldest_idle() noexcept override {
    goodbyes_.say(std::move(idle_.front()));
    idle_.erase(idle_.begin());
    missing(); // of the minimum, perhaps
  }

  void missing() noexcept {
    if (work_)
      work_->set();
  }

  const connection_pool_options options_;
  const connection_functions<T> functions_;
  std::vector<holder> idle_; // the one that was used last is the last
  semaphore permits_;
  std::optional<event> work_;
  goodbyes<T> goodbyes_{functions_.close, options_.close_limit};
  std::uint64_t generation_ = 0;
  connection_pool_statistics counted_{};
};

template <class T, class Body>
task<body_value<Body, connection_pool<T>>>
run_connections(connection_pool_options options, connection_functions<T> functions, Body body) {
  connection_core<T> core(options, functions);
  connection_pool<T> pool(core);
  auto run = [&core](auto& call) { return core.run(call); };
  co_return co_await value_of_body(run, body, pool);
}

} // namespace troupe::pools

namespace troupe {

template <class T>
lease<T>::~lease() {
  if (!connection_)
    return;
  const bool cut_off =
    (is_cancelled() && !cancelled_before_) || std::uncaught_exceptions() > exceptions_;
  pool_->give_back(std::move(connection_), discarded_, cut_off);
}

template <class T>
task<lease<T>> connection_pool<T>::borrow(duration limit) {
  return limit == duration::max() ? core_.borrow() : core_.borrow_within(limit);
}

template <class T>
void connection_pool<T>::close_all() noexcept {
  core_.close_all();
}

template <class T>
connection_pool_statistics connection_pool<T>::statistics() const noexcept {
  return core_.statistics();
}

template <std::movable T, class Body>
auto with_connection_pool(const connection_pool_options& options,
                          const connection_functions<T>& functions, Body&& body) {
  check_awaited_arguments<Body>();
  return pools::run_connections<T, std::decay_t<Body>>(options, functions,
                                                       std::forward<Body>(body));
}

} // namespace troupe
