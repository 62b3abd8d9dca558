// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/mailbox.hpp>
#include <troupe/outcome.hpp>
#include <troupe/task.hpp>

#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

namespace troupe {

/// What a handler has come to, for the one who asked. See `as_answer`.
template <class T = void>
class answer {
public:
  explicit answer(outcome<T> result) : result_(std::move(result)) {}
  [[nodiscard]] outcome<T>& result() noexcept { return result_; }

private:
  outcome<T> result_;
};

/// Keeps a failure between the handler and the one who asked:
///
///     co_await in.serve([&](query q) { return as_answer(database.find(q)); });
///
/// Awaits `work` and answers with its value, or with the error that its exception stands for; the
/// task that serves goes on. A message that was no request goes to the dead letters then.
/// Cancellation goes on through it. A checkpoint where `work` is one.
template <class T>
[[nodiscard]] task<answer<T>> as_answer(task<T> work) {
  co_return answer<T>(co_await as_outcome(std::move(work)));
}

/// The same for `work` that is a plain function. Not a checkpoint.
template <class F>
  requires std::is_invocable_v<F&>
[[nodiscard]] answer<std::invoke_result_t<F&>> as_answer(F&& work) {
  using T = std::invoke_result_t<F&>;
  try {
    if constexpr (std::is_void_v<T>) {
      work();
      return answer<T>(outcome<T>(std::monostate()));
    } else {
      return answer<T>(outcome<T>(work()));
    }
  } catch (...) {
    return answer<T>(outcome<T>(std::current_exception()));
  }
}

namespace detail {

/// Found by its argument when a handler gives an `answer`.
template <class T>
void reply_with(letter& to, answer<T>&& given) {
  outcome<T>& result = given.result();
  if (!result)
    to.fail(to_caf_error(result.error()));
  else if constexpr (std::is_void_v<T>)
    to.reply();
  else
    reply_with(to, std::move(result).value());
}

} // namespace detail

} // namespace troupe
