// SPDX-License-Identifier: BSD-3-Clause
#include "tls_state.hpp"

#include <troupe/error.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>

namespace troupe {

namespace detail {

namespace {

tls_state& state_of(const SSL* ssl) noexcept {
  return *static_cast<tls_state*>(SSL_get_app_data(ssl));
}

/// The client has said whom it wants.
int choose_certificate(SSL* ssl, int*, void*) noexcept {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!name)
    return SSL_TLSEXT_ERR_NOACK;
  for (const ssl_ctx_ptr& ctx : state_of(ssl).identities->all)
    if (X509_check_host(SSL_CTX_get0_certificate(ctx.get()), name, 0, 0, nullptr) == 1) {
      if (ctx.get() != SSL_get_SSL_CTX(ssl))
        SSL_set_SSL_CTX(ssl, ctx.get());
      break;
    }
  return SSL_TLSEXT_ERR_OK;
}

int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void*) noexcept {
  const auto& ours = state_of(ssl).server->alpn();
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, ours.data(), static_cast<unsigned>(ours.size()), offered,
                            offered_size)
      != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

ssl_ctx_ptr make_identity(const tls_server_options& o, const tls_certificate& files, bool alpn) {
  ssl_ctx_ptr ctx = make_ssl_ctx(TLS_server_method(), o.minimum);
  SSL_CTX* c = ctx.get();
  load_certificate(*c, files);
  // without it, sessions with a client's certificate are refused
  constexpr std::array<unsigned char, 6> session_context{'t', 'r', 'o', 'u', 'p', 'e'};
  SSL_CTX_set_session_id_context(c, session_context.data(), session_context.size());
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); // tickets need none
  if (!o.resume) {
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c, 0);
  }
  SSL_CTX_set_tlsext_servername_callback(c, choose_certificate);
  if (alpn)
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  if (o.clients != client_certificates::ignored) {
    load_authorities(*c, o.client_ca_file, {});
    SSL_CTX_set_client_CA_list(c, SSL_load_client_CA_file(o.client_ca_file.c_str()));
    ERR_clear_error();
  }
  return ctx;
}

} // namespace

tls_server_core::tls_server_core(tls_server_options options)
  : options_(std::move(options)), alpn_(alpn_wire(options_.alpn)) {
  if (options_.certificates.empty())
    throw usage_error("troupe: a TLS server needs a certificate");
  if (options_.clients != client_certificates::ignored && options_.client_ca_file.empty())
    throw usage_error("troupe: a TLS server that asks for clients' certificates needs "
                      "client_ca_file, to know which are good");
  identities_ = load();
}

std::shared_ptr<const tls_identities> tls_server_core::load() const {
  auto loaded = std::make_shared<tls_identities>();
  for (const tls_certificate& files : options_.certificates)
    loaded->all.push_back(make_identity(options_, files, !alpn_.empty()));
  return loaded;
}

std::shared_ptr<const tls_identities> tls_server_core::identities() const {
  const std::lock_guard lock(mutex_);
  return identities_;
}

void tls_server_core::reload() {
  auto loaded = load();
  const std::lock_guard lock(mutex_);
  identities_.swap(loaded);
}

} // namespace detail

tls_server_context::tls_server_context(const tls_server_options& options)
  : core_(std::make_shared<detail::tls_server_core>(options)) {}

namespace {

tls_server_options with_one(std::string chain_file, std::string key_file) {
  tls_server_options options;
  tls_certificate& one = options.certificates.emplace_back();
  one.chain_file = std::move(chain_file);
  one.key_file = std::move(key_file);
  return options;
}

} // namespace

tls_server_context::tls_server_context(std::string chain_file, std::string key_file)
  : tls_server_context(with_one(std::move(chain_file), std::move(key_file))) {}

void tls_server_context::reload() { core_->reload(); }

const tls_server_options& tls_server_context::options() const noexcept { return core_->options(); }

} // namespace troupe
