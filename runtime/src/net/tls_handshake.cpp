// SPDX-License-Identifier: BSD-3-Clause
#include "tls_state.hpp"

#include <troupe/error.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

#include <array>

namespace troupe {

namespace detail {

namespace {

/// Why the certificate is not to be trusted, as the end of a sentence.
std::string explain_verification(int error, X509_STORE_CTX& check, const std::string& host) {
  const X509* leaf = X509_STORE_CTX_get0_cert(&check);
  const X509* faulty = X509_STORE_CTX_get_current_cert(&check);
  if (!faulty)
    faulty = leaf;
  const std::string whose =
    faulty == leaf ? "its certificate"
                   : "the certificate of its issuer " + (faulty ? describe(*faulty).subject : "");
  switch (error) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return whose + " expired on " + time_text(X509_get0_notAfter(faulty));
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return whose + " is not valid before " + time_text(X509_get0_notBefore(faulty));
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    return "its certificate is self-signed, and not among those that are trusted";
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    return "its certificate comes from " + describe(*faulty).subject + ", which is not trusted";
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    return "the issuer of " + whose + " is not known: " + describe(*faulty).issuer;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH: {
    std::string names;
    const auto info = describe(*leaf);
    for (const std::string& n : info.names)
      names += (names.empty() ? "" : ", ") + n;
    return "its certificate is for " + (names.empty() ? info.subject : names) + ", not " + host;
  }
  default: return whose + " is no good: " + X509_verify_cert_error_string(error);
  }
}

int on_verified(int good, X509_STORE_CTX* check) noexcept {
  if (good == 1)
    return 1;
  const auto* ssl = static_cast<const SSL*>(
    X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& s = *static_cast<tls_state*>(SSL_get_app_data(ssl));
  try {
    const int error = X509_STORE_CTX_get_error(check);
    s.distrust = std::make_exception_ptr(
      certificate_error(std::error_code(error, certificate_category()), s.host, s.who(),
                        explain_verification(error, *check, s.host)));
  } catch (...) {
    s.distrust = std::current_exception();
  }
  return 0;
}

bool is_numeric(const std::string& host) noexcept {
  std::array<unsigned char, sizeof(in6_addr)> ignored;
  return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1
         || ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

void set_up_client(tls_state& s) {
  const tls_client_options& o = s.client->options();
  SSL* ssl = &s.ssl();
  SSL_set_connect_state(ssl);
  std::string name = s.host;
  if (name.ends_with('.'))
    name.pop_back();
  const bool numeric = is_numeric(name);
  ERR_clear_error();
  if (!numeric && !name.empty() && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1)
    throw_tls_error("ask for the host", name);
  if (!o.insecure_accept_any_certificate) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verified);
    if (o.check_host) {
      if (name.empty())
        throw usage_error("troupe: tls_connect: there must be a host, to be looked for in the "
                          "certificate");
      X509_VERIFY_PARAM* check = SSL_get0_param(ssl);
      X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      if ((numeric ? X509_VERIFY_PARAM_set1_ip_asc(check, name.c_str())
                   : X509_VERIFY_PARAM_set1_host(check, name.c_str(), name.size()))
          != 1)
        throw_tls_error("look for the host", name);
    }
  }
  if (o.resume) {
    s.session_key = s.host + ' ' + s.peer();
    if (const session_ptr old = s.client->take_session(s.session_key))
      SSL_set_session(ssl, old.get());
  }
}

void set_up_server(tls_state& s) {
  SSL* ssl = &s.ssl();
  SSL_set_accept_state(ssl);
  switch (s.server->options().clients) {
  case client_certificates::ignored: break;
  case client_certificates::requested: SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verified); break;
  case client_certificates::required:
    SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verified);
    break;
  }
}

task<> shake_hands(tls_state& s) {
  for (;;) {
    const auto result = s.handshake();
    if (result == tls_state::step::failed) {
      if (s.server)
        s.write_plain_alert();
      co_await s.flush_alert();
      std::rethrow_exception(s.failure());
    }
    co_await s.flush();
    if (result == tls_state::step::done)
      co_return;
    co_await s.more();
    if (s.failure())
      std::rethrow_exception(s.failure());
  }
}

} // namespace

} // namespace detail

task<tls_stream> tls_connect(std::unique_ptr<stream> transport, std::string host,
                             tls_client_context context) {
  if (!transport)
    throw usage_error("troupe: tls_connect: there is no transport");
  detail::tls_client_core& core = *context.core();
  const detail::tls_state_ptr s(
    new detail::tls_state(std::move(transport), core.ctx(), core.options().shutdown_limit));
  tls_stream made(*s); // closes, whatever happens
  s->host = std::move(host);
  s->client = context.core();
  detail::set_up_client(*s);
  co_await detail::shake_hands(*s);
  co_return made;
}

task<tls_stream> tls_accept(std::unique_ptr<stream> transport, tls_server_context context) {
  if (!transport)
    throw usage_error("troupe: tls_accept: there is no transport");
  auto identities = context.core()->identities();
  SSL_CTX& first = *identities->all.front();
  const detail::tls_state_ptr s(
    new detail::tls_state(std::move(transport), first, context.options().shutdown_limit));
  tls_stream made(*s); // closes, whatever happens
  s->server = context.core();
  s->identities = std::move(identities);
  detail::set_up_server(*s);
  co_await detail::shake_hands(*s);
  s->identities.reset();
  co_return made;
}

task<tls_stream> open_tls_stream(std::string host, std::uint16_t port, tls_client_context context) {
  tcp_stream connection = co_await open_tcp_stream(host, port);
  co_return co_await tls_connect(std::move(connection), host, context);
}

task<tls_stream> open_tls_stream(std::string host, std::uint16_t port) {
  co_return co_await open_tls_stream(std::move(host), port, tls_client_context());
}

} // namespace troupe
