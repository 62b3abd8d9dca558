// SPDX-License-Identifier: BSD-3-Clause
// What a peer sends that breaks RFC 6455, or a limit.
#include "websocket_pair.hpp"

#include <troupe/testing/boost_test.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::http;
using namespace std::chrono_literals;
using troupe_test::client_frame;
using troupe_test::open_ends;
using troupe_test::open_ends_that;

namespace {

using text = std::string;

text bytes(std::initializer_list<unsigned> all) {
  text t;
  for (const unsigned b : all)
    t.push_back(static_cast<char>(b));
  return t;
}

text close_frame(unsigned code, std::string_view reason = {}) {
  return client_frame(0x88, bytes({code >> 8U, code & 0xFFU}).append(reason));
}

struct offence {
  text what;
  text sent;
  std::uint16_t code;
};

const std::vector<offence> offences{
  {"a frame without a mask", bytes({0x81, 1, 'x'}), 1002},
  {"the first reserved bit", client_frame(0xC1, "x"), 1002},
  {"the second reserved bit", client_frame(0xA1, "x"), 1002},
  {"the third reserved bit", client_frame(0x91, "x"), 1002},
  {"a reserved bit of a ping", client_frame(0xC9, "x"), 1002},
  {"opcode 3", client_frame(0x83, "x"), 1002},
  {"opcode 7", client_frame(0x87, ""), 1002},
  {"opcode 11", client_frame(0x8B, ""), 1002},
  {"opcode 15", client_frame(0x8F, "x"), 1002},
  {"a ping in fragments", client_frame(0x09, "x"), 1002},
  {"a goodbye in fragments", client_frame(0x08, bytes({3, 0xE8})), 1002},
  {"a ping of 126 bytes", client_frame(0x89, text(126, 'x')), 1002},
  {"a goodbye of 126 bytes", client_frame(0x88, text(126, 'x')), 1002},
  {"a continuation of nothing", client_frame(0x80, "x"), 1002},
  {"a message in another one", client_frame(0x01, "x") + client_frame(0x81, "y"), 1002},
  {"another kind in a message", client_frame(0x01, "x") + client_frame(0x02, "y"), 1002},
  {"a long way to say short", bytes({0x81, 0x80 | 126U, 0, 1, 0, 0, 0, 0, 'x'}), 1002},
  {"a longer way", bytes({0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x'}), 1002},
  {"a negative length", bytes({0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x'}), 1002},
  {"half a code", client_frame(0x88, "x"), 1002},
  {"code 0", close_frame(0), 1002},
  {"code 999", close_frame(999), 1002},
  {"code 1004", close_frame(1004), 1002},
  {"code 1005", close_frame(1005), 1002},
  {"code 1006", close_frame(1006), 1002},
  {"code 1015", close_frame(1015), 1002},
  {"code 2999", close_frame(2999), 1002},
  {"code 5000", close_frame(5000), 1002},
  {"a reason that is no UTF-8", close_frame(1000, "\xFF"), 1007},
  {"a reason with half a character", close_frame(1000, "\xE2\x82"), 1007},
  {"a text that is no UTF-8", client_frame(0x81, "\xCE\xBA\xED\xA0\x80"), 1007},
  {"an overlong character", client_frame(0x81, "\xC0\x80"), 1007},
  {"a character that is none", client_frame(0x81, "\xF4\x90\x80\x80"), 1007},
  {"half a character at the end", client_frame(0x81, "\xCE"), 1007},
  {"bad UTF-8 in a fragment", client_frame(0x01, "\xCE\xBA") + client_frame(0x00, "\x80"), 1007},
  {"a text that goes on with no character", client_frame(0x01, "\xCE") + client_frame(0x80, "x"),
   1007},
  {"a long message", client_frame(0x81, text(1001, 'x')), 1009},
  {"a message of many fragments",
   client_frame(0x01, text(500, 'x')) + client_frame(0x00, text(500, 'x'))
     + client_frame(0x80, "x"),
   1009},
  {"a frame of four exabytes", bytes({0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'x'}),
   1009},
};

websocket_server_options small_server(bool deflate = false) {
  websocket_server_options o;
  o.socket.message_limit = 1000;
  o.socket.deflate = deflate;
  return o;
}

/// The code of the goodbye that was sent, whatever was sent before it.
unsigned code_of_goodbye(std::string_view sent) {
  while (sent.size() >= 2 && static_cast<unsigned char>(sent[0]) != 0x88)
    sent.remove_prefix(2U + static_cast<unsigned char>(sent[1]));
  if (sent.size() < 4)
    return 0;
  return (static_cast<unsigned char>(sent[2]) << 8U) | static_cast<unsigned char>(sent[3]);
}

task<> check_offence(const offence& o, std::size_t piece, websocket_server_options options,
                     websocket_client_options client) {
  auto ends = co_await open_ends(std::move(client), std::move(options));
  ends.to_server->piece(piece);
  ends.to_server->put(o.sent);
  try {
    while (co_await ends.server->receive()) {
    }
    BOOST_ERROR(o.what << " is taken for an ordinary end");
  } catch (const websocket_closed& e) {
    BOOST_TEST(e.code() == o.code, o.what << ": " << e.what());
    BOOST_TEST(!e.by_peer(), o.what << ": " << e.what());
    BOOST_TEST(!e.reason().empty());
  }
  BOOST_TEST(code_of_goodbye(ends.to_client->bytes()) == o.code, o.what);
  ends.to_server->end();
  co_await ends.server->close();
}

/// What a server says to bytes: messages, and then how it ends.
task<text> what_becomes_of(const text& sent, std::size_t piece) {
  const auto options = small_server(true);
  const websocket_client_options client = [] {
    websocket_client_options c;
    c.socket.deflate = true;
    return c;
  }();
  auto ends = co_await open_ends(client, options);
  ends.to_server->piece(piece);
  ends.to_server->put(sent);
  ends.to_server->end();
  text all;
  try {
    for (;;) {
      const auto m = co_await ends.server->receive();
      if (!m)
        break;
      all += std::to_string(m->data.size()) + (m->is_text() ? "t " : "b ");
    }
    all += "end";
  } catch (const websocket_closed& e) {
    all += std::to_string(e.code()); // which of two faults is seen first may differ
  }
  co_return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(websocket_protocol)

TROUPE_TEST_CASE(who_breaks_the_protocol_is_told_how) {
  const auto options = small_server();
  const websocket_client_options client;
  for (const offence& o : offences)
    for (const std::size_t piece : {1U, 7U, 65536U})
      co_await check_offence(o, piece, options, client);
}

TROUPE_TEST_CASE(compression_must_be_right_too) {
  const auto options = small_server(true);
  websocket_client_options client;
  client.socket.deflate = true;
  // a thousand and one times "x", compressed
  const text bomb = bytes({0xAA, 0xA8, 0x18, 0x05, 0xA3, 0x60, 0x14, 0x0C, 0x7B, 0x00, 0x00});
  const std::vector<offence> wrong{
    {"a compressed ping", client_frame(0xC9, "x"), 1002},
    {"a compressed continuation", client_frame(0x41, "") + client_frame(0xC0, ""), 1002},
    {"another reserved bit", client_frame(0xE1, "x"), 1002},
    {"what is not compressed", client_frame(0xC1, "\x07\x07\x07\x07"), 1007},
    {"more than it looks like", client_frame(0xC1, bomb), 1009},
  };
  for (const offence& o : wrong)
    for (const std::size_t piece : {1U, 65536U})
      co_await check_offence(o, piece, options, client);
}

TROUPE_TEST_CASE(codes_of_today_are_taken_and_given_back) {
  for (const unsigned code : {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U,
                              1013U, 1014U, 3000U, 3999U, 4000U, 4999U}) {
    auto ends = co_await open_ends();
    ends.to_server->put(close_frame(code, "why"));
    try {
      const auto m = co_await ends.server->receive();
      BOOST_TEST(!m);
      BOOST_TEST((code == 1000 || code == 1001), code);
    } catch (const websocket_closed& e) {
      BOOST_TEST(e.code() == code);
      BOOST_TEST(e.by_peer());
      BOOST_TEST(e.reason() == "why");
    }
    BOOST_TEST(code_of_goodbye(ends.to_client->bytes()) == code);
  }
}

TROUPE_TEST_CASE(who_claims_much_and_sends_little_costs_little) {
  websocket_server_options options;
  options.socket.message_limit = 1U << 30U;
  options.socket.frame_limit = 1U << 30U;
  auto ends = co_await open_ends(options);
  // A gigabyte is announced; the client goes.
  ends.to_server->put(bytes({0x82, 0xFF, 0, 0, 0, 0, 0x3F, 0, 0, 0, 0, 0, 0, 0, 'x'}));
  ends.to_server->end();
  BOOST_CHECK_THROW(co_await ends.server->receive(), websocket_closed);
}

TROUPE_TEST_CASE(a_server_must_not_mask) {
  auto ends = co_await open_ends();
  ends.to_client->put(client_frame(0x81, "x"));
  try {
    co_await ends.client->receive();
    BOOST_ERROR("it did not throw");
  } catch (const websocket_closed& e) {
    BOOST_TEST(e.code() == 1002);
  }
}

TROUPE_TEST_CASE(pings_by_the_thousand_do_not_fill_the_memory) {
  auto ends = co_await open_ends(1000U);
  text flood;
  for (int i = 0; i < 10'000; ++i)
    flood += client_frame(0x89, "flood");
  ends.to_server->put(flood + client_frame(0x81, "done"));
  const text big(100'000, 'x');
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await ends.server->send_text(big); }); // nobody reads
    co_await sleep_for(1s);
    BOOST_TEST((co_await ends.server->receive())->data == "done");
    BOOST_TEST((co_await ends.client->receive())->data == big);
    n.cancel();
  });
}

TROUPE_TEST_CASE(what_comes_in_pieces_means_the_same_and_nothing_breaks) {
  std::mt19937 random(20261121); // NOLINT: the same each time
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  for (int run = 0; run < 600; ++run) {
    text sent;
    for (unsigned k = 0, frames = 1 + pick(6); k < frames; ++k) {
      constexpr std::array<unsigned, 12> firsts{0x81, 0x82, 0x01, 0x02, 0x00, 0x80,
                                                0x89, 0x8A, 0x88, 0xC1, 0x41, 0xC2};
      text data;
      for (unsigned i = 0, size = pick(4) == 0 ? pick(600) : pick(20); i < size; ++i)
        data.push_back(static_cast<char>(pick(8) == 0 ? pick(256) : 'a' + pick(26)));
      sent += client_frame(firsts.at(pick(firsts.size())), data);
    }
    if (pick(2) == 0)
      sent[pick(static_cast<unsigned>(sent.size()))] = static_cast<char>(pick(256));
    if (pick(3) == 0)
      sent.resize(pick(static_cast<unsigned>(sent.size())));
    const text whole = co_await what_becomes_of(sent, 65536);
    const text bytewise = co_await what_becomes_of(sent, 1);
    const text few = co_await what_becomes_of(sent, 1 + pick(50));
    BOOST_TEST(whole == bytewise, run << ": " << whole << " | " << bytewise);
    BOOST_TEST(whole == few, run << ": " << whole << " | " << few);
  }
}

BOOST_AUTO_TEST_SUITE_END()
