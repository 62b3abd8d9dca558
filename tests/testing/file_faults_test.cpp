// SPDX-License-Identifier: BSD-3-Clause
#include "support/contains.hpp"

#include <troupe/testing/live_faults.hpp>
#include <troupe/testing/simulated_disk.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using troupe_test::contains;

namespace {

namespace fs = std::filesystem;

constexpr open_mode anew = open_mode::write | open_mode::create | open_mode::truncate;

/// Runs `program` under simulation and in a real run, with `f` in force in both.
template <class F>
void in_both(const fault& f, F program) {
  simulation_options o;
  o.faults = {f};
  simulate(1, program, o).value();
  live_faults live;
  live.add("plan", {f});
  live.on("plan");
  run(run_options{.loops = 1}, program);
}

/// What `fn()` throws; empty if it throws nothing.
template <class F>
task<std::string> what_it_throws(F fn) {
  std::string what;
  try {
    co_await fn();
  } catch (const no_space& e) {
    what = std::string("no_space: ") + e.what();
  } catch (const file_error& e) {
    what = e.what();
  }
  co_return what;
}

} // namespace

BOOST_AUTO_TEST_SUITE(planned_file_faults)

BOOST_AUTO_TEST_CASE(disk_is_full_where_a_byte_is_written) {
  in_both(file_fails("*/journal", when::at_byte(5), std::errc::no_space_on_device, file_use::write),
          []() -> task<> {
            const simulated_disk d;
            const fs::path p = d.path() / "journal";
            file f = co_await open_file(p, anew);
            const auto write = [&]() -> task<> { co_await f.write_all("123456789"); };
            const std::string what = co_await what_it_throws(write);
            BOOST_TEST(contains(what, "no_space: cannot write"));
            BOOST_TEST(contains(what, "journal"));
            co_await f.close();
            BOOST_TEST(co_await read_file(p) == "1234"); // what fitted is there
          });
}

BOOST_AUTO_TEST_CASE(bytes_of_a_file_count_when_they_have_moved) {
  in_both(
    file_fails("*/x", when::at_byte(20), std::errc::io_error, file_use::read), []() -> task<> {
      const simulated_disk d;
      const fs::path p = d.path() / "x";
      co_await write_file(p, "1234567890");
      file f = co_await open_file(p, open_mode::read);
      std::vector<std::byte> buffer(100);
      for (const std::size_t expected : {10U, 0U, 0U}) {
        const std::size_t n = co_await f.read_some(buffer);
        BOOST_TEST(n == expected); // all that is there, however much is asked for
      }
      co_await f.seek(0);
      const std::size_t some = co_await f.read_some(buffer);
      BOOST_TEST(some == 9U);
      for (int i = 0; i < 2; ++i) {
        const auto read = [&]() -> task<> { static_cast<void>(co_await f.read_some(buffer)); };
        BOOST_TEST(contains(co_await what_it_throws(read), "cannot read"));
      }
    });
}

BOOST_AUTO_TEST_CASE(file_that_is_read_at_once_fails_where_a_byte_is_read) {
  in_both(file_fails("*/x", when::at_byte(12), std::errc::io_error, file_use::read),
          []() -> task<> {
            const simulated_disk d;
            const fs::path p = d.path() / "x";
            co_await write_file(p, "1234567890");
            BOOST_TEST(co_await read_file(p) == "1234567890");
            const auto again = [&]() -> task<> { static_cast<void>(co_await read_file(p)); };
            BOOST_TEST(contains(co_await what_it_throws(again), "cannot read"));
          });
}

BOOST_AUTO_TEST_CASE(file_fails_behind_a_byte_that_two_writes_have_passed_at_once) {
  simulation_options o;
  o.order = schedule::in_turn;
  o.faults = {file_fails("*/x", when::at_byte(20), std::errc::no_space_on_device, file_use::write)};
  simulate(
    1,
    []() -> task<> {
      const simulated_disk d;
      file f = co_await open_file(d.path() / "x", anew);
      co_await with_nursery([&](nursery& n) -> task<> {
        for (const unsigned at : {0U, 15U})
          n.start_soon([&f, at]() -> task<> { co_await f.write_at("123456789012345", at); });
        co_return;
      });
      const auto write = [&]() -> task<> { co_await f.write_all("x"); };
      BOOST_TEST(contains(co_await what_it_throws(write), "no_space"));
    },
    o)
    .value();
}

BOOST_AUTO_TEST_CASE(each_use_of_a_file_can_fail) {
  const auto fails_at = [](file_use what, auto program, const char* said) {
    in_both(file_fails("*/x*", when::sometimes(1), std::errc::io_error, what), [&]() -> task<> {
      const simulated_disk d;
      const auto call = [&]() -> task<> { co_await program(d.path() / "x"); };
      const std::string got = co_await what_it_throws(call);
      BOOST_TEST(contains(got, said), got << " / " << said);
      BOOST_TEST(contains(got, "Input/output error"));
    });
  };
  fails_at(
    file_use::open, [](fs::path p) -> task<> { co_await write_file(p, "x"); }, "cannot open");
  fails_at(
    file_use::write, [](fs::path p) -> task<> { co_await write_file(p, "x"); }, "cannot write");
  fails_at(
    file_use::close, [](fs::path p) -> task<> { co_await write_file(p, "x"); }, "cannot close");
  fails_at(
    file_use::sync, [](fs::path p) -> task<> { co_await replace_file(p, "x"); }, "cannot sync");
  fails_at(
    file_use::rename, [](fs::path p) -> task<> { co_await replace_file(p, "x"); },
    "cannot replace");
  fails_at(
    file_use::read,
    [](fs::path p) -> task<> {
      co_await write_file(p, "x");
      static_cast<void>(co_await read_file(p));
    },
    "cannot read");
  fails_at(
    file_use::truncate,
    [](fs::path p) -> task<> {
      file f = co_await open_file(p, anew);
      co_await f.truncate(3);
    },
    "cannot truncate");
  fails_at(
    file_use::remove,
    [](fs::path p) -> task<> {
      co_await write_file(p, "x");
      co_await remove_file(p);
    },
    "cannot remove");
  fails_at(
    file_use::make_directory, [](fs::path p) -> task<> { co_await make_directory(p); },
    "cannot make directory");
}

BOOST_AUTO_TEST_CASE(replaced_file_that_fails_has_its_old_content) {
  in_both(file_fails("*/state", when{2}, std::errc::io_error, file_use::sync), []() -> task<> {
    const simulated_disk d;
    const fs::path p = d.path() / "state";
    co_await replace_file(p, "old");
    const auto again = [&]() -> task<> { co_await replace_file(p, "new"); };
    BOOST_TEST(contains(co_await what_it_throws(again), "cannot sync"));
    BOOST_TEST(co_await read_file(p) == "old");
    auto names = list_directory(d.path());
    int files = 0;
    while (co_await names.next())
      ++files;
    BOOST_TEST(files == 1); // and nothing is left over
  });
}

BOOST_AUTO_TEST_CASE(short_writes_and_reads_move_all_in_the_end) {
  in_both(shortens("*/x", when::sometimes(1), 3), []() -> task<> {
    const simulated_disk d;
    const fs::path p = d.path() / "x";
    file f = co_await open_file(p, open_mode::read | anew);
    co_await f.write_all("123456789");
    std::vector<std::byte> buffer(100);
    co_await f.seek(0);
    const std::size_t some = co_await f.read_some(buffer);
    const std::size_t all = co_await f.read_at(buffer, 0);
    BOOST_TEST(some == 3U);
    BOOST_TEST(all == 9U);
  });
}

BOOST_AUTO_TEST_CASE(event_log_says_what_has_failed) {
  simulation_options o;
  o.faults = {file_fails("*/x", when::at(1), std::errc::io_error, file_use::open)};
  const simulated_disk d;
  const auto r = simulate(
    1, [&]() -> task<> { co_await write_file(d.path() / "x", "x"); }, o);
  BOOST_TEST(contains(r.log, "by plan, Input/output error, use 1: "));
}

BOOST_AUTO_TEST_CASE(same_seed_gives_the_same_run_wherever_the_disk_is) {
  simulation_options o;
  o.faults = {file_fails("*/x", when::at(2), std::errc::io_error, file_use::write)};
  const auto once = [&o] {
    return simulate(
      1,
      []() -> task<> {
        const simulated_disk d;
        co_await write_file(d.path() / "x", "1");
        co_await write_file(d.path() / "x", "2");
      },
      o);
  };
  const auto r = once();
  BOOST_TEST(contains(r.why(), "cannot write"));
  BOOST_TEST(contains(r.log, "by plan, Input/output error, use 2: /"));
  BOOST_TEST(once().hash == r.hash);
}

BOOST_AUTO_TEST_CASE(names_that_are_made_up_follow_from_the_seed) {
  const simulated_disk d;
  const auto names = [&d](std::uint64_t seed) {
    return simulate(seed,
                    [&]() -> task<std::string> {
                      std::string all;
                      for (int i = 0; i < 2; ++i) {
                        const fs::path made = co_await make_temporary_directory(d.path(), "t-");
                        all += made.filename().native() + " ";
                        co_await remove_tree(made);
                      }
                      co_return all;
                    })
      .value();
  };
  const std::string first = names(1);
  BOOST_TEST(first == names(1));
  BOOST_TEST(first != names(2));
  BOOST_TEST(first.substr(0, 8) != first.substr(9, 8));
  const fs::path taken = d.path() / first.substr(0, 8);
  fs::create_directory(taken); // by another run of that seed: then it is called otherwise
  const std::string others = names(1);
  BOOST_TEST(others.substr(0, 8) != first.substr(0, 8));
  BOOST_TEST(others.substr(9) == first.substr(9));
  BOOST_TEST(fs::is_directory(taken));
}

BOOST_AUTO_TEST_CASE(names_that_are_made_up_follow_from_what_is_drawn_in_place_of_the_seed) {
  const simulated_disk d;
  simulation_options o;
  o.draws = {{0, 9, 0}};
  std::vector<fs::path> all;
  const auto make_three = [&]() -> task<> {
    for (int i = 0; i < 3; ++i)
      all.push_back(co_await make_temporary_directory(d.path(), "t-"));
    for (const fs::path& made : all)
      co_await remove_tree(made);
  };
  simulate(1, make_three, o).value();
  BOOST_TEST(
    (all == std::vector{d.path() / "t-000000", d.path() / "t-100000", d.path() / "t-200000"}));
}

BOOST_AUTO_TEST_CASE(plan_that_names_no_file_is_an_error) {
  simulation_options o;
  o.faults = {file_fails("*/jurnal", when::at(1), std::errc::io_error)};
  const auto r = simulate(
    1, []() -> task<> { co_await checkpoint(); }, o);
  BOOST_TEST(contains(r.why(), "the fault plan names '*/jurnal'"));
}

BOOST_AUTO_TEST_CASE(impossible_fault_of_files_is_an_error) {
  const auto with = [](fault f) {
    simulation_options o;
    o.faults = {std::move(f)};
    static_cast<void>(simulate(
      1, []() -> task<> { co_return; }, o));
  };
  BOOST_CHECK_THROW(with(file_fails("*", when::at(1), std::errc())), usage_error);
  BOOST_CHECK_THROW(with(file_fails("*", when::at_byte(1), std::errc::io_error, file_use::sync)),
                    usage_error);
}

BOOST_AUTO_TEST_SUITE_END()
