// SPDX-License-Identifier: BSD-3-Clause
#include "client_connection.hpp"

#include <troupe/http/error.hpp>
#include <troupe/net_error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/time.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace troupe::http::client {

namespace {

constexpr std::size_t usual_buffer = 16384;

} // namespace

void connection::make_room() {
  if (begin_ == end_)
    begin_ = end_ = 0;
  if (end_ < buffer_.size())
    return;
  if (begin_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    return;
  }
  if (buffer_.size() >= max_buffer_)
    throw message_error(431, "a line is longer than " + std::to_string(max_buffer_) + " bytes");
  buffer_.resize(std::max(usual_buffer, 2 * buffer_.size()));
}

task<std::size_t> connection::fill() {
  make_room();
  const std::span<char> free(buffer_.data() + end_, buffer_.size() - end_);
  const std::size_t n = co_await transport_->read_some(std::as_writable_bytes(free));
  end_ += n;
  co_return n;
}

task<bool> connection::is_quiet() {
  bool heard = begin_ != end_;
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto listening = n.start_soon([&]() -> task<> {
      std::array<std::byte, 1> one{};
      try {
        static_cast<void>(co_await transport_->read_some(one));
      } catch (const net_error&) { // NOLINT(bugprone-empty-catch): broken
      }
      heard = true;
    });
    co_await checkpoint(); // it has looked
    listening.cancel();
  });
  co_return !heard;
}

} // namespace troupe::http::client
