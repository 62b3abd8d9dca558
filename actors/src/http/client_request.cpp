// SPDX-License-Identifier: BSD-3-Clause
#include "base64.hpp"
#include "text.hpp"

#include <troupe/http/client_request.hpp>
#include <troupe/http/upload.hpp>

#include <span>
#include <stdexcept>
#include <utility>

namespace troupe::http {

client_request::client_request(std::string verb, std::string_view text)
  : method(std::move(verb)), url(http::url::parse(text)) {
  if (!is_token(method))
    throw std::invalid_argument("troupe: '" + method + "' is no method of HTTP");
  if (url.scheme != "http" && url.scheme != "https")
    throw url_error("troupe: " + url.text() + ": a client session speaks http and https");
  if (!url.user.empty() || !url.password.empty())
    basic_auth(url.user, url.password);
  url.user.clear();
  url.password.clear();
}

void client_request::basic_auth(std::string_view user, std::string_view password) {
  headers.set("Authorization", basic_credentials(user, password));
}

std::string basic_credentials(std::string_view user, std::string_view password) {
  if (user.find(':') != user.npos)
    throw std::invalid_argument("troupe: a user of basic authentication cannot have a colon");
  const std::string plain = std::string(user) + ':' + std::string(password);
  return "Basic " + base64(std::as_bytes(std::span(plain)));
}

std::optional<std::uint64_t> upload::length() const noexcept {
  if (empty())
    return 0;
  if (const std::string* all = text())
    return all->size();
  return length_;
}

task<std::optional<std::string>> upload::next() {
  if (auto* parts = std::get_if<async_generator<std::string>>(&source_)) {
    for (;;) {
      std::optional<std::string> part = co_await parts->next();
      if (!part || !part->empty())
        co_return part;
    }
  }
  if (stream** from = std::get_if<stream*>(&source_)) {
    std::string part(16384, '\0');
    part.resize(co_await (*from)->read_some(std::as_writable_bytes(std::span(part))));
    if (!part.empty())
      co_return part;
  }
  co_return std::nullopt;
}

} // namespace troupe::http
