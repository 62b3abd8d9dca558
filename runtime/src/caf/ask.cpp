// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/error.hpp>

#include <caf/actor_cast.hpp>
#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/make_actor.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/sec.hpp>

#include <atomic>

namespace troupe::detail {

namespace {

/// An actor that lives for one answer. It is held by the request, and by the clock
/// until the time is up; if both let go of it, there will be no answer.
class asker final : public caf::monitorable_actor {
public:
  asker(caf::actor_config& config, std::unique_ptr<question> q, std::string to)
    : monitorable_actor(config), question_(std::move(q)), to_(std::move(to)) {}

  using monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* /*from*/) override {
    if (!what->mid.is_response() || answered_.exchange(true, std::memory_order_acq_rel))
      return;
    try {
      settle(what->content());
    } catch (...) {
      question_->failed(std::current_exception());
    }
    // The count of references orders this before the end; that is inside of libcaf, where
    // tsan does not see it.
    settled_.store(true, std::memory_order_release);
  }

  void on_destroy() override {
    static_cast<void>(settled_.load(std::memory_order_acquire));
    if (!answered_.exchange(true, std::memory_order_acq_rel))
      question_->failed(
        std::make_exception_ptr(actor_down("troupe: request to " + to_ + " was dropped",
                                           caf::make_error(caf::sec::request_receiver_down))));
    cleanup(caf::error{}, nullptr);
  }

private:
  void settle(caf::type_erased_tuple& content) {
    const std::string doing = "request to " + to_;
    if (content.match_elements<caf::error>())
      throw_actor_error(content.get_as<caf::error>(0), doing);
    if (!question_->matches(content))
      throw unexpected_message("troupe: " + doing + " was answered by " + to_string(content),
                               caf::make_error(caf::sec::unexpected_response));
    question_->answered(content);
  }

  std::unique_ptr<question> question_;
  std::string to_;
  std::atomic<bool> answered_{false};
  std::atomic<bool> settled_{false};
};

} // namespace

void ask_from_thread(const caf::actor& to, duration timeout, std::unique_ptr<question> q,
                     caf::message content) {
  if (loop::current())
    throw usage_error("troupe: ask would block its loop; a task uses co_await request(...)");
  if (!to)
    throw actor_down("troupe: request to nobody", caf::make_error(caf::sec::request_receiver_down));
  caf::actor_system& system = to->home_system();
  caf::actor_config config;
  const auto me = caf::make_actor<asker, caf::strong_actor_ptr>(
    system.next_actor_id(), system.node(), &system, config, std::move(q), name_of(to));
  const caf::message_id id{1};
  if (timeout != duration::max())
    system.clock().set_request_timeout(deadline_after(system.clock().now(), timeout), me->get(),
                                       id.response_id());
  caf::actor_cast<caf::abstract_actor*>(to)->enqueue(
    caf::make_mailbox_element(me, id.with_normal_priority(), {}, std::move(content)), nullptr);
}

} // namespace troupe::detail
