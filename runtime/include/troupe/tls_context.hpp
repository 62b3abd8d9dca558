// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/clock.hpp>
#include <troupe/tls_error.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

namespace detail {
class tls_client_core;
class tls_server_core;
} // namespace detail

/// The oldest version to agree to. What is older than 1.2 is never spoken.
enum class tls_version { v1_2, v1_3 };

/// How long `close` waits for the other side's `close_notify`, if nothing is said.
inline constexpr duration default_tls_shutdown_limit = std::chrono::seconds(5);

/// How long a server gives a client for the handshake, if nothing is said.
inline constexpr duration default_tls_handshake_limit = std::chrono::seconds(10);

/// Who one is: PEM files.
struct tls_certificate {
  std::string chain_file = {}; ///< the certificate, then those of its issuers
  std::string key_file = {};   ///< its private key; empty: it stands in `chain_file`, too
  std::string passphrase = {}; ///< of the key, if it is encrypted
  bool allow_expired = false;  ///< else it is an error to load one that is not valid today
};

/// What a client wants.
struct tls_client_options {
  std::string ca_file = {};           ///< whom to trust: certificates, PEM
  std::string ca_directory = {};      ///< the same, as OpenSSL's `c_rehash` leaves it
                                      ///< neither: the system's authorities
  tls_certificate certificate = {};   ///< shown to servers that ask for one
  std::vector<std::string> alpn = {}; ///< protocols, the best first: "h2", "http/1.1"
  tls_version minimum = tls_version::v1_2;
  bool check_host = true; ///< the certificate must be for the host that is connected to
  bool resume = true;     ///< keep sessions and resume them
  bool insecure_accept_any_certificate = false;         ///< for tests: anybody can be in between
  duration shutdown_limit = default_tls_shutdown_limit; ///< for `close`; 0: it does not wait
};

/// How a client does TLS: whom it trusts, who it is. Cheap to copy; for all loops.
class tls_client_context {
public:
  /// The system's authorities, and nothing else. Throws `tls_error`.
  tls_client_context();

  /// Reads the files now. Throws `tls_error`, whose sentence names the file. Not a
  /// checkpoint: the loop waits for the disk.
  explicit tls_client_context(const tls_client_options& options);

  [[nodiscard]] const tls_client_options& options() const noexcept;

  /// For the runtime.
  [[nodiscard]] const std::shared_ptr<detail::tls_client_core>& core() const noexcept {
    return core_;
  }

private:
  std::shared_ptr<detail::tls_client_core> core_;
};

/// Whether a server asks for clients' certificates.
enum class client_certificates {
  ignored,   ///< it does not ask
  requested, ///< one that is given must be good
  required,  ///< a client without one is refused
};

/// What a server offers.
struct tls_server_options {
  /// One at least. The first that is for the name the client asks for (SNI) is shown, else
  /// the first of all.
  std::vector<tls_certificate> certificates = {};
  client_certificates clients = client_certificates::ignored;
  std::string client_ca_file = {};    ///< whom to trust about clients: certificates, PEM
  std::vector<std::string> alpn = {}; ///< protocols, the best first; a client that wants
                                      ///< none of them is refused, one that asks for
                                      ///< nothing is not
  tls_version minimum = tls_version::v1_2;
  bool resume = true; ///< give tickets, by which clients resume sessions
  duration shutdown_limit = default_tls_shutdown_limit;   ///< for `close`; 0: it does not wait
  duration handshake_limit = default_tls_handshake_limit; ///< for `serve_tls`
};

/// How a server does TLS. Cheap to copy; for all loops.
class tls_server_context {
public:
  /// Reads the files now. Throws `tls_error`, whose sentence names the file; `usage_error`
  /// without a certificate. Not a checkpoint: the loop waits for the disk.
  explicit tls_server_context(const tls_server_options& options);

  /// As above, for one certificate.
  tls_server_context(std::string chain_file, std::string key_file);

  /// Reads all files again: handshakes that begin from now on use them, on all loops and
  /// in all copies of this context; connections go on with what they have. Tickets from
  /// before are not honoured any more. If it throws (`tls_error`), nothing has changed.
  /// Any thread.
  void reload();

  [[nodiscard]] const tls_server_options& options() const noexcept;

  /// For the runtime.
  [[nodiscard]] const std::shared_ptr<detail::tls_server_core>& core() const noexcept {
    return core_;
  }

private:
  std::shared_ptr<detail::tls_server_core> core_;
};

} // namespace troupe
