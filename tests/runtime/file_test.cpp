// SPDX-License-Identifier: BSD-3-Clause
#include "support/temporary_directory.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace troupe::detail { // src/file/file_state.hpp
void allow_io_uring(bool yes) noexcept;
} // namespace troupe::detail

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::content_of;
using troupe_test::make_file;
using troupe_test::temporary_directory;

static_assert(std::is_nothrow_move_constructible_v<file> && !std::is_copy_constructible_v<file>);

namespace {

/// Runs it with io_uring, if there is one here, and without.
template <class F>
void run_both_ways(F fn) {
  for (const bool ring : {true, false}) {
    BOOST_TEST_CONTEXT((ring ? "with io_uring" : "on threads")) {
      detail::allow_io_uring(ring);
      run_virtually(fn);
    }
  }
  detail::allow_io_uring(true);
}

constexpr open_mode overwrite = open_mode::write | open_mode::create | open_mode::truncate;

std::span<std::byte> bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

task<std::string> read_text(file& f, std::size_t size) {
  std::string text(size, '\0');
  text.resize(co_await f.read_some(bytes_of(text)));
  co_return text;
}

template <class E>
auto says(const char* text) {
  return [text](const E& e) {
    BOOST_TEST(std::string(e.what()) == text);
    return std::string(e.what()) == text;
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(files)

BOOST_AUTO_TEST_CASE(what_is_written_is_read) {
  run_both_ways([]() -> task<> {
    const temporary_directory dir;
    file out = co_await open_file(dir / "a", overwrite);
    co_await out.write_all("hello ");
    co_await out.write_all("world");
    BOOST_TEST(out.tell() == 11U);
    BOOST_TEST((co_await out.size()) == 11U);
    co_await out.write_at("W", 6);
    BOOST_TEST(out.tell() == 11U);
    co_await out.sync();
    co_await out.sync_data();
    co_await out.close();
    BOOST_TEST(!out.is_open());
    BOOST_TEST(content_of(dir / "a") == "hello World");

    file in = co_await open_file(dir / "a");
    BOOST_TEST(in.path() == (dir / "a").native());
    BOOST_TEST((co_await read_text(in, 5)) == "hello");
    BOOST_TEST((co_await read_text(in, 100)) == " World");
    BOOST_TEST((co_await read_text(in, 100)) == "");
    std::string at(3, ' ');
    BOOST_TEST((co_await in.read_at(bytes_of(at), 8)) == 3U);
    BOOST_TEST(at == "rld");
    BOOST_TEST((co_await in.read_at(bytes_of(at), 10)) == 1U);
    BOOST_TEST((co_await in.read_at(bytes_of(at), 11)) == 0U);
    BOOST_TEST(in.tell() == 11U);
  });
}

BOOST_AUTO_TEST_CASE(the_position_moves) {
  run_both_ways([]() -> task<> {
    const temporary_directory dir;
    make_file(dir / "a", "0123456789");
    file f = co_await open_file(dir / "a", open_mode::read | open_mode::write);
    BOOST_TEST((co_await f.seek(4)) == 4U);
    BOOST_TEST((co_await read_text(f, 2)) == "45");
    BOOST_TEST((co_await f.seek(-1, seek_from::current)) == 5U);
    BOOST_TEST((co_await f.seek(-2, seek_from::end)) == 8U);
    BOOST_TEST((co_await read_text(f, 9)) == "89");
    BOOST_CHECK_THROW(static_cast<void>(co_await f.seek(-1)), std::invalid_argument);
    co_await f.truncate(3);
    BOOST_TEST((co_await f.size()) == 3U);
    BOOST_TEST((co_await f.seek(5)) == 5U);
    co_await f.write_all("x");
    BOOST_TEST(content_of(dir / "a") == std::string("012\0\0x", 6));
  });
}

BOOST_AUTO_TEST_CASE(modes) {
  run_both_ways([]() -> task<> {
    const temporary_directory dir;
    make_file(dir / "log", "one\n");
    file log = co_await open_file(dir / "log", open_mode::append);
    co_await log.write_all("two\n");
    BOOST_TEST(content_of(dir / "log") == "one\ntwo\n");
    const auto exclusive = open_mode::write | open_mode::create | open_mode::exclusive;
    BOOST_CHECK_THROW(static_cast<void>(co_await open_file(dir / "log", exclusive)), file_exists);
    BOOST_CHECK_THROW(static_cast<void>(co_await open_file(dir / "log", open_mode::create)),
                      std::invalid_argument);
    static_cast<void>(co_await open_file(dir / "mine", exclusive, std::filesystem::perms(0600)));
    BOOST_TEST(((co_await path_info(dir / "mine")).permissions == std::filesystem::perms(0600)));
    BOOST_CHECK_THROW(static_cast<void>(co_await read_text(log, 1)),
                      file_error); // not open for that
  });
}

BOOST_AUTO_TEST_CASE(a_large_file_comes_back_as_it_was) {
  run_both_ways([]() -> task<> {
    const temporary_directory dir;
    std::string big(5'000'000, ' ');
    for (std::size_t i = 0; i < big.size(); ++i)
      big[i] = static_cast<char>(i * 2654435761U >> 13U);
    file f = co_await open_file(dir / "big", overwrite | open_mode::read);
    co_await f.write_all(big);
    static_cast<void>(co_await f.seek(0));
    std::string got;
    for (;;) {
      const std::string part = co_await read_text(f, 300'000);
      if (part.empty())
        break;
      got += part;
    }
    BOOST_TEST((got == big));
    BOOST_TEST((co_await read_file(dir / "big") == big));
    std::string again(big.size(), ' ');
    BOOST_TEST((co_await f.read_at(bytes_of(again), 0)) == big.size());
    BOOST_TEST((again == big));
  });
}

BOOST_AUTO_TEST_CASE(lines_of_a_file) {
  run_both_ways([]() -> task<> {
    const temporary_directory dir;
    std::string text = "first\nsecond\r\n\n";
    for (int i = 0; i < 30'000; ++i)
      text += "line " + std::to_string(i) + "\n";
    text += "last";
    make_file(dir / "a", text);
    file f = co_await open_file(dir / "a");
    std::vector<std::string> got;
    auto lines = f.lines();
    while (auto line = co_await lines.next())
      got.push_back(std::move(*line));
    BOOST_REQUIRE(got.size() == 30'004U);
    BOOST_TEST(got[0] == "first");
    BOOST_TEST(got[1] == "second");
    BOOST_TEST(got[2] == "");
    BOOST_TEST(got[20'003] == "line 20000");
    BOOST_TEST(got.back() == "last");

    make_file(dir / "b", "ab\n\r\nabc\r\nabcd\n");
    file b = co_await open_file(dir / "b");
    auto short_lines = b.lines(3);
    BOOST_TEST((co_await short_lines.next()).value() == "ab");
    BOOST_TEST((co_await short_lines.next()).value() == "");
    BOOST_TEST((co_await short_lines.next()).value() == "abc");
    BOOST_CHECK_THROW(static_cast<void>(co_await short_lines.next()), limit_overrun);
    BOOST_TEST(!(co_await short_lines.next()).has_value());

    make_file(dir / "c", std::string(200'000, 'x'));
    file c = co_await open_file(dir / "c");
    auto one = c.lines(100);
    BOOST_CHECK_THROW(static_cast<void>(co_await one.next()), limit_overrun);
    make_file(dir / "d", "");
    file d = co_await open_file(dir / "d");
    auto none = d.lines();
    BOOST_TEST(!(co_await none.next()).has_value());
  });
}

BOOST_AUTO_TEST_CASE(whole_files) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    co_await write_file(dir / "a", "one");
    co_await write_file(dir / "a", "2");
    BOOST_TEST((co_await read_file(dir / "a")) == "2");
    co_await write_file(dir / "empty", "");
    BOOST_TEST((co_await read_file(dir / "empty")) == "");
    BOOST_TEST((co_await read_file("/proc/self/comm")) == content_of("/proc/self/comm"));
  });
}

BOOST_AUTO_TEST_CASE(a_file_is_replaced_at_once_and_keeps_its_permissions) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    co_await replace_file(dir / "a", "first");
    const mode_t mask = ::umask(0);
    ::umask(mask);
    BOOST_TEST(
      ((co_await path_info(dir / "a")).permissions == std::filesystem::perms(0666U & ~mask)));
    std::filesystem::permissions(dir / "a", std::filesystem::perms(0640));
    file old = co_await open_file(dir / "a");
    co_await replace_file(dir / "a", "second");
    BOOST_TEST((co_await read_text(old, 99)) == "first");
    BOOST_TEST(content_of(dir / "a") == "second");
    BOOST_TEST(((co_await path_info(dir / "a")).permissions == std::filesystem::perms(0640)));
    co_await replace_file(dir / "a", "third", std::filesystem::perms(0600));
    BOOST_TEST(((co_await path_info(dir / "a")).permissions == std::filesystem::perms(0600)));
    // nothing else is left
    auto list = list_directory(dir.path());
    BOOST_TEST((co_await list.next()).value().name == "a");
    BOOST_TEST(!(co_await list.next()).has_value());
  });
}

BOOST_AUTO_TEST_CASE(two_tasks_at_one_position_are_refused_and_two_at_their_own_are_not) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    std::filesystem::path fifo = dir / "fifo";
    BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    // both ends, so that opening does not wait
    file f = co_await open_file(fifo, open_mode::read | open_mode::write);
    co_await with_nursery([&](nursery& n) -> task<> {
      auto reader =
        n.start_soon([&]() -> task<std::string> { co_return co_await read_text(f, 9); });
      co_await checkpoint();
      co_await checkpoint();
      BOOST_CHECK_THROW(static_cast<void>(co_await read_text(f, 1)), usage_error);
      BOOST_CHECK_THROW(co_await f.write_all("x"), usage_error);
      BOOST_CHECK_THROW(co_await f.close(), usage_error);
      BOOST_CHECK_THROW(static_cast<void>(co_await f.seek(0)), usage_error);
      co_await f.write_at("news", 0);
      BOOST_TEST((co_await reader) == "news");
    });
    BOOST_CHECK_EXCEPTION(static_cast<void>(co_await f.seek(0)), file_error,
                          [](const file_error& e) { return e.code().value() == ESPIPE; });
  });
}

BOOST_AUTO_TEST_CASE(a_file_belongs_to_its_loop) {
  run(run_options{.loops = 2}, []() -> task<> {
    const temporary_directory dir;
    make_file(dir / "a", "x");
    file f = co_await open_file(dir / "a");
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(1, [&]() -> task<> {
        BOOST_CHECK_THROW(static_cast<void>(co_await read_text(f, 1)), usage_error);
        BOOST_CHECK_THROW(static_cast<void>(co_await f.size()), usage_error);
        BOOST_CHECK_THROW(static_cast<void>(f.tell()), usage_error);
      });
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(a_closed_file_says_so) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    make_file(dir / "a", "x");
    const std::string name = (dir / "a").native();
    file f = co_await open_file(dir / "a");
    co_await f.close();
    co_await f.close();
    BOOST_CHECK_EXCEPTION(
      static_cast<void>(co_await read_text(f, 1)), file_closed,
      says<file_closed>(("cannot read " + name + ": Bad file descriptor").c_str()));
    BOOST_CHECK_THROW(co_await f.write_all("x"), file_closed);
    BOOST_CHECK_THROW(co_await f.sync(), file_closed);
    BOOST_CHECK_THROW(co_await f.truncate(0), file_closed);
  });
}

BOOST_AUTO_TEST_CASE(p03_a_cancelled_close_closes) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    make_file(dir / "a", "x");
    file f = co_await open_file(dir / "a");
    const int fd = f.native_handle();
    const bool finished = co_await move_on_after(0s, [&]() -> task<> { co_await f.close(); });
    BOOST_TEST(!finished);
    BOOST_TEST(!f.is_open());
    BOOST_TEST(::fcntl(fd, F_GETFD) == -1);
  });
}

BOOST_AUTO_TEST_CASE(p03_a_read_that_is_cancelled_while_it_waits_has_read_nothing) {
  // only a pipe can be made to wait; a ring gives a read up, a thread waits for it
  detail::allow_io_uring(true);
  run(run_options{.loops = 1}, []() -> task<> {
    const temporary_directory dir;
    std::filesystem::path fifo = dir / "fifo";
    BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    file f = co_await open_file(fifo, open_mode::read | open_mode::write);
    file other = co_await open_file(fifo, open_mode::write);
    std::string written = "second";
    std::string got;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto h = n.start_soon([&]() -> task<> { got = co_await read_text(f, 9); });
      for (int i = 0; i < 5; ++i)
        co_await checkpoint();
      h.cancel();
      for (int i = 0; i < 5; ++i)
        co_await checkpoint();
      if (!h.done()) { // without a ring it waits
        written = "firstsecond";
        co_await other.write_all("first");
      }
    });
    co_await other.write_all("second");
    BOOST_TEST(got + co_await read_text(f, 99) == written);
  });
}

BOOST_AUTO_TEST_CASE(many_at_once_on_several_loops) {
  for (const bool ring : {true, false}) {
    detail::allow_io_uring(ring);
    std::atomic<int> right = 0;
    run(run_options{.loops = 2}, [&]() -> task<> {
      const temporary_directory dir;
      co_await with_nursery([&](nursery& n) -> task<> {
        for (unsigned i = 0; i < 2; ++i)
          n.start_on(i, [&, i]() -> task<> {
            file f = co_await open_file(dir / std::to_string(i), overwrite | open_mode::read);
            co_await with_nursery([&](nursery& inner) -> task<> {
              for (unsigned k = 0; k < 500; ++k)
                inner.start_soon([&, k]() -> task<> {
                  const std::string text(1000, static_cast<char>('a' + k % 26));
                  co_await f.write_at(text, std::uint64_t{k} * 1000);
                  if (k % 50 == 0)
                    co_await f.sync_data();
                  std::string back(1000, ' ');
                  const auto n_read = co_await f.read_at(bytes_of(back), std::uint64_t{k} * 1000);
                  right += n_read == 1000 && back == text;
                });
              co_return;
            });
          });
        co_return;
      });
    });
    BOOST_TEST(right == 1000);
  }
  detail::allow_io_uring(true);
}

BOOST_AUTO_TEST_CASE(cancelled_in_any_step_nothing_hangs_or_leaks) {
  for (const bool ring : {true, false}) {
    detail::allow_io_uring(ring);
    run(run_options{.loops = 1}, []() -> task<> {
      const temporary_directory dir;
      for (int k = 0; k < 100; ++k)
        co_await with_nursery([&](nursery& n) -> task<> {
          for (int i = 0; i < 3; ++i)
            n.start_soon([&, i]() -> task<> {
              file f = co_await open_file(dir / std::to_string(i), overwrite | open_mode::read);
              co_await f.write_all("some text");
              co_await f.sync_data();
              static_cast<void>(co_await f.seek(0));
              static_cast<void>(co_await read_text(f, 5));
              co_await f.close();
            });
          for (int i = 0; i < k; ++i)
            co_await checkpoint();
          n.cancel();
        });
    });
  }
  detail::allow_io_uring(true);
}

BOOST_AUTO_TEST_CASE(a_temporary_file_has_no_name) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    file f = co_await open_temporary_file(dir.path());
    co_await f.write_all("secret");
    static_cast<void>(co_await f.seek(0));
    BOOST_TEST((co_await read_text(f, 99)) == "secret");
    BOOST_TEST(std::filesystem::is_empty(dir.path()));
    file somewhere = co_await open_temporary_file();
    co_await somewhere.write_all("x");
  });
}

BOOST_AUTO_TEST_SUITE_END()
