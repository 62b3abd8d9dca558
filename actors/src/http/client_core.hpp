// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "client_connection.hpp"
#include "exchange.hpp"

#include <troupe/actors/connection_limit.hpp>
#include <troupe/actors/connection_pool.hpp>
#include <troupe/event.hpp>
#include <troupe/http/client_options.hpp>
#include <troupe/http/client_request.hpp>
#include <troupe/http/cookie_jar.hpp>
#include <troupe/mutex.hpp>
#include <troupe/nursery.hpp>

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace troupe::http::client {

/// What a client session is made of: a pool of connections for each scheme, host and port, each a
/// service of the session's nursery, and one limit for all of them.
class core {
public:
  explicit core(const client_options& options);

  [[nodiscard]] task<> run(std::function<task<>()> body);

  /// As `client_session::request`, of which it is the inside.
  [[nodiscard]] task<std::unique_ptr<exchange>> request(client_request& what);

  [[nodiscard]] const client_options& options() const noexcept { return options_; }
  [[nodiscard]] cookie_jar& cookies() noexcept { return cookies_; }
  [[nodiscard]] client_statistics statistics() const noexcept;

private:
  friend class exchange;
  using pool = connection_pool<std::unique_ptr<connection>>;

  /// The connections to one scheme, host and port.
  struct host {
    explicit host(url where) : at(std::move(where)) {}

    url at;
    pool* connections = nullptr; // while they can be asked for
    event ready;
    event retired; // nobody needs it
    std::size_t users = 0;
  };

  [[nodiscard]] task<std::unique_ptr<exchange>> follow(client_request& what, time_point deadline);
  [[nodiscard]] task<std::unique_ptr<exchange>> send(client_request& what, time_point deadline);
  [[nodiscard]] bool redirect(client_request& what, exchange& answer, std::size_t so_far) const;

  [[nodiscard]] task<connection_lease> borrow(const url& where);
  [[nodiscard]] static task<> keep_host(core& self, std::shared_ptr<host> h);
  void retire_unused();
  [[nodiscard]] task<std::unique_ptr<connection>> open(const url& where);
  [[nodiscard]] task<std::unique_ptr<stream>> open_stream(const url& where);
  [[nodiscard]] task<tls_client_context> tls();

  client_options options_;
  connection_limit limit_;
  std::map<std::string, std::shared_ptr<host>> hosts_;
  std::list<exchange*> exchanges_; // that live
  cookie_jar cookies_;
  mutex tls_made_;
  nursery* nursery_ = nullptr; // while the body runs
  client_statistics counted_;
};

} // namespace troupe::http::client
