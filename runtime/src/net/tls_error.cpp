// SPDX-License-Identifier: BSD-3-Clause
#include "tls_core.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <new>

namespace troupe {

namespace {

std::string sentence(const std::error_code& cause, std::string_view operation,
                     std::string_view address, std::string_view why) {
  std::string text = "cannot " + std::string(operation) + " " + std::string(address) + ": ";
  return text += why.empty() ? cause.message() : std::string(why);
}

class openssl_category final : public std::error_category {
public:
  [[nodiscard]] const char* name() const noexcept override { return "tls"; }
  [[nodiscard]] std::string message(int value) const override {
    return detail::explain_openssl_error(static_cast<unsigned>(value));
  }
};

class verification_category final : public std::error_category {
public:
  [[nodiscard]] const char* name() const noexcept override { return "certificate"; }
  [[nodiscard]] std::string message(int value) const override {
    return X509_verify_cert_error_string(value);
  }
};

} // namespace

tls_error::tls_error(std::error_code cause, std::string_view operation, std::string_view address,
                     std::string_view why)
  : net_error(cause, operation, address), sentence_(sentence(cause, operation, address, why)) {}

certificate_error::certificate_error(std::error_code cause, std::string_view host,
                                     std::string_view address, std::string_view why)
  : tls_error(cause, "trust", address, why), host_(host) {}

const std::error_category& tls_category() noexcept {
  static const openssl_category it;
  return it;
}

const std::error_category& certificate_category() noexcept {
  static const verification_category it;
  return it;
}

namespace detail {

namespace {

/// What an alert says, as the one who has sent it would.
std::string explain_alert(int alert) {
  const std::string name = SSL_alert_desc_string_long(alert);
  const auto saying = [&](const char* what) {
    return std::string("the other side ") + what + " (alert: " + name + ")";
  };
  switch (alert) {
  case SSL3_AD_UNEXPECTED_MESSAGE: return saying("does not take this for TLS");
  case SSL3_AD_HANDSHAKE_FAILURE: return saying("sees nothing that both could agree on");
  case SSL3_AD_BAD_CERTIFICATE:
  case SSL3_AD_UNSUPPORTED_CERTIFICATE:
  case SSL3_AD_CERTIFICATE_UNKNOWN:
  case TLS1_AD_ACCESS_DENIED: return saying("refuses our certificate");
  case SSL3_AD_CERTIFICATE_EXPIRED: return saying("refuses our certificate, which has expired");
  case SSL3_AD_CERTIFICATE_REVOKED: return saying("refuses our certificate, which was revoked");
  case TLS1_AD_UNKNOWN_CA: return saying("does not know who has issued our certificate");
  case TLS1_AD_PROTOCOL_VERSION: return saying("speaks no version of TLS that we speak");
  case TLS1_AD_UNRECOGNIZED_NAME: return saying("is not called that");
  case TLS13_AD_CERTIFICATE_REQUIRED: return saying("wants a certificate");
  case TLS1_AD_NO_APPLICATION_PROTOCOL: return saying("speaks none of our application protocols");
  default: return "the other side says: " + name;
  }
}

} // namespace

unsigned long take_openssl_error() noexcept {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  return code;
}

std::error_code tls_code(unsigned long openssl_code) noexcept {
  return {static_cast<int>(openssl_code), tls_category()};
}

std::string explain_openssl_error(unsigned long code) {
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    const int reason = ERR_GET_REASON(code);
    if (reason >= SSL_AD_REASON_OFFSET)
      return explain_alert(reason - SSL_AD_REASON_OFFSET);
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_RECORD_TOO_SMALL: return "what came is not TLS, or is damaged";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH: return "there is no version of TLS that both sides speak";
    case SSL_R_NO_SHARED_CIPHER: return "there is no cipher that both sides know";
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return "there is no application protocol that both sides speak";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "the other side has shown no certificate";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
      return "a record was changed on its way (bad record MAC)";
    case SSL_R_NO_RENEGOTIATION: return "the other side asks for renegotiation, which is not done";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the connection was cut: it has ended without close_notify";
    default: break;
    }
  }
  const char* text = ERR_reason_error_string(code);
  return text ? text : "OpenSSL's error " + std::to_string(code);
}

void throw_tls_error(std::string_view operation, std::string_view address) {
  const unsigned long code = take_openssl_error();
  if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
    throw std::bad_alloc();
  throw tls_error(tls_code(code), operation, address);
}

} // namespace detail

} // namespace troupe
