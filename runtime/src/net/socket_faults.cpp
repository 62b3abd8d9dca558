// SPDX-License-Identifier: BSD-3-Clause
#include "socket_faults.hpp"

#include "listen.hpp"
#include "system_calls.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <utility>

namespace troupe::detail {

socket_faults::way::~way() {
  if (armed())
    socket_.home().timers().remove(*this);
}

void socket_faults::way::stall(duration time) noexcept {
  try {
    loop& home = socket_.home();
    home.timers().add(*this, deadline_after(home.now(), time));
    stalled_.emplace();
  } catch (...) { // NOLINT(bugprone-empty-catch): no memory to stall
  }
}

void socket_faults::way::expired() noexcept {
  stalled_.reset();
  socket_.retry(direction_);
}

socket_faults::socket_faults(socket_state& s) noexcept
  : socket_(s), reading_(s, direction::read), writing_(s, direction::write) {}

std::string socket_faults::here() const {
  const socket_address at = socket_.local_address();
  const bool nameless = at.is_unix() && at.size() <= offsetof(sockaddr_un, sun_path);
  return nameless ? name_of_client(socket_.peer(), ::getpid()) : at.text();
}

/// In the direction of its bytes, and the same at both ends.
std::string socket_faults::name(direction d) const {
  return d == direction::read ? socket_.peer() + " > " + here() : here() + " > " + socket_.peer();
}

bool socket_faults::may_move(direction d, std::size_t& size) {
  way& w = d == direction::read ? reading_ : writing_;
  const stream_statistics& so_far = socket_.statistics();
  const std::uint64_t before = d == direction::read ? so_far.bytes_read : so_far.bytes_written;
  if (before > w.until || (before == w.until && !w.breaks)) {
    const stream_fault f =
      ask_stream({name(d), number_.value(), before, size, d == direction::read, false, true});
    w.until = before + std::min(size, f.most);
    w.breaks = f.breaks;
    if (f.stall > duration::zero())
      w.stall(f.stall);
  }
  if (w.armed()) {
    errno = EAGAIN;
    return false;
  }
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, w.until - before));
  if (size == 0) {
    socket_.reset(d);
    errno = ECONNRESET;
  }
  return size != 0;
}

// -- datagrams ------------------------------------------------------------------------------

socket_address socket_faults::there(const socket_address* to) const noexcept {
  return to ? *to : peer_address(socket_.fd());
}

socket_faults::held_back::held_back(socket_faults& f, const socket_address& to,
                                    std::span<const std::byte> data, bool is_overtaken)
  : faults_(f), to_(to), data_(data.begin(), data.end()), is_overtaken_(is_overtaken) {}

socket_faults::held_back::~held_back() {
  if (armed())
    faults_.socket_.home().timers().remove(*this);
}

bool socket_faults::held_back::goes_behind_one_to(const socket_address& there) const noexcept {
  return is_overtaken_ && to_ == there;
}

void socket_faults::held_back::send() const noexcept {
  if (faults_.socket_.open())
    static_cast<void>(sys::send_to(faults_.socket_.fd(), data_.data(), data_.size(), &to_));
}

void socket_faults::held_back::expired() noexcept {
  send();
  faults_.held_back_.remove_if([this](const held_back& h) { return &h == this; });
}

bool socket_faults::may_send(const socket_address* to, std::span<const std::byte> data) {
  using fate = message_fault::fate;
  const socket_address target = there(to);
  if (target.size() == 0)
    return true; // as the system will say
  const stream_fault f = ask_stream({here() + " > " + target.text(), number_.value(),
                                     socket_.statistics().bytes_written, data.size(), false, true});
  if (f.datagram == fate::comes_twice)
    static_cast<void>(sys::send_to(socket_.fd(), data.data(), data.size(), to));
  if (f.datagram != fate::comes_later && f.datagram != fate::is_overtaken)
    return f.datagram != fate::is_lost;
  loop& home = socket_.home();
  held_back& late = held_back_.emplace_back(*this, target, data, f.datagram == fate::is_overtaken);
  try {
    home.timers().add(late, deadline_after(home.now(), f.stall));
  } catch (...) {
    held_back_.pop_back();
    throw;
  }
  return false;
}

void socket_faults::send_overtaken(const socket_address* to) noexcept {
  if (held_back_.empty())
    return;
  held_back_.remove_if([target = there(to)](const held_back& h) {
    const bool goes = h.goes_behind_one_to(target);
    if (goes)
      h.send();
    return goes;
  });
}

// -- what sockets ask -------------------------------------------------------------------------

/// Simulated networks ask for themselves.
bool socket_state::heeds_plans() const noexcept {
  return kind_ != descriptor_kind::pipe && !network::of(fd());
}

template <class F>
bool socket_state::ask_faults(F f) noexcept {
  try {
    if (!faults_)
      faults_ = std::make_unique<socket_faults>(*this);
    return f(*faults_);
  } catch (...) { // no memory, no fault
    return true;
  }
}

bool socket_state::may_move(direction d, std::size_t& size) noexcept {
  return ask_faults([&](socket_faults& f) { return f.may_move(d, size); });
}

bool socket_state::may_read(std::span<std::byte> into, std::size_t& size) noexcept {
  if (!heeds_plans())
    return true;
  ssize_t there; // looked at where it is to be read
  do
    there = ::recv(fd(), into.data(), into.size(), MSG_PEEK | MSG_DONTWAIT);
  while (there < 0 && errno == EINTR);
  if (there <= 0)
    return there == 0; // the end, which is no byte
  size = static_cast<std::size_t>(there);
  return may_move(direction::read, size);
}

bool socket_state::may_write(std::size_t& size) noexcept {
  return !heeds_plans() || may_move(direction::write, size);
}

bool socket_state::may_send(const socket_address* to, std::span<const std::byte> data) noexcept {
  return !heeds_plans() || ask_faults([&](socket_faults& f) { return f.may_send(to, data); });
}

void socket_state::send_overtaken(const socket_address* to) noexcept {
  faults_->send_overtaken(to);
}

void socket_state::reset(direction d) noexcept {
  socket_op* const asks = std::exchange(waiting(d), nullptr); // and is told by its own failure
  closed_with_ = ECONNRESET;
  drop_at_close();
  close();
  waiting(d) = asks;
}

} // namespace troupe::detail
