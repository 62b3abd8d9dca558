// SPDX-License-Identifier: BSD-3-Clause
// Client sessions and the servers of others: Python's http.server, nginx, `openssl s_server`.
#include <troupe/http/client_session.hpp>
#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include "support/certificates.hpp"
#include "support/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using troupe_test::make_file;

namespace {

bool installed(const std::string& program) {
  const bool there = std::system(("command -v " + program + " >/dev/null").c_str()) == 0; // NOLINT
  if (!there)
    BOOST_TEST_MESSAGE("skipped: " << program << " is not installed");
  return there;
}

/// The port that a server writes when it listens.
task<std::string> port_behind(stream& output, std::string_view mark) {
  buffered_reader in(output);
  while (const auto line = co_await in.read_line())
    if (const std::size_t at = line->find(mark); at != line->npos) {
      const std::string_view port = std::string_view(*line).substr(at + mark.size());
      co_return std::string(port.substr(0, port.find_first_not_of("0123456789")));
    }
  throw std::runtime_error("the server has ended");
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_clients_of_real_servers)

TROUPE_TEST_CASE(pythons_server_closes_each_connection, .virtual_time = false) {
  if (!installed("python3"))
    co_return;
  const troupe_test::temporary_directory folder;
  make_file(folder / "page.txt", std::string(300'000, 'x'));
  command python("python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1");
  python.cwd(folder.path().string()).std_err(child_io::null);
  co_await with_process(python, [](process& server) -> task<> {
    const std::string site = "http://127.0.0.1:" + co_await port_behind(server.std_out(), "port ");
    co_await http::with_client_session([&](http::client_session& session) -> task<> {
      for (int i = 0; i < 5; ++i) {
        auto page = co_await session.get(site + "/page.txt");
        BOOST_TEST(page.status() == 200);
        BOOST_TEST((co_await page.text()).size() == 300'000u);
      }
      BOOST_TEST(session.statistics().opened == 5u);
      auto head = co_await session.head(site + "/page.txt");
      BOOST_TEST(head.content_length().value() == 300'000u);
      const auto missing = co_await session.get(site + "/nothing");
      BOOST_TEST(missing.status() == 404);
      const auto refused = co_await session.post(site + "/page.txt", "x", "text/plain");
      BOOST_TEST(refused.status() == 501);
    });
  });
}

TROUPE_TEST_CASE(nginx_keeps_connections_and_closes_them_when_it_likes, .virtual_time = false) {
  if (!installed("nginx"))
    co_return;
  const troupe_test::temporary_directory folder;
  const std::string here = folder.path().string();
  make_file(folder / "page.txt", std::string(300'000, 'x'));
  make_file(folder / "nginx.conf",
            "daemon off; pid " + here + "/pid; error_log " + here + "/log; worker_processes 1;\n"
              + "events { worker_connections 64; }\n"
                "http { access_log off; keepalive_requests 10; client_max_body_size 1k;\n"
                "client_body_temp_path "
              + here + "/a; proxy_temp_path " + here + "/b; fastcgi_temp_path " + here
              + "/c; uwsgi_temp_path " + here + "/d; scgi_temp_path " + here
              + "/e;\n"
                "server { listen unix:"
              + here + "/socket; root " + here
              + ";\n"
                "location /old { return 301 /page.txt; } location /no { deny all; } } }\n");
  command nginx("nginx", "-p", here, "-c", here + "/nginx.conf", "-e", here + "/log");
  if (::geteuid() == 0)
    std::filesystem::permissions(folder.path(), std::filesystem::perms::all); // for its workers
  co_await with_process(nginx, [&](process&) -> task<> {
    http::client_options options;
    options.unix_socket = here + "/socket";
    co_await http::with_client_session(options, [&](http::client_session& session) -> task<> {
      for (bool up = false; !up;) {
        up = (co_await as_outcome(session.get("http://site.example/page.txt"))).has_value();
        if (!up)
          co_await sleep_for(10ms); // nobody says when it listens
      }
      const auto before = session.statistics();
      co_await with_nursery([&](nursery& n) -> task<> {
        for (int i = 0; i < 4; ++i)
          n.start_soon([&]() -> task<> {
            for (int k = 0; k < 50; ++k) {
              auto page = co_await session.get("http://site.example/old");
              BOOST_TEST(page.status() == 200);
              BOOST_TEST((co_await page.text()).size() == 300'000u);
            }
          });
        co_return;
      });
      const auto now = session.statistics();
      BOOST_TEST(now.requests - before.requests >= 400u);
      BOOST_TEST(now.opened - before.opened >= 39u); // ten requests each
      BOOST_TEST(now.opened - before.opened <= 45u);
      auto large =
        co_await session.post("http://site.example/no", std::string(5'000'000, 'x'), "text/plain");
      BOOST_TEST(large.status() == 413);
    });
  });
}

TROUPE_TEST_CASE(openssls_server_is_trusted_by_its_certificate, .virtual_time = false) {
  if (!installed("openssl"))
    co_return;
  using troupe_test::certificates;
  command openssl("openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert",
                  certificates::file("server.crt"), "-key", certificates::file("server.key"));
  openssl.std_err(child_io::null);
  co_await with_process(openssl, [](process& server) -> task<> {
    const std::string site =
      "https://localhost:" + co_await port_behind(server.std_out(), "ACCEPT 127.0.0.1:");
    http::client_options options;
    tls_client_options trust;
    trust.ca_file = certificates::file("ca.crt");
    options.tls = tls_client_context(trust);
    co_await http::with_client_session(options, [&](http::client_session& session) -> task<> {
      for (int i = 0; i < 3; ++i) {
        auto page = co_await session.get(site + "/");
        BOOST_TEST(page.status() == 200);
        BOOST_TEST((co_await page.text()).find("s_server") != std::string::npos);
      }
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
