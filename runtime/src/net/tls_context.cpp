// SPDX-License-Identifier: BSD-3-Clause
// Certificates, keys and authorities from files.
#include "tls_core.hpp"

#include <troupe/error.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstdio>
#include <new>

#include <sys/stat.h>

namespace troupe::detail {

namespace {

[[noreturn]] void fail_to_load(const char* what, const std::string& file, std::string_view why) {
  const unsigned long code = take_openssl_error();
  if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
    throw std::bad_alloc();
  throw tls_error(tls_code(code), what, file, why);
}

/// What is in the file: OpenSSL says too little when it cannot be read, or used.
std::string read_file(const char* what, const std::string& file) {
  constexpr std::size_t enough = 1 << 20;
  std::string text(enough, '\0');
  std::FILE* f = std::fopen(file.c_str(), "re");
  text.resize(f ? std::fread(text.data(), 1, text.size(), f) : 0);
  const int error = !f || std::ferror(f) != 0 ? errno : 0;
  if (f)
    std::fclose(f);
  if (error != 0)
    throw tls_error(std::error_code(error, std::generic_category()), what, file);
  if (text.empty())
    throw tls_error(std::make_error_code(std::errc::invalid_argument), what, file,
                    "the file is empty");
  return text;
}

int give_passphrase(char* into, int room, int, void* from) noexcept {
  const auto& phrase = static_cast<const tls_certificate*>(from)->passphrase;
  if (phrase.empty() || phrase.size() > static_cast<std::size_t>(room))
    return -1; // else OpenSSL would ask at the terminal
  phrase.copy(into, phrase.size());
  return static_cast<int>(phrase.size());
}

std::string_view why_no_certificate(const std::string& text) {
  return text.find("CERTIFICATE-----") == std::string::npos ? "there is no certificate in it (PEM)"
                                                            : "it is damaged";
}

/// Reading a key that is not encrypted meets none of these.
bool is_about_encryption(unsigned long code) {
  switch (ERR_GET_LIB(code)) {
  case ERR_LIB_CRYPTO: // no passphrase
  case ERR_LIB_EVP:
  case ERR_LIB_PKCS12:
  case ERR_LIB_PROV:
  case ERR_LIB_UI: return true;
  case ERR_LIB_PEM: {
    const int reason = ERR_GET_REASON(code);
    return reason == PEM_R_BAD_PASSWORD_READ || reason == PEM_R_BAD_DECRYPT;
  }
  default: return false;
  }
}

} // namespace

ssl_ctx_ptr make_ssl_ctx(const SSL_METHOD* method, tls_version minimum) {
  ssl_ctx_ptr ctx(SSL_CTX_new(method));
  if (!ctx)
    throw_tls_error("set up", "TLS");
  SSL_CTX* c = ctx.get();
  const int oldest = minimum == tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  // forward secrecy and authenticated ciphers only
  if (SSL_CTX_set_min_proto_version(c, oldest) != 1
      || SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1
      || SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                     "TLS_CHACHA20_POLY1305_SHA256")
           != 1
      || SSL_CTX_set1_groups_list(c, "X25519:P-256:P-384") != 1)
    throw_tls_error("set up", "TLS");
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                           | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                        | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_read_ahead(c, 1); // it reads memory: one call a record
  return ctx;
}

void load_certificate(SSL_CTX& ctx, const tls_certificate& files) {
  constexpr auto load_chain = "load the certificate";
  constexpr auto load_key = "load the key";
  SSL_CTX_set_default_passwd_cb(&ctx, give_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(&ctx, const_cast<tls_certificate*>(&files));
  const struct forget { // the options may be gone when it is used again
    SSL_CTX& ctx;
    ~forget() { SSL_CTX_set_default_passwd_cb_userdata(&ctx, nullptr); }
  } at_the_end{ctx};

  ERR_clear_error();
  const std::string chain = read_file(load_chain, files.chain_file);
  if (SSL_CTX_use_certificate_chain_file(&ctx, files.chain_file.c_str()) != 1)
    fail_to_load(load_chain, files.chain_file, why_no_certificate(chain));
  const X509* own = SSL_CTX_get0_certificate(&ctx);
  if (!files.allow_expired) {
    if (X509_cmp_current_time(X509_get0_notAfter(own)) < 0)
      fail_to_load(load_chain, files.chain_file,
                   "it expired on " + time_text(X509_get0_notAfter(own)));
    if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0)
      fail_to_load(load_chain, files.chain_file,
                   "it is not valid before " + time_text(X509_get0_notBefore(own)));
  }

  const std::string& key = files.key_file.empty() ? files.chain_file : files.key_file;
  const std::string mismatch = "it does not belong to the certificate in " + files.chain_file;
  const std::string key_text = read_file(load_key, key);
  if (SSL_CTX_use_PrivateKey_file(&ctx, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long last = ERR_peek_last_error();
    if (ERR_GET_LIB(last) == ERR_LIB_X509)
      fail_to_load(load_key, key, mismatch);
    bool encrypted = false;
    while (const unsigned long code = ERR_get_error())
      encrypted = encrypted || is_about_encryption(code);
    if (encrypted)
      throw tls_error(tls_code(last), load_key, key,
                      files.passphrase.empty() ? "it is encrypted, and no passphrase was given"
                                               : "the passphrase is wrong");
    throw tls_error(tls_code(last), load_key, key,
                    key_text.find("PRIVATE KEY-----") == std::string::npos
                      ? "there is no private key in it (PEM)"
                      : "it is damaged");
  }
  if (SSL_CTX_check_private_key(&ctx) != 1)
    fail_to_load(load_key, key, mismatch);
}

void load_authorities(SSL_CTX& ctx, const std::string& file, const std::string& directory) {
  constexpr auto load = "load the authorities";
  ERR_clear_error();
  if (!file.empty()) {
    const std::string authorities = read_file(load, file);
    if (SSL_CTX_load_verify_file(&ctx, file.c_str()) != 1)
      fail_to_load(load, file, why_no_certificate(authorities));
    // what is named there is trusted, even if it is not an authority
    X509_STORE_set_flags(SSL_CTX_get_cert_store(&ctx), X509_V_FLAG_PARTIAL_CHAIN);
  }
  if (!directory.empty()) {
    struct stat is {};
    if (::stat(directory.c_str(), &is) != 0)
      throw tls_error(std::error_code(errno, std::generic_category()), load, directory);
    if (!S_ISDIR(is.st_mode))
      throw tls_error(std::make_error_code(std::errc::not_a_directory), load, directory);
    if (SSL_CTX_load_verify_dir(&ctx, directory.c_str()) != 1)
      fail_to_load(load, directory, {});
  }
}

std::vector<unsigned char> alpn_wire(const std::vector<std::string>& protocols) {
  std::vector<unsigned char> wire;
  for (const std::string& p : protocols) {
    if (p.empty() || p.size() > 255)
      throw usage_error("troupe: a protocol of ALPN has a name of 1 to 255 bytes");
    wire.push_back(static_cast<unsigned char>(p.size()));
    wire.insert(wire.end(), p.begin(), p.end());
  }
  if (wire.size() > 65535)
    throw usage_error("troupe: there are too many protocols for ALPN");
  return wire;
}

} // namespace troupe::detail
