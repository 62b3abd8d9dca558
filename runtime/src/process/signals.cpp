// SPDX-License-Identifier: BSD-3-Clause
#include "../net/socket.hpp"

#include <troupe/detail/signal_bell.hpp>
#include <troupe/error.hpp>
#include <troupe/signals.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <system_error>

namespace troupe {

namespace {

using namespace detail;

/// What is known of one signal. The handler reads what is atomic; all else is under the
/// mutex.
struct signal_slot {
  std::atomic<std::uint64_t> count{0};
  std::atomic<void (*)(int)> plain{nullptr};
  std::atomic<void (*)(int, siginfo_t*, void*)> with_info{nullptr};
  struct sigaction before {};
  std::size_t receivers = 0;
};

constexpr int signal_numbers = 65; // NSIG of Linux, which counts from 1
std::array<signal_slot, signal_numbers> slots;
std::mutex slots_mutex;

/// Each signal adds to it. Each receiver watches it for edges, under a descriptor of its
/// own, and nobody ever reads it. Never closed: the handler may be running.
std::atomic<int> bell{-1};

/// Nothing in here but atomics and `write`.
void on_signal(int number, siginfo_t* info, void* context) {
  const int error = errno;
  signal_slot& slot = slots[static_cast<std::size_t>(number)];
  slot.count.fetch_add(1, std::memory_order_release); // seen by who hears the bell
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(bell.load(), &one, sizeof one);
  if (const auto handler = slot.plain.load())
    handler(number);
  if (const auto handler = slot.with_info.load())
    handler(number, info, context);
  errno = error;
}

[[noreturn]] void throw_unheard(int error, int number) {
  throw std::system_error(error, std::generic_category(),
                          "troupe: cannot hear signal " + std::to_string(number));
}

bool is_fault(int number) noexcept {
  return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL
         || number == SIGABRT;
}

void install(int number) {
  if (number < 1 || number >= signal_numbers)
    throw_unheard(EINVAL, number);
  if (is_fault(number))
    throw usage_error("troupe: signal " + std::to_string(number)
                      + " is a fault of the program, which cannot go on to hear of it");
  const std::lock_guard lock(slots_mutex);
  signal_slot& slot = slots[static_cast<std::size_t>(number)];
  if (slot.receivers == 0) {
    if (::sigaction(number, nullptr, &slot.before) != 0)
      throw_unheard(errno, number);
    // known before the first signal can come
    const bool info = slot.before.sa_flags & SA_SIGINFO;
    const bool function = info
                          || (slot.before.sa_handler != SIG_DFL // NOLINT: C's macros
                              && slot.before.sa_handler != SIG_IGN);
    slot.plain = function && !info ? slot.before.sa_handler : nullptr;
    slot.with_info = info ? slot.before.sa_sigaction : nullptr;
    struct sigaction ours {};
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    if (::sigaction(number, &ours, nullptr) != 0)
      throw_unheard(errno, number);
  }
  ++slot.receivers;
}

void uninstall_one(int number) noexcept {
  const std::lock_guard lock(slots_mutex);
  signal_slot& slot = slots[static_cast<std::size_t>(number)];
  if (--slot.receivers != 0)
    return;
  struct sigaction now {};
  if (::sigaction(number, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO)
      && now.sa_sigaction == on_signal)
    ::sigaction(number, &slot.before, nullptr);
}

/// A descriptor of its own for the bell. Throws `std::system_error`.
owned_fd hear_bell() {
  {
    const std::lock_guard lock(slots_mutex);
    if (bell < 0)
      bell = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  }
  owned_fd fd(bell < 0 ? -1 : ::fcntl(bell, F_DUPFD_CLOEXEC, 0));
  if (fd.get() < 0)
    throw std::system_error(errno, std::generic_category(), "troupe: cannot hear signals");
  return fd;
}

} // namespace

namespace detail {

int signal_bell() noexcept { return bell; }

class signal_op final : public socket_op {
public:
  signal_op(socket_state& s, signal_receiver& from) noexcept
    : socket_op(s, direction::read), from_(from) {}
  [[nodiscard]] const char* waits_for() const noexcept override { return "a signal"; }
  [[nodiscard]] int number() const noexcept { return number_; }

private:
  bool attempt() noexcept override {
    number_ = from_.take();
    return number_ != 0;
  }

  signal_receiver& from_;
  int number_ = 0;
};

} // namespace detail

signal_receiver::signal_receiver(const std::vector<int>& signals)
  : wake_(*socket_ptr(new socket_state(require_loop("signal_receiver"), hear_bell(), "signals"))) {
  if (signals.empty())
    throw usage_error("troupe: signal_receiver: there must be a signal to hear");
  signals_.reserve(signals.size());
  for (const int number : signals) {
    if (std::any_of(signals_.begin(), signals_.end(),
                    [number](const heard& h) { return h.number == number; }))
      continue;
    try {
      install(number);
    } catch (...) {
      uninstall(signals_.size());
      throw;
    }
    signals_.push_back({number, slots[static_cast<std::size_t>(number)].count.load()});
  }
}

signal_receiver::~signal_receiver() { uninstall(signals_.size()); }

void signal_receiver::uninstall(std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i)
    uninstall_one(signals_[i].number);
}

int signal_receiver::take() noexcept {
  for (std::size_t i = 0; i < signals_.size(); ++i) {
    heard& h = signals_[(next_ + i) % signals_.size()];
    const auto count =
      slots[static_cast<std::size_t>(h.number)].count.load(std::memory_order_acquire);
    if (count != h.seen) {
      h.seen = count;
      next_ = (next_ + i + 1) % signals_.size();
      return h.number;
    }
  }
  return 0;
}

task<int> signal_receiver::next() {
  const socket_ptr s(wake_.get());
  s->check(direction::read, "signal_receiver::next");
  signal_op op(*s, *this);
  co_await op;
  if (op.error())
    throw usage_error("troupe: signal_receiver::next: the receiver is gone");
  co_return op.number();
}

} // namespace troupe
