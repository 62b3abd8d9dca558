// SPDX-License-Identifier: BSD-3-Clause
// HTTP over Unix sockets.
#include "served.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/http/access_log.hpp>
#include <troupe/http/client_session.hpp>
#include <troupe/testing/boost_test.hpp>

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe_test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(http_unix_sockets)

TROUPE_TEST_CASE(server_on_a_unix_socket_answers_logs_and_drains, .virtual_time = false) {
  const temporary_directory folder;
  const std::string path = folder / "web";
  std::vector<std::string> log;
  http::server_options options;
  options.serve.drain_limit = 1h;
  options.on_access = [&](const http::access_record& r) {
    log.push_back(std::string(r.peer) + " " + std::string(r.target) + " " + std::to_string(r.status)
                  + (r.complete ? "" : " cut"));
  };
  event begun, go_on;
  const http::served_handler answer = [&](http::request& rq, http::response& rs) -> task<> {
    if (rq.target == "/slow") {
      begun.set();
      co_await go_on.wait();
    }
    rs.body = "at " + rq.transport().local();
  };
  co_await with_nursery([&](nursery& n) -> task<> {
    unix_listener listener(path);
    auto server =
      n.start_soon([&]() -> task<> { co_await http::serve(answer, std::move(listener), options); });
    http::client_options client;
    client.unix_socket = path;
    co_await http::with_client_session(client, [&](http::client_session& session) -> task<> {
      auto quick = co_await session.get("http://any.host/quick");
      BOOST_TEST(co_await quick.text() == "at " + path);
      BOOST_REQUIRE(log.size() == 1U);
      const std::string me = path + " (process " + std::to_string(::getpid()) + ")";
      BOOST_TEST(log[0] == me + " /quick 200");

      unix_stream idle = co_await open_unix_stream(path);
      unix_stream busy = co_await open_unix_stream(path);
      co_await busy.write_all("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
      co_await begun.wait();
      server.cancel();
      BOOST_TEST((co_await served::rest_of(idle)).empty());
      BOOST_TEST(!std::filesystem::exists(path));
      BOOST_TEST(!server.done());
      go_on.set();
      const std::string rest = co_await served::rest_of(busy);
      BOOST_TEST(rest.ends_with("Connection: close\r\n\r\nat " + path));
    });
  });
  BOOST_REQUIRE(log.size() == 2U);
  BOOST_TEST(log[1].ends_with(" /slow 200"));
}

BOOST_AUTO_TEST_SUITE_END()
