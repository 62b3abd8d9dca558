// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <caf/actor_control_block.hpp>
#include <caf/error.hpp>
#include <caf/mailbox_element.hpp>

#include <utility>

namespace troupe::detail {

class task_actor;

/// Why a message was not delivered.
enum class undelivered { unhandled, receiver_ended, rejected, dropped };

/// A message that has been taken out of a mailbox. A request is answered exactly
/// once: one that is let go of without an answer is answered by an error.
class letter {
public:
  letter() = default;
  letter(caf::mailbox_element_ptr element, task_actor& receiver) noexcept
    : element_(std::move(element)), receiver_(&receiver) {}
  letter(letter&&) noexcept = default;
  letter& operator=(letter&& other) noexcept {
    std::swap(element_, other.element_);
    std::swap(receiver_, other.receiver_);
    return *this;
  }
  ~letter() {
    if (element_ && element_->mid.is_request() && !element_->mid.is_answered()) [[unlikely]]
      abandon();
  }

  [[nodiscard]] explicit operator bool() const noexcept { return element_ != nullptr; }
  [[nodiscard]] caf::type_erased_tuple& content() const noexcept { return element_->content(); }

  /// Answers with `values`. Answers that are not asked for are sent all the same,
  /// as CAF does, unless they are empty.
  template <class... Ts>
  void reply(Ts&&... values) {
    if (!answer_now(sizeof...(Ts) != 0))
      return;
    if (!element_->stages.empty() || sizeof...(Ts) == 0) {
      forward(caf::make_message(std::forward<Ts>(values)...));
    } else {
      if constexpr (sizeof...(Ts) != 0) {
        auto answer = caf::make_mailbox_element(self(), element_->mid.response_id(), {},
                                                std::forward<Ts>(values)...);
        element_->mid.mark_as_answered();
        element_->sender->enqueue(std::move(answer), nullptr);
      }
    }
  }
  void reply(caf::message values);

  /// Answers a request with `why`; anything else goes to the dead letters.
  void fail(caf::error why);

  /// Nobody wants it.
  void unhandled();

private:
  /// Whether there is somebody to answer, who has not been answered.
  bool answer_now(bool with_values) noexcept;
  void forward(caf::message values);
  void abandon() noexcept;
  [[nodiscard]] caf::strong_actor_ptr self() const noexcept;

  caf::mailbox_element_ptr element_;
  task_actor* receiver_ = nullptr; // kept alive by its task
};

} // namespace troupe::detail
