// SPDX-License-Identifier: BSD-3-Clause
// Certificates that must not be trusted, and files that cannot be loaded.
#include "support/tls_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <thread>

using namespace troupe;
using namespace troupe_test;
using troupe::testing::run_virtually;
using namespace std::chrono_literals;

namespace {

struct ends {
  std::string client, server; // what was said of the handshake
};

/// The handshake of these two.
ends meet(const tls_client_options& c, const tls_server_options& s,
          const std::string& host = "localhost") {
  ends result;
  run_virtually([&]() -> task<> {
    tls_pair p;
    co_await p.shake_hands(tls_client_context(c), tls_server_context(s), host);
    if (p.client && p.server) { // TLS 1.3: a client may hear of a refusal only now
      try {
        co_await p.server->write_all("x");
        co_await read_text(*p.client);
      } catch (const std::exception&) {
        p.client_error = std::current_exception();
      }
    } else if (p.client) {
      try {
        co_await read_text(*p.client);
      } catch (const std::exception&) {
        p.client_error = std::current_exception();
      }
    }
    result = {what(p.client_error), what(p.server_error)};
  });
  return result;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string why_not_loaded(const tls_certificate& files) {
  tls_server_options o;
  o.certificates.push_back(files);
  try {
    const tls_server_context c(o);
  } catch (const tls_error& e) {
    return e.what();
  }
  return "it was loaded";
}

} // namespace

BOOST_AUTO_TEST_SUITE(tls_certificates)

BOOST_AUTO_TEST_CASE(the_client_says_why_it_does_not_trust_and_the_server_hears_of_it) {
  const struct {
    const char *certificate, *why, *alert;
  } faults[] = {
    {"expired", "its certificate expired on 20", "has expired"},
    {"self", "its certificate is self-signed, and not among those that are trusted",
     "does not know who has issued our certificate"},
    {"unknown", "the issuer of its certificate is not known: CN=a stranger",
     "does not know who has issued our certificate"},
    {"other", "its certificate is for other.example, not localhost", "refuses our certificate"},
  };
  for (const auto& f : faults) {
    const ends said = meet(client_options(), server_options(f.certificate));
    BOOST_TEST(has(said.client, "cannot trust localhost (the server): "), said.client);
    BOOST_TEST(has(said.client, f.why), said.client);
    BOOST_TEST(has(said.server, "cannot do the TLS handshake with the client: "), said.server);
    BOOST_TEST(has(said.server, f.alert), said.server);
  }
}

BOOST_AUTO_TEST_CASE(distrust_has_a_type_with_host_and_code) {
  run_virtually([]() -> task<> {
    tls_pair p;
    co_await p.shake_hands(tls_client_context(client_options()),
                           tls_server_context(server_options("other")));
    try {
      std::rethrow_exception(p.client_error);
    } catch (const certificate_error& e) {
      BOOST_TEST(e.host() == "localhost");
      BOOST_TEST(e.address() == "localhost (the server)");
      BOOST_TEST(e.code().category().name() == "certificate");
      BOOST_TEST(e.code().message() == "hostname mismatch");
    }
  });
}

BOOST_AUTO_TEST_CASE(numeric_hosts_and_wildcards_are_looked_for) {
  const auto c = client_options();
  BOOST_TEST(meet(c, server_options(), "127.0.0.1").client == "nothing");
  BOOST_TEST(meet(c, server_options(), "::1").client == "nothing");
  BOOST_TEST(meet(c, server_options(), "localhost.").client == "nothing");
  BOOST_TEST(has(meet(c, server_options(), "127.0.0.2").client,
                 "its certificate is for localhost, 127.0.0.1, ::1, not 127.0.0.2"));
  BOOST_TEST(meet(c, server_options("alt"), "a.wild.example").client == "nothing");
  BOOST_TEST(
    has(meet(c, server_options("alt"), "a.b.wild.example").client, "not a.b.wild.example"));
}

BOOST_AUTO_TEST_CASE(what_is_trusted_is_for_the_client_to_say) {
  auto c = client_options();
  c.check_host = false;
  BOOST_TEST(meet(c, server_options("other")).client == "nothing");
  BOOST_TEST(has(meet(c, server_options("expired")).client, "expired"));
  c = client_options();
  c.insecure_accept_any_certificate = true;
  BOOST_TEST(meet(c, server_options("unknown"), "whatever").client == "nothing");
  c = {};
  c.ca_file = certificates::file("self.crt"); // trusted for itself
  BOOST_TEST(meet(c, server_options("self")).client == "nothing");
  c.ca_file = certificates::file("server.crt");
  BOOST_TEST(meet(c, server_options()).client == "nothing");
  // the system does not know our authority
  BOOST_TEST(has(meet({}, server_options()).client, "the issuer of its certificate is not known: "
                                                    "CN=troupe test authority"));
}

BOOST_AUTO_TEST_CASE(client_certificates_are_asked_for_and_looked_at) {
  auto s = server_options();
  s.client_ca_file = certificates::file("ca.crt");
  auto with = client_options();
  with.certificate = certificate("client");
  auto without = client_options();
  auto foreign = client_options();
  foreign.certificate = certificate("foreign");

  s.clients = client_certificates::required;
  BOOST_TEST(meet(with, s).server == "nothing");
  ends said = meet(without, s);
  BOOST_TEST(has(said.server, "the other side has shown no certificate"), said.server);
  BOOST_TEST(has(said.client, "the other side wants a certificate"), said.client);
  said = meet(foreign, s);
  BOOST_TEST(
    has(said.server, "cannot trust the client: the issuer of its certificate is not known"),
    said.server);
  BOOST_TEST(has(said.client, "does not know who has issued our certificate"), said.client);

  s.clients = client_certificates::requested;
  BOOST_TEST(meet(with, s).server == "nothing");
  BOOST_TEST(meet(without, s).server == "nothing");
  BOOST_TEST(has(meet(foreign, s).server, "is not known"));

  s.clients = client_certificates::ignored;
  BOOST_TEST(meet(foreign, s).server == "nothing");

  s.clients = client_certificates::required;
  with_tls_pair(
    [](tls_pair& p) -> task<> {
      BOOST_TEST(p.server->peer_verified());
      BOOST_TEST(p.server->peer_certificate()->subject == "CN=client,O=troupe");
      co_return;
    },
    with, s);
  s.client_ca_file.clear();
  BOOST_CHECK_THROW(tls_server_context{s}, usage_error);
  BOOST_CHECK_THROW(tls_server_context{tls_server_options()}, usage_error);
}

BOOST_AUTO_TEST_CASE(loading_names_the_file_and_the_fault) {
  const auto in = [](const char* name) { return certificates::file(name); };
  tls_certificate f;
  f.chain_file = in("no such.crt");
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the certificate " + in("no such.crt") + ": No such file or directory");
  f.chain_file = in(".");
  BOOST_TEST(why_not_loaded(f) == "cannot load the certificate " + in(".") + ": Is a directory");
  f.chain_file = in("empty");
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the certificate " + in("empty") + ": the file is empty");
  f.chain_file = in("server.key");
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the certificate " + in("server.key")
                  + ": there is no certificate in it (PEM)");
  f.chain_file = in("damaged.crt");
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the certificate " + in("damaged.crt") + ": it is damaged");
  f.chain_file = in("server.crt");
  f.key_file = in("no such.key");
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the key " + in("no such.key") + ": No such file or directory");
  f.key_file = in("other.key");
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the key " + in("other.key")
                  + ": it does not belong to the certificate in " + in("server.crt"));
  f.key_file.clear();
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the key " + in("server.crt")
                  + ": there is no private key in it (PEM)");
  f.key_file = in("damaged.key");
  BOOST_TEST(why_not_loaded(f) == "cannot load the key " + in("damaged.key") + ": it is damaged");
  f.key_file = in("encrypted.key");
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the key " + in("encrypted.key")
                  + ": it is encrypted, and no passphrase was given");
  f.passphrase = "guessed";
  BOOST_TEST(why_not_loaded(f)
             == "cannot load the key " + in("encrypted.key") + ": the passphrase is wrong");
  f.passphrase = "secret";
  BOOST_TEST(why_not_loaded(f) == "it was loaded");
  f.chain_file = in("expired.crt");
  f.key_file = in("expired.key");
  const std::string expired = why_not_loaded(f);
  BOOST_TEST(
    expired.starts_with("cannot load the certificate " + in("expired.crt") + ": it expired on 20"));

  tls_client_options c;
  c.ca_file = in("no such.crt");
  BOOST_CHECK_EXCEPTION(tls_client_context{c}, tls_error, [&](const tls_error& e) {
    return e.address() == c.ca_file && e.code() == std::errc::no_such_file_or_directory;
  });
  c.ca_file = in("server.key");
  BOOST_CHECK_EXCEPTION(tls_client_context{c}, tls_error, [&](const tls_error& e) {
    return has(e.what(), "there is no certificate in it");
  });
  c.ca_file.clear();
  c.ca_directory = in("no such folder");
  BOOST_CHECK_EXCEPTION(tls_client_context{c}, tls_error, [&](const tls_error& e) {
    return has(e.what(), "no such folder: No such file or directory");
  });
  c.ca_directory = in("ca.crt");
  BOOST_CHECK_THROW(tls_client_context{c}, tls_error);
}

BOOST_AUTO_TEST_CASE(there_must_be_a_host_to_look_for) {
  BOOST_TEST(has(meet(client_options(), server_options(), "").client, "there must be a host"));
  auto c = client_options();
  c.check_host = false;
  BOOST_TEST(meet(c, server_options(), "").client == "nothing");
  c.alpn = {""};
  BOOST_CHECK_THROW(tls_client_context{c}, usage_error);
}

BOOST_AUTO_TEST_CASE(contexts_are_for_all_loops) {
  const tls_client_context c(client_options());
  tls_server_context s(server_options());
  run(run_options{.loops = 3}, [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (unsigned i = 0; i < 3; ++i)
        n.start_on(
          i,
          [](tls_client_context on_c, tls_server_context on_s) -> task<> {
            for (int k = 0; k < 10; ++k) {
              tls_pair p;
              co_await p.shake_hands(on_c, on_s);
              if (!p.client) // Boost.Test is for one loop at a time
                std::rethrow_exception(p.client_error);
              co_await p.server->write_all("x");
              co_await read_text(*p.client);
              on_s.reload();
            }
          },
          c, s);
      co_return;
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
