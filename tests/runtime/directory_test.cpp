// SPDX-License-Identifier: BSD-3-Clause
#include "support/temporary_directory.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;
using std::filesystem::file_type;
using troupe::testing::run_virtually;
using troupe_test::make_file;
using troupe_test::temporary_directory;

namespace {

task<std::set<std::string>> names_in(std::filesystem::path path) {
  std::set<std::string> names;
  auto list = list_directory(std::move(path));
  while (auto e = co_await list.next())
    names.insert(e->name);
  co_return names;
}

} // namespace

BOOST_AUTO_TEST_SUITE(directories)

BOOST_AUTO_TEST_CASE(a_directory_is_listed) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    std::set<std::string> expected;
    for (int i = 0; i < 1000; ++i) {
      make_file(dir / ("f" + std::to_string(i)), "");
      expected.insert("f" + std::to_string(i));
    }
    BOOST_TEST((co_await names_in(dir.path()) == expected));
    const temporary_directory other;
    make_file(other / "file", "");
    std::filesystem::create_directory(other / "folder");
    std::filesystem::create_symlink("nowhere", other / "link");
    auto list = list_directory(other.path());
    while (auto e = co_await list.next()) {
      BOOST_TEST((e->path == other / e->name));
      const auto type = e->name == "file"     ? file_type::regular
                        : e->name == "folder" ? file_type::directory
                                              : file_type::symlink;
      BOOST_TEST((e->type == type));
    }
    auto early = list_directory(dir.path()); // left early
    static_cast<void>(co_await early.next());
    auto none = list_directory(dir / "none");
    BOOST_CHECK_THROW(static_cast<void>(co_await none.next()), file_not_found);
    auto file = list_directory(dir / "f1");
    BOOST_CHECK_THROW(static_cast<void>(co_await file.next()), not_a_directory);
  });
}

BOOST_AUTO_TEST_CASE(directories_are_made_and_removed) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    co_await make_directory(dir / "a");
    BOOST_CHECK_THROW(co_await make_directory(dir / "a"), file_exists);
    BOOST_CHECK_THROW(co_await make_directory(dir / "x/y"), file_not_found);
    BOOST_TEST((co_await make_directories(dir / "a/b/c")));
    BOOST_TEST((!co_await make_directories(dir / "a/b/c")));
    BOOST_CHECK_THROW(co_await remove_directory(dir / "a"), directory_not_empty);
    co_await remove_directory(dir / "a/b/c");
    make_file(dir / "a/b/file", "x");
    std::filesystem::create_symlink(dir.path(), dir / "a/up");
    BOOST_CHECK_THROW(co_await remove_file(dir / "a/b"), file_error);
    BOOST_TEST((co_await remove_tree(dir / "a")) == 4U);
    BOOST_TEST((co_await remove_tree(dir / "a")) == 0U);
    BOOST_TEST(std::filesystem::exists(dir.path()));
    make_file(dir / "f", "x");
    co_await remove_file(dir / "f");
    BOOST_CHECK_THROW(co_await remove_file(dir / "f"), file_not_found);
    make_file(dir / "f", "x");
    BOOST_CHECK_THROW(static_cast<void>(co_await make_directories(dir / "f/g")), not_a_directory);
    BOOST_CHECK_THROW(co_await make_directory(dir / "f/g"), not_a_directory);
  });
}

BOOST_AUTO_TEST_CASE(names_change) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    make_file(dir / "a", "x");
    make_file(dir / "b", "y");
    co_await rename_path(dir / "a", dir / "b");
    BOOST_TEST((co_await read_file(dir / "b")) == "x");
    const std::string from = (dir / "a").native();
    const std::string to = (dir / "c").native();
    BOOST_CHECK_EXCEPTION(co_await rename_path(from, to), file_not_found, [&](const auto& e) {
      return e.what() == "cannot rename " + from + " to " + to + ": No such file or directory"
             && e.operation() == "rename";
    });
  });
}

BOOST_AUTO_TEST_CASE(what_is_known_of_a_file) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    make_file(dir / "a", "four");
    std::filesystem::create_symlink("a", dir / "link");
    std::filesystem::create_symlink("none", dir / "broken");
    const auto info = co_await path_info(dir / "link");
    BOOST_TEST((info.type == file_type::regular));
    BOOST_TEST(info.size == 4U);
    BOOST_TEST(info.links == 1U);
    const auto age = std::chrono::system_clock::now() - info.modified;
    BOOST_TEST((age > -1min && age < 10min));
    BOOST_TEST(((co_await path_info(dir / "link", false)).type == file_type::symlink));
    BOOST_TEST(((co_await path_info(dir.path())).type == file_type::directory));
    BOOST_TEST((co_await path_exists(dir / "a")));
    BOOST_TEST((!co_await path_exists(dir / "b")));
    BOOST_TEST((!co_await path_exists(dir / "a/b")));
    BOOST_TEST((!co_await path_exists(dir / "broken")));
    BOOST_CHECK_THROW(static_cast<void>(co_await path_info(dir / "b")), file_not_found);
  });
}

BOOST_AUTO_TEST_CASE(a_temporary_directory_goes_however_its_body_ends) {
  run_virtually([]() -> task<> {
    std::filesystem::path seen;
    const auto fill = [&](const std::filesystem::path& path) -> task<int> {
      seen = path;
      BOOST_TEST(((co_await path_info(path)).permissions == std::filesystem::perms(0700)));
      co_await make_directories(path / "a/b");
      co_await write_file(path / "a/b/c", "x");
      co_return 5;
    };
    BOOST_TEST((co_await with_temporary_directory(fill)) == 5);
    BOOST_TEST((!co_await path_exists(seen)));

    const auto fail = [&](const std::filesystem::path& path) -> task<> {
      static_cast<void>(co_await fill(path));
      throw std::runtime_error("no luck");
    };
    BOOST_CHECK_THROW(co_await with_temporary_directory(fail), std::runtime_error);
    BOOST_TEST((!co_await path_exists(seen)));

    const auto wait = [&](const std::filesystem::path& path) -> task<> {
      static_cast<void>(co_await fill(path));
      co_await sleep_forever();
    };
    const bool finished =
      co_await move_on_after(1s, [&]() -> task<> { co_await with_temporary_directory(wait); });
    BOOST_TEST(!finished);
    BOOST_TEST((!co_await path_exists(seen)));
  });
}

BOOST_AUTO_TEST_CASE(a_temporary_directory_that_stays) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    const auto made = co_await make_temporary_directory(dir.path(), "mine-");
    BOOST_TEST((made.parent_path() == dir.path()));
    BOOST_TEST(made.filename().native().starts_with("mine-"));
    BOOST_CHECK_THROW(static_cast<void>(co_await make_temporary_directory(dir / "none")),
                      file_not_found);
  });
}

BOOST_AUTO_TEST_SUITE_END()
