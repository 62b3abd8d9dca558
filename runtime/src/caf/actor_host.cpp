// SPDX-License-Identifier: BSD-3-Clause
#include "actor_host.hpp"

#include "loop_scheduler.hpp"

#include <troupe/actor.hpp>
#include <troupe/error.hpp>

#include <caf/actor_cast.hpp>
#include <caf/actor_registry.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/logger.hpp>

#include <cstdio>

namespace troupe {

caf::actor_system& actor_system() { return detail::caf_host::current("actor_system").system(); }

void subscribe_dead_letters(const caf::actor& reader) {
  detail::caf_host::current("subscribe_dead_letters").subscribe(reader);
}

std::uint64_t dead_letter_count() {
  return detail::caf_host::current("dead_letter_count").dead_letters();
}

} // namespace troupe

namespace troupe::detail {

namespace {

std::mutex announced_mutex;

std::vector<add_messages>& announced() {
  static std::vector<add_messages> all;
  return all;
}

const char* to_text(undelivered why) noexcept {
  switch (why) {
  case undelivered::unhandled: return "no handler";
  case undelivered::receiver_ended: return "the receiver has ended";
  case undelivered::rejected: return "the mailbox is full";
  case undelivered::dropped: return "dropped from a full mailbox";
  }
  return "";
}

} // namespace

bool announce(add_messages f) {
  const std::lock_guard lock(announced_mutex);
  announced().push_back(f);
  return true;
}

void add_announced_messages(caf::actor_system_config& config) {
  const std::lock_guard lock(announced_mutex);
  for (const add_messages add : announced())
    add(config);
}

std::unique_ptr<actor_host> make_actor_host(runtime& rt, const configure_actors_fn& configure) {
  return std::make_unique<caf_host>(rt, configure);
}

caf_host::caf_host(runtime& rt, const configure_actors_fn& configure) : runtime_(rt) {
  add_announced_messages(config_);
  if (configure)
    configure(config_);
  config_.module_factories.push_back([&rt](caf::actor_system& sys) -> caf::actor_system::module* {
    return new loop_scheduler(sys, &rt);
  });
  system_ = std::make_unique<caf::actor_system>(config_);
  // the constructor has bound this thread, a loop, to the system's logger, and the
  // destructor waits for all who hold that
  caf::logger::set_current_actor_system(nullptr);
}

caf_host::~caf_host() = default;

std::size_t caf_host::running() const noexcept { return system_->registry().running(); }

void caf_host::wait_for_none() noexcept { system_->await_actors_before_shutdown(false); }

caf_host& caf_host::current(const char* what) {
  if (loop* here = loop::current())
    return static_cast<caf_host&>(here->owner().need_host());
  throw usage_error(std::string("troupe: ") + what + " was called outside of the loops");
}

// -- dead letters -----------------------------------------------------------------------

void caf_host::subscribe(const caf::actor& reader) {
  const std::lock_guard lock(mutex_);
  readers_.push_back(reader.address());
}

void caf_host::publish(const dead_letter& letter) noexcept {
  dead_letters_.fetch_add(1, std::memory_order_relaxed);
  try {
    if (runtime_.debug())
      std::fprintf(stderr, "troupe: a message to %s was not delivered (%s): %s\n",
                   letter.to.c_str(), letter.why.c_str(),
                   caf::deep_to_string(letter.content).c_str());
    std::vector<caf::actor> living;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(readers_, [&](const caf::actor_addr& a) {
        auto reader = caf::actor_cast<caf::actor>(a);
        if (!reader)
          return true;
        living.push_back(std::move(reader));
        return false;
      });
    }
    for (const auto& reader : living) // outside of the lock: it may be full itself
      send(reader, letter);
  } catch (...) { // NOLINT(bugprone-empty-catch): it is counted
  }
}

void bury(task_actor* receiver, caf::mailbox_element_ptr e, undelivered why) noexcept {
  if (e->content().match_elements<dead_letter>())
    return; // not again and again
  loop* at = receiver ? &receiver->home() : loop::current();
  actor_host* host = at ? at->owner().host() : nullptr;
  if (!host)
    return;
  try {
    static_cast<caf_host*>(host)->publish(
      {receiver ? name_of(caf::actor_cast<caf::actor>(receiver->pointer())) : "nobody",
       to_text(why), e->move_content_to_message(), e->sender});
  } catch (...) { // NOLINT(bugprone-empty-catch): no memory to tell
  }
}

} // namespace troupe::detail
