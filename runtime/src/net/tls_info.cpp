// SPDX-License-Identifier: BSD-3-Clause
// What a connection and a certificate say about themselves.
#include "tls_state.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

#include <array>
#include <ctime>

namespace troupe {

namespace detail {

std::string time_text(const ASN1_TIME* when) {
  std::tm t{};
  std::array<char, 40> text{};
  if (ASN1_TIME_to_tm(when, &t) == 0
      || std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &t) == 0)
    return "an unknown time";
  return text.data();
}

namespace {

std::string name_text(const X509_NAME* name) {
  const std::unique_ptr<BIO, openssl_free<BIO_free>> out(BIO_new(BIO_s_mem()));
  if (!out)
    throw std::bad_alloc();
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* when) {
  std::tm t{};
  if (ASN1_TIME_to_tm(when, &t) == 0)
    return {};
  return std::chrono::system_clock::from_time_t(::timegm(&t));
}

std::vector<std::string> names_of(const X509& certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, openssl_free<GENERAL_NAMES_free>> all(
    static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* n = sk_GENERAL_NAME_value(all.get(), i);
    if (n->type == GEN_DNS) {
      names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(n->d.dNSName)),
                         static_cast<std::size_t>(ASN1_STRING_length(n->d.dNSName)));
    } else if (n->type == GEN_IPADD) {
      const int size = ASN1_STRING_length(n->d.iPAddress);
      std::array<char, INET6_ADDRSTRLEN> text{};
      if ((size == 4 || size == 16)
          && ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(n->d.iPAddress),
                         text.data(), text.size()))
        names.emplace_back(text.data());
    }
  }
  return names;
}

} // namespace

certificate_info describe(const X509& certificate) {
  certificate_info info;
  info.subject = name_text(X509_get_subject_name(&certificate));
  info.issuer = name_text(X509_get_issuer_name(&certificate));
  info.names = names_of(certificate);
  info.not_before = time_of(X509_get0_notBefore(&certificate));
  info.not_after = time_of(X509_get0_notAfter(&certificate));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), digest.data(), &size) == 1)
    for (unsigned i = 0; i < size; ++i)
      for (const int shift : {4, 0})
        info.sha256 += "0123456789abcdef"[(digest[i] >> shift) & 15];
  ERR_clear_error();
  return info;
}

} // namespace detail

std::string tls_stream::version() const { return state_ ? SSL_get_version(&state_->ssl()) : ""; }

std::string tls_stream::cipher() const {
  return state_ ? SSL_CIPHER_get_name(SSL_get_current_cipher(&state_->ssl())) : "";
}

std::string tls_stream::alpn() const {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  if (state_)
    SSL_get0_alpn_selected(&state_->ssl(), &chosen, &size);
  return {reinterpret_cast<const char*>(chosen), size};
}

std::string tls_stream::server_name() const {
  const char* name =
    state_ ? SSL_get_servername(&state_->ssl(), TLSEXT_NAMETYPE_host_name) : nullptr;
  return name ? name : "";
}

bool tls_stream::session_reused() const {
  return state_ && SSL_session_reused(&state_->ssl()) == 1;
}

std::optional<certificate_info> tls_stream::peer_certificate() const {
  const X509* certificate = state_ ? SSL_get0_peer_certificate(&state_->ssl()) : nullptr;
  if (!certificate)
    return std::nullopt;
  return detail::describe(*certificate);
}

bool tls_stream::peer_verified() const {
  return state_ && SSL_get0_peer_certificate(&state_->ssl())
         && (SSL_get_verify_mode(&state_->ssl()) & SSL_VERIFY_PEER) != 0
         && SSL_get_verify_result(&state_->ssl()) == X509_V_OK;
}

} // namespace troupe
