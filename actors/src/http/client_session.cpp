// SPDX-License-Identifier: BSD-3-Clause
#include "client_core.hpp"
#include "exchange.hpp"

#include <troupe/http/client_session.hpp>

#include <utility>

namespace troupe::http {

// -- errors ---------------------------------------------------------------------------

namespace {

std::string cut_off(std::uint64_t received, std::optional<std::uint64_t> expected) {
  std::string text = "the connection has ended after " + std::to_string(received);
  if (expected)
    text += " of " + std::to_string(*expected);
  return text + " bytes of the response's body";
}

} // namespace

client_error::client_error(std::string_view request, std::string_view why)
  : std::runtime_error(std::string(request) + ": " + std::string(why)), request_(request) {}

incomplete_response::incomplete_response(std::string_view request, std::uint64_t received,
                                         std::optional<std::uint64_t> expected)
  : client_error(request, cut_off(received, expected)), received_(received), expected_(expected) {}

incomplete_response::incomplete_response(std::string_view request)
  : client_error(request, "the connection has ended before the response's head was complete") {}

body_too_large::body_too_large(std::string_view request, std::size_t limit)
  : client_error(request, "the response's body is larger than " + std::to_string(limit) + " bytes"),
    limit_(limit) {}

status_error::status_error(std::string_view request, int status, std::string_view reason)
  : client_error(request, std::to_string(status) + " " + std::string(reason)), status_(status) {}

// -- the response ---------------------------------------------------------------------

client_response::client_response(std::unique_ptr<client::exchange> e) noexcept
  : exchange_(std::move(e)) {}
client_response::client_response(client_response&&) noexcept = default;
client_response& client_response::operator=(client_response&&) noexcept = default;
client_response::~client_response() = default;

int client_response::status() const noexcept { return exchange_->head().status; }
const std::string& client_response::reason() const noexcept { return exchange_->head().reason; }
const headers& client_response::headers() const noexcept { return exchange_->head().headers; }
const url& client_response::url() const noexcept { return exchange_->url(); }
const std::vector<url>& client_response::redirects() const noexcept { return exchange_->redirects; }
bool client_response::finished() const noexcept { return exchange_->finished(); }

void client_response::check() const {
  if (status() >= 400)
    throw status_error(exchange_->request(), status(), reason());
}

std::optional<std::uint64_t> client_response::content_length() const noexcept {
  return exchange_->content_length();
}

task<std::size_t> client_response::read_some(std::span<std::byte> into) {
  return exchange_->read_some(into);
}
task<std::string> client_response::read_all(std::size_t at_most) {
  return exchange_->read_all(at_most);
}
task<std::string> client_response::text() { return exchange_->read_all(exchange_->max_body()); }

// -- the session ----------------------------------------------------------------------

task<client_response> client_session::request(client_request what) {
  co_return client_response(co_await core_.request(what));
}

task<client_response> client_session::get(std::string url) {
  client_request what("GET", url);
  co_return client_response(co_await core_.request(what));
}

task<client_response> client_session::head(std::string url) {
  client_request what("HEAD", url);
  co_return client_response(co_await core_.request(what));
}

task<client_response> client_session::post(std::string url, upload body, std::string content_type) {
  client_request what("POST", url);
  what.body = std::move(body);
  what.headers.set("Content-Type", content_type);
  co_return client_response(co_await core_.request(what));
}

task<client_response> client_session::put(std::string url, upload body, std::string content_type) {
  client_request what("PUT", url);
  what.body = std::move(body);
  what.headers.set("Content-Type", content_type);
  co_return client_response(co_await core_.request(what));
}

task<client_response> client_session::remove(std::string url) {
  client_request what("DELETE", url);
  co_return client_response(co_await core_.request(what));
}

cookie_jar& client_session::cookies() noexcept { return core_.cookies(); }
client_statistics client_session::statistics() const noexcept { return core_.statistics(); }

namespace client {

session_owner::session_owner(const client_options& options)
  : core_(std::make_unique<core>(options)) {}
session_owner::~session_owner() = default;
task<> session_owner::run(std::function<task<>()> body) { return core_->run(std::move(body)); }

} // namespace client

} // namespace troupe::http
