// SPDX-License-Identifier: BSD-3-Clause
#include "core.hpp"
#include "hub.hpp"
#include "session.hpp"

#include <troupe/actors/supervisor.hpp>
#include <troupe/chat/service.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace troupe::chat {

namespace {

/// Gives seats to ordinary actors.
task<> run_reception(mailbox& in, service::core& c) {
  struct posted {
    service::core& core;
    posted(service::core& of, caf::actor here) : core(of) { core.reception.set(std::move(here)); }
    posted(const posted&) = delete;
    posted& operator=(const posted&) = delete;
    ~posted() { core.reception.set({}); }
  } const here(c, in.address());
  co_await with_nursery([&](nursery& seats) -> task<> {
    seats.on_error<std::exception>(
      [&c](const std::exception& e) { c.log(std::string("a seat has failed: ") + e.what()); });
    co_await in.serve([&](connect who) {
      const auto sit = [&c](mailbox& /*its own*/, connect client) {
        return run_seat(c, std::move(client));
      };
      return seats.start_actor(named("chat seat", sit), std::move(who)).address();
    });
  });
}

} // namespace

service::core::core(std::unique_ptr<history_store> s, const service_options& o)
  : options(o), store(std::move(s)),
    scribe(*store,
           {.backlog = o.history_backlog, .patience = o.patience, .retry_after = o.retry_after},
           {.kept =
              [this](const std::string& room, std::int64_t up_to) {
                const auto found = rooms.find(room);
                if (found != rooms.end() && found->second.address)
                  send_urgent(found->second.address, now_kept{up_to});
              },
            .state =
              [this](bool trouble, const std::string& text) {
                log(trouble ? "history is not kept right now: " + text
                            : "history is kept again" + (text.empty() ? "" : "; " + text));
                for (const auto& [name, r] : rooms)
                  if (r.address)
                    send_urgent(r.address, store_state{trouble, text});
              }}) {}

void service::core::log(const std::string& what) const {
  if (options.log)
    options.log(what);
}

std::int64_t service::core::now() const {
  if (options.now)
    return options.now();
  const auto since = current_wall_time().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

service::service(std::unique_ptr<history_store> store, const service_options& options)
  : core_(std::make_unique<core>(std::move(store), options)) {}

service::~service() = default;

task<> service::run(task_status<>& ready) {
  supervisor_options options;
  options.name = "chat";
  options.intensity = 5;
  options.on_event = [this](const supervisor_event& e) {
    if (e.what == supervisor_event::kind::failed || e.what == supervisor_event::kind::restarted
        || e.what == supervisor_event::kind::gave_up)
      core_->log(describe(e));
  };
  core& c = *core_;
  const child_spec history{.name = "history", .start = [&c]() { return c.scribe.run(); }};
  const child_spec hub{.name = "hub", .start = [&c](mailbox& in) { return run_hub(in, c); }};
  const child_spec reception{.name = "reception",
                             .start = [&c](mailbox& in) { return run_reception(in, c); }};
  co_await with_supervisor(options, [&](supervisor& s) -> task<> {
    co_await s.start_child(history);
    co_await s.start_child(hub);
    co_await s.start_child(reception);
    ready.started();
  });
}

task<> service::run() {
  co_await with_nursery([this](nursery& n) -> task<> {
    co_await n.start([this](task_status<>& ready) { return run(ready); });
  });
}

tcp_handler service::tcp() {
  return tcp_handler([this](tcp_stream& peer) -> task<> {
    text_connection client(peer, core_->options.line_limit);
    co_await run_session(*core_, client);
  });
}

tls_handler service::tls() {
  return tls_handler([this](tls_stream& peer) -> task<> {
    text_connection client(peer, core_->options.line_limit);
    co_await run_session(*core_, client);
  });
}

unix_handler service::unix_socket() {
  return unix_handler([this](unix_stream& peer) -> task<> {
    text_connection client(peer, core_->options.line_limit);
    co_await run_session(*core_, client);
  });
}

task<> service::talk(connection& with) { return run_session(*core_, with); }

caf::actor service::address() const { return core_->reception.get(); }

caf::actor service::room(const std::string& name) const {
  const auto found = core_->rooms.find(name);
  return found == core_->rooms.end() ? caf::actor() : found->second.address;
}

service::statistics_type service::statistics() const {
  statistics_type n = core_->numbers;
  const scribe::counts& written = core_->scribe.numbers();
  n.rooms = core_->rooms.size();
  n.kept = written.kept;
  n.commits = written.commits;
  n.lost = written.lost;
  n.waiting = core_->scribe.waiting();
  n.trouble = core_->scribe.trouble();
  return n;
}

} // namespace troupe::chat
