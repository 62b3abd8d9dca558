// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor.hpp>
#include <troupe/actor_error.hpp>
#include <troupe/actors/child_spec.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/error.hpp>

#include <memory>

namespace troupe {

namespace {

/// One life of an ordinary actor, seen by the task that stands for it.
class caf_life {
public:
  explicit caf_life(caf::actor a) : actor_(std::move(a)) { monitor(actor_); }

  task<> until_down() {
    while (!down_)
      co_await this_mailbox().receive([this](const caf::down_msg& m) {
        if (m.source == actor_.address()) {
          down_ = true;
          reason_ = m.reason;
        }
      });
  }

  task<> run() {
    bool asked = false;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service(named("stop of an actor", [&]() -> task<> {
        co_await stopping();
        asked = true;
        send_exit(actor_, caf::exit_reason::user_shutdown);
      }));
      co_await until_down();
    });
    if (asked && reason_ == caf::error(caf::exit_reason::user_shutdown))
      co_return;
    if (reason_ && reason_ != caf::error(caf::exit_reason::normal))
      throw actor_down("the actor has ended: " + to_string(reason_), reason_);
  }

  task<> stop(duration patience) {
    if (down_)
      co_return;
    send_exit(actor_, caf::exit_reason::user_shutdown);
    co_await move_on_after(patience, [this]() { return until_down(); });
    if (down_)
      co_return;
    send_exit(actor_, caf::exit_reason::kill);
    co_await until_down();
  }

private:
  caf::actor actor_;
  caf::error reason_;
  bool down_ = false;
};

} // namespace

task<> child_start::launch(nursery& n, const std::string& name, std::optional<unsigned> loop,
                           bool& completed, caf::actor& address) const {
  if (const auto* with_status = std::get_if<status_function>(&fn_)) {
    if (loop)
      throw usage_error("troupe: child '" + name
                        + "' is for another loop, and cannot say there that it is ready");
    const auto run =
      named(name,
            [](task_status<>& status, const std::function<task<>(task_status<>&)>* fn,
               bool* done) -> task<> {
              co_await (*fn)(status);
              *done = true;
            });
    co_await n.start(run, with_status, &completed);
  } else if (const auto* actor = std::get_if<actor_function>(&fn_)) {
    const auto run = [fn = *actor, done = &completed](mailbox& in) -> task<> {
      co_await fn(in);
      *done = true;
    };
    const auto started =
      loop ? n.start_actor_on(*loop, named(name, run)) : n.start_actor(named(name, run));
    address = started.address();
  } else {
    const auto run = [fn = *plain(), done = &completed]() -> task<> {
      co_await fn();
      *done = true;
    };
    if (loop)
      n.start_on(*loop, named(name, run));
    else
      n.start_soon(named(name, run));
  }
}

child_start caf_child(std::function<caf::actor()> spawn, duration patience) {
  return child_start([spawn = std::move(spawn), patience]() -> task<> {
    caf_life life(spawn());
    const auto no_limit = duration::max();
    co_await with_cleanup([&]() { return life.run(); }, [&]() { return life.stop(patience); },
                          no_limit);
  });
}

} // namespace troupe
