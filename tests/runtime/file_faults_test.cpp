// SPDX-License-Identifier: BSD-3-Clause
// Full disks, forbidden paths, no descriptors.
#include "support/temporary_directory.hpp"

#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::detail { // src/file/file_state.hpp
void allow_io_uring(bool yes) noexcept;
} // namespace troupe::detail

using namespace troupe;
using troupe::testing::run_virtually;
using troupe_test::content_of;
using troupe_test::make_file;
using troupe_test::temporary_directory;

namespace {

constexpr open_mode overwrite = open_mode::write | open_mode::create | open_mode::truncate;

/// A file system of 1 MiB, if this user may have one.
class small_disk {
public:
  small_disk()
    : mounted_(::mount("none", dir_.path().c_str(), "tmpfs", 0, "size=1m,nr_inodes=64") == 0) {}
  ~small_disk() {
    if (mounted_)
      ::umount2(dir_.path().c_str(), MNT_DETACH);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  [[nodiscard]] bool mounted() const noexcept { return mounted_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return dir_ / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return dir_.path(); }

private:
  temporary_directory dir_;
  bool mounted_;
};

/// Nobody special, on every thread that is made from now on and this one: what the kernel
/// counts is the thread's.
class without_rights {
public:
  without_rights() {
    if (::getuid() == 0)
      ::syscall(SYS_setresuid, -1, 65534, -1);
  }
  ~without_rights() {
    if (::getuid() == 0)
      ::syscall(SYS_setresuid, -1, 0, -1);
  }
  without_rights(const without_rights&) = delete;
  without_rights& operator=(const without_rights&) = delete;
};

template <class E>
auto says(std::string text) {
  return [text = std::move(text)](const E& e) {
    BOOST_TEST(e.what() == text);
    return e.what() == text;
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(file_faults)

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error_that_says_so) {
  for (const bool ring : {true, false}) {
    detail::allow_io_uring(ring);
    run_virtually([]() -> task<> {
      const small_disk disk;
      const std::string big(3 << 20, 'x');
      if (!disk.mounted())
        BOOST_TEST_MESSAGE("no right to mount: /dev/full alone");
      if (disk.mounted()) {
        co_await write_file(disk / "kept", "before");
        file f = co_await open_file(disk / "a", overwrite);
        BOOST_CHECK_EXCEPTION(
          co_await f.write_all(big), no_space,
          says<no_space>("cannot write " + f.path() + ": No space left on device"));
        BOOST_TEST(f.tell() > 0U); // what there was room for
        BOOST_TEST(f.tell() <= 1U << 20U);
        BOOST_CHECK_THROW(co_await write_file(disk / "b", big), no_space);
        BOOST_CHECK_THROW(co_await replace_file(disk / "kept", big), no_space);
        BOOST_TEST(content_of(disk / "kept") == "before");
        std::size_t names = 0;
        auto list = list_directory(disk.path());
        while (auto e = co_await list.next())
          ++names;
        BOOST_TEST(names == 3U); // no half of a replacement
        BOOST_CHECK_THROW(co_await f.write_at("y", 10 << 20), no_space);
        co_await f.truncate(0);
        co_await f.write_at("y", 0); // room again
      }
      file full = co_await open_file("/dev/full", open_mode::write);
      BOOST_CHECK_EXCEPTION(co_await full.write_all("x"), no_space,
                            says<no_space>("cannot write /dev/full: No space left on device"));
    });
  }
  detail::allow_io_uring(true);
}

BOOST_AUTO_TEST_CASE(no_inodes_left_is_no_space) {
  run_virtually([]() -> task<> {
    const small_disk disk;
    if (!disk.mounted())
      co_return;
    const auto fill = [&]() -> task<> {
      for (int i = 0; i < 100; ++i)
        co_await write_file(disk / std::to_string(i), "");
    };
    BOOST_CHECK_THROW(co_await fill(), no_space);
    BOOST_CHECK_THROW(co_await make_directory(disk / "folder"), no_space);
    BOOST_CHECK_THROW(static_cast<void>(co_await make_temporary_directory(disk.path())), no_space);
    BOOST_CHECK_THROW(co_await replace_file(disk / "0", "x"), no_space);
  });
}

BOOST_AUTO_TEST_CASE(what_is_forbidden_is_an_error_that_says_so) {
  const temporary_directory dir;
  make_file(dir / "secret", "x");
  std::filesystem::create_directory(dir / "closed");
  make_file(dir / "closed/file", "x");
  std::filesystem::permissions(dir / "secret", std::filesystem::perms(0));
  std::filesystem::permissions(dir / "closed", std::filesystem::perms(0));
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
  {
    const without_rights nobody; // the loops and threads are made now
    run_virtually([&]() -> task<> {
      const std::string secret = (dir / "secret").native();
      BOOST_CHECK_EXCEPTION(
        static_cast<void>(co_await open_file(secret)), file_permission_denied,
        says<file_permission_denied>("cannot open " + secret + ": Permission denied"));
      BOOST_CHECK_THROW(static_cast<void>(co_await read_file(secret)), file_permission_denied);
      BOOST_CHECK_THROW(co_await write_file(secret, "y"), file_permission_denied);
      if (::geteuid() != 0) {
        auto list = list_directory(dir / "closed");
        BOOST_CHECK_THROW(static_cast<void>(co_await list.next()), file_permission_denied);
        BOOST_CHECK_THROW(static_cast<void>(co_await path_info(dir / "closed/file")),
                          file_permission_denied);
        BOOST_CHECK_THROW(static_cast<void>(co_await path_exists(dir / "closed/file")),
                          file_permission_denied);
        BOOST_CHECK_THROW(co_await remove_file(dir / "closed/file"), file_permission_denied);
        BOOST_CHECK_THROW(co_await make_directory(dir / "closed/x"), file_permission_denied);
        BOOST_CHECK_THROW(co_await replace_file(dir / "closed/file", "x"), file_permission_denied);
        BOOST_CHECK_THROW(static_cast<void>(co_await remove_tree(dir / "closed")),
                          file_permission_denied);
      }
    });
  }
  std::filesystem::permissions(dir / "closed", std::filesystem::perms(0700));
  BOOST_TEST(std::filesystem::exists(dir / "closed/file"));
}

BOOST_AUTO_TEST_CASE(what_is_not_there_or_of_another_kind) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    const std::string none = (dir / "none").native();
    BOOST_CHECK_EXCEPTION(
      static_cast<void>(co_await open_file(none)), file_not_found, [&](const file_not_found& e) {
        BOOST_TEST(e.operation() == "open");
        BOOST_TEST(e.path() == none);
        BOOST_TEST((e.code() == std::errc::no_such_file_or_directory));
        return e.what() == "cannot open " + none + ": No such file or directory";
      });
    BOOST_CHECK_THROW(static_cast<void>(co_await read_file(none)), file_not_found);
    BOOST_CHECK_THROW(co_await replace_file(dir / "none/a", "x"), file_not_found);
    BOOST_CHECK_THROW(static_cast<void>(co_await open_file(dir.path())), is_a_directory);
    BOOST_CHECK_THROW(static_cast<void>(co_await open_file(dir.path(), overwrite)), is_a_directory);
    BOOST_CHECK_THROW(static_cast<void>(co_await read_file(dir.path())), is_a_directory);
    make_file(dir / "file", "x");
    BOOST_CHECK_THROW(static_cast<void>(co_await open_file(dir / "file/x")), not_a_directory);
    std::filesystem::create_directory(dir / "full");
    make_file(dir / "full/a", "");
    BOOST_CHECK_THROW(co_await replace_file(dir / "full", "x"), is_a_directory);
    BOOST_CHECK_THROW(co_await rename_path(dir / "full", dir / "file"), not_a_directory);
  });
}

BOOST_AUTO_TEST_CASE(a_pipe_that_nobody_reads_is_an_error_and_no_signal) {
  for (const bool ring : {true, false}) {
    detail::allow_io_uring(ring);
    run_virtually([]() -> task<> {
      const temporary_directory dir;
      const auto fifo = dir / "fifo";
      BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
      file both = co_await open_file(fifo, open_mode::read | open_mode::write);
      file out = co_await open_file(fifo, open_mode::write);
      co_await out.write_all("heard");
      co_await both.close();
      BOOST_CHECK_EXCEPTION(co_await out.write_all("not heard"), file_error,
                            [](const file_error& e) { return e.code() == std::errc::broken_pipe; });
    });
  }
  detail::allow_io_uring(true);
}

BOOST_AUTO_TEST_CASE(p09_no_descriptor_left_is_an_error_and_descriptors_come_back) {
  run_virtually([]() -> task<> {
    const temporary_directory dir;
    make_file(dir / "a", "x");
    static_cast<void>(co_await read_file(dir / "a")); // the threads are there
    const auto count = []() -> task<std::size_t> {
      std::size_t n = 0;
      auto list = list_directory("/proc/self/fd");
      while (auto e = co_await list.next())
        ++n;
      co_return n;
    };
    const std::size_t before = co_await count();
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit few{before + 8, limit.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    {
      std::vector<file> open;
      const auto open_all = [&]() -> task<> {
        for (;;)
          open.push_back(co_await open_file(dir / "a"));
      };
      BOOST_CHECK_EXCEPTION(co_await open_all(), file_error, [](const file_error& e) {
        return e.code() == std::errc::too_many_files_open;
      });
      BOOST_TEST(!open.empty());
    }
    ::setrlimit(RLIMIT_NOFILE, &limit);
    BOOST_TEST((co_await count()) == before);
  });
}

BOOST_AUTO_TEST_SUITE_END()
