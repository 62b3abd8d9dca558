// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/wait_all_tasks_blocked.hpp>
#include <troupe/troupe.hpp>

#include "support/stream_pair.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <vector>

using namespace troupe;
using troupe::testing::wait_all_tasks_blocked;
using troupe_test::with_unix_pair;

static_assert(std::is_base_of_v<end_of_stream, incomplete_read_error>);
static_assert(std::is_base_of_v<std::system_error, incomplete_read_error>);

namespace {

/// Lets the other tasks of the loop come to where they wait.
/// Cancels `call` while it waits.
template <class F>
task<> cancel_waiting(F call) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto waiting = n.start_soon(std::ref(call));
    co_await wait_all_tasks_blocked();
    BOOST_TEST(!waiting.done());
    waiting.cancel();
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(buffered_reader_suite)

BOOST_AUTO_TEST_CASE(exact_lengths_come_as_asked_for_and_the_rest_is_kept) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    buffered_reader in(server);
    co_await client.write_all("abcdefg");
    BOOST_TEST(co_await in.read_exactly(2) == "ab");
    std::array<std::byte, 3> three{};
    co_await in.read_exactly(three);
    BOOST_TEST(std::string(reinterpret_cast<char*>(three.data()), 3) == "cde");
    BOOST_TEST(co_await in.read_exactly(0) == "");
    BOOST_TEST(in.buffered() == "fg");
    std::array<std::byte, 10> some{};
    BOOST_TEST(co_await in.read_some(some) == 2U);
    co_await client.write_all("hi");
    BOOST_TEST(co_await in.read_some(some) == 2U);
    BOOST_TEST(char(some[1]) == 'i');
  });
}

BOOST_AUTO_TEST_CASE(stream_that_ends_too_early_says_how_much_there_was_and_keeps_it) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    buffered_reader in(server);
    co_await client.write_all("abc");
    co_await client.send_eof();
    for (int i = 0; i < 2; ++i)
      try {
        co_await in.read_exactly(5);
        BOOST_ERROR("five bytes of three");
      } catch (const incomplete_read_error& e) {
        BOOST_TEST(e.partial() == "abc");
        BOOST_TEST(e.expected() == 5U);
        BOOST_TEST(e.what()
                   == "cannot read on from the other end (3 of 5 bytes were left): the stream has "
                      "ended");
        BOOST_TEST((e.code() == stream_errc::end_of_stream));
      }
    try {
      co_await in.read_until("\n");
      BOOST_ERROR("no delimiter came");
    } catch (const incomplete_read_error& e) {
      BOOST_TEST(e.partial() == "abc");
      BOOST_TEST(e.expected() == 0U);
    }
    BOOST_TEST(co_await in.read_exactly(3) == "abc");
    std::array<std::byte, 10> some{};
    BOOST_TEST(co_await in.read_some(some) == 0U);
  });
}

BOOST_AUTO_TEST_CASE(delimiter_may_be_long_and_come_in_pieces) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    buffered_reader in(server, 10);
    co_await client.write_all("one\r\n\r\ntwo\r");
    BOOST_TEST(co_await in.read_until("\r\n\r\n") == "one\r\n\r\n");
    co_await cancel_waiting([&]() -> task<> { co_await in.read_until("\r\n\r\n"); });
    co_await client.write_all("\n\r");
    co_await cancel_waiting([&]() -> task<> { co_await in.read_until("\r\n\r\n"); });
    co_await client.write_all("\nrest\n");
    BOOST_TEST(co_await in.read_until("\r\n\r\n") == "two\r\n\r\n");
    BOOST_TEST(*co_await in.read_line() == "rest");
    BOOST_CHECK_THROW(co_await in.read_until(""), usage_error);
  });
}

BOOST_AUTO_TEST_CASE(limit_holds_for_delimiters_and_nothing_is_lost) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    buffered_reader in(server, 5);
    co_await client.write_all("12345;123456;");
    BOOST_TEST(co_await in.read_until(";") == "12345;");
    for (int i = 0; i < 2; ++i)
      try {
        co_await in.read_until(";");
        BOOST_ERROR("beyond the limit");
      } catch (const limit_overrun& e) {
        BOOST_TEST(e.limit() == 5U);
        BOOST_TEST(e.what()
                   == "troupe: what stands before the delimiter is longer than the limit of 5 "
                      "bytes");
      }
    BOOST_TEST(co_await in.read_exactly(7) == "123456;");
  });
}

BOOST_AUTO_TEST_CASE(p03_cancelled_reads_lose_nothing) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    buffered_reader in(server);
    co_await client.write_all("ab");
    co_await cancel_waiting([&]() -> task<> { co_await in.read_exactly(4); });
    co_await cancel_waiting([&]() -> task<> { co_await in.read_line(); });
    co_await cancel_waiting([&]() -> task<> { co_await in.read_to_end(100); });
    std::array<std::byte, 4> four{};
    co_await cancel_waiting([&]() -> task<> { co_await in.read_exactly(four); });
    co_await client.write_all("cd\nef");
    BOOST_TEST(co_await in.read_exactly(4) == "abcd");
    BOOST_TEST(*co_await in.read_line() == "");
    co_await client.close();
    BOOST_TEST(co_await in.read_to_end(2) == "ef");
    BOOST_TEST(co_await in.read_to_end(0) == "");
  });
}

BOOST_AUTO_TEST_CASE(line_end_found_while_looking_for_another_delimiter_is_a_line_end_still) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    buffered_reader in(server);
    co_await client.write_all("a\nb");
    co_await cancel_waiting([&]() -> task<> { co_await in.read_until("--"); });
    BOOST_TEST(*co_await in.read_line() == "a");
    co_await cancel_waiting([&]() -> task<> { co_await in.read_line(); });
    co_await client.write_all("-");
    co_await cancel_waiting([&]() -> task<> { co_await in.read_until("--"); });
    co_await client.write_all("-\n");
    BOOST_TEST(co_await in.read_until("--") == "b--");
    BOOST_TEST(*co_await in.read_line() == "");
  });
}

BOOST_AUTO_TEST_CASE(lines_are_a_generator) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    co_await client.write_all("one\r\ntwo\n\nlast");
    co_await client.close();
    buffered_reader in(server);
    std::vector<std::string> got;
    auto lines = in.lines();
    while (auto line = co_await lines.next())
      got.push_back(*line);
    BOOST_TEST(got == (std::vector<std::string>{"one", "two", "", "last"}));
  });
}

BOOST_AUTO_TEST_CASE(all_that_comes_is_bounded) {
  with_unix_pair([](unix_stream& client, unix_stream& server) -> task<> {
    buffered_reader in(server);
    co_await client.write_all("12345");
    BOOST_CHECK_THROW(co_await in.read_to_end(4), limit_overrun);
    co_await client.close();
    BOOST_TEST(co_await in.read_to_end(5) == "12345");
  });
}

BOOST_AUTO_TEST_SUITE_END()
