// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/net_error.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace troupe {

/// TLS has failed: a handshake, a record, or a certificate or key that cannot be
/// loaded. `what()` is one sentence that names the other side or the file: "cannot load
/// the key chat.key: it does not belong to the certificate in chat.crt".
///
/// `address()` is the other side, or the file.
class tls_error : public net_error {
public:
  /// `why` is the end of the sentence; empty: what `cause` says.
  tls_error(std::error_code cause, std::string_view operation, std::string_view address,
            std::string_view why = {});

  [[nodiscard]] const char* what() const noexcept override { return sentence_.what(); }

private:
  std::runtime_error sentence_; // a copy of a string may throw, a copy of an error does not
};

/// The other side's certificate is not to be trusted. The sentence says why: expired,
/// self-signed, unknown issuer, "for a.example, not b.example". `code()` is one of
/// `certificate_category`.
class certificate_error : public tls_error {
public:
  certificate_error(std::error_code cause, std::string_view host, std::string_view address,
                    std::string_view why);

  /// Who the other side should have been: the host that was connected to; empty for a
  /// client.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }

private:
  std::string host_;
};

/// The connection has ended without the other side's saying so (`close_notify`): it was
/// cut, perhaps by an attacker, and what was read may be only a part. A clean end is
/// no error: `read_some` gives 0.
class tls_truncated : public tls_error {
public:
  using tls_error::tls_error;
};

/// The codes of OpenSSL's error queue.
[[nodiscard]] const std::error_category& tls_category() noexcept;

/// The results of OpenSSL's verification, `X509_V_ERR_...`.
[[nodiscard]] const std::error_category& certificate_category() noexcept;

} // namespace troupe
