// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/children.hpp"
#include "support/contains.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <system_error>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::contains;
using troupe_test::no_children;
using troupe_test::open_descriptors;
using troupe_test::shell;

static_assert(!std::is_default_constructible_v<exit_status>);
static_assert(std::is_base_of_v<std::system_error, process_error>);

namespace {

/// A program that does not end by itself, and says when it is there.
command stubborn() { return shell("trap '' TERM; echo ready >&3; while :; do sleep 1; done"); }

} // namespace

BOOST_AUTO_TEST_SUITE(running_processes)

BOOST_AUTO_TEST_CASE(status_and_output_come_back) {
  run([]() -> task<> {
    auto r = co_await run_process(command("true"));
    BOOST_TEST(r.status.success());
    BOOST_TEST(r.out + r.err == "");
    r = co_await run_process(command("false"));
    BOOST_TEST(r.status.code() == 1);
    BOOST_TEST(to_string(r.status) == "exit code 1");
    r = co_await run_process(shell("echo out; echo err >&2; exit 42"));
    BOOST_TEST(r.out == "out\n");
    BOOST_TEST(r.err == "err\n");
    BOOST_TEST(r.status.code() == 42);
    r = co_await run_process(shell("kill -KILL $$"));
    BOOST_TEST(r.status.signal() == SIGKILL);
    BOOST_TEST(r.status.code() == 128 + SIGKILL);
    BOOST_TEST(!r.status.success());
    BOOST_TEST(to_string(r.status) == "SIGKILL");
    BOOST_TEST(no_children());
  });
}

BOOST_AUTO_TEST_CASE(arguments_are_passed_on_as_they_are) {
  run([]() -> task<> {
    const auto r = co_await run_process(command("printf", "%s|", "a b", "$HOME", "", "it's"));
    BOOST_TEST(r.out == "a b|$HOME||it's|");
    BOOST_TEST(command("printf", "a b", "", "it's").text() == "printf 'a b' '' 'it'\\''s'");
  });
}

BOOST_AUTO_TEST_CASE(much_input_and_output_at_once_do_not_block_each_other) {
  run([]() -> task<> {
    std::string text(8 << 20, 'x');
    for (std::size_t i = 0; i < text.size(); i += 100)
      text[i] = static_cast<char>('a' + i % 26);
    const auto r = co_await run_process(command("cat").input(text));
    BOOST_TEST((r.out == text));
    const auto both = co_await run_process(shell("tee /dev/stderr").input(text));
    BOOST_TEST((both.out == text));
    BOOST_TEST((both.err == text));
  });
}

BOOST_AUTO_TEST_CASE(input_that_is_not_read_is_no_error) {
  run([]() -> task<> {
    const auto r = co_await run_process(command("true").input(std::string(1 << 20, 'x')));
    BOOST_TEST(r.status.success());
    sigset_t pending;
    ::sigpending(&pending);
    BOOST_TEST(::sigismember(&pending, SIGPIPE) == 0);
  });
}

BOOST_AUTO_TEST_CASE(without_input_there_is_nothing_to_read) {
  run([]() -> task<> {
    BOOST_TEST((co_await run_process(command("cat"))).out == "");
    BOOST_TEST((co_await run_process(command("cat").input(""))).out == "");
    BOOST_TEST((co_await run_process(command("cat").std_in(child_io::pipe))).out == "");
  });
}

BOOST_AUTO_TEST_CASE(a_checked_failure_names_command_status_and_the_end_of_stderr) {
  run([]() -> task<> {
    BOOST_TEST((co_await run_process(command("echo", "hi").check())).out == "hi\n");
    try {
      co_await run_process(shell("seq 1000 >&2; echo 'no paper' >&2; exit 3").check());
      BOOST_ERROR("no error");
    } catch (const process_failed& e) {
      const std::string text = e.what();
      BOOST_TEST(contains(text, "'sh -c 'seq 1000"), text);
      BOOST_TEST(contains(text, "has failed with exit code 3: "), text);
      BOOST_TEST(text.ends_with("\n1000\nno paper"), text);
      BOOST_TEST(text.size() < 1200U);
      BOOST_TEST(e.status().code() == 3);
    }
  });
}

BOOST_AUTO_TEST_CASE(what_cannot_be_run_is_an_error_that_names_it) {
  run([]() -> task<> {
    const auto error_of = [](command c) -> task<std::string> {
      try {
        co_await run_process(c);
      } catch (const process_error& e) {
        co_return e.what();
      }
      co_return "no error";
    };
    const tcp_listener poll(0); // the loop's own descriptors
    const auto before = open_descriptors();
    command none("no-such-program", "-x");
    BOOST_TEST(co_await error_of(none) == "cannot run no-such-program: No such file or directory");
    command folder("/");
    BOOST_TEST(co_await error_of(folder) == "cannot run /: Permission denied");
    command nowhere("true");
    nowhere.cwd("/no/such/place");
    BOOST_TEST(co_await error_of(nowhere)
               == "cannot run true in /no/such/place: No such file or directory");
    command zero("echo", std::string("a\0b", 3));
    BOOST_TEST(co_await error_of(zero) == "cannot run echo: Invalid argument");
    command bad("true");
    bad.std_out(9999);
    BOOST_TEST(co_await error_of(bad) == "cannot run true: Bad file descriptor");
    BOOST_TEST(open_descriptors() == before);
    BOOST_CHECK_THROW(command(std::vector<std::string>()), usage_error);
    BOOST_CHECK_THROW(command("true").env("A=B", ""), usage_error);
    BOOST_CHECK_THROW(command("true").std_out(child_io::to_stdout), usage_error);
  });
  BOOST_TEST(no_children());
}

BOOST_AUTO_TEST_CASE(environment_and_directory_are_as_said) {
  ::setenv("TROUPE_TEST_VARIABLE", "here", 1);
  run([]() -> task<> {
    const char* const say = "echo $TROUPE_TEST_VARIABLE-$OTHER";
    BOOST_TEST((co_await run_process(shell(say))).out == "here-\n");
    BOOST_TEST((co_await run_process(shell(say).env("OTHER", "a").env("OTHER", "b"))).out
               == "here-b\n");
    BOOST_TEST((co_await run_process(shell(say).unset_env("TROUPE_TEST_VARIABLE"))).out == "-\n");
    BOOST_TEST((co_await run_process(command("env").clear_env().env("ONE", "1"))).out == "ONE=1\n");
    BOOST_TEST((co_await run_process(command("pwd").cwd("/usr"))).out == "/usr\n");
  });
  ::unsetenv("TROUPE_TEST_VARIABLE");
}

BOOST_AUTO_TEST_CASE(no_other_descriptor_is_inherited) {
  const int open_to_all = ::open("/dev/null", O_RDONLY); // NOLINT: not close-on-exec
  run([]() -> task<> {
    tcp_listener listener(0);
    const auto r = co_await run_process(command("ls", "/proc/self/fd"));
    BOOST_TEST(r.out == "0\n1\n2\n3\n"); // 3: the directory
  });
  ::close(open_to_all);
}

BOOST_AUTO_TEST_CASE(descriptors_lead_where_they_are_sent) {
  run([]() -> task<> {
    BOOST_TEST((co_await run_process(shell("echo a; echo b >&2").std_err(child_io::to_stdout))).out
               == "a\nb\n");
    const auto quiet = co_await run_process(shell("echo a; echo b >&2").std_out(child_io::null));
    BOOST_TEST(quiet.out == "");
    BOOST_TEST(quiet.err == "b\n");
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    co_await run_process(shell("echo one; echo two >&4; echo three >&3")
                           .std_out(ends[1])
                           .pass_descriptor(ends[1])
                           .pass_descriptor(2)
                           .pass_descriptor(ends[1]));
    std::string text(100, '\0');
    ::close(ends[1]);
    text.resize(static_cast<std::size_t>(::read(ends[0], text.data(), text.size())));
    BOOST_TEST(text == "one\nthree\n");
    ::close(ends[0]);
  });
}

BOOST_AUTO_TEST_CASE(more_output_than_is_kept_is_an_error_and_ends_the_program) {
  run([]() -> task<> {
    BOOST_TEST((co_await run_process(command("printf", "12345").output_limit(5))).out == "12345");
    try {
      co_await run_process(command("yes").output_limit(100000));
      BOOST_ERROR("no error");
    } catch (const output_too_long& e) {
      BOOST_TEST(std::string(e.what())
                 == "'yes' has written more than the 100000 bytes that were to be kept");
    }
    BOOST_TEST(no_children());
  });
}

BOOST_AUTO_TEST_CASE(p08_a_time_limit_ends_the_program) {
  run_virtually([]() -> task<> {
    BOOST_CHECK_THROW(
      co_await fail_after(1s, []() -> task<> { co_await run_process(command("sleep", "1000")); }),
      timeout_error);
    BOOST_TEST(no_children());
  });
}

BOOST_AUTO_TEST_CASE(p09_a_program_that_ignores_sigterm_is_killed_after_the_grace) {
  run_virtually([]() -> task<> {
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const auto began = current_time();
    co_await with_nursery([&](nursery& n) -> task<> {
      command c = stubborn().own_group().grace(60s).pass_descriptor(ends[1]);
      auto running = n.start_soon(run_process, c);
      co_await checkpoint();
      char byte = 0;
      BOOST_TEST(::read(ends[0], &byte, 1) == 1);
      running.cancel();
    });
    BOOST_TEST((current_time() - began == 60s));
    BOOST_TEST(no_children());
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

BOOST_AUTO_TEST_CASE(p03_p09_cancelled_at_any_moment_it_leaves_nothing) {
  run([]() -> task<> {
    const tcp_listener poll(0); // the loop's own descriptors
    const auto before = open_descriptors();
    for (int when = 0; when < 60; ++when) {
      co_await with_nursery([&](nursery& n) -> task<> {
        command c = shell("cat; sleep 1000").own_group().input(std::string(200000, 'x'));
        auto running = n.start_soon(run_process, c);
        for (int i = 0; i < when; ++i)
          co_await checkpoint();
        if (when % 10 == 9)
          co_await sleep_for(2ms);
        running.cancel();
      });
      BOOST_TEST(no_children());
    }
    BOOST_TEST(open_descriptors() == before);
  });
}

BOOST_AUTO_TEST_CASE(a_hundred_at_once) {
  run([]() -> task<> {
    const tcp_listener poll(0); // the loop's own descriptors
    const auto before = open_descriptors();
    int sum = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 100; ++i)
        n.start_soon(
          [](int number, int& total) -> task<> {
            const auto r = co_await run_process(command("cat").input(std::to_string(number)));
            total += std::stoi(r.out);
          },
          i, std::ref(sum));
      co_return;
    });
    BOOST_TEST(sum == 4950);
    BOOST_TEST(no_children());
    BOOST_TEST(open_descriptors() == before);
  });
}

BOOST_AUTO_TEST_CASE(the_users_own_children_and_sigchld_are_left_alone) {
  static std::atomic<int> calls{0};
  calls = 0;
  ::signal(SIGCHLD, [](int) { ++calls; });
  const pid_t mine = ::fork();
  if (mine == 0)
    ::_exit(7);
  run([]() -> task<> {
    for (int i = 0; i < 10; ++i)
      BOOST_TEST((co_await run_process(command("false"))).status.code() == 1);
  });
  int status = 0;
  BOOST_TEST(::waitpid(mine, &status, 0) == mine);
  BOOST_TEST(WEXITSTATUS(status) == 7);
  BOOST_TEST(calls >= 1);
  ::signal(SIGCHLD, SIG_DFL); // NOLINT
}

BOOST_AUTO_TEST_CASE(a_status_that_somebody_else_has_taken_is_an_error) {
  ::signal(SIGCHLD, SIG_IGN); // NOLINT: the kernel then keeps no status
  run([]() -> task<> {
    try {
      co_await run_process(shell("read line").std_in(child_io::pipe));
      BOOST_ERROR("no error");
    } catch (const process_error& e) {
      BOOST_TEST((e.code() == std::errc::no_child_process));
      BOOST_TEST(contains(e.what(), "cannot learn how sh (pid "), e.what());
    }
  });
  ::signal(SIGCHLD, SIG_DFL); // NOLINT
}

BOOST_AUTO_TEST_SUITE_END()
