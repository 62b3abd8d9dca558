// SPDX-License-Identifier: BSD-3-Clause
#include "poller.hpp"

#include "socket.hpp"

#include <boost/asio/bind_allocator.hpp>

#include <cerrno>
#include <new>
#include <system_error>

namespace troupe::detail {

template <class T>
struct poller::in_place {
  using value_type = T;

  explicit in_place(std::byte* s) noexcept : storage(s) {}
  template <class U>
  in_place(const in_place<U>& other) noexcept : storage(other.storage) {} // NOLINT: allocators do

  T* allocate(std::size_t n) {
    if (n * sizeof(T) > sizeof(poller::storage_))
      throw std::bad_alloc();
    return reinterpret_cast<T*>(storage);
  }
  void deallocate(T*, std::size_t) noexcept {}

  friend bool operator==(const in_place&, const in_place&) = default;

  std::byte* storage;
};

poller::poller(boost::asio::execution_context& io)
  : service(io), epoll_(static_cast<boost::asio::io_context&>(io)) {
  owned_fd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (fd.get() < 0)
    throw std::system_error(errno, std::system_category(), "troupe: cannot watch sockets");
  epoll_.assign(fd.get());
  fd.release();
}

poller& poller::of(loop& home) { return boost::asio::use_service<poller>(home.io()); }

void poller::watch(loop& home, int fd, poll_target& target, std::uint32_t events) {
  if (!armed_)
    arm(home);
  epoll_event what{};
  what.events = events;
  what.data.ptr = &target;
  // a regular file cannot be watched; it is always ready
  if (::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, fd, &what) != 0 && errno != EPERM)
    throw std::system_error(errno, std::system_category(), "troupe: cannot watch a socket");
}

void poller::watch_for(int fd, poll_target& target, std::uint32_t events) noexcept {
  epoll_event what{};
  what.events = events;
  what.data.ptr = &target;
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_MOD, fd, &what);
}

void poller::forget(int fd, const poll_target& target) noexcept {
  epoll_event ignored{};
  ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, fd, &ignored);
  for (epoll_event& e : coming_)
    if (e.data.ptr == &target)
      e.data.ptr = nullptr;
}

void poller::shutdown() {
  boost::system::error_code ignored;
  epoll_.close(ignored);
}

void poller::arm(loop& home) {
  epoll_.async_wait(
    boost::asio::posix::stream_descriptor::wait_read,
    boost::asio::bind_allocator(in_place<void>(storage_.data()),
                                [this, &home](const boost::system::error_code& error) {
                                  if (!error)
                                    poll(home);
                                }));
  armed_ = true;
}

/// Arms again before anything else happens: what comes from then on is seen.
void poller::poll(loop& home) noexcept {
  std::array<epoll_event, 128> events;
  const int n = ::epoll_wait(epoll_.native_handle(), events.data(), events.size(), 0);
  arm(home);
  coming_ = std::span(events).first(n < 0 ? 0 : static_cast<std::size_t>(n));
  for (; !coming_.empty(); coming_ = coming_.subspan(1))
    if (auto* target = static_cast<poll_target*>(coming_.front().data.ptr))
      target->ready(coming_.front().events);
  home.pump();
}

} // namespace troupe::detail
