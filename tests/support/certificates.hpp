// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace troupe_test {

/// Certificates and keys for tests, made by the `openssl` program when first asked for, in
/// a folder that goes with the process. For each NAME there are NAME.crt and NAME.key:
///
/// - ca, stranger: authorities; clients trust the first
/// - server: for localhost, 127.0.0.1 and ::1, and `renewed`, the same again
/// - expired, other (for other.example), alt (for alt.example and *.wild.example)
/// - self: self-signed, for localhost; unknown: for localhost, by `stranger`
/// - client: of a client, and foreign: of one, by `stranger`
/// - encrypted.key: that of server, passphrase "secret"; damaged.crt, damaged.key, empty
class certificates {
public:
  [[nodiscard]] static std::string file(const std::string& name) {
    static const certificates all;
    return (all.folder_ / name).string();
  }

private:
  certificates() {
    std::string pattern = (std::filesystem::temp_directory_path() / "troupe_tls_XXXXXX").string();
    if (!::mkdtemp(pattern.data()))
      throw std::runtime_error("no folder for certificates");
    folder_ = pattern;
    const std::string command = "cd '" + pattern + "' && exec sh -e -c '" + script + "' >log 2>&1";
    if (std::system(command.c_str()) != 0) // NOLINT: a test's set-up
      throw std::runtime_error("openssl has not made the certificates, see " + pattern + "/log");
  }
  certificates(const certificates&) = delete;
  certificates& operator=(const certificates&) = delete;
  ~certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  static constexpr const char* script = R"(
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.crt \
    -days 30 -subj "/CN=$2"
}
by() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $2.key -out $2.csr \
    -subj "/O=troupe/CN=$2"
  echo "subjectAltName=$3" >$2.ext
  openssl x509 -req -in $2.csr -CA $1.crt -CAkey $1.key -CAcreateserial -days ${4:-30} \
    -extfile $2.ext -out $2.crt
}
local=DNS:localhost,IP:127.0.0.1,IP:::1
authority ca "troupe test authority"
authority stranger "a stranger"
by ca server $local
by ca renewed $local
by ca expired $local 0
by ca other DNS:other.example
by ca alt DNS:alt.example,DNS:*.wild.example
by stranger unknown $local
by ca client DNS:client.example
by stranger foreign DNS:client.example
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout self.key -out self.crt \
  -days 30 -subj /CN=localhost -addext subjectAltName=$local
openssl ec -in server.key -aes128 -passout pass:secret -out encrypted.key
{ sed -n 1,3p server.crt; echo "no base 64 at all !"; sed -n 4,99p server.crt; } >damaged.crt
{ sed -n 1,2p server.key; echo "-----END PRIVATE KEY-----"; } >damaged.key
: >empty
)";

  std::filesystem::path folder_;
};

} // namespace troupe_test
