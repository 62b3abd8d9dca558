// SPDX-License-Identifier: BSD-3-Clause
#include "message_faults.hpp"

#include <troupe/detail/loop.hpp>
#include <troupe/detail/timer.hpp>

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace troupe::detail {

namespace {

/// Where a message is until it may arrive: with the clock, in an envelope.
struct held {
  caf::mailbox_element_ptr letter; // null: it has arrived
};
using held_ptr = std::shared_ptr<held>;

/// What comes from the clock in place of a message that was held up. As long as there is
/// one, messages are looked at.
class envelope final : public caf::mailbox_element {
public:
  explicit envelope(held_ptr h)
    : mailbox_element(caf::strong_actor_ptr(h->letter->sender), h->letter->mid, {}),
      held_(std::move(h)) {}

  [[nodiscard]] caf::mailbox_element_ptr open() noexcept { return std::move(held_->letter); }

  // for those who do not know what it is
  caf::type_erased_tuple& content() override { return inside().content(); }
  const caf::type_erased_tuple& content() const override {
    return const_cast<envelope*>(this)->inside().content(); // NOLINT(*-const-cast): as above
  }
  caf::message move_content_to_message() override { return inside().move_content_to_message(); }
  caf::message copy_content_to_message() const override {
    return const_cast<envelope*>(this)->inside().copy_content_to_message(); // NOLINT(*-const-cast)
  }

private:
  [[nodiscard]] caf::mailbox_element& inside() noexcept {
    return held_->letter ? *held_->letter : nothing_;
  }

  held_ptr held_;
  fault_under_way under_way_;
  caf::mailbox_element_vals<caf::unit_t> nothing_{nullptr, caf::make_message_id(), {}, caf::unit};
};

/// Those that are overtaken by the next one, by receiver. Receivers run on one loop at a
/// time, but any: each looks only at its own.
std::mutex overtaken_mutex;
std::map<const caf::abstract_actor*, std::vector<std::weak_ptr<held>>> overtaken;

void hold(caf::abstract_actor& to, caf::mailbox_element_ptr e, duration time, bool until_next) {
  auto h = std::make_shared<held>();
  h->letter = std::move(e);
  auto& clock = to.home_system().clock();
  caf::mailbox_element_ptr cover(new envelope(h));
  if (until_next) {
    const std::lock_guard lock(overtaken_mutex);
    overtaken[&to].push_back(h);
  }
  clock.schedule_message(deadline_after(clock.now(), time),
                         caf::strong_actor_ptr(caf::actor_control_block::from(&to)),
                         std::move(cover));
}

std::vector<std::weak_ptr<held>> take_overtaken(const caf::abstract_actor& to) {
  const std::lock_guard lock(overtaken_mutex);
  const auto found = overtaken.find(&to);
  if (found == overtaken.end())
    return {};
  auto all = std::move(found->second);
  overtaken.erase(found);
  return all;
}

caf::mailbox_element_ptr copy_of(const caf::mailbox_element& e) {
  return caf::make_mailbox_element(e.sender, e.mid, e.stages, e.copy_content_to_message());
}

} // namespace

bool message_faults::concerns(const caf::mailbox_element& e) {
  const auto& content = e.content();
  if (e.mid.is_response())
    return !content.match_elements<caf::error>()
           || content.get_as<caf::error>(0) != caf::sec::request_timeout;
  const auto token = content.type_token();
  return token != caf::make_type_token<caf::exit_msg>()
         && token != caf::make_type_token<caf::down_msg>()
         && token != caf::make_type_token<caf::timeout_msg>()
         && !(content.size() > 1 && content.match_element<caf::sys_atom>(0));
}

message_fault message_faults::pass(caf::abstract_actor& to, const std::string& name,
                                   caf::mailbox_element_ptr e, const deliver_fn& deliver) {
  if (auto* late = dynamic_cast<envelope*>(e.get())) {
    if (auto letter = late->open())
      deliver(std::move(letter));
    return {};
  }
  if (!concerns(*e)) {
    deliver(std::move(e));
    return {};
  }
  const message_fault f = ask_message(to.id(), name, e->mid.is_response());
  apply(f, to, std::move(e), deliver);
  return f;
}

void message_faults::apply(const message_fault& f, caf::abstract_actor& to,
                           caf::mailbox_element_ptr e, const deliver_fn& deliver) {
  using fate = message_fault::fate;
  switch (f.what) {
  case fate::is_lost: return;
  case fate::comes_later: return hold(to, std::move(e), f.time, false);
  case fate::is_overtaken: return hold(to, std::move(e), f.time, true);
  case fate::comes_twice: deliver(copy_of(*e)); break;
  case fate::ends:
  case fate::arrives: break;
  }
  const auto before = take_overtaken(to);
  deliver(std::move(e));
  for (const auto& o : before)
    if (const auto h = o.lock(); h && h->letter)
      deliver(std::move(h->letter));
}

// -- ordinary actors ------------------------------------------------------------------------

namespace {

using actor = caf::scheduled_actor;

/// Takes all out of a queue, also what the actor has skipped.
template <class Queue>
std::deque<caf::mailbox_element_ptr> take_all(Queue& q) {
  std::deque<caf::mailbox_element_ptr> all;
  while (auto e = q.take_front())
    all.push_back(std::move(e));
  return all;
}

/// Shows what is new in `q`, all but the first `known`.
template <class Queue>
message_fault filter(actor& a, Queue& q, std::size_t known) {
  message_fault ends;
  const std::string name = a.name();
  for (auto& e : take_all(q)) {
    if (known != 0) {
      --known;
      q.push_back(std::move(e));
      continue;
    }
    const message_fault f = message_faults::pass(
      a, name, std::move(e), [&q](caf::mailbox_element_ptr p) { q.push_back(std::move(p)); });
    if (f.what == message_fault::fate::ends)
      ends = f;
  }
  return ends;
}

/// Whatever it does with exit messages.
template <class Queue>
void end(actor& a, Queue& urgent, caf::exit_reason reason) {
  a.set_exit_handler([](actor* self, caf::exit_msg& m) { self->quit(std::move(m.reason)); });
  auto others = take_all(urgent);
  urgent.push_back(
    caf::make_mailbox_element(nullptr, caf::make_message_id(caf::message_priority::high), {},
                              caf::exit_msg{caf::actor_addr(), caf::make_error(reason)}));
  for (auto& e : others)
    urgent.push_back(std::move(e));
}

void fault_mailbox_of(actor& a) {
  auto& box = a.mailbox();
  auto& queues = box.queue().queues();
  auto& urgent = std::get<actor::urgent_queue_index>(queues);
  auto& normal = std::get<actor::normal_queue_index>(queues);
  urgent.flush_cache();
  normal.flush_cache();
  const std::size_t known_urgent = urgent.total_task_size();
  const std::size_t known = normal.total_task_size();
  if (!box.fetch_more())
    return;
  message_fault ends = filter(a, urgent, known_urgent);
  if (const message_fault f = filter(a, normal, known); f.what == message_fault::fate::ends)
    ends = f;
  if (ends.what == message_fault::fate::ends)
    end(a, urgent, ends.reason);
}

} // namespace

std::size_t fault_mailbox(caf::resumable& job, std::size_t messages) noexcept {
  try {
    auto* const a = dynamic_cast<actor*>(&job);
    if (!a)
      return messages;
    if (!a->getf(caf::abstract_actor::is_initialized_flag))
      return 0; // it sets its handlers first
    fault_mailbox_of(*a);
  } catch (...) { // NOLINT(bugprone-empty-catch): no memory, no fault
  }
  return std::min<std::size_t>(messages, 1); // to see what it sends to itself
}

} // namespace troupe::detail
