// SPDX-License-Identifier: BSD-3-Clause
#include "client_core.hpp"
#include "exchange.hpp"
#include "limit_text.hpp"

#include <troupe/error.hpp>
#include <troupe/http/client_error.hpp>
#include <troupe/net_error.hpp>
#include <troupe/nursery.hpp>

#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace troupe::http::client {

namespace {

constexpr std::size_t short_body = 16384; // is sent before anything is read
constexpr int max_interim = 100;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// The first lines of the request.
std::string head_of(const client_request& what, core& session) {
  request_head head;
  head.method = what.method;
  head.target = what.url.target();
  headers& all = head.headers;
  for (const char* given : {"Content-Length", "Transfer-Encoding", "Upgrade"})
    if (what.headers.contains(given))
      throw std::invalid_argument(std::string("troupe: a request of a client session cannot have "
                                              "a header ")
                                  + given + " of its own");
  if (!what.headers.contains("Host"))
    all.add("Host", what.url.authority());
  for (const auto& [name, value] : what.headers)
    all.add(name, value);
  if (const auto& agent = session.options().user_agent;
      !agent.empty() && !all.contains("User-Agent"))
    all.add("User-Agent", agent);
  if (!all.contains("Accept"))
    all.add("Accept", "*/*");
  if (session.options().cookies && !all.contains("Cookie"))
    if (const std::string cookies = session.cookies().header_for(what.url); !cookies.empty())
      all.add("Cookie", cookies);
  if (const auto length = what.body.length(); !length)
    all.add("Transfer-Encoding", "chunked");
  else if (!what.body.empty() || what.method == "POST" || what.method == "PUT"
           || what.method == "PATCH")
    all.add("Content-Length", *length);
  std::string text;
  append_head(text, head);
  return text;
}

} // namespace

task<> exchange::perform(connection_lease on, client_request& what) {
  std::string head = head_of(what, *session_);
  keep_ = !what.headers.has_token("Connection", "close");
  connection& c = **connection_.emplace(std::move(on));
  reused_ = c.requests++ != 0;
  try {
    co_await send(c, std::move(head), what.body);
  } catch (const message_error& e) {
    throw bad_response(request_, "what has come is no response: " + e.details());
  } catch (const net_error&) {
    ended_ = true;
    throw;
  }
  head_done_ = true; // of the response
  const bool has_an_end = !parser_.has_body() || parser_.content_length() || parser_.chunked();
  keep_ = keep_ && sent_ && has_an_end && head_.keep_alive();
  if (finished())
    end();
}

task<> exchange::send(connection& to, std::string head, upload& body) {
  const std::string* text = body.text();
  if (!body.empty() && (!text || text->size() > short_body)) {
    co_await send_while_listening(to, head, body);
    co_return;
  }
  if (text)
    head += *text;
  try {
    co_await to.transport().write_all(head);
  } catch (const net_error&) {
    keep_ = false; // it may have said why
  }
  sent_ = true;
  co_await wait_for_head(to);
}

/// A response may come before all was sent, and the server need not read the rest.
task<> exchange::send_while_listening(connection& on, const std::string& head, upload& body) {
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto sending = n.start_soon([&]() { return send_body(on, head, body); });
    co_await wait_for_head(on);
    if (!sent_ && head_.status >= 300)
      sending.cancel("the response is there");
  });
}

task<> exchange::send_body(connection& to, const std::string& head, upload& body) {
  if (const std::string* text = body.text()) {
    const std::array<std::span<const std::byte>, 2> parts{bytes_of(head), bytes_of(*text)};
    try {
      co_await to.transport().write_all(parts);
    } catch (const net_error&) {
      keep_ = false;
    }
  } else {
    bool broken = false;
    try {
      co_await to.transport().write_all(head);
    } catch (const net_error&) {
      broken = true;
    }
    if (!broken)
      co_await send_parts(to.transport(), body);
    else
      keep_ = false;
  }
  sent_ = true;
  if (waiting_)
    waiting_->deadline(end_of_limit(read_limit_));
}

task<> exchange::send_parts(stream& to, upload& body) {
  const auto length = body.length();
  std::uint64_t sent = 0;
  for (bool more = true; more;) {
    const std::optional<std::string> part = co_await body.next();
    more = part.has_value();
    const std::string_view data = part ? std::string_view(*part) : std::string_view();
    sent += data.size();
    if (length && (sent > *length || (!more && sent != *length)))
      throw client_error(request_, "its body should have " + std::to_string(*length)
                                     + " bytes, and has " + (more ? "at least " : "")
                                     + std::to_string(sent));
    std::array<char, 20> size{};
    char* end = std::to_chars(size.data(), size.data() + 16, data.size(), 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    const std::string_view before(size.data(), static_cast<std::size_t>(end - size.data()));
    const std::array<std::span<const std::byte>, 3> parts{
      bytes_of(length ? std::string_view() : before), bytes_of(data),
      bytes_of(length ? std::string_view() : std::string_view("\r\n"))};
    if (length && data.empty())
      continue;
    try {
      co_await to.write_all(parts);
    } catch (const net_error&) {
      keep_ = more = false; // the response says why, if there is one
    }
  }
}

task<> exchange::wait_for_head(connection& on) {
  parser_.begin(head_, to_head_);
  for (;;) {
    if (!on.buffered().empty()) {
      heard_ = true;
      if (const std::size_t n = parser_.put_head(on.buffered())) {
        on.consume(n);
        if (!is_interim())
          co_return;
        parser_.begin(head_, to_head_);
        continue;
      }
    }
    const std::size_t n = co_await fill(on);
    if (n == 0) {
      ended_ = true;
      throw incomplete_response(request_);
    }
  }
}

bool exchange::is_interim() {
  if (head_.status >= 200)
    return false;
  if (head_.status < 100)
    throw message_error(400, "the status is " + std::to_string(head_.status));
  if (head_.status == 101)
    throw message_error(400, "it switches protocols, and nobody has asked for that");
  if (++interim_ > max_interim)
    throw message_error(400, "more than " + std::to_string(max_interim) + " interim responses");
  return true;
}

/// The server's silence counts from when all was sent.
task<std::size_t> exchange::fill(connection& from) {
  if (read_limit_ == duration::max())
    co_return co_await from.fill();
  const std::optional<std::size_t> n =
    co_await with_cancel_scope([&](cancel_scope& scope) -> task<std::size_t> {
      struct known {
        cancel_scope*& here;
        ~known() { here = nullptr; }
      } const while_it_waits{waiting_ = &scope};
      if (sent_)
        scope.deadline(end_of_limit(read_limit_));
      co_return co_await from.fill();
    });
  if (!n)
    throw timeout_error(request_ + ": no response for " + limit_text(read_limit_));
  co_return *n;
}

} // namespace troupe::http::client
