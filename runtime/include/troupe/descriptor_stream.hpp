// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/detail/socket_owner.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <span>
#include <string>

namespace troupe {

/// A stream on a file descriptor: what TCP, Unix sockets and pipes have in common. It
/// waits in its loop's `epoll` set.
class descriptor_stream : public stream {
public:
  /// Takes over `fd`, a connected stream socket, a pipe or a terminal, which becomes
  /// non-blocking: for descriptors that other code has made, or that were inherited. What
  /// it is called in errors is `name`, or else its address. The descriptor is closed even
  /// if this throws: `net_error`, or `usage_error` outside of a task.
  explicit descriptor_stream(int fd, std::string name = {});

  using stream::write_all;
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into) override;
  [[nodiscard]] task<> write_all(std::span<const std::byte> data) override;
  [[nodiscard]] task<> write_all(std::span<const std::span<const std::byte>> parts) override;

  /// As `stream::send_eof`; closes a pipe. Not a checkpoint.
  [[nodiscard]] task<> send_eof() override;

  /// As `stream::close`. Not a checkpoint.
  [[nodiscard]] task<> close() override;
  void abort() noexcept override;
  [[nodiscard]] std::string peer() const override;
  [[nodiscard]] std::string local() const override;
  [[nodiscard]] stream_statistics statistics() const override;

  /// The descriptor, for options that are not covered here; -1 when closed.
  [[nodiscard]] int native_handle() const noexcept { return socket_.fd(); }

  /// Takes over an open socket. For the runtime.
  explicit descriptor_stream(detail::socket_state& socket) noexcept : socket_(socket) {}

private:
  detail::socket_owner socket_;
};

} // namespace troupe
