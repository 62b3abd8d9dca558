// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/tls.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::detail {

template <auto Free>
struct openssl_free {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
using ssl_ptr = std::unique_ptr<SSL, openssl_free<SSL_free>>;
using ssl_ctx_ptr = std::unique_ptr<SSL_CTX, openssl_free<SSL_CTX_free>>;
using session_ptr = std::unique_ptr<SSL_SESSION, openssl_free<SSL_SESSION_free>>;

[[nodiscard]] certificate_info describe(const X509& certificate);
[[nodiscard]] std::string time_text(const ASN1_TIME* when);

/// Takes the oldest code of OpenSSL's queue and empties it.
[[nodiscard]] unsigned long take_openssl_error() noexcept;

/// A code of OpenSSL's as ours.
[[nodiscard]] std::error_code tls_code(unsigned long openssl_code) noexcept;

/// What an alert or another error of OpenSSL's means, in plain words.
[[nodiscard]] std::string explain_openssl_error(unsigned long code);

/// Out of memory, if that is what the queue says; else `tls_error`.
[[noreturn]] void throw_tls_error(std::string_view operation, std::string_view address);

/// Common to both sides. Throw `tls_error`.
[[nodiscard]] ssl_ctx_ptr make_ssl_ctx(const SSL_METHOD* method, tls_version minimum);
void load_certificate(SSL_CTX& ctx, const tls_certificate& files);
void load_authorities(SSL_CTX& ctx, const std::string& file, const std::string& directory);

/// "\2h2\10http/1.1". Throws `usage_error`.
[[nodiscard]] std::vector<unsigned char> alpn_wire(const std::vector<std::string>& protocols);

/// What all copies of a client's context share.
class tls_client_core {
public:
  explicit tls_client_core(tls_client_options options);

  [[nodiscard]] const tls_client_options& options() const noexcept { return options_; }
  [[nodiscard]] SSL_CTX& ctx() const noexcept { return *ctx_; }

  /// Sessions by server. Any thread. A ticket of TLS 1.3 is given out once.
  [[nodiscard]] session_ptr take_session(const std::string& server) noexcept;
  void keep_session(const std::string& server, session_ptr session) noexcept;

private:
  static constexpr std::size_t servers_kept = 256;
  static constexpr std::size_t sessions_kept = 4; // a server

  tls_client_options options_;
  ssl_ctx_ptr ctx_;
  std::mutex mutex_;
  std::map<std::string, std::vector<session_ptr>, std::less<>> sessions_;
};

/// The certificates in force; the first is the one for everybody else.
struct tls_identities {
  std::vector<ssl_ctx_ptr> all;
};

/// What all copies of a server's context share.
class tls_server_core {
public:
  explicit tls_server_core(tls_server_options options);

  [[nodiscard]] const tls_server_options& options() const noexcept { return options_; }

  /// Any thread.
  [[nodiscard]] std::shared_ptr<const tls_identities> identities() const;
  void reload();

  [[nodiscard]] const std::vector<unsigned char>& alpn() const noexcept { return alpn_; }

private:
  [[nodiscard]] std::shared_ptr<const tls_identities> load() const;

  tls_server_options options_;
  std::vector<unsigned char> alpn_;
  mutable std::mutex mutex_;
  std::shared_ptr<const tls_identities> identities_;
};

} // namespace troupe::detail
