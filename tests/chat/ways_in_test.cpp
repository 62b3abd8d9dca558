// SPDX-License-Identifier: BSD-3-Clause
// All ways into a chat at once: TCP, TLS, a WebSocket, an ordinary actor.
#include "site.hpp"
#include "support/tls_pair.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

using namespace troupe_test;

namespace {

constexpr int lines_of_each = 15; // as many as an actor may be ahead, and no burst
constexpr std::size_t lines_of_all = 4 * lines_of_each;

std::string line(int i) { return "line " + std::to_string(i); }

/// Says its lines, and hears all.
task<> chat_along(guest& g) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      for (int i = 0; i < lines_of_each; ++i)
        co_await g.say(line(i));
    });
    for (std::size_t i = 0; i < lines_of_all; ++i)
      co_await g.hear(": line ");
  });
}

std::string field(const std::string& json, const std::string& name) {
  const std::string before = "\"" + name + "\":\"";
  const std::size_t begin = json.find(before) + before.size();
  return json.substr(begin, json.find('"', begin) - begin);
}

task<> chat_along(surfer& s, std::vector<std::string>& heard) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      for (int i = 0; i < lines_of_each; ++i)
        co_await s.say(line(i));
    });
    while (heard.size() < lines_of_all) {
      const std::string json = co_await s.hear(R"("what":"line")");
      heard.push_back(field(json, "nick") + ": " + field(json, "text"));
    }
  });
}

/// An ordinary actor, which says its lines when it has heard who is there.
class robot {
public:
  caf::behavior behave(caf::event_based_actor* me) {
    return {[this](const caf::actor& seat) { seat_ = seat; },
            [this, me](const chat::event& e) {
              if (e.what == chat::event_kind::line)
                heard.push_back(chat::to_text(e));
              if (heard.size() == lines_of_all)
                all_heard.set();
              if (e.what == chat::event_kind::members)
                for (int i = 0; i < lines_of_each; ++i)
                  me->send(seat_, chat::input{line(i)});
            }};
  }

  std::vector<std::string> heard;
  troupe::event all_heard;

private:
  caf::actor seat_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(chat_ways_in)

BOOST_AUTO_TEST_CASE(p18_tcp_tls_websockets_and_actors_hear_one_order_in_one_room) {
  testing::network_options jittery;
  jittery.links.jitter = 2ms;
  house h(jittery);
  h.net.add_name("alt.example", "server");
  robot r;
  open_site(h, [&](chat::service& chat) -> task<> {
    const auto serve_tls = [&](task_status<>& open) -> task<> {
      co_await h.net.on("server", [&]() -> task<> {
        tcp_listener listener(9012);
        open.started();
        const tls_server_context context(server_options("alt"));
        co_await serve_tls_listener(chat.tls(), std::move(listener), context);
      });
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      co_await n.start(serve_tls);
      guest tcp = co_await guest::join("tcp");
      const tls_client_context trusting(client_options());
      tls_stream secret = co_await open_tls_stream("alt.example", 9012, trusting);
      guest tls(std::make_unique<tls_stream>(std::move(secret)));
      co_await tls.enter("tls");
      surfer web = co_await surfer::come("web");
      co_await web.hear("entered");
      const caf::actor bot =
        actor_system().spawn([&r](caf::event_based_actor* me) { return r.behave(me); });
      const chat::connect hello{"bot", bot};
      const auto seat = co_await request<caf::actor>(chat.address(), 1s, hello);
      send(bot, seat);
      co_await tcp.hear("* bot has joined lobby");
      co_await tcp.say("/who");
      BOOST_TEST(co_await tcp.hear("* in lobby:") == "* in lobby: bot tcp tls web");

      std::vector<std::string> web_heard;
      send(seat, chat::input{"/who"});
      co_await with_nursery([&](nursery& all) -> task<> {
        all.start_soon([&] { return chat_along(tcp); });
        all.start_soon([&] { return chat_along(tls); });
        all.start_soon([&] { return chat_along(web, web_heard); });
        co_await r.all_heard.wait();
      });
      const std::vector<std::string> one_order = tcp.talk();
      BOOST_TEST(tls.talk() == one_order, boost::test_tools::per_element());
      BOOST_TEST(web_heard == one_order, boost::test_tools::per_element());
      BOOST_TEST(r.heard == one_order, boost::test_tools::per_element());
      const std::set<std::string> once(one_order.begin(), one_order.end());
      BOOST_TEST(once.size() == lines_of_all);
      send_exit(bot, caf::exit_reason::user_shutdown);
      n.cancel();
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
