// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for files and directories; see awaitables_test.cpp.
#include "support/awaitable_trials.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>

namespace troupe::detail { // src/file/file_state.hpp
bool uses_io_uring(loop& home);
} // namespace troupe::detail

using namespace troupe;
using troupe_test::content_of;
using troupe_test::make_file;
using troupe_test::run_trials;
using troupe_test::trial;

namespace {

/// A directory with a file "a" that holds "old", and that file open.
struct situation {
  troupe_test::temporary_directory dir;
  std::optional<file> open;
  bool done = false;

  [[nodiscard]] bool as_it_was() const {
    return content_of(dir / "a") == "old" && !std::filesystem::exists(dir / "b")
           && std::filesystem::exists(dir / "folder");
  }
};

using action = std::function<task<>(situation&)>;

/// Something that completes without another task.
std::function<trial()> doing(action act) {
  return [act = std::move(act)] {
    auto s = std::make_shared<situation>();
    trial t;
    t.setup = [s]() -> task<> {
      make_file(s->dir / "a", "old");
      std::filesystem::create_directory(s->dir / "folder");
      s->open = co_await open_file(s->dir / "a", open_mode::read | open_mode::write);
    };
    t.now = [s, act]() -> task<> {
      co_await act(*s);
      s->done = true;
    };
    t.untouched = [s] { return s->as_it_was() && s->open->tell() == 0; };
    t.done = [s] { return s->done; };
    return t;
  };
}

/// A read of an empty pipe.
std::function<trial()> reading(action act) {
  return [act = std::move(act)] {
    auto s = std::make_shared<situation>();
    trial t;
    t.real_time = true;
    t.setup = [s]() -> task<> {
      const auto fifo = s->dir / "fifo";
      BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
      s->open = co_await open_file(fifo, open_mode::read | open_mode::write);
    };
    t.waiting = [s, act]() -> task<> { co_await act(*s); };
    return t;
  };
}

task<> read_one(situation& s) {
  std::byte b{};
  static_cast<void>(co_await s.open->read_some(std::span(&b, 1)));
}

task<> read_one_at(situation& s) {
  std::byte b{};
  static_cast<void>(co_await s.open->read_at(std::span(&b, 1), 0));
}

} // namespace

BOOST_AUTO_TEST_SUITE(file_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_file) {
  run_trials({
    {"file::read_some", true, doing(read_one)},
    {"file::read_at", true, doing(read_one_at)},
    {"file::write_all", true,
     doing([](situation& s) -> task<> { co_await s.open->write_all("new"); })},
    {"file::write_at", true,
     doing([](situation& s) -> task<> { co_await s.open->write_at("new", 0); })},
    {"file::seek", true,
     doing([](situation& s) -> task<> { static_cast<void>(co_await s.open->seek(1)); })},
    {"file::seek from the end", true, doing([](situation& s) -> task<> {
       static_cast<void>(co_await s.open->seek(-1, seek_from::end));
     })},
    {"file::size", true,
     doing([](situation& s) -> task<> { static_cast<void>(co_await s.open->size()); })},
    {"file::truncate", true, doing([](situation& s) -> task<> { co_await s.open->truncate(1); })},
    {"file::sync", true, doing([](situation& s) -> task<> { co_await s.open->sync(); })},
    {"file::sync_data", true, doing([](situation& s) -> task<> { co_await s.open->sync_data(); })},
    {"open_file", true, doing([](situation& s) -> task<> {
       static_cast<void>(co_await open_file(s.dir / "b", open_mode::write | open_mode::create));
     })},
    {"open_temporary_file", true, doing([](situation& s) -> task<> {
       static_cast<void>(co_await open_temporary_file(s.dir.path()));
     })},
    {"read_file", true,
     doing([](situation& s) -> task<> { static_cast<void>(co_await read_file(s.dir / "a")); })},
    {"write_file", true,
     doing([](situation& s) -> task<> { co_await write_file(s.dir / "a", "new"); })},
    {"replace_file", true,
     doing([](situation& s) -> task<> { co_await replace_file(s.dir / "a", "new"); })},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_file_close) {
  // cancelled, it closes all the same: see files/p03_a_cancelled_close_closes
  auto make = doing([](situation& s) -> task<> { co_await s.open->close(); });
  run_trials({{"file::close", true, [make] {
                 trial t = make();
                 t.untouched = {};
                 return t;
               }}});
}

BOOST_AUTO_TEST_CASE(p04_p05_file_that_waits) {
  bool ring = false;
  run(run_options{.loops = 1}, [&]() -> task<> {
    ring = detail::uses_io_uring(detail::require_current_task("this test").home());
    co_return;
  });
  if (!ring)
    return; // a thread waits for the pipe to the end
  run_trials({
    {"file::read_some of a pipe", true, reading(read_one)},
    {"file::read_at of a pipe", true, reading(read_one_at)},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_directory) {
  run_trials({
    {"path_exists", true,
     doing([](situation& s) -> task<> { static_cast<void>(co_await path_exists(s.dir / "a")); })},
    {"path_info", true,
     doing([](situation& s) -> task<> { static_cast<void>(co_await path_info(s.dir / "a")); })},
    {"make_directory", true,
     doing([](situation& s) -> task<> { co_await make_directory(s.dir / "b"); })},
    {"make_directories", true, doing([](situation& s) -> task<> {
       static_cast<void>(co_await make_directories(s.dir / "b/c"));
     })},
    {"remove_file", true, doing([](situation& s) -> task<> { co_await remove_file(s.dir / "a"); })},
    {"remove_directory", true,
     doing([](situation& s) -> task<> { co_await remove_directory(s.dir / "folder"); })},
    {"remove_tree", true, doing([](situation& s) -> task<> {
       static_cast<void>(co_await remove_tree(s.dir / "folder"));
     })},
    {"rename_path", true,
     doing([](situation& s) -> task<> { co_await rename_path(s.dir / "a", s.dir / "b"); })},
    {"make_temporary_directory", true, doing([](situation& s) -> task<> {
       static_cast<void>(co_await make_temporary_directory(s.dir.path(), "b"));
     })},
    {"with_temporary_directory", true, doing([](situation&) -> task<> {
       const auto body = [](const std::filesystem::path&) -> task<> { co_return; };
       co_await with_temporary_directory(body);
     })},
    {"list_directory", true, doing([](situation& s) -> task<> {
       auto list = list_directory(s.dir.path());
       static_cast<void>(co_await list.next());
     })},
    {"file::lines", true, doing([](situation& s) -> task<> {
       auto lines = s.open->lines();
       static_cast<void>(co_await lines.next());
     })},
  });
}

BOOST_AUTO_TEST_SUITE_END()
