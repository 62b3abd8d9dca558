// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/error.hpp>
#include <troupe/mailbox.hpp>

#include <caf/actor_cast.hpp>
#include <caf/default_attachable.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <algorithm>
#include <string>

namespace troupe {

mailbox this_mailbox() { return mailbox(detail::actor_of_current_task("this_mailbox")); }

void mailbox::close() noexcept { owner_->close(); }

void mailbox::bound(std::size_t capacity, when_full policy) noexcept {
  owner_->bound({capacity, policy});
}

void mailbox::trap_exit(bool on) noexcept { owner_->trap_exit(on); }

mailbox::statistics_type mailbox::statistics() const noexcept {
  const auto& counts = owner_->statistics();
  return {counts.size, owner_->bounds().capacity, counts.received, counts.dropped, counts.rejected};
}

caf::actor mailbox::address() const { return detail::address_of(*owner_); }

caf::actor self() { return detail::address_of(detail::actor_of_current_task("self")); }

// -- monitors and links -------------------------------------------------------------------

void monitor(const caf::actor& other) {
  auto& me = detail::actor_of_current_task("monitor");
  caf::actor_cast<caf::abstract_actor*>(other)->attach(
    caf::default_attachable::make_monitor(other.address(), me.address()));
}

void demonitor(const caf::actor& other) {
  auto& me = detail::actor_of_current_task("demonitor");
  const caf::default_attachable::observe_token token{me.address(),
                                                     caf::default_attachable::monitor};
  caf::actor_cast<caf::abstract_actor*>(other)->detach(token);
}

void link(const caf::actor& other) { detail::actor_of_current_task("link").link_to(other); }

void unlink(const caf::actor& other) { detail::actor_of_current_task("unlink").unlink_from(other); }

void send_exit(const caf::actor& to, caf::error reason) {
  caf::actor_addr from;
  if (const auto sender = detail::current_sender())
    from = caf::actor_cast<caf::actor_addr>(sender);
  detail::send_element(to, caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                                     caf::exit_msg{from, std::move(reason)}));
}

} // namespace troupe

namespace troupe::detail {

caf::actor address_of(const task_actor& a) { return caf::actor_cast<caf::actor>(a.pointer()); }

caf::strong_actor_ptr current_sender() noexcept {
  const task_block* t = current_task_block();
  if (!t || !t->extras() || !t->extras()->actor)
    return nullptr;
  return t->extras()->actor->pointer();
}

void send_element(const caf::actor& to, caf::mailbox_element_ptr e) {
  if (to)
    caf::actor_cast<caf::abstract_actor*>(to)->enqueue(std::move(e), nullptr);
  else
    bury(nullptr, std::move(e), undelivered::receiver_ended);
}

// -- waiting for a message ------------------------------------------------------------------

bool letter_wait::try_now(task_block& t) {
  if (&t.home() != &actor_.home())
    throw usage_error("troupe: a mailbox is received from on the loop of its task");
  if (actor_.receiver())
    throw usage_error("troupe: two tasks receive from the mailbox of " + actor_.task_name());
  if (until_closed_ && actor_.take_closed())
    return true;
  if (auto e = actor_.take(*this)) {
    letter_ = letter(std::move(e), actor_);
    return true;
  }
  if (timeout_ != duration::max()) {
    if (timeout_ <= duration::zero())
      return true;
    until_ = deadline_after(t.home().now(), timeout_);
    t.home().timers().add(*this, until_);
  }
  task_ = &t;
  actor_.receiver(this);
  return false;
}

void letter_wait::leave() noexcept {
  if (!task_)
    return;
  if (armed())
    actor_.home().timers().remove(*this);
  actor_.receiver(nullptr);
  task_ = nullptr;
}

void letter_wait::arrived(letter l) noexcept {
  letter_ = std::move(l);
  task_block& t = *task_;
  leave();
  t.wake();
}

void letter_wait::expired() noexcept { arrived({}); }

void overflow_wait::enlist(task_block& t) {
  if (&t.home() != &actor_.home() || actor_.watcher())
    throw usage_error(
      "troupe: one task at a time waits for a full mailbox, on the loop of its task");
  task_ = &t;
  actor_.watcher(this);
}

// -- waiting for an answer ------------------------------------------------------------------

void reply_wait::ask(task_block& t) {
  task_actor& me = actor_of(t);
  id_ = me.new_request();
  if (!to_)
    throw actor_down("troupe: request to nobody", caf::make_error(caf::sec::request_receiver_down));
  auto message = make(me.pointer(), id_); // may change the category of the id
  task_ = &t;
  if (!message)
    return t.wake();
  me_ = &me;
  me.expect(this);
  if (timeout_ != duration::max()) {
    until_ = deadline_after(t.home().now(), std::max(timeout_, duration::zero()));
    t.home().timers().add(*this, until_);
  }
  caf::actor_cast<caf::abstract_actor*>(to_)->enqueue(std::move(message), nullptr);
}

const task_block* reply_wait::waits_for_task() const noexcept {
  const task_actor* a = as_task_actor(to_);
  return a ? a->task() : nullptr;
}

void reply_wait::leave() noexcept {
  if (!me_)
    return;
  if (armed())
    me_->home().timers().remove(*this);
  me_->expect(nullptr);
  me_ = nullptr;
}

void reply_wait::answered(caf::mailbox_element_ptr answer) noexcept {
  answer_ = std::move(answer);
  leave();
  resume(*task_);
}

void reply_wait::expired() noexcept {
  leave();
  resume(*task_);
}

void reply_wait::check() const {
  const auto doing = [this] { return "request to " + name_of(to_); };
  if (!answer_)
    throw timeout_error("troupe: " + doing() + " was not answered in time");
  if (content().match_elements<caf::error>())
    throw_actor_error(content().get_as<caf::error>(0), doing());
}

void reply_wait::throw_unexpected() const {
  throw unexpected_message("troupe: request to " + name_of(to_) + " was answered by "
                             + caf::to_string(content()),
                           caf::make_error(caf::sec::unexpected_response));
}

} // namespace troupe::detail
