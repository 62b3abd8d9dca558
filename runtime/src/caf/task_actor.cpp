// SPDX-License-Identifier: BSD-3-Clause
#include "actor_host.hpp"
#include "message_faults.hpp"

#include <troupe/actor.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/error.hpp>
#include <troupe/mailbox.hpp>

#include <caf/actor_cast.hpp>
#include <caf/actor_config.hpp>
#include <caf/exit_reason.hpp>
#include <caf/make_actor.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <string>

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::detail::admission)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::detail::admission_withdrawn)

namespace troupe::detail {

namespace {

char closed_mark;

/// Stands in the stack of an actor whose task has ended.
caf::mailbox_element* closed() noexcept {
  return reinterpret_cast<caf::mailbox_element*>(&closed_mark); // NOLINT: never dereferenced
}

void answer(caf::mailbox_element& request, caf::strong_actor_ptr from, caf::message values) {
  const caf::message_id id = request.mid.response_id(); // before it is marked
  request.mid.mark_as_answered();
  if (request.sender)
    request.sender->enqueue(std::move(from), id, std::move(values), nullptr);
}

/// Calls `f` and lives without what it does when there is no memory.
template <class F>
void if_memory_allows(F f) noexcept {
  try {
    f();
  } catch (...) { // NOLINT(bugprone-empty-catch)
  }
}

/// Between runtimes only; of no type that a program could send.
constexpr std::uint64_t internal_category = caf::message_id::upstream_message_category;

} // namespace

// -- letters ----------------------------------------------------------------------------

bool letter::answer_now(bool with_values) noexcept {
  auto& e = *element_;
  if (e.mid.is_answered() || (!e.mid.is_request() && !with_values))
    return false;
  return e.sender != nullptr || !e.stages.empty();
}

caf::strong_actor_ptr letter::self() const noexcept { return receiver_->pointer(); }

void letter::reply(caf::message values) {
  if (answer_now(!values.empty()))
    forward(std::move(values));
}

/// Answers the sender, or hands on to the next stage of a composed request.
void letter::forward(caf::message values) {
  auto& e = *element_;
  if (e.stages.empty())
    return answer(e, self(), std::move(values));
  const auto next = std::move(e.stages.back());
  e.stages.pop_back();
  next->enqueue(caf::make_mailbox_element(e.sender, e.mid, std::move(e.stages), std::move(values)),
                nullptr);
  e.mid.mark_as_answered();
}

void letter::fail(caf::error why) {
  auto& e = *element_;
  if (!e.mid.is_request())
    return bury(receiver_, std::move(element_), undelivered::unhandled);
  if (answer_now(true))
    answer(e, self(), caf::make_message(std::move(why)));
}

void letter::unhandled() {
  if (!element_->mid.is_request())
    return bury(receiver_, std::move(element_), undelivered::unhandled);
  fail(caf::make_error(caf::sec::unexpected_message, caf::message::copy(element_->content())));
}

void letter::abandon() noexcept {
  if_memory_allows([&] { fail(caf::sec::request_receiver_down); });
}

// -- the actor --------------------------------------------------------------------------

task_actor::task_actor(caf::actor_config& config, task_block& t) noexcept
  : monitorable_actor(config), home_(&t.home()), task_(&t), function_(t.function_name()) {
  if (t.extras() && !t.extras()->name.empty())
    if_memory_allows([&] { given_name_ = t.extras()->name; });
}

task_actor::~task_actor() = default;

void task_actor::on_destroy() {
  if (!getf(is_cleaned_up_flag))
    cleanup(caf::exit_reason::unreachable, nullptr);
  monitorable_actor::on_destroy();
}

std::string task_actor::task_name() const {
  return given_name_.empty() ? short_name(function_) : given_name_;
}

void task_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* /*from*/) {
  if (loop::current() == home_) {
    if (from_others_.load(std::memory_order_acquire))
      drain(); // what the same sender has sent from elsewhere comes first
    if (!task())
      return refuse(std::move(what));
    return arrive(std::move(what));
  }
  caf::mailbox_element* newest = from_others_.load(std::memory_order_relaxed);
  do {
    if (newest == closed())
      return refuse(std::move(what));
    what->next = newest;
    // release: the home loop sees the message; acquire: what comes next is not seen before it
  } while (!from_others_.compare_exchange_weak(newest, what.get(), std::memory_order_acq_rel,
                                               std::memory_order_relaxed));
  static_cast<void>(what.release());
  if (posted_.exchange(true, std::memory_order_acq_rel))
    return;
  caf::intrusive_ptr_add_ref(ctrl());
  home_->post(*this);
}

void task_actor::run() noexcept {
  posted_.store(false, std::memory_order_seq_cst); // before the look: the next push posts again
  drain();
  caf::intrusive_ptr_release(ctrl()); // may be the end of this
}

void task_actor::drain() noexcept {
  if (from_others_.load(std::memory_order_acquire) == closed())
    return; // only this loop closes
  caf::mailbox_element* newest = from_others_.exchange(nullptr, std::memory_order_acq_rel);
  caf::mailbox_element* in_order = nullptr;
  while (newest) {
    auto* before = static_cast<caf::mailbox_element*>(newest->next);
    newest->next = in_order;
    in_order = newest;
    newest = before;
  }
  while (in_order) {
    caf::mailbox_element_ptr e(in_order);
    in_order = static_cast<caf::mailbox_element*>(in_order->next);
    if (task())
      arrive(std::move(e));
    else
      refuse(std::move(e));
  }
}

// always: it is on the way of each message
[[gnu::always_inline]] inline void task_actor::deliver(caf::mailbox_element_ptr e) noexcept {
  if (e->mid.is_response()) {
    if (reply_ && reply_->id().response_id() == e->mid)
      reply_->answered(std::move(e));
    return; // else it comes too late
  }
  if (e->mid.category() == internal_category) [[unlikely]] {
    if_memory_allows([&] { admission_arrived(std::move(e)); });
    return;
  }
  const auto& content = e->content();
  const auto token = content.type_token();
  if (token == caf::make_type_token<caf::exit_msg>()) [[unlikely]]
    return exit_arrived(std::move(e));
  if (token == caf::make_type_token<caf::down_msg>()) [[unlikely]]
    return accept(std::move(e), control_);
  if (content.size() > 1 && content.match_element<caf::sys_atom>(0)) [[unlikely]] {
    if_memory_allows([&] { handle_system_message(*e, nullptr, true); });
    return;
  }
  if (!make_room(e))
    return;
  letter_list& lane = e->mid.is_urgent_message() ? urgent_ : normal_;
  accept(std::move(e), lane);
}

void task_actor::arrive(caf::mailbox_element_ptr e) noexcept {
  if (faults_in_force()) [[unlikely]]
    return arrive_faulty(std::move(e));
  deliver(std::move(e));
}

/// Asks the fault plans first.
void task_actor::arrive_faulty(caf::mailbox_element_ptr e) noexcept {
  const message_faults::deliver_fn now = [this](caf::mailbox_element_ptr p) {
    deliver(std::move(p));
  };
  if_memory_allows([&] {
    message_fault f;
    if (e->mid.category() != internal_category) {
      f = message_faults::pass(*this, task_name(), std::move(e), now);
    } else if (e->content().match_elements<admission>()) {
      f = ask_message(id(), task_name(), false);
      if (f.what == message_fault::fate::arrives || f.what == message_fault::fate::ends) {
        deliver(std::move(e));
      } else { // its sender believes that there was room
        auto plain = admit(*e);
        answer(*e, pointer(), caf::message());
        message_faults::apply(f, *this, std::move(plain), now);
      }
    } else {
      deliver(std::move(e));
    }
    task_block* const t = task_.load(std::memory_order_relaxed);
    if (f.what != message_fault::fate::ends || !t)
      return;
    exit_reason_ = caf::make_error(f.reason);
    t->cancel(cancel_cause::exit_message, "the fault plan says so");
  });
}

/// Hands the message to the task if it waits for it, else keeps it.
void task_actor::accept(caf::mailbox_element_ptr e, letter_list& lane) noexcept {
  ++counts_.received;
  if (receiver_ && receiver_->wants(e->content()))
    return receiver_->arrived(letter(std::move(e), *this));
  if (&lane != &control_)
    ++counts_.size;
  lane.push_back(std::move(e));
}

bool task_actor::make_room(caf::mailbox_element_ptr& e) noexcept {
  if (counts_.size < limits_.capacity || (receiver_ && receiver_->wants(e->content()))) [[likely]]
    return true;
  const auto let_go = [this](caf::mailbox_element_ptr victim, undelivered why) {
    if (watcher_)
      watcher_->happened();
    if_memory_allows([&] {
      if (victim->mid.is_request()) {
        answer(*victim, pointer(), caf::make_message(mailbox_full_error()));
      } else {
        bury(this, std::move(victim), why);
      }
    });
  };
  switch (limits_.policy) {
  case when_full::wait:
    if (e->mid.is_request())
      return true; // its sender waits for the answer
    [[fallthrough]];
  case when_full::reject:
    ++counts_.rejected;
    let_go(std::move(e), undelivered::rejected);
    return false;
  case when_full::drop_oldest: {
    caf::mailbox_element_ptr oldest = normal_.pop_front();
    if (!oldest && e->mid.is_urgent_message())
      oldest = urgent_.pop_front();
    if (oldest) {
      ++counts_.dropped;
      --counts_.size;
      let_go(std::move(oldest), undelivered::dropped);
      return true;
    }
    [[fallthrough]]; // nothing but more urgent ones, or no capacity at all
  }
  case when_full::drop_newest:
    ++counts_.dropped;
    let_go(std::move(e), undelivered::dropped);
    return false;
  }
  return true;
}

void task_actor::exit_arrived(caf::mailbox_element_ptr e) noexcept {
  const auto& msg = e->content().get_as<caf::exit_msg>(0);
  if (msg.source)
    unlink_from(msg.source);
  if (trap_exit_ && msg.reason != caf::exit_reason::kill)
    return accept(std::move(e), control_);
  if (!msg.reason)
    return; // a link that has ended well
  exit_reason_ = msg.reason;
  std::string text;
  if_memory_allows([&] { text = describe(msg.reason); });
  task_.load(std::memory_order_relaxed)->cancel(cancel_cause::exit_message, text);
}

caf::mailbox_element_ptr task_actor::take(const letter_wait& w) noexcept {
  const auto wanted = [&w](const caf::mailbox_element& e) { return w.wants(e.content()); };
  if (auto e = control_.take_if(wanted))
    return e;
  auto e = urgent_.take_if(wanted);
  if (!e)
    e = normal_.take_if(wanted);
  if (e) {
    --counts_.size;
    if (!waiting_.empty()) [[unlikely]]
      admit_waiting();
  }
  return e;
}

void task_actor::close() noexcept {
  closing_ = true;
  if (receiver_ && receiver_->until_closed()) {
    closing_ = false;
    receiver_->arrived({});
  }
}

caf::message_id task_actor::new_request() noexcept {
  return caf::message_id{++last_request_}.with_normal_priority();
}

void task_actor::refuse(caf::mailbox_element_ptr e) noexcept {
  if_memory_allows([&] {
    if (e->mid.is_request() && e->sender && !e->mid.is_answered())
      return answer(*e, pointer(),
                    caf::make_message(caf::make_error(caf::sec::request_receiver_down)));
    const auto& content = e->content();
    if (!e->mid.is_response() && !content.match_elements<caf::exit_msg>()
        && !content.match_elements<caf::down_msg>())
      bury(this, std::move(e), undelivered::receiver_ended);
  });
}

void task_actor::task_ended() noexcept {
  task_block* const t = task_.exchange(nullptr, std::memory_order_relaxed);
  if (!t)
    return;
  caf::mailbox_element* newest = from_others_.exchange(closed(), std::memory_order_acq_rel);
  while (newest) {
    caf::mailbox_element_ptr e(newest);
    newest = static_cast<caf::mailbox_element*>(newest->next);
    refuse(std::move(e));
  }
  for (letter_list* lane : {&control_, &urgent_, &normal_, &waiting_})
    while (auto e = lane->pop_front())
      refuse(std::move(e));
  caf::error reason;
  if_memory_allows([&] {
    if (t->error())
      reason = to_caf_error(t->error());
    else if (t->ended_cancelled())
      reason = exit_reason_ ? exit_reason_ : caf::make_error(caf::exit_reason::user_shutdown);
  });
  cleanup(std::move(reason), nullptr);
}

// -- waiting for room ---------------------------------------------------------------------

void task_actor::admission_arrived(caf::mailbox_element_ptr e) {
  if (e->content().match_elements<admission_withdrawn>()) {
    const caf::message_id id{e->content().get_as<admission_withdrawn>(0).id};
    withdraw(e->sender, id, true);
    return;
  }
  if (limits_.policy == when_full::wait) {
    waiting_.push_back(std::move(e));
    return admit_waiting();
  }
  if (limits_.policy == when_full::reject && counts_.size >= limits_.capacity) {
    ++counts_.rejected;
    return answer(*e, pointer(), caf::make_message(mailbox_full_error()));
  }
  auto plain = admit(*e);
  if (make_room(plain))
    accept(std::move(plain), normal_);
  answer(*e, pointer(), caf::message());
}

/// The message that waits in `e`.
caf::mailbox_element_ptr task_actor::admit(caf::mailbox_element& e) {
  return caf::make_mailbox_element(e.sender, caf::make_message_id(), {},
                                   e.content().get_mutable_as<admission>(0).content);
}

void task_actor::admit_waiting() noexcept {
  while (!waiting_.empty()) {
    const auto fits = [this](const caf::mailbox_element& e) {
      return counts_.size < limits_.capacity
             || (receiver_ && receiver_->wants(e.content().get_as<admission>(0).content));
    };
    // in order: only the first may go
    bool first = true;
    caf::mailbox_element_ptr e = waiting_.take_if(
      [&](const caf::mailbox_element& w) { return std::exchange(first, false) && fits(w); });
    if (!e)
      return;
    if_memory_allows([&] {
      accept(admit(*e), normal_);
      answer(*e, pointer(), caf::message());
    });
  }
}

bool task_actor::withdraw(const caf::strong_actor_ptr& sender, caf::message_id id,
                          bool answered) noexcept {
  auto e = waiting_.take_if(
    [&](const caf::mailbox_element& w) { return w.sender == sender && w.mid == id; });
  if (e && answered)
    if_memory_allows([&] {
      answer(*e, pointer(),
             caf::make_message(caf::make_error(caf::sec::runtime_error, "withdrawn")));
    });
  return e != nullptr;
}

bool room_op::withdraw() noexcept {
  task_actor* const target = as_task_actor(to());
  if (&target->home() == &me()->home()) {
    target->withdraw(me()->pointer(), id(), false);
    leave();
    return true;
  }
  withdrawn_ = true;
  if_memory_allows([&] {
    target->enqueue(caf::make_mailbox_element(me()->pointer(),
                                              caf::message_id{}.with_category(internal_category),
                                              {}, admission_withdrawn{id().integer_value()}),
                    nullptr);
  });
  return false;
}

caf::mailbox_element_ptr room_op::make(caf::strong_actor_ptr from, caf::message_id& id) {
  if (as_task_actor(to())) {
    id = id.with_category(internal_category);
    return caf::make_mailbox_element(std::move(from), id, {}, admission{std::move(content_)});
  }
  send_element(to(), caf::make_mailbox_element(std::move(from), caf::make_message_id(), {},
                                               std::move(content_)));
  sent_at_once_ = true;
  return nullptr;
}

void room_op::resume(task_block& t) noexcept {
  if (withdrawn_ && content().match_elements<caf::error>())
    t.aborted();
  else
    t.wake();
}

// -- tasks --------------------------------------------------------------------------------

task_actor& actor_of(task_block& t) {
  task_extras& extras = t.need_extras();
  if (!extras.actor) {
    auto& system = static_cast<caf_host&>(t.home().owner().need_host()).system();
    caf::actor_config config;
    auto made = caf::make_actor<task_actor, caf::strong_actor_ptr>(
      system.next_actor_id(), system.node(), &system, config, t);
    extras.actor = static_cast<task_actor*>(made.release()->get());
  }
  return *extras.actor;
}

task_actor& actor_of_current_task(const char* what) { return actor_of(require_current_task(what)); }

task_actor* as_task_actor(const caf::actor& a) noexcept {
  return dynamic_cast<task_actor*>(caf::actor_cast<caf::abstract_actor*>(a));
}

void actor_task_ended(task_actor& a) noexcept { a.task_ended(); }
void release_actor(task_actor& a) noexcept { caf::intrusive_ptr_release(a.ctrl()); }

std::string name_of(const caf::actor& a) {
  if (!a)
    return "nobody";
  if (const task_actor* t = as_task_actor(a))
    return "'" + t->task_name() + "'";
  return "actor " + std::to_string(a.id());
}

} // namespace troupe::detail
