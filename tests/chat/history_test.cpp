// SPDX-License-Identifier: BSD-3-Clause
#include "house.hpp"
#include "stores.hpp"
#include "stranger.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/chat/sqlite_history.hpp>
#include <troupe/testing/boost_test.hpp>

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <optional>

using namespace troupe_test;
using chat::history_line;

namespace {

std::atomic<int> synced{0}; // files, so far

} // namespace

// SQLite's calls come here.
extern "C" int fsync(int fd) {
  ++synced;
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
extern "C" int fdatasync(int fd) {
  ++synced;
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace {

task<> check_store(chat::history_store& store) {
  BOOST_TEST((co_await store.recent("lobby", 10)).empty());
  co_await store.append(some_lines(1, 6));
  co_await store.append(some_lines(4, 8)); // some are there already
  co_await store.append(some_lines(100, 101, "den"));
  BOOST_TEST((co_await store.recent("lobby", 100) == some_lines(1, 8)));
  BOOST_TEST((co_await store.recent("lobby", 3) == some_lines(5, 8)));
  BOOST_TEST((co_await store.recent("den", 3)).size() == 1U);
  co_await store.close();
}

} // namespace

BOOST_AUTO_TEST_SUITE(chat_history)

BOOST_AUTO_TEST_CASE(memory_keeps_the_last_lines) {
  testing::run_virtually([]() -> task<> {
    chat::memory_history store(7);
    co_await check_store(store);
    co_await store.append(some_lines(8, 10));
    BOOST_TEST((co_await store.recent("lobby", 100) == some_lines(3, 10)));
  });
}

TROUPE_TEST_CASE(sqlite_keeps_lines_over_a_restart) {
  const temporary_directory here;
  {
    chat::sqlite_history store((here / "chat.db").string());
    co_await check_store(store);
    BOOST_TEST((co_await store.recent("lobby", 100) == some_lines(1, 8))); // opened again
  }
  chat::sqlite_history store((here / "chat.db").string());
  BOOST_TEST((co_await store.recent("lobby", 100) == some_lines(1, 8)));
}

TROUPE_TEST_CASE(what_sqlite_has_appended_is_on_the_disk) {
  const temporary_directory here;
  chat::sqlite_history store((here / "chat.db").string());
  for (int i = 1; i <= 3; ++i) {
    const int before = synced;
    co_await store.append(some_lines(i, i + 1));
    BOOST_TEST(synced > before);
  }
  co_await store.close();
}

BOOST_AUTO_TEST_CASE(memory_keeps_seven_lines_of_a_room) {
  testing::run_virtually([]() -> task<> {
    chat::memory_history store(7);
    co_await check_seven_lines(store);
  });
}

TROUPE_TEST_CASE(sqlite_keeps_seven_lines_of_a_room) {
  const temporary_directory here;
  const std::string file = here / "chat.db";
  {
    const auto store = chat::open_history(file, 7);
    co_await check_seven_lines(*store);
  }
  BOOST_TEST(stranger(file).number("SELECT count(*) FROM chat_lines") == 9);
  chat::sqlite_history fewer(file, {.per_room = 3}); // of what is there
  BOOST_TEST((co_await fewer.recent("lobby", 100) == some_lines(18, 21)));
  co_await fewer.append(some_lines(21, 22));
  BOOST_TEST((co_await fewer.recent("lobby", 100) == some_lines(19, 22)));
  BOOST_TEST(stranger(file).number("SELECT count(*) FROM chat_lines WHERE room = 'lobby'") == 3);
}

TROUPE_TEST_CASE(sqlite_with_a_limit_does_not_grow) {
  const temporary_directory here;
  const std::string file = here / "chat.db";
  chat::sqlite_history store(file, {.per_room = 200});
  int most = 0, pages = 0;
  for (int i = 0; i < 3000; i += 10) {
    co_await store.append(some_lines(i, i + 10));
    stranger looks(file);
    most = std::max(most, looks.number("SELECT count(*) FROM chat_lines"));
    if (i == 500)
      pages = looks.number("PRAGMA page_count");
    if (i > 500)
      BOOST_REQUIRE(looks.number("PRAGMA page_count") <= pages + 1);
  }
  BOOST_TEST(most <= 220);
  BOOST_TEST((co_await store.recent("lobby", 1000) == some_lines(2800, 3000)));
}

TROUPE_TEST_CASE(sqlite_says_what_is_wrong_and_recovers) {
  const temporary_directory here;
  chat::sqlite_history store((here / "not/there/chat.db").string(), {.busy_limit = 1ms});
  BOOST_CHECK_EXCEPTION(
    co_await store.append(some_lines(1, 2)), chat::history_error, [](const auto& e) {
      return std::string(e.what()).find("unable to open database file") != std::string::npos;
    });
  std::filesystem::create_directories((here / "not/there").string());
  co_await store.append(some_lines(1, 2));

  stranger other((here / "not/there/chat.db").string());
  other.run("BEGIN IMMEDIATE");
  BOOST_CHECK_EXCEPTION(
    co_await store.append(some_lines(2, 3)), chat::history_error, [](const auto& e) {
      return std::string(e.what()).find("database is locked") != std::string::npos;
    });
  BOOST_TEST((co_await store.recent("lobby", 10)).size() == 1U); // can be read all the while
  other.run("ROLLBACK");
  co_await store.append(some_lines(2, 3));
  BOOST_TEST((co_await store.recent("lobby", 10) == some_lines(1, 3)));
}

TROUPE_TEST_CASE(sqlite_that_is_full_keeps_all_or_nothing) {
  const temporary_directory here;
  const std::string file = (here / "chat.db").string();
  std::size_t kept = 0;
  {
    chat::sqlite_history small(file, {.max_pages = 10});
    for (int i = 0; i < 1000; i += 10)
      try {
        co_await small.append(some_lines(i, i + 10));
        kept += 10;
      } catch (const chat::history_error& e) {
        BOOST_TEST(std::string(e.what()).find("database or disk is full") != std::string::npos);
        break;
      }
    BOOST_TEST(kept > 50U);
    BOOST_TEST(kept < 1000U);
    BOOST_TEST((co_await small.recent("lobby", 1000)).size() == kept);
  }
  chat::sqlite_history store(file); // there is room again
  co_await store.append(some_lines(0, 1000));
  BOOST_TEST((co_await store.recent("lobby", 1000)).size() == 1000U);
}

BOOST_AUTO_TEST_CASE(sqlite_survives_an_io_error) {
  const temporary_directory here;
  const std::string file = (here / "chat.db").string();
  rlimit before{};
  BOOST_REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  testing::run_virtually([&]() -> task<> {
    chat::sqlite_history store(file);
    co_await store.append(some_lines(1, 10));
    const rlimit tiny{64 * 1024, before.rlim_max};
    BOOST_REQUIRE(setrlimit(RLIMIT_FSIZE, &tiny) == 0);
    int failed = 0;
    for (int i = 10; i < 1000; i += 50)
      try {
        co_await store.append(some_lines(i, i + 50));
      } catch (const chat::history_error&) {
        ++failed;
      }
    BOOST_TEST(failed > 0);
    BOOST_REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    co_await store.append(some_lines(10, 1010));
    BOOST_TEST((co_await store.recent("lobby", 5000)).size() == 1009U);
  });
}

BOOST_AUTO_TEST_CASE(history_survives_the_service) {
  const temporary_directory here;
  house h;
  for (int day = 1; day <= 3; ++day)
    h.open(std::make_unique<chat::sqlite_history>((here / "chat.db").string()),
           [&](chat::service& chat) -> task<> {
             guest ann = co_await guest::join("ann");
             BOOST_TEST(ann.talk().size() == static_cast<std::size_t>(day - 1));
             co_await ann.say("day " + std::to_string(day));
             co_await ann.hear("ann: day " + std::to_string(day));
             BOOST_TEST(chat.statistics().kept == 1U);
           });
}

BOOST_AUTO_TEST_CASE(many_lines_are_one_commit) {
  const temporary_directory here;
  house h;
  h.open(std::make_unique<chat::sqlite_history>((here / "chat.db").string()),
         [&](chat::service& chat) -> task<> {
           co_await with_nursery([&](nursery& n) -> task<> {
             for (int i = 0; i < 100; ++i)
               n.start_soon(
                 [](std::string nick) -> task<> {
                   guest g = co_await guest::join(nick);
                   for (int k = 0; k < 5; ++k) {
                     const std::string line = std::to_string(k);
                     co_await g.say(line);
                     co_await g.hear(nick + ": " + line);
                   }
                 },
                 "guest" + std::to_string(i));
             co_return;
           });
           BOOST_TEST(chat.statistics().kept == 500U);
           BOOST_TEST(chat.statistics().commits < 100U);
         });
}

BOOST_AUTO_TEST_CASE(trouble_is_said_and_chatting_goes_on) {
  house h;
  auto owned = std::make_unique<frail_history>();
  frail_history& store = *owned;
  h.open(std::move(owned), [&](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    guest bob = co_await guest::join("bob");
    co_await ann.say("one");
    co_await bob.hear("ann: one");
    store.broken = "the disk is full";
    co_await ann.say("two");
    co_await bob.hear("ann: two (not kept)");
    co_await bob.hear("* history is not kept right now: the disk is full");
    const auto begin = current_time();
    co_await ann.say("three");
    co_await bob.hear("ann: three (not kept)");
    BOOST_TEST((current_time() - begin < 100ms)); // nobody waits for the store
    guest eve = co_await guest::join("eve");
    co_await eve.hear("* history is not kept right now");
    BOOST_TEST(chat.statistics().trouble);
    store.broken.clear();
    co_await bob.hear("* history is kept again");
    co_await ann.say("four");
    BOOST_TEST(co_await bob.hear("ann: four") == "ann: four");
    BOOST_TEST(store.appends < 10);
    BOOST_TEST((co_await store.kept.recent("lobby", 10)).size() == 4U); // kept later
    BOOST_TEST(!chat.statistics().trouble);
  });
  BOOST_TEST(h.log.find("history is kept again") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(store_that_does_not_answer_holds_nobody_up) {
  house h;
  auto owned = std::make_unique<frail_history>();
  frail_history& store = *owned;
  h.open(std::move(owned), [&](chat::service&) -> task<> {
    guest ann = co_await guest::join("ann");
    store.delay = 1min;
    const auto begin = current_time();
    co_await ann.say("one");
    co_await ann.hear("ann: one (not kept)");
    BOOST_TEST((current_time() - begin < 3s)); // patience
    co_await ann.say("two");
    co_await ann.hear("ann: two (not kept)");
    BOOST_TEST((current_time() - begin < 3s));
    store.delay = 1ms;
    co_await ann.hear("* history is kept again");
    co_await ann.say("three");
    BOOST_TEST(co_await ann.hear("three") == "ann: three");
    BOOST_TEST((co_await store.kept.recent("lobby", 10)).size() == 3U);
  });
}

BOOST_AUTO_TEST_CASE(long_trouble_costs_bounded_memory) {
  house h;
  h.options.history_backlog = 10;
  h.options.lines_per_second = 1000;
  auto owned = std::make_unique<frail_history>();
  frail_history& store = *owned;
  h.open(std::move(owned), [&](chat::service& chat) -> task<> {
    guest ann = co_await guest::join("ann");
    store.broken = "gone";
    for (int i = 0; i < 30; ++i) {
      co_await ann.say("line " + std::to_string(i));
      co_await ann.hear("line " + std::to_string(i));
    }
    BOOST_TEST(chat.statistics().waiting == 10U);
    BOOST_TEST(chat.statistics().lost == 20U);
    store.broken.clear();
    co_await ann.hear("* history is kept again; 20 lines were lost");
    co_await ann.say("after");
    co_await ann.hear("ann: after");
    BOOST_TEST(chat.statistics().waiting == 0U);
  });
}

BOOST_AUTO_TEST_CASE(past_that_cannot_be_read_is_shown_later) {
  house h;
  auto owned = std::make_unique<frail_history>();
  frail_history& store = *owned;
  store.broken = "gone";
  h.open(std::move(owned), [&](chat::service&) -> task<> {
    const std::vector<history_line> past{{"lobby", 1, "old", "from yesterday"}};
    co_await store.kept.append(past);
    guest ann = co_await guest::join("ann");
    co_await ann.hear("* older lines cannot be read right now");
    co_await ann.say("today");
    co_await ann.hear("ann: today (not kept)");
    store.broken.clear();
    co_await ann.hear("* history is kept again");
    guest bob = co_await guest::join("bob");
    BOOST_REQUIRE(bob.talk().size() == 2U);
    BOOST_TEST(bob.talk()[0] == "old: from yesterday");
    BOOST_TEST(bob.talk()[1] == "ann: today");
  });
}

BOOST_AUTO_TEST_SUITE_END()
