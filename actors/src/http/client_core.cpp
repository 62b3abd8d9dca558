// SPDX-License-Identifier: BSD-3-Clause
#include "client_core.hpp"

#include "limit_text.hpp"

#include <troupe/cancel_scope.hpp>
#include <troupe/error.hpp>
#include <troupe/http/client_error.hpp>
#include <troupe/thread.hpp>
#include <troupe/tls.hpp>
#include <troupe/unix_socket.hpp>

#include <algorithm>
#include <utility>

namespace troupe::http::client {

namespace {

constexpr std::size_t many_hosts = 64;

std::string origin_of(const url& u) { return u.scheme + "://" + u.authority(); }

bool is_safe_to_repeat(const client_request& r) {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
    if (r.method == method)
      return r.body.repeatable();
  return false;
}

bool is_redirect(int status) {
  return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

} // namespace

core::core(const client_options& options) : options_(options), limit_(options.limit) {}

task<> core::run(std::function<task<>()> body) {
  const nursery_options named_as{.name = "http client session"};
  co_await with_nursery(named_as, [&](nursery& n) -> task<> {
    struct open_while_it_runs {
      core& self;
      ~open_while_it_runs() {
        self.nursery_ = nullptr;
        for (exchange* e : self.exchanges_)
          e->orphan();
        self.exchanges_.clear();
      }
    } const open{*this};
    nursery_ = &n;
    co_await body();
  });
  hosts_.clear();
}

client_statistics core::statistics() const noexcept {
  client_statistics s = counted_;
  s.connections = limit_.size();
  for (const auto& [name, h] : hosts_)
    if (h->connections)
      s.idle += h->connections->statistics().idle;
  return s;
}

// -- requests -------------------------------------------------------------------------

task<std::unique_ptr<exchange>> core::request(client_request& what) {
  for (const auto& [name, value] : options_.headers)
    if (!what.headers.contains(name))
      what.headers.add(name, value);
  const duration limit = what.total_limit.value_or(options_.timeouts.total);
  const time_point deadline = end_of_limit(limit);
  if (deadline == time_point::max())
    co_return co_await follow(what, deadline);
  const std::string asked_for = what.method + ' ' + what.url.text();
  std::optional<std::unique_ptr<exchange>> answer =
    co_await move_on_at(deadline, [&]() { return follow(what, deadline); });
  if (!answer)
    throw timeout_error(asked_for + ": no response within " + limit_text(limit));
  co_return std::move(*answer);
}

task<std::unique_ptr<exchange>> core::follow(client_request& what, time_point deadline) {
  std::vector<url> before;
  for (;;) {
    std::unique_ptr<exchange> answer = co_await send(what, deadline);
    if (options_.cookies)
      for (const std::string_view line : answer->head().headers.all("Set-Cookie"))
        cookies_.receive(what.url, line);
    url from = what.url;
    if (!redirect(what, *answer, before.size())) {
      answer->redirects = std::move(before);
      co_return answer;
    }
    ++counted_.redirects;
    before.push_back(std::move(from));
    co_await answer->drain();
  }
}

/// Whether there is another request to be sent, which `what` is then.
bool core::redirect(client_request& what, exchange& answer, std::size_t so_far) const {
  const int status = answer.head().status;
  const auto to = answer.head().headers.get("Location");
  const int most = what.max_redirects.value_or(options_.max_redirects);
  if (!is_redirect(status) || !to || most <= 0)
    return false;
  const bool by_get = (status == 303 && what.method != "GET" && what.method != "HEAD")
                      || (status <= 302 && what.method == "POST");
  if (!by_get && !what.body.repeatable())
    return false;
  if (so_far >= static_cast<std::size_t>(most))
    throw redirect_error(answer.request(), "more than " + std::to_string(most) + " redirects");
  url next;
  try {
    next = what.url.resolve(*to);
  } catch (const url_error& e) {
    throw redirect_error(answer.request(),
                         std::string("it redirects to what is no URL: ") + e.what());
  }
  if (next.scheme != "http" && next.scheme != "https")
    throw redirect_error(answer.request(), "it redirects to " + next.text());
  if (what.url.secure() && !next.secure() && !options_.allow_downgrade)
    throw redirect_error(answer.request(),
                         "it redirects from https to " + next.text() + ", which is not followed");
  next.user.clear();
  next.password.clear();
  if (by_get) {
    what.method = "GET";
    what.body = upload();
    for (const char* of_the_body :
         {"Content-Type", "Content-Encoding", "Content-Language", "Content-Location"})
      what.headers.remove(of_the_body);
  }
  what.headers.remove("Host");
  if (!next.same_origin(what.url))
    for (const char* secret : {"Authorization", "Proxy-Authorization", "Cookie"})
      what.headers.remove(secret);
  what.url = std::move(next);
  return true;
}

task<std::unique_ptr<exchange>> core::send(client_request& what, time_point deadline) {
  for (;;) {
    connection_lease on = co_await borrow(what.url);
    auto e = std::make_unique<exchange>(*this, what, deadline);
    std::exception_ptr error;
    try {
      ++counted_.requests;
      co_await e->perform(std::move(on), what);
      counted_.reused += e->reused() ? 1 : 0;
      co_return e;
    } catch (...) {
      error = std::current_exception();
    }
    // each time one that was kept goes: this ends
    if (!e->was_stale() || !is_safe_to_repeat(what))
      std::rethrow_exception(error);
    ++counted_.sent_again;
  }
}

// -- connections ----------------------------------------------------------------------

task<connection_lease> core::borrow(const url& where) {
  if (!nursery_)
    throw usage_error("troupe: the session for " + origin_of(where) + " has ended");
  std::string origin = origin_of(where);
  auto known = hosts_.find(origin);
  if (known == hosts_.end()) {
    retire_unused();
    auto found = std::make_shared<host>(where);
    nursery_->start_service(named(origin, keep_host), std::ref(*this), found);
    known = hosts_.emplace(std::move(origin), std::move(found)).first;
  }
  const std::shared_ptr<host> h = known->second;
  struct one_more {
    std::size_t& n;
    explicit one_more(std::size_t& users) : n(++users) {}
    ~one_more() { --n; }
  } const user(h->users);
  if (!h->connections)
    co_await h->ready.wait();
  co_return co_await h->connections->borrow();
}

/// The pool of a host, as a service of the session.
task<> core::keep_host(core& self, std::shared_ptr<host> h) {
  connection_pool_options options;
  options.name = origin_of(h->at);
  options.max = self.options_.limit_per_host ? self.options_.limit_per_host : self.options_.limit;
  options.open_limit = self.options_.timeouts.connect;
  options.idle_limit = self.options_.keep_alive;
  options.check_every = std::min(options.check_every, self.options_.keep_alive);
  options.shared = &self.limit_;
  connection_functions<std::unique_ptr<connection>> functions;
  functions.open = [&]() { return self.open(h->at); };
  functions.check = [](std::unique_ptr<connection>& c) { return c->is_quiet(); };
  functions.close = [](std::unique_ptr<connection>& c) { return c->transport().send_eof(); };
  co_await with_connection_pool(options, functions, [&](pool& connections) -> task<> {
    struct known_while_it_runs {
      host& h;
      ~known_while_it_runs() { h.connections = nullptr; }
    } const known{*h};
    h->connections = &connections;
    h->ready.set();
    co_await h->retired.wait();
  });
}

/// A session may come to know any number of hosts.
void core::retire_unused() {
  if (hosts_.size() < many_hosts)
    return;
  std::erase_if(hosts_, [](const auto& entry) {
    host& h = *entry.second;
    if (h.users != 0 || !h.connections)
      return false;
    const auto now = h.connections->statistics();
    if (now.lent + now.idle + now.opening + now.waiting != 0)
      return false;
    h.connections = nullptr;
    h.retired.set();
    return true;
  });
}

task<std::unique_ptr<connection>> core::open(const url& where) {
  ++counted_.opened;
  std::unique_ptr<stream> transport = co_await open_stream(where);
  co_return std::make_unique<connection>(std::move(transport), options_.max_head + 16384);
}

task<std::unique_ptr<stream>> core::open_stream(const url& where) {
  std::unique_ptr<stream> transport;
  if (options_.connect)
    transport = co_await options_.connect(where);
  else if (!options_.unix_socket.empty())
    transport = std::make_unique<unix_stream>(co_await open_unix_stream(options_.unix_socket));
  else
    transport = std::make_unique<tcp_stream>(co_await open_tcp_stream(where.host, where.port));
  if (!where.secure())
    co_return transport;
  const tls_client_context context = co_await tls();
  co_return std::make_unique<tls_stream>(
    co_await tls_connect(std::move(transport), where.host, context));
}

task<tls_client_context> core::tls() {
  if (!options_.tls) {
    const auto alone = co_await tls_made_.lock();
    if (!options_.tls)
      options_.tls = co_await to_thread([]() { return tls_client_context(); }); // reads the disk
  }
  co_return *options_.tls;
}

} // namespace troupe::http::client
