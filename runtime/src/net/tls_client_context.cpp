// SPDX-License-Identifier: BSD-3-Clause
#include "tls_state.hpp"

#include <openssl/err.h>

namespace troupe {

namespace detail {

namespace {

/// A session that the server lets us resume. Returns 0: what is kept is a copy, for another
/// connection may use it on another loop while this one still does.
int keep(SSL* ssl, SSL_SESSION* session) noexcept {
  auto& s = *static_cast<tls_state*>(SSL_get_app_data(ssl));
  if (s.client && !s.session_key.empty())
    if (session_ptr copy(SSL_SESSION_dup(session)); copy)
      s.client->keep_session(s.session_key, std::move(copy));
  return 0;
}

} // namespace

tls_client_core::tls_client_core(tls_client_options options)
  : options_(std::move(options)), ctx_(make_ssl_ctx(TLS_client_method(), options_.minimum)) {
  SSL_CTX* c = ctx_.get();
  if (options_.ca_file.empty() && options_.ca_directory.empty()) {
    if (!options_.insecure_accept_any_certificate && SSL_CTX_set_default_verify_paths(c) != 1)
      throw_tls_error("load the authorities of", "the system");
  } else {
    load_authorities(*c, options_.ca_file, options_.ca_directory);
  }
  if (!options_.certificate.chain_file.empty())
    load_certificate(*c, options_.certificate);
  if (const auto wire = alpn_wire(options_.alpn);
      !wire.empty()
      && SSL_CTX_set_alpn_protos(c, wire.data(), static_cast<unsigned>(wire.size())) != 0)
    throw_tls_error("set up", "TLS");
  if (options_.resume) {
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c, keep);
  } else {
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  }
}

session_ptr tls_client_core::take_session(const std::string& server) noexcept {
  if (!options_.resume)
    return {};
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(server);
  if (found == sessions_.end() || found->second.empty())
    return {};
  session_ptr& last = found->second.back();
  if (SSL_SESSION_get_protocol_version(last.get()) < TLS1_3_VERSION)
    return session_ptr(SSL_SESSION_dup(last.get()));
  session_ptr taken = std::move(last);
  found->second.pop_back();
  return taken;
}

void tls_client_core::keep_session(const std::string& server, session_ptr session) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (sessions_.size() >= servers_kept && !sessions_.contains(server))
      sessions_.erase(sessions_.begin());
    auto& kept = sessions_[server];
    if (kept.size() >= sessions_kept
        || SSL_SESSION_get_protocol_version(session.get()) < TLS1_3_VERSION)
      kept.erase(kept.begin(), kept.size() >= sessions_kept ? kept.begin() + 1 : kept.end());
    kept.push_back(std::move(session));
  } catch (...) { // NOLINT(bugprone-empty-catch): without memory there is no resumption
  }
}

} // namespace detail

tls_client_context::tls_client_context() : tls_client_context(tls_client_options()) {}

tls_client_context::tls_client_context(const tls_client_options& options)
  : core_(std::make_shared<detail::tls_client_core>(options)) {}

const tls_client_options& tls_client_context::options() const noexcept { return core_->options(); }

} // namespace troupe
