// SPDX-License-Identifier: BSD-3-Clause
#include "child_process.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/time.hpp>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace troupe::detail {

namespace {

constexpr std::array<const char*, 3> standard_names{"stdin", "stdout", "stderr"};

/// Done when the process has ended.
class exit_op final : public socket_op {
public:
  exit_op(socket_state& s, child_process& p) noexcept : socket_op(s, direction::read), child_(p) {}
  [[nodiscard]] const char* waits_for() const noexcept override { return "the end of a process"; }

private:
  bool attempt() noexcept override { return child_.reap(); }

  child_process& child_;
};

/// Whether nobody else waits on the descriptor; as long as this lives, somebody does.
class turn {
public:
  explicit turn(bool& taken) noexcept : taken_(taken), first_(!std::exchange(taken, true)) {}
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() { taken_ = taken_ && !first_; }
  [[nodiscard]] bool first() const noexcept { return first_; }

private:
  bool& taken_;
  bool first_;
};

} // namespace

descriptor_stream stream_of(loop& home, owned_fd end, std::string name) {
  const socket_ptr s(
    new socket_state(home, std::move(end), std::move(name), descriptor_kind::pipe));
  return descriptor_stream(*s);
}

child_process::child_process(loop& home, const command& what, spawned started)
  : name_(what.program()), pid_(started.pid), own_group_(what.parts().own_group),
    grace_(what.parts().grace) {
  pidfd_ = new socket_state(home, std::move(started.pidfd), label());
  for (std::size_t i = 0; i < 3; ++i)
    if (started.ends[i].get() >= 0)
      ends_[i].emplace(
        stream_of(home, std::move(started.ends[i]), standard_names[i] + (" of " + label())));
  started.pid = -1; // taken over
}

void child_process::end() noexcept {
  if (!pidfd_->open())
    return;
  kill_and_reap();
  pidfd_->close();
  for (auto& e : ends_)
    e.reset();
}

void child_process::kill_and_reap() noexcept {
  if (reap())
    return;
  ::kill(own_group_ ? -pid_ : pid_, SIGKILL);
  if (reap())
    return;
  owned_fd mine(::fcntl(pidfd_->fd(), F_DUPFD_CLOEXEC, 0));
  if (mine.get() >= 0)
    reap_later(home(), std::move(mine));
  else
    ::waitpid(pid_, nullptr, 0); // it has been killed
}

int child_process::ask(siginfo_t& info, int flags) const noexcept {
  int done;
  do
    done = ::waitid(P_PIDFD, static_cast<id_t>(pidfd_->fd()), &info, WEXITED | WNOHANG | flags);
  while (done != 0 && errno == EINTR);
  return done;
}

bool child_process::reap() noexcept {
  if (status_ || lost_)
    return true;
  siginfo_t info{};
  int done = ask(info, own_group_ ? WNOWAIT : 0);
  if (done == 0 && info.si_pid != 0 && own_group_) {
    ::kill(-pid_, SIGKILL); // what is left of the group, as long as its number is its own
    done = ask(info, 0);
  }
  if (done != 0)
    lost_ = errno != EAGAIN;
  else if (info.si_pid != 0)
    status_ = info.si_code == CLD_EXITED
                ? exit_status::exited(info.si_status)
                : exit_status::killed(info.si_status, info.si_code == CLD_DUMPED);
  return status_ || lost_;
}

bool child_process::send_signal(int number) {
  if (status_ || lost_)
    return false;
  // it is not reaped, so that the number is still its own
  if ((own_group_
         ? ::kill(-pid_, number)
         : static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd_->fd(), number, nullptr, 0)))
      == 0)
    return true;
  if (errno == ESRCH)
    return false;
  throw process_error(errno, std::generic_category(),
                      "cannot send signal " + std::to_string(number) + " to " + label());
}

socket_ptr child_process::descriptor_of_its_own() const {
  owned_fd mine(::fcntl(pidfd_->fd(), F_DUPFD_CLOEXEC, 0));
  if (mine.get() < 0)
    throw process_error(errno, std::generic_category(), "cannot wait for " + label());
  return {new socket_state(home(), std::move(mine), pidfd_->peer())};
}

task<exit_status> child_process::wait() {
  const child_ptr self(this); // its process may go meanwhile
  pidfd_->check_loop("process::wait");
  if (status_ || lost_) {
    co_await checkpoint();
  } else {
    const turn mine(waited_for_);
    const socket_ptr s = mine.first() ? pidfd_ : descriptor_of_its_own();
    exit_op op(*s, *this);
    co_await op;
    if (op.error())
      throw process_error(op.error(), std::generic_category(), "cannot wait for " + label());
  }
  if (lost_)
    throw process_error(ECHILD, std::generic_category(),
                        "cannot learn how " + label()
                          + " has ended: somebody else has taken its status");
  co_return *status_;
}

task<exit_status> child_process::stop(duration grace) {
  const child_ptr self(this);
  const auto end = [&]() -> task<exit_status> {
    if (send_signal(SIGTERM)) {
      const bool ended =
        co_await move_on_after(grace, [&]() -> task<> { static_cast<void>(co_await wait()); });
      if (!ended)
        send_signal(SIGKILL);
    }
    co_return co_await wait();
  };
  co_return co_await shielded(end);
}

} // namespace troupe::detail
