// SPDX-License-Identifier: BSD-3-Clause
#include "socket_faults.hpp"

#include "listen.hpp"

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
  : socket_(s), number_(new_stream_number()), reading_(s, direction::read),
    writing_(s, direction::write) {}

/// In the direction of its bytes, and the same at both ends.
std::string socket_faults::name(direction d) const {
  const socket_address at = socket_.local_address();
  const bool nameless = at.is_unix() && at.size() <= offsetof(sockaddr_un, sun_path);
  const std::string here = nameless ? name_of_client(socket_.peer(), ::getpid()) : at.text();
  return d == direction::read ? socket_.peer() + " > " + here : here + " > " + socket_.peer();
}

bool socket_faults::may_move(direction d, std::size_t& size) {
  way& w = d == direction::read ? reading_ : writing_;
  const stream_statistics& so_far = socket_.statistics();
  const std::uint64_t before = d == direction::read ? so_far.bytes_read : so_far.bytes_written;
  if (before > w.until || (before == w.until && !w.breaks)) {
    const stream_fault f =
      ask_stream({name(d), number_, before, size, d == direction::read, false, true});
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

/// Simulated networks ask for themselves.
bool socket_state::heeds_plans() const noexcept {
  return kind_ != descriptor_kind::pipe && !network::of(fd());
}

bool socket_state::may_move(direction d, std::size_t& size) noexcept {
  try {
    if (!faults_)
      faults_ = std::make_unique<socket_faults>(*this);
    return faults_->may_move(d, size);
  } catch (...) { // no memory, no fault
    return true;
  }
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

void socket_state::reset(direction d) noexcept {
  socket_op* const asks = std::exchange(waiting(d), nullptr); // and is told by its own failure
  closed_with_ = ECONNRESET;
  drop_at_close();
  close();
  waiting(d) = asks;
}

} // namespace troupe::detail
