// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/troupe.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace troupe_test {

/// One direction of a `memory_stream`, and what goes wrong with it.
struct memory_pipe {
  std::string bytes;
  std::size_t capacity = 1 << 16;
  std::size_t piece = static_cast<std::size_t>(-1); ///< the most that one read gives
  std::size_t passed = 0;                           ///< bytes written so far
  bool ended = false;                               ///< the writer has ended it
  bool closed = false;                              ///< the reader has left
  bool reset = false;
  std::shared_ptr<troupe::event> changed = std::make_shared<troupe::event>();

  void tell() {
    const auto old = std::exchange(changed, std::make_shared<troupe::event>());
    old->set();
  }
};

/// A stream in memory, on one loop.
class memory_stream final : public troupe::stream {
public:
  struct pair;

  memory_stream(std::shared_ptr<memory_pipe> in, std::shared_ptr<memory_pipe> out, std::string peer,
                std::string local)
    : in_(std::move(in)), out_(std::move(out)), peer_(std::move(peer)), local_(std::move(local)) {}
  memory_stream(memory_stream&&) = default;
  memory_stream& operator=(memory_stream&&) = default;
  ~memory_stream() override { shut(); }

  using stream::write_all;

  troupe::task<std::size_t> read_some(std::span<std::byte> into) override {
    const auto in = in_;
    co_await troupe::checkpoint();
    for (;;) {
      if (in->closed)
        troupe::throw_net_error(EBADF, "read from", peer_);
      if (in->reset)
        troupe::throw_net_error(ECONNRESET, "read from", peer_);
      if (!in->bytes.empty()) {
        const std::size_t n = std::min({in->bytes.size(), into.size(), in->piece});
        std::memcpy(into.data(), in->bytes.data(), n);
        in->bytes.erase(0, n);
        in->tell();
        co_return n;
      }
      if (in->ended)
        co_return 0;
      const auto changed = in->changed;
      co_await changed->wait();
    }
  }

  troupe::task<> write_all(std::span<const std::byte> data) override {
    const auto out = out_;
    co_await troupe::checkpoint();
    while (!data.empty()) {
      if (out->ended)
        troupe::throw_net_error(in_->closed ? EBADF : EPIPE, "write to", peer_);
      if (out->reset)
        troupe::throw_net_error(ECONNRESET, "write to", peer_);
      if (out->closed)
        troupe::throw_net_error(EPIPE, "write to", peer_);
      if (out->bytes.size() < out->capacity) {
        const std::size_t n = std::min(data.size(), out->capacity - out->bytes.size());
        out->bytes.append(reinterpret_cast<const char*>(data.data()), n);
        out->passed += n;
        data = data.subspan(n);
        out->tell();
      } else {
        const auto changed = out->changed;
        co_await changed->wait();
      }
    }
  }

  troupe::task<> send_eof() override {
    out_->ended = true;
    out_->tell();
    co_return;
  }

  troupe::task<> close() override {
    shut();
    co_return;
  }

  void abort() noexcept override {
    if (in_)
      in_->reset = out_->reset = true;
    shut();
  }

  [[nodiscard]] std::string peer() const override { return peer_; }
  [[nodiscard]] std::string local() const override { return local_; }
  [[nodiscard]] troupe::stream_statistics statistics() const override { return {}; }

private:
  void shut() noexcept {
    if (!in_)
      return;
    in_->closed = out_->ended = true;
    in_->tell();
    out_->tell();
  }

  std::shared_ptr<memory_pipe> in_, out_;
  std::string peer_, local_;
};

/// Two that are connected, and what lies between them.
struct memory_stream::pair {
  std::shared_ptr<memory_pipe> to_server = std::make_shared<memory_pipe>();
  std::shared_ptr<memory_pipe> to_client = std::make_shared<memory_pipe>();
  std::unique_ptr<memory_stream> client =
    std::make_unique<memory_stream>(to_client, to_server, "the server", "the client");
  std::unique_ptr<memory_stream> server =
    std::make_unique<memory_stream>(to_server, to_client, "the client", "the server");
};

} // namespace troupe_test
