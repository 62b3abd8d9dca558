// SPDX-License-Identifier: BSD-3-Clause
#include "head_lines.hpp"
#include "text.hpp"

#include <troupe/http/gateway.hpp>
#include <troupe/thread.hpp>
#include <troupe/tls.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace troupe::http {

namespace {

/// "127.0.0.1:80" and "[::1]:80" in two; what has no port is all host.
std::pair<std::string, std::string> host_and_port(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  const auto is_port = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
  };
  if (colon == address.npos || !is_port(address.substr(colon + 1)))
    return {std::string(address), {}};
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  return {std::string(host), std::string(address.substr(colon + 1))};
}

void add_header(std::map<std::string, std::string, std::less<>>& to, std::string_view name,
                std::string_view value) {
  // a program that is started may take HTTP_PROXY for its own setting
  if (name.find('_') != name.npos || same_name(name, "Proxy"))
    return;
  std::string key;
  for (const char c : name)
    key += c == '-' ? '_' : lower(c) != c || !is_letter(c) ? c : static_cast<char>(c - ('a' - 'A'));
  if (key != "CONTENT_TYPE" && key != "CONTENT_LENGTH")
    key.insert(0, "HTTP_");
  const auto [at, fresh] = to.try_emplace(std::move(key), value);
  if (!fresh)
    at->second.append(at->first == "HTTP_COOKIE" ? "; " : ", ").append(value);
}

} // namespace

struct gateway::shared {
  application app;
  gateway_options options;
  mutable thread_pool pool;
};

std::string_view gateway_environ::operator[](std::string_view name) const noexcept {
  const auto at = variables.find(name);
  return at == variables.end() ? std::string_view() : std::string_view(at->second);
}

std::size_t gateway_environ::read_some(std::span<std::byte> into) {
  if (!ahead_.empty()) {
    const std::size_t n = ahead_.copy(reinterpret_cast<char*>(into.data()), into.size()); // NOLINT
    ahead_.erase(0, n);
    return n;
  }
  return from_thread([&]() -> task<std::size_t> { co_return co_await request_->read_some(into); });
}

bool gateway_environ::fill() {
  std::array<std::byte, 16384> piece; // NOLINT: filled by reading
  const std::size_t n =
    from_thread([&]() -> task<std::size_t> { co_return co_await request_->read_some(piece); });
  ahead_.append(reinterpret_cast<const char*>(piece.data()), n); // NOLINT: bytes
  return n != 0;
}

std::string gateway_environ::read(std::size_t at_most) {
  while (ahead_.size() < at_most && fill()) {
  }
  std::string out = ahead_.substr(0, at_most);
  ahead_.erase(0, out.size());
  return out;
}

std::string gateway_environ::read_line(std::size_t at_most) {
  for (std::size_t searched = 0;;) {
    const std::size_t end = ahead_.find('\n', searched);
    if (end != ahead_.npos)
      return read(std::min(end + 1, at_most));
    searched = ahead_.size();
    if (searched >= at_most)
      return read(at_most);
    if (!fill())
      return std::exchange(ahead_, {});
  }
}

std::string gateway_environ::read_all() {
  while (fill()) {
  }
  return std::exchange(ahead_, {});
}

gateway_body::gateway_body(std::string text)
  : gateway_body(std::vector<std::string>{std::move(text)}) {}

gateway_body::gateway_body(std::vector<std::string> pieces)
  : alone_(pieces.size() == 1),
    next_([all = std::move(pieces), i = std::size_t(0)]() mutable -> std::optional<std::string> {
      if (i == all.size())
        return std::nullopt;
      return std::move(all[i++]);
    }) {}

gateway::gateway(application app) : gateway(std::move(app), gateway_options()) {}

gateway::gateway(application app, const gateway_options& options)
  : shared_(
    new shared{std::move(app), options, thread_pool(options.threads, {.name = "gateway"})}) {
  if (!options.script_name.empty()
      && (!options.script_name.starts_with('/') || options.script_name.ends_with('/')))
    throw std::invalid_argument("the place of an application, '" + options.script_name
                                + "', does not look as '/app'");
}

void gateway::call(const shared& all, request& rq, response& rs) {
  gateway_environ env(rq);
  auto& variables = env.variables;
  const auto [server, server_port] = host_and_port(rq.transport().local());
  const auto [client, client_port] = host_and_port(rq.peer());
  const target_parts parts = split_target(rq.target);
  std::string path;
  try {
    path = percent_decode(parts.path);
  } catch (const url_error& e) {
    throw http_error(400, e.what());
  }
  if (!path.starts_with(all.options.script_name))
    throw http_error(404);
  variables = {
    {"REQUEST_METHOD", rq.method},
    {"SCRIPT_NAME", all.options.script_name},
    {"PATH_INFO", path.substr(all.options.script_name.size())},
    {"QUERY_STRING", std::string(parts.query)},
    {"SERVER_NAME", server},
    {"SERVER_PORT", server_port},
    {"SERVER_PROTOCOL", rq.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1"},
    {"REMOTE_ADDR", client},
    {"REMOTE_PORT", client_port},
    {"wsgi.url_scheme", dynamic_cast<const tls_stream*>(&rq.transport()) ? "https" : "http"},
  };
  for (const auto f : rq.headers)
    add_header(variables, f.name, f.value);

  bool begun = false;
  const start_response start = [&](std::string_view status, const headers& fields) {
    if (rs.started())
      throw std::invalid_argument("start_response was called when the response had been begun");
    int code = 0;
    const auto [end, error] = std::from_chars(status.data(), status.data() + status.size(), code);
    if (error != std::errc() || !is_final(code))
      throw std::invalid_argument("'" + std::string(status) + "' is no status for a response");
    rs.status = code;
    rs.reason = trimmed(status.substr(static_cast<std::size_t>(end - status.data())));
    rs.headers = fields;
    begun = true;
  };
  gateway_body body = all.app(env, start);
  std::optional<std::string> piece = body.next();
  if (!begun)
    throw std::logic_error("the application has not called start_response");
  if (piece && body.alone()) { // it goes with its length
    rs.body = std::move(*piece);
    piece = body.next();
  }
  for (; piece; piece = body.next())
    if (!piece->empty())
      from_thread([&]() -> task<> { co_await rs.write(*piece); });
}

task<> gateway::operator()(request& rq, response& rs) const {
  const std::shared_ptr<const shared> all = shared_;
  const thread_options how{.pool = &all->pool, .name = "application"};
  co_await to_thread(how, call, std::cref(*all), std::ref(rq), std::ref(rs));
}

} // namespace troupe::http
