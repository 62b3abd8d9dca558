// SPDX-License-Identifier: BSD-3-Clause
#include "libpq.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/net_error.hpp>
#include <troupe/readiness.hpp>
#include <troupe/resolve.hpp>
#include <troupe/time.hpp>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace troupe::postgres {

namespace {

using settings = std::map<std::string, std::string>;

struct frees_options {
  void operator()(PQconninfoOption* o) const noexcept { PQconninfoFree(o); }
};
using options_handle = std::unique_ptr<PQconninfoOption, frees_options>;

void take(settings& into, const PQconninfoOption* o) {
  for (; o && o->keyword; ++o)
    if (o->val)
      into.insert_or_assign(o->keyword, o->val);
}

/// What a connection string says, and where it says nothing, the environment.
settings settings_of(const std::string& where) {
  settings all;
  const options_handle defaults(PQconndefaults());
  take(all, defaults.get());
  char* why = nullptr;
  const options_handle given(PQconninfoParse(where.c_str(), &why));
  if (!given) {
    const std::string text = why ? one_line(why) : "";
    PQfreemem(why);
    throw connection_error("postgres: cannot read the connection string: " + text);
  }
  // a host given means that the environment's address is not meant
  settings said;
  take(said, given.get());
  if (said.contains("host") && !said.contains("hostaddr"))
    all.erase("hostaddr");
  // NOLINTNEXTLINE(concurrency-mt-unsafe): as libpq reads them
  if (!said.contains("gssencmode") && !std::getenv("PGGSSENCMODE"))
    all["gssencmode"] = "disable";
  for (auto& [key, value] : said)
    all[key] = value;
  return all;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  if (text.empty())
    return parts;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t comma = text.find(',', begin);
    parts.push_back(text.substr(begin, comma - begin));
    if (comma == std::string::npos)
      return parts;
    begin = comma + 1;
  }
}

/// Looks the names of hosts up: libpq would block.
task<> find_addresses(settings& s) {
  const auto hosts = split(s["host"]);
  if (hosts.empty() || !s["hostaddr"].empty())
    co_return;
  const auto ports = split(s["port"]);
  std::string host_list;
  std::string address_list;
  std::string port_list;
  std::exception_ptr not_found;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const std::string port = ports.empty() ? "" : ports.size() == 1 ? ports[0] : ports.at(i);
    std::vector<std::string> addresses;
    if (hosts[i].empty() || hosts[i][0] == '/' || hosts[i][0] == '@')
      addresses.emplace_back();
    else
      try {
        for (const socket_address& a : co_await resolve(hosts[i], 0))
          addresses.push_back(a.host());
      } catch (const name_not_found&) {
        not_found = std::current_exception();
      }
    for (const std::string& address : addresses) {
      const char* const comma = host_list.empty() && address_list.empty() ? "" : ",";
      host_list += comma + hosts[i];
      address_list += comma + address;
      port_list += comma + port;
    }
  }
  if (host_list.empty() && not_found)
    std::rethrow_exception(not_found);
  s["host"] = host_list;
  if (address_list.find_first_not_of(',') != std::string::npos)
    s["hostaddr"] = address_list;
  if (!ports.empty())
    s["port"] = port_list;
}

std::string text_of(const char* s) { return s ? s : ""; }

std::string name_of(const PGconn* c) {
  return "postgres at " + text_of(PQhost(c)) + ":" + text_of(PQport(c)) + "/" + text_of(PQdb(c));
}

std::string name_of(const settings& s) {
  const auto text = [&](const char* key) {
    const auto found = s.find(key);
    return found == s.end() ? std::string() : found->second;
  };
  return "postgres at " + text("host") + ":" + text("port") + "/" + text("dbname");
}

/// What libpq tells of the messages that it gets, to find the one with the secret that a
/// statement is stopped by.
class message_log {
public:
  message_log() : file_(::open_memstream(&text_, &size_)) {}
  message_log(const message_log&) = delete;
  message_log& operator=(const message_log&) = delete;
  ~message_log() {
    if (file_)
      std::fclose(file_);
    std::free(text_);
  }

  void listen(PGconn* c) const {
    if (file_)
      PQtrace(c, file_);
  }

  /// Stops listening, too.
  [[nodiscard]] std::optional<cancel_key> key(PGconn* c) {
    if (!file_)
      return std::nullopt;
    PQuntrace(c);
    std::fclose(std::exchange(file_, nullptr));
    const std::string_view all(text_, size_);
    constexpr std::string_view before = "BackendKeyData\t ";
    const std::size_t at = all.find(before);
    if (at == std::string_view::npos)
      return std::nullopt;
    cancel_key k{};
    const char* const end = all.data() + all.size();
    auto [rest, bad] = std::from_chars(all.data() + at + before.size(), end, k.backend);
    while (rest != end && *rest == ' ')
      ++rest;
    if (bad != std::errc() || std::from_chars(rest, end, k.secret).ec != std::errc()
        || k.backend != PQbackendPID(c))
      return std::nullopt;
    return k;
  }

private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

[[noreturn]] void throw_failure(const PGconn* c) {
  throw connection_error(name_of(c) + ": cannot connect: " + one_line(PQerrorMessage(c)));
}

task<> connect(PGconn* c) {
  auto step = PGRES_POLLING_WRITING;
  for (;;) {
    if (step == PGRES_POLLING_OK)
      co_return;
    if (step == PGRES_POLLING_FAILED)
      throw_failure(c);
    const int fd = PQsocket(c); // another one for each address
    if (step == PGRES_POLLING_READING)
      co_await wait_readable(fd);
    else
      co_await wait_writable(fd);
    step = PQconnectPoll(c);
  }
}

struct opened {
  connection_handle handle;
  std::optional<cancel_key> key;
};

task<> open_handle(settings& s, opened& into) {
  try {
    co_await find_addresses(s);
  } catch (const name_not_found& e) {
    throw connection_error(name_of(s) + ": cannot connect: " + e.what());
  }
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : s) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  connection_handle c(PQconnectStartParams(keys.data(), values.data(), 0));
  if (!c)
    throw std::bad_alloc();
  PQsetNoticeReceiver(
    c.get(), [](void*, const PGresult*) {}, nullptr);
  if (PQstatus(c.get()) == CONNECTION_BAD)
    throw_failure(c.get());
  message_log log;
  log.listen(c.get());
  co_await connect(c.get());
  into.key = log.key(c.get());
  if (PQsetnonblocking(c.get(), 1) != 0)
    throw_failure(c.get());
  into.handle = std::move(c);
}

} // namespace

// NOLINTBEGIN(performance-unnecessary-value-param): they have to live as long as the coroutine
task<connection> open_connection(std::string where, connection_options options) {
  settings s = settings_of(where);
  opened o;
  const int limit = std::atoi(s["connect_timeout"].c_str());
  if (limit > 0)
    co_await fail_after(
      std::chrono::seconds(limit), [&]() { return open_handle(s, o); },
      "connecting to " + name_of(s));
  else
    co_await open_handle(s, o);
  std::string name = name_of(o.handle.get());
  co_return connection(std::make_unique<connection::state>(std::move(o.handle), std::move(options),
                                                           std::move(name), o.key));
}

task<connection> open_connection(std::string where) {
  connection_options options;
  co_return co_await open_connection(std::move(where), std::move(options));
}
// NOLINTEND(performance-unnecessary-value-param)

} // namespace troupe::postgres
