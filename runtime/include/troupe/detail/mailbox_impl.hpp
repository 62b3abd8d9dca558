// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/safe_to_await.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/nursery.hpp>
#include <troupe/semaphore.hpp>

#include <memory>
#include <optional>

namespace troupe {

namespace detail {

template <class... Handlers>
auto handlers_of(Handlers&&... handlers) {
  check_awaited_arguments<Handlers...>();
  return handler_set<std::decay_t<Handlers>...>(std::forward<Handlers>(handlers)...);
}

/// The handlers are in the frame: they live as long as the coroutine.
template <class... Hs>
task<bool> receive_one(task_actor& in, duration timeout, handler_set<Hs...> handlers) {
  letter l = co_await letter_for<handler_set<Hs...>>(in, timeout);
  if (!l)
    co_return false;
  const std::size_t at = handlers.find(l.content());
  if (!handlers.is_coroutine(at))
    handlers.call(at, l);
  else if constexpr (handlers.any_coroutine)
    co_await handlers.run(at, l);
  co_return true;
}

template <class... Hs>
task<> receive_first(task_actor& in, handler_set<Hs...> handlers) {
  co_await receive_one(in, duration::max(), std::move(handlers));
}

template <class T>
task<T> receive_value(task_actor& in) {
  letter l = co_await letter_for<handler_set<void (*)(const T&)>>(in);
  T value = l.content().template move_if_unshared<T>(0);
  l.reply();
  co_return value;
}

template <class... Hs>
task<> serve_all(task_actor& in, handler_set<Hs...> handlers) {
  for (;;) {
    letter l = co_await any_letter(in, duration::max(), true);
    if (!l)
      co_return;
    const std::size_t at = handlers.find(l.content());
    if (at == handlers.none)
      l.unhandled();
    else if (!handlers.is_coroutine(at))
      handlers.call(at, l);
    else if constexpr (handlers.any_coroutine)
      co_await handlers.run(at, l);
  }
}

template <class Set>
task<> serve_alone(Set& handlers, std::size_t at, letter l,
                   [[maybe_unused]] semaphore::permit slot) {
  co_await handlers.run(at, l);
}

template <class... Hs>
task<> serve_concurrently(task_actor& in, std::size_t limit, handler_set<Hs...> handlers) {
  semaphore slots(limit);
  auto body = [&](nursery& n) -> task<> {
    for (;;) {
      letter l = co_await any_letter(in, duration::max(), true);
      if (!l)
        co_return;
      const std::size_t at = handlers.find(l.content());
      if (at == handlers.none) {
        l.unhandled();
      } else if (!handlers.is_coroutine(at)) {
        handlers.call(at, l);
      } else {
        semaphore::permit slot = co_await slots.acquire();
        n.start_soon(
          [&handlers, at](letter taken, semaphore::permit mine) {
            return serve_alone(handlers, at, std::move(taken), std::move(mine));
          },
          std::move(l), std::move(slot));
      }
    }
  };
  co_await with_nursery(std::move(body));
}

} // namespace detail

template <class... Handlers>
  requires(!detail::begins_with_time<Handlers...>)
task<> mailbox::receive(Handlers&&... handlers) {
  return detail::receive_first(*owner_, detail::handlers_of(std::forward<Handlers>(handlers)...));
}

template <class... Handlers>
task<bool> mailbox::receive(duration timeout, Handlers&&... handlers) {
  return detail::receive_one(*owner_, timeout,
                             detail::handlers_of(std::forward<Handlers>(handlers)...));
}

template <class T>
task<T> mailbox::receive() {
  return detail::receive_value<T>(*owner_);
}

template <class... Handlers>
task<> mailbox::serve(Handlers&&... handlers) {
  return detail::serve_all(*owner_, detail::handlers_of(std::forward<Handlers>(handlers)...));
}

template <class... Handlers>
task<> mailbox::serve(concurrent at_once, Handlers&&... handlers) {
  return detail::serve_concurrently(*owner_, at_once.limit,
                                    detail::handlers_of(std::forward<Handlers>(handlers)...));
}

} // namespace troupe
