// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/redis/connection.hpp>

#include <troupe/tcp.hpp>
#include <troupe/tls.hpp>
#include <troupe/unix_socket.hpp>

#include <charconv>
#include <cstdint>
#include <stdexcept>

namespace troupe::redis {

namespace {

struct target {
  std::string path; // of a socket; else host and port
  std::string host;
  std::uint16_t port = 6379;
  bool tls = false;
  std::string user;
  std::string password;
  std::string database;
};

[[noreturn]] void refuse(std::string_view why) {
  // without the text itself, for the password in it
  throw std::invalid_argument("troupe: the address of a Redis server " + std::string(why));
}

std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    if (i + 2 >= text.size()
        || std::from_chars(&text[i + 1], &text[i] + 3, byte, 16).ptr != &text[i] + 3)
      refuse("has a '%' that two hexadecimal digits do not follow");
    plain += static_cast<char>(byte);
    i += 2;
  }
  return plain;
}

/// Takes what stands before `mark` off, and the mark; nothing if there is none.
std::optional<std::string_view> take_before(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos)
    return std::nullopt;
  const auto before = text.substr(0, at);
  text.remove_prefix(at + 1);
  return before;
}

void read_query(target& t, std::string_view query) {
  if (!query.starts_with("db="))
    refuse("has something behind '?' that is not db=NUMBER");
  t.database = query.substr(3);
}

target read(std::string_view where) {
  target t;
  if (where.starts_with('/') || where.starts_with('@')) {
    t.path = where;
    return t;
  }
  const std::size_t colon = where.find("://");
  const auto scheme = where.substr(0, colon);
  if (colon == std::string_view::npos)
    refuse("is no URL: redis://HOST:PORT");
  std::string_view rest = where.substr(colon + 3);
  if (scheme == "unix") {
    if (const auto path = take_before(rest, '?')) {
      t.path = decoded(*path);
      read_query(t, rest);
    } else
      t.path = decoded(rest);
    if (t.path.empty())
      refuse("has no path");
    return t;
  }
  t.tls = scheme == "rediss";
  if (!t.tls && scheme != "redis")
    refuse("begins with '" + std::string(scheme) + "', not with redis, rediss or unix");
  std::string_view query = rest;
  if (const auto before = take_before(query, '?')) {
    rest = *before;
    read_query(t, query);
  }
  std::string_view path = rest;
  if (const auto before = take_before(path, '/')) {
    rest = *before;
    t.database = path;
  }
  std::string_view address = rest;
  if (auto login = take_before(address, '@')) {
    rest = address;
    if (const auto user = take_before(*login, ':'))
      t.user = decoded(*user);
    t.password = decoded(*login);
  }
  std::string_view port = rest;
  if (rest.starts_with('[')) { // IPv6
    const auto host = take_before(port, ']');
    if (!host)
      refuse("has a '[' without ']'");
    t.host = host->substr(1);
    if (port.starts_with(':'))
      port.remove_prefix(1);
  } else if (const auto host = take_before(port, ':'))
    t.host = *host;
  else {
    t.host = rest;
    port = {};
  }
  if (t.host.empty())
    t.host = "localhost";
  if (!port.empty()
      && std::from_chars(port.data(), port.data() + port.size(), t.port).ptr
           != port.data() + port.size())
    refuse("has a port that is no number");
  return t;
}

task<connection> connect(const target& t) {
  if (!t.path.empty()) {
    auto s = std::make_unique<unix_stream>(co_await open_unix_stream(t.path));
    const int fd = s->native_handle();
    co_return connection(std::move(s), fd);
  }
  if (t.tls)
    co_return connection(std::make_unique<tls_stream>(co_await open_tls_stream(t.host, t.port)));
  auto s = std::make_unique<tcp_stream>(co_await open_tcp_stream(t.host, t.port));
  const int fd = s->native_handle();
  co_return connection(std::move(s), fd);
}

} // namespace

task<connection> open_connection(std::string where) {
  const target t = read(where);
  connection c = co_await connect(t);
  if (!t.user.empty())
    static_cast<void>(co_await c.command("auth", t.user, t.password));
  else if (!t.password.empty())
    static_cast<void>(co_await c.command("auth", t.password));
  if (!t.database.empty())
    static_cast<void>(co_await c.command("select", t.database));
  c.keep_settings();
  co_return c;
}

} // namespace troupe::redis
