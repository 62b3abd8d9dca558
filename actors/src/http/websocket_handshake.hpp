// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/message.hpp>
#include <troupe/stream.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::http {

/// A key for `Sec-WebSocket-Key`: 16 random bytes in base64.
[[nodiscard]] std::string make_websocket_key();

/// What has to come back for it in `Sec-WebSocket-Accept`.
[[nodiscard]] std::string accept_of_key(std::string_view key);

/// The elements of lists that are separated by commas.
[[nodiscard]] std::vector<std::string_view> list_of(const headers& h, std::string_view name);

/// A head that was read, and what came behind it.
template <class Head>
struct head_and_rest {
  Head head = {};
  std::string behind = {};
};

/// Read heads; throw `message_error` for what is none, and `end_of_stream` when none comes.
[[nodiscard]] task<head_and_rest<request_head>> read_request_head(stream& from, std::size_t limit);
[[nodiscard]] task<head_and_rest<response_head>> read_response_head(stream& from,
                                                                    std::size_t limit);

/// A stream of somebody else's, who closes it.
class borrowed_stream final : public stream {
public:
  explicit borrowed_stream(stream& of) noexcept : of_(of) {}

  using stream::write_all;
  [[nodiscard]] task<std::size_t> read_some(std::span<std::byte> into) override {
    return of_.read_some(into);
  }
  [[nodiscard]] task<> write_all(std::span<const std::byte> data) override {
    return of_.write_all(data);
  }
  [[nodiscard]] task<> write_all(std::span<const std::span<const std::byte>> parts) override {
    return of_.write_all(parts);
  }
  [[nodiscard]] task<> send_eof() override { return of_.send_eof(); }
  [[nodiscard]] task<> close() override { return of_.close(); }
  void abort() noexcept override { of_.abort(); }
  [[nodiscard]] std::string peer() const override { return of_.peer(); }
  [[nodiscard]] std::string local() const override { return of_.local(); }
  [[nodiscard]] stream_statistics statistics() const override { return of_.statistics(); }

private:
  stream& of_;
};

} // namespace troupe::http
