// SPDX-License-Identifier: BSD-3-Clause
// What a handler sees of a server_connection: its request and its response.
#include "head_lines.hpp"
#include "server_connection.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace troupe::http {

namespace {

/// The connection of an upgraded request: first what has been read already.
class upgraded_stream final : public stream {
public:
  upgraded_stream(server_connection& of, stream& on) noexcept : of_(of), on_(on) {}

  using stream::write_all;
  task<std::size_t> read_some(std::span<std::byte> into) override {
    if (const std::size_t n = of_.take_buffered(into); n != 0)
      co_return n;
    co_return co_await on_.read_some(into);
  }
  task<> write_all(std::span<const std::byte> data) override { return on_.write_all(data); }
  task<> write_all(std::span<const std::span<const std::byte>> parts) override {
    return on_.write_all(parts);
  }
  task<> send_eof() override { return on_.send_eof(); }
  task<> close() override { return on_.close(); }
  void abort() noexcept override { on_.abort(); }
  [[nodiscard]] std::string peer() const override { return on_.peer(); }
  [[nodiscard]] std::string local() const override { return on_.local(); }
  [[nodiscard]] stream_statistics statistics() const override { return on_.statistics(); }

private:
  server_connection& of_;
  stream& on_;
};

} // namespace

task<std::unique_ptr<stream>> server_connection::upgrade() {
  if (response_.started_)
    throw usage_error("a response that has been begun cannot be an upgrade");
  if (!response_.headers.contains("Upgrade"))
    throw usage_error("an upgrade has to say to what");
  if (request_.minor_version == 0 || !request_.headers.has_token("Connection", "upgrade")
      || !request_.headers.contains("Upgrade") || !parser_.done())
    throw http_error(426, "this is for clients that upgrade",
                     {{"Upgrade", response_.headers.get("Upgrade", "")}});
  response_.status = 101;
  response_.started_ = true;
  upgraded_ = true;
  out_.clear();
  append_status_line(out_, response_);
  response_.headers.set("Connection", "Upgrade");
  response_.headers.append_to(out_);
  out_.append("\r\n");
  co_await send(out_, {}, {});
  complete_ = true;
  co_return std::make_unique<upgraded_stream>(*this, stream_);
}

const query_parameters& request::query() const {
  if (!query_) {
    try {
      query_ = query_parameters::parse(split_target(target).query);
    } catch (const url_error& e) {
      throw http_error(400, e.what());
    }
  }
  return *query_;
}

std::string_view request::param(std::string_view name) const {
  for (const auto& [n, value] : params_)
    if (n == name)
      return value;
  throw usage_error("the route of " + target + " has no {" + std::string(name) + "}");
}

bool request::has_body() const noexcept { return connection_->parser().has_body(); }

std::optional<std::uint64_t> request::content_length() const noexcept {
  return connection_->parser().content_length();
}

task<std::size_t> request::read_some(std::span<std::byte> into) {
  return connection_->read_body(into);
}

task<std::string> request::read_all() {
  std::string all;
  if (!has_body())
    co_return all;
  constexpr std::size_t step = 16384;
  constexpr std::size_t most = 1U << 20U;
  std::size_t n = 1;
  // a byte more than there is: the end is seen without another round
  auto size = static_cast<std::size_t>(
    std::min<std::uint64_t>(content_length().value_or(step), most - 1) + 1);
  while (n != 0) {
    const std::size_t before = all.size();
    all.resize(before + size);
    n = co_await connection_->read_body(std::as_writable_bytes(std::span(all).subspan(before)));
    all.resize(before + n);
    size = std::max(step, std::min(all.size(), most));
  }
  co_return all;
}

const std::string& request::peer() const { return connection_->peer(); }
stream& request::transport() const noexcept { return connection_->transport(); }

task<> response::write(std::span<const std::byte> data) { return connection_->write_body(data); }
task<std::unique_ptr<stream>> response::upgrade() { return connection_->upgrade(); }

} // namespace troupe::http
