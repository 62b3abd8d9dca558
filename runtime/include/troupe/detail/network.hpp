// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/socket_address.hpp>
#include <troupe/task.hpp>

#include <sys/socket.h>

#include <string>
#include <vector>

namespace troupe::detail {

class loop;
class poll_target;

/// What a program talks to instead of the machine's network (`run_options::network`): the
/// system calls of TCP and UDP sockets, each as the one of its name, with -1 and `errno`.
/// Its descriptors are numbers that the system never gives, so that a call goes to the
/// system or here by a look at the number. Calls come from all loops.
class network {
public:
  network(const network&) = delete;
  network& operator=(const network&) = delete;

  /// The network that has made the descriptor `fd`; null if it is the system's, or gone.
  [[nodiscard]] static network* of(int fd) noexcept {
    return fd < first_descriptor ? nullptr : find(fd);
  }

  virtual int socket(int family, int type) noexcept = 0;
  virtual int set_option(int fd, int level, int option, const void* value) noexcept = 0;
  virtual int error(int fd) noexcept = 0; ///< SO_ERROR, which it takes
  virtual int bind(int fd, const socket_address& at) noexcept = 0;
  virtual int listen(int fd, int backlog) noexcept = 0;
  virtual int accept(int fd, socket_address& peer) noexcept = 0;
  virtual int connect(int fd, const socket_address& to) noexcept = 0;
  virtual ssize_t receive(int fd, msghdr& message) noexcept = 0;
  virtual ssize_t send(int fd, const msghdr& message) noexcept = 0;
  virtual int shutdown_writing(int fd) noexcept = 0;
  virtual void close(int fd) noexcept = 0;
  [[nodiscard]] virtual socket_address local_address(int fd) const noexcept = 0;

  /// From now on `target` hears on `home` what epoll would say of `fd`: edges.
  virtual void watch(int fd, loop& home, poll_target& target) noexcept = 0;
  virtual void forget(int fd) noexcept = 0;

  /// The addresses of a name; empty if there are none. A checkpoint.
  [[nodiscard]] virtual task<std::vector<socket_address>> resolve(std::string host,
                                                                  std::uint16_t port) = 0;

protected:
  /// Throws `std::runtime_error` if there are too many.
  network();
  ~network();

  [[nodiscard]] int descriptor(int index) const noexcept { return first_ + index; }
  [[nodiscard]] int index(int fd) const noexcept { return fd - first_; }
  static constexpr int most_descriptors = 1 << 20;

private:
  static constexpr int first_descriptor = 1 << 30;
  [[nodiscard]] static network* find(int fd) noexcept;

  int first_;
};

} // namespace troupe::detail
