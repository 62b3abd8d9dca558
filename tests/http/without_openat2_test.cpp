// SPDX-License-Identifier: BSD-3-Clause
// Files where there is no openat2: an old kernel has none, and a container may forbid it. This
// process has a filter (seccomp) that says so.
#include "site.hpp"

#include <boost/test/unit_test.hpp>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstddef>

using namespace troupe_test;

namespace {

/// From now on openat2 fails so, on this thread and those that it starts. Another filter may
/// follow; there is no way back.
void refuse_openat2(unsigned error) {
  std::array<sock_filter, 4> code{{
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  BOOST_REQUIRE(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  BOOST_REQUIRE(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  open_how how{};
  how.flags = O_RDONLY;
  errno = 0;
  BOOST_REQUIRE(::syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how) == -1);
  BOOST_REQUIRE(errno == static_cast<int>(error));
}

void check_site() {
  const site s;
  for (int again = 0; again != 2; ++again) {
    BOOST_TEST(body_of(s.ask("a%20b.txt")) == "0123456789");
    BOOST_TEST(body_of(s.ask("deep/er/page.html")) == "deep");
    BOOST_TEST(body_of(s.ask("")) == "<p>index");
    BOOST_TEST(body_of(s.ask("deep/")) == "deep index");
    BOOST_TEST(s.header(s.ask("deep"), "Location") == "/s/deep/");
  }
  // no links at all, also none that stays inside
  for (const char* path : {"inside", "way-out", "far-out", "up/outside.txt", "up/root/index.html"})
    BOOST_TEST(s.status(path) == "404", path);
  for (const char* path : {"../outside.txt", "%2fetc%2fpasswd", ".hidden", "index.html/",
                           "index.html/x", "nothing", "nothing/at/all", "pipe", "bare/", "%2e%2e"})
    BOOST_TEST(s.status(path) == "404", path);
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_without_openat2)

BOOST_AUTO_TEST_CASE(files_are_opened_part_by_part_where_it_is_forbidden) {
  refuse_openat2(EPERM);
  check_site();
}

BOOST_AUTO_TEST_CASE(files_are_opened_part_by_part_where_it_is_not_there) {
  refuse_openat2(ENOSYS);
  check_site();
}

BOOST_AUTO_TEST_SUITE_END()
