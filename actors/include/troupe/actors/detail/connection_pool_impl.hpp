// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/connection_pool.hpp>
#include <troupe/actors/detail/body_value.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/nursery.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>

namespace troupe::pools {

template <class T>
struct connection {
  T value;
  time_point opened;
  time_point last_used;
  std::uint64_t generation;
};

/// What a pool is made of. A permit is the right to one connection that is not idle: lent, being
/// opened or being checked. Who has one takes an idle connection, and opens one only if there is
/// none, or while idle ones and permits together are fewer than `min`: so there are never more
/// connections than `max`.
template <class T>
class connection_core {
public:
  using holder = std::list<connection<T>>;

  connection_core(const connection_pool_options& options, const connection_functions<T>& functions)
    : options_(options), functions_(functions), permits_(options.max) {
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
    const nursery_options named_as{.name = options_.name};
    co_await with_nursery(named_as, [&](nursery& n) -> task<> {
      n.start_service(named(options_.name + " keeper", [this]() { return keep(); }));
      co_await body();
    });
  }

  task<lease<T>> borrow() {
    auto permit = co_await wait_for_permit();
    while (!idle_.empty()) {
      holder one = take_last();
      bool good = is_young(one.front());
      if (good && current_time() - one.front().last_used >= options_.check_after)
        good = co_await passes_check(one.front());
      if (good) {
        ++counted_.reused;
        co_return lend(std::move(one), std::move(permit));
      }
    }
    holder one = co_await open_one();
    co_return lend(std::move(one), std::move(permit));
  }

  /// In the end of a lease.
  void give_back(holder& one, bool discarded) noexcept {
    connection<T>& c = one.front();
    --counted_.lent;
    if (discarded)
      ++counted_.broken;
    if (discarded || !is_young(c)) {
      one.clear();
      missing();
      return;
    }
    c.last_used = current_time();
    idle_.splice(idle_.end(), one);
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

  [[nodiscard]] lease<T> lend(holder one, semaphore::permit permit) noexcept {
    ++counted_.lent;
    return lease<T>(*this, std::move(one), std::move(permit));
  }

  task<semaphore::permit> wait_for_permit() {
    const counted waiting(counted_.waiting);
    co_return co_await permits_.acquire();
  }

  [[nodiscard]] holder take_last() noexcept {
    holder one;
    one.splice(one.end(), idle_, std::prev(idle_.end()));
    return one;
  }

  [[nodiscard]] bool is_young(const connection<T>& c) const noexcept {
    return c.generation == generation_ && current_time() - c.opened < options_.max_age;
  }

  task<holder> open_one() {
    const counted opening(counted_.opening);
    const std::uint64_t generation = generation_;
    std::exception_ptr error;
    holder one;
    try {
      T value = co_await functions_.open();
      const time_point now = current_time();
      one.push_back({std::move(value), now, now, generation});
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

  task<bool> passes_check(connection<T>& c) {
    if (!functions_.check)
      co_return true;
    bool good = false;
    try {
      good = co_await functions_.check(c.value);
    } catch (...) { // NOLINT(bugprone-empty-catch): that it is not good is all it says
    }
    if (!good)
      ++counted_.broken;
    co_return good;
  }

  // -- the keeper -------------------------------------------------------------------

  /// Opens what is missing, closes what is old, checks what is idle.
  task<> keep() {
    time_point next_check = after(options_.check_every);
    for (;;) {
      drop_old();
      const bool could_open = co_await fill_up();
      if (current_time() >= next_check) {
        co_await check_idle();
        next_check = after(options_.check_every);
        continue;
      }
      work_.emplace();
      time_point until = std::min(next_check, next_end());
      if (!could_open)
        until = std::min(until, after(std::chrono::seconds(1)));
      co_await move_on_at(until, [this]() -> task<> { co_await work_->wait(); });
    }
  }

  [[nodiscard]] static time_point after(duration d) noexcept {
    const time_point now = current_time();
    return d > time_point::max() - now ? time_point::max() : now + d;
  }

  [[nodiscard]] std::size_t all() const noexcept {
    return idle_.size() + options_.max - permits_.value();
  }

  /// Returns false if one could not be opened.
  task<bool> fill_up() {
    while (all() < options_.min) {
      const auto permit = permits_.try_acquire();
      if (!permit)
        co_return true;
      try {
        holder one = co_await open_one();
        idle_.splice(idle_.begin(), one);
      } catch (...) {
        co_return false; // counted; who asks for a connection hears why
      }
    }
    co_return true;
  }

  void drop_old() noexcept {
    const time_point now = current_time();
    for (auto c = idle_.begin(); c != idle_.end();)
      if (!is_young(*c) || (now - c->last_used >= options_.idle_limit && all() > options_.min))
        c = idle_.erase(c);
      else
        ++c;
  }

  /// When the next one is too old, or has been idle for too long.
  [[nodiscard]] time_point next_end() const noexcept {
    time_point next = time_point::max();
    const auto end_of = [](time_point from, duration d) {
      return d > time_point::max() - from ? time_point::max() : from + d;
    };
    for (const connection<T>& c : idle_) {
      next = std::min(next, end_of(c.opened, options_.max_age));
      if (all() > options_.min)
        next = std::min(next, end_of(c.last_used, options_.idle_limit));
    }
    return next;
  }

  /// Each that was idle when this began; it counts as not idle meanwhile.
  task<> check_idle() {
    for (std::size_t left = idle_.size(); left != 0 && !idle_.empty(); --left) {
      const auto permit = permits_.try_acquire();
      if (!permit)
        co_return; // all are in use
      holder one;
      one.splice(one.end(), idle_, idle_.begin());
      const bool good = co_await passes_check(one.front());
      if (good && is_young(one.front()))
        idle_.splice(idle_.end(), one);
    }
  }

  void missing() noexcept {
    if (work_)
      work_->set();
  }

  const connection_pool_options options_;
  const connection_functions<T> functions_;
  holder idle_; // the one that was used last is the last
  semaphore permits_;
  std::optional<event> work_;
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
  if (connection_.empty())
    return;
  const bool cut_off =
    (is_cancelled() && !cancelled_before_) || std::uncaught_exceptions() > exceptions_;
  pool_->give_back(connection_, discarded_ || cut_off);
}

template <class T>
task<lease<T>> connection_pool<T>::borrow(duration limit) {
  if (limit == duration::max())
    co_return co_await core_.borrow();
  co_return co_await fail_after(
    limit, [this]() { return core_.borrow(); }, "a lease of '" + core_.options().name + "'");
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
  detail::check_awaited_arguments<Body>();
  return pools::run_connections<T, std::decay_t<Body>>(options, functions,
                                                       std::forward<Body>(body));
}

} // namespace troupe
