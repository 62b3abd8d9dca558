// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actor.hpp>
#include <troupe/detail/safe_to_await.hpp>
#include <troupe/nursery.hpp>

#include <caf/make_message.hpp>
#include <caf/unit.hpp>

#include <future>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>

namespace troupe {

namespace detail {

template <class... Ts>
constexpr void check_message_types() {
  static_assert(sizeof...(Ts) != 0, "troupe: a message has at least one value");
  static_assert(
    (message_type<std::decay_t<Ts>> && ...),
    "troupe: this type is not announced as a message: add it to a TROUPE_MESSAGES block, "
    "which all who send it can see. (Text is sent as std::string.)");
}

template <class... Ts>
constexpr void check_awaited_types() {
  check_message_types<typename value_of<Ts>::type...>();
  static_assert((safe_to_await<Ts> && ...),
                "troupe: this compiler destroys a temporary aggregate in a co_await expression "
                "twice: write message<T>(fields...) instead of T{fields...}, or name it first");
}

/// The address of the current task if it has one.
[[nodiscard]] caf::strong_actor_ptr current_sender() noexcept;

[[nodiscard]] caf::actor address_of(const task_actor& a);

/// Hands `e` over; a null `to` gives it to the dead letters.
void send_element(const caf::actor& to, caf::mailbox_element_ptr e);

template <class... Ts>
caf::mailbox_element_ptr make_element(caf::strong_actor_ptr from, caf::message_id id,
                                      Ts&&... values) {
  check_message_types<Ts...>();
  return caf::make_mailbox_element(std::move(from), id, {}, std::forward<Ts>(values)...);
}

/// What the content of an answer is to the one who has asked.
template <class T>
struct answer_as {
  static bool matches(const caf::type_erased_tuple& c) noexcept { return c.match_elements<T>(); }
  static T take(caf::type_erased_tuple& c) { return c.move_if_unshared<T>(0); }
};
template <>
struct answer_as<void> {
  static bool matches(const caf::type_erased_tuple& c) noexcept {
    return c.empty() || c.match_elements<caf::unit_t>();
  }
  static void take(caf::type_erased_tuple& /*empty*/) noexcept {}
};
template <>
struct answer_as<caf::message> {
  static bool matches(const caf::type_erased_tuple& /*any*/) noexcept { return true; }
  static caf::message take(caf::type_erased_tuple& c) { return caf::message::copy(c); }
};
template <class... Ts>
struct answer_as<std::tuple<Ts...>> {
  static bool matches(const caf::type_erased_tuple& c) noexcept {
    return c.match_elements<Ts...>();
  }
  static std::tuple<Ts...> take(caf::type_erased_tuple& c) {
    return take(c, std::index_sequence_for<Ts...>());
  }

private:
  template <std::size_t... Is>
  static std::tuple<Ts...> take(caf::type_erased_tuple& c, std::index_sequence<Is...> /*none*/) {
    return {c.move_if_unshared<Ts>(Is)...};
  }
};

template <class T, class... Ts>
class [[nodiscard]] request_op final : public reply_wait {
public:
  template <class... Us>
  request_op(caf::actor to, duration timeout, Us&&... values)
    : reply_wait(std::move(to), timeout), values_(std::forward<Us>(values)...) {}

  T await_resume() {
    this->check();
    if (!answer_as<T>::matches(this->content()))
      this->throw_unexpected();
    return answer_as<T>::take(this->content());
  }

private:
  caf::mailbox_element_ptr make(caf::strong_actor_ptr from, caf::message_id& id) override {
    return std::apply(
      [&](auto&... vs) { return make_element(std::move(from), id, std::move(vs)...); }, values_);
  }

  std::tuple<Ts...> values_;
};

/// A message that waits for room in a bounded mailbox: sent as a request, answered
/// when it has been let in.
struct admission {
  caf::message content;
};
struct admission_withdrawn {
  std::uint64_t id;
};

class [[nodiscard]] room_op final : public reply_wait {
public:
  room_op(caf::actor to, caf::message content)
    : reply_wait(std::move(to), duration::max()), content_(std::move(content)) {}

  void await_resume() const {
    if (!sent_at_once_)
      this->check();
  }

  bool withdraw() noexcept override;
  [[nodiscard]] const char* waits_for() const noexcept override { return "room in a mailbox"; }

private:
  caf::mailbox_element_ptr make(caf::strong_actor_ptr from, caf::message_id& id) override;
  void resume(task_block& t) noexcept override;

  caf::message content_;
  bool sent_at_once_ = false;
  bool withdrawn_ = false; // asked to be; the other loop says what has become of it
};

/// The half of `ask` that does not depend on types: sends `e` and calls `answered`
/// once with the answer, on whatever thread it arrives.
class question {
public:
  virtual ~question() = default;
  [[nodiscard]] virtual bool matches(const caf::type_erased_tuple& content) const noexcept = 0;
  virtual void answered(caf::type_erased_tuple& content) = 0;
  virtual void failed(std::exception_ptr why) = 0;
};

void ask_from_thread(const caf::actor& to, duration timeout, std::unique_ptr<question> q,
                     caf::message content);

template <class T>
class typed_question final : public question {
public:
  void answered(caf::type_erased_tuple& content) override {
    if constexpr (std::is_void_v<T>)
      result.set_value();
    else
      result.set_value(answer_as<T>::take(content));
  }
  [[nodiscard]] bool matches(const caf::type_erased_tuple& content) const noexcept override {
    return answer_as<T>::matches(content);
  }
  void failed(std::exception_ptr why) override { result.set_exception(std::move(why)); }

  std::promise<T> result;
};

/// Passes the stored mailbox to the task as the reference it asks for. The actor is
/// made after what is stored with the task, and before it is called.
class stored_mailbox {
public:
  stored_mailbox() = default;
  stored_mailbox(stored_mailbox&& /*unbound*/) noexcept {}

  void bind(task_actor& owner) { box_.emplace(owner); }
  operator mailbox&() noexcept { return *box_; }

private:
  std::optional<mailbox> box_;
};

template <class Child>
task_actor& give_mailbox(Child& child, task_block& t) {
  task_actor& owner = actor_of(t);
  std::get<0>(child.call().args).bind(owner);
  return owner;
}

} // namespace detail

template <class F, class... Args>
auto nursery::start_actor(F fn, Args... args) {
  auto child = make_child(std::move(fn), detail::stored_mailbox(), std::move(args)...);
  detail::task_actor& owner = detail::give_mailbox(*child, *child);
  caf::actor address = detail::address_of(owner);
  child->start();
  owner.called(child->function_name());
  adopt(*child, false);
  return actor_handle(task_handle(*child.release()), std::move(address));
}

template <class F, class... Args>
auto nursery::start_actor_on(unsigned index, F fn, Args... args) {
  auto child = make_elsewhere(index, std::move(fn), detail::stored_mailbox(), std::move(args)...);
  detail::task_actor& owner = detail::give_mailbox(*child, child->away());
  caf::actor address = detail::address_of(owner);
  child->prepare();
  owner.called(child->away().function_name());
  child->send_off(); // before the cancellation that `adopt` may deliver
  adopt(*child, false);
  return actor_handle(task_handle(*child.release()), std::move(address));
}

template <class... Ts>
void send(const caf::actor& to, Ts&&... values) {
  detail::send_element(to, detail::make_element(detail::current_sender(), caf::make_message_id(),
                                                std::forward<Ts>(values)...));
}

template <class... Ts>
void send_urgent(const caf::actor& to, Ts&&... values) {
  detail::send_element(to, detail::make_element(detail::current_sender(),
                                                caf::make_message_id(caf::message_priority::high),
                                                std::forward<Ts>(values)...));
}

template <class... Ts>
auto send_when_room(caf::actor to, Ts&&... values) {
  detail::check_awaited_types<Ts...>();
  return detail::room_op(std::move(to),
                         caf::make_message(detail::value_from(std::forward<Ts>(values))...));
}

template <class T, class... Ts>
auto request(caf::actor to, duration timeout, Ts&&... values) {
  detail::check_awaited_types<Ts...>();
  return detail::request_op<T, typename detail::value_of<Ts>::type...>(
    std::move(to), timeout, detail::value_from(std::forward<Ts>(values))...);
}

template <class T, class... Ts>
std::future<T> ask(const caf::actor& to, duration timeout, Ts... values) {
  detail::check_message_types<Ts...>();
  auto q = std::make_unique<detail::typed_question<T>>();
  std::future<T> result = q->result.get_future();
  detail::ask_from_thread(to, timeout, std::move(q), caf::make_message(std::move(values)...));
  return result;
}

} // namespace troupe
