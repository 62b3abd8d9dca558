// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/redis/protocol.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace troupe;
using redis::reply;

static_assert(std::movable<redis::reply_reader> && !std::copyable<redis::reply_reader>);

namespace {

void feed(redis::reply_reader& r, std::string_view text) { r.feed(std::as_bytes(std::span(text))); }

/// All replies in the text, which is fed in pieces.
std::vector<reply> read_all(std::string_view text, std::size_t piece) {
  redis::reply_reader reader;
  std::vector<reply> found;
  while (!text.empty()) {
    feed(reader, text.substr(0, piece));
    text.remove_prefix(std::min(piece, text.size()));
    while (auto r = reader.next())
      found.push_back(std::move(*r));
  }
  return found;
}

} // namespace

BOOST_AUTO_TEST_SUITE(redis_protocol)

BOOST_AUTO_TEST_CASE(commands_are_written_as_their_lengths_and_bytes) {
  redis::batch b;
  const std::string zero("a\0\r\n", 4);
  b.add("set", zero, -7);
  BOOST_TEST(b.bytes() == "*3\r\n$3\r\nset\r\n$4\r\n" + zero + "\r\n$2\r\n-7\r\n");
  b.add("get", std::string("$1\r\n"));
  BOOST_TEST(b.size() == 2U);
  BOOST_TEST(b.name() == "set");
  redis::batch empty_word;
  empty_word.add("");
  BOOST_TEST(empty_word.bytes() == "*1\r\n$0\r\n\r\n");
  BOOST_CHECK_THROW(empty_word.append({}), std::invalid_argument);
  BOOST_TEST(redis::argument(0.1).text() == "0.1");
  BOOST_TEST(redis::argument(std::numeric_limits<std::uint64_t>::max()).text()
             == "18446744073709551615");
}

BOOST_AUTO_TEST_CASE(replies_of_all_kinds_in_pieces_of_any_size) {
  const std::string text =
    "+OK\r\n-ERR no such thing\r\n:-42\r\n$5\r\na\r\nb\n\r\n$-1\r\n*-1\r\n*0\r\n"
    "*3\r\n:1\r\n*2\r\n$1\r\nx\r\n*1\r\n+deep\r\n$0\r\n\r\n:7\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const auto all = read_all(text, piece);
    BOOST_REQUIRE(all.size() == 9U);
    BOOST_TEST(all[0].text() == "OK");
    BOOST_TEST(all[0].get<bool>());
    BOOST_TEST(all[1].is_error());
    BOOST_TEST(all[1].text() == "ERR no such thing");
    BOOST_TEST(all[2].get<int>() == -42);
    BOOST_TEST(all[3].get<std::string>() == "a\r\nb\n");
    BOOST_TEST(all[4].is_nil());
    BOOST_TEST(all[5].is_nil());
    BOOST_TEST((all[6].kind() == reply::type::array && all[6].size() == 0U));
    BOOST_TEST(redis::to_string(all[7]) == "[1, [\"x\", [deep]], \"\"]");
    BOOST_TEST(all[7][1][1][0].text() == "deep");
    BOOST_TEST(all[8].get<long>() == 7);
  }
}

BOOST_AUTO_TEST_CASE(a_reply_is_read_as_what_it_is_or_says_what_it_is) {
  const reply text(reply::type::string, "12");
  BOOST_TEST(text.get<int>() == 12);
  BOOST_TEST(text.get<double>() == 12.0);
  BOOST_TEST(text.get<std::optional<std::string>>().value() == "12");
  BOOST_CHECK_THROW(static_cast<void>(text.get<bool>()), redis::bad_reply);
  BOOST_CHECK_THROW(static_cast<void>(text.get<std::vector<int>>()), redis::bad_reply);
  BOOST_CHECK_THROW(static_cast<void>(text[0]), redis::bad_reply);
  const reply big(std::int64_t{300});
  BOOST_CHECK_THROW(static_cast<void>(big.get<std::uint8_t>()), redis::bad_reply);
  BOOST_TEST(big.get<std::string>() == "300");
  BOOST_TEST(!reply().get<std::optional<int>>().has_value());
  BOOST_CHECK_THROW(static_cast<void>(reply().get<int>()), redis::bad_reply);
  BOOST_CHECK_THROW(static_cast<void>(reply().get<std::string>()), redis::bad_reply);
  const reply failed(reply::type::error, "OOM no memory");
  try {
    static_cast<void>(failed.get<std::string>());
    BOOST_ERROR("an error was read as text");
  } catch (const redis::error& e) {
    BOOST_TEST(e.code() == "OOM");
  }
  const reply list(std::vector<reply>{reply(std::int64_t{1}), reply(std::int64_t{2})});
  BOOST_TEST((list.get<std::vector<int>>() == std::vector<int>{1, 2}));
}

BOOST_AUTO_TEST_CASE(what_is_not_the_protocol_is_refused_again_and_again) {
  for (const char* bad : {"HTTP/1.1 400 Bad Request\r\n", "$x\r\n", ":1x\r\n", "*1\r\n?\r\n",
                          "$-2\r\n", "*-2\r\n", "\r\n"}) {
    BOOST_TEST_CONTEXT(bad) {
      redis::reply_reader reader;
      feed(reader, bad);
      BOOST_CHECK_THROW(static_cast<void>(reader.next()), redis::protocol_error);
      BOOST_CHECK_THROW(static_cast<void>(reader.next()), redis::protocol_error);
    }
  }
  redis::reply_reader deep;
  std::string nested;
  for (int i = 0; i < 1000; ++i)
    nested += "*1\r\n";
  feed(deep, nested);
  BOOST_CHECK_THROW(static_cast<void>(deep.next()), redis::protocol_error);
}

BOOST_AUTO_TEST_CASE(an_announced_size_costs_nothing_before_it_is_there) {
  redis::reply_reader reader;
  feed(reader, "*2000000000\r\n:1\r\n");
  BOOST_TEST(!reader.next());
  redis::reply_reader text;
  feed(text, "$500000000\r\nabc");
  BOOST_TEST(!text.next());
}

BOOST_AUTO_TEST_CASE(garbage_never_does_more_than_throw) {
  std::mt19937 random(3);
  const std::string letters = "+-:$*0123456789\r\nab";
  for (int i = 0; i < 20'000; ++i) {
    redis::reply_reader reader;
    try {
      for (int k = 0; k < 20; ++k) {
        std::string piece;
        for (std::size_t n = random() % 8; n != 0; --n)
          piece += letters[random() % letters.size()];
        feed(reader, piece);
        while (auto r = reader.next())
          static_cast<void>(redis::to_string(*r));
      }
    } catch (const redis::protocol_error&) { // NOLINT(bugprone-empty-catch)
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
