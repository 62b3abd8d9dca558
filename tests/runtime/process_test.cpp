// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "support/children.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::no_children;
using troupe_test::open_descriptors;
using troupe_test::shell;

static_assert(!std::is_copy_constructible_v<process>);
static_assert(std::is_nothrow_move_constructible_v<process>);

namespace {

task<std::string> line(stream& from) {
  buffered_reader lines(from);
  co_return (co_await lines.read_line()).value_or("nothing");
}

/// Those that are killed are reaped beside the loop.
task<> until_no_children() {
  while (!no_children())
    co_await sleep_for(1ms);
}

} // namespace

BOOST_AUTO_TEST_SUITE(processes)

BOOST_AUTO_TEST_CASE(a_conversation_over_its_streams) {
  run([]() -> task<> {
    process cat((command("cat")));
    BOOST_TEST(cat.pid() > 0);
    BOOST_TEST(!cat.status().has_value());
    co_await cat.std_in().write_all("one\n");
    BOOST_TEST(co_await line(cat.std_out()) == "one");
    co_await cat.std_in().write_all("two\n");
    BOOST_TEST(co_await line(cat.std_out()) == "two");
    BOOST_TEST(cat.std_in().peer() == "stdin of cat (pid " + std::to_string(cat.pid()) + ")");
    co_await cat.std_in().send_eof();
    BOOST_TEST(co_await line(cat.std_out()) == "nothing");
    BOOST_TEST((co_await cat.wait()).success());
    BOOST_TEST((co_await cat.wait()).success());
    BOOST_TEST(cat.status()->success());
    BOOST_TEST(!cat.terminate());
    BOOST_TEST((co_await cat.stop()).success());
    BOOST_TEST(no_children());
  });
}

BOOST_AUTO_TEST_CASE(p03_one_that_is_opened_as_its_task_is_cancelled_is_gone) {
  run([]() -> task<> {
    for (int when = 0; when < 40; ++when) {
      co_await with_nursery([&](nursery& n) -> task<> {
        auto opening = n.start_soon([]() -> task<> {
          process p = co_await open_process(command("sleep", "1000"));
          co_await p.wait();
        });
        for (int i = 0; i < when; ++i)
          co_await checkpoint();
        if (when % 4 == 3)
          co_await sleep_for(when * 50us);
        opening.cancel();
      });
      co_await until_no_children();
    }
    BOOST_CHECK_THROW(co_await open_process(command("no-such-program")), process_error);
  });
}

BOOST_AUTO_TEST_CASE(signals_reach_it) {
  run([]() -> task<> {
    process p(shell("trap 'echo usr1' USR1; echo ready; while :; do read x; done"));
    BOOST_TEST(co_await line(p.std_out()) == "ready");
    BOOST_TEST(p.send_signal(SIGUSR1));
    BOOST_CHECK_THROW(p.send_signal(12345), process_error);
    BOOST_TEST(p.kill());
    BOOST_TEST((co_await p.wait()).signal() == SIGKILL);
  });
}

BOOST_AUTO_TEST_CASE(its_end_is_known_without_a_wait) {
  run([]() -> task<> {
    process p((command("sleep", "1000")));
    BOOST_TEST(!p.status().has_value());
    p.kill();
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(p.pid()), &info, WEXITED | WNOWAIT);
    BOOST_TEST(p.status()->signal() == SIGKILL);
    BOOST_TEST(!p.kill());
    BOOST_TEST(no_children());
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(any_number_of_tasks_wait_and_may_be_cancelled) {
  run([]() -> task<> {
    process p((command("cat")));
    int ended = 0;
    co_await with_nursery([&](nursery& n) -> task<> {
      const auto wait = [&]() -> task<> {
        BOOST_TEST((co_await p.wait()).success());
        ++ended;
      };
      auto first = n.start_soon(wait);
      auto second = n.start_soon(wait);
      n.start_soon(wait);
      co_await checkpoint();
      co_await checkpoint();
      first.cancel();
      second.cancel();
      co_await checkpoint();
      n.start_soon(wait);
      co_await checkpoint();
      co_await p.std_in().close();
    });
    BOOST_TEST(ended == 2);
    BOOST_TEST(!(co_await move_on_after(0s, [&]() -> task<> { co_await p.wait(); })));
  });
}

BOOST_AUTO_TEST_CASE(stop_ends_it_and_cancellation_does_not_stop_that) {
  run_virtually([]() -> task<> {
    process p(shell("trap '' TERM; echo ready; while :; do sleep 1; done").own_group());
    BOOST_TEST(co_await line(p.std_out()) == "ready");
    const auto began = current_time();
    std::optional<exit_status> status;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      status = co_await p.stop(30s);
    });
    BOOST_REQUIRE(status.has_value());
    BOOST_TEST(status->signal() == SIGKILL);
    BOOST_TEST((current_time() - began == 30s));
  });
  run([]() -> task<> {
    process p((command("sleep", "1000")));
    BOOST_TEST((co_await p.stop()).signal() == SIGTERM);
  });
}

BOOST_AUTO_TEST_CASE(p09_destroying_it_kills_it_and_leaves_no_zombie) {
  run([]() -> task<> {
    tcp_listener poll(0); // the loop's own descriptors
    const auto before = open_descriptors();
    for (int i = 0; i < 20; ++i)
      process p((command("sleep", "1000")));
    { // already a zombie
      process p((command("true")));
      co_await line(p.std_out());
    }
    co_await until_no_children();
    process moved((command("sleep", "1000")));
    moved = process(command("sleep", "1000"));
    process last(std::move(moved));               // the first has gone with the temporary
    BOOST_CHECK_THROW(moved.kill(), usage_error); // NOLINT(bugprone-use-after-move)
    BOOST_TEST(moved.pid() == -1);                // NOLINT(bugprone-use-after-move)
    last.kill();
    co_await last.wait();
    co_await until_no_children();
    while (open_descriptors() > before + 3) // its own: a pidfd and two pipes
      co_await sleep_for(1ms);
  });
  BOOST_TEST(no_children());
}

BOOST_AUTO_TEST_CASE(p09_one_that_is_left_at_the_end_of_the_loop_is_gone_when_run_returns) {
  for (int i = 0; i < 10; ++i) {
    run([]() -> task<> {
      process p((command("sleep", "1000")));
      co_return;
    });
    BOOST_TEST(no_children());
  }
}

BOOST_AUTO_TEST_CASE(with_process_ends_it_however_the_body_ends) {
  run([]() -> task<> {
    const int value = co_await with_process(command("cat"), [](process& cat) -> task<int> {
      co_await cat.std_in().write_all("42\n");
      co_return std::stoi(co_await line(cat.std_out()));
    });
    BOOST_TEST(value == 42);
    BOOST_TEST(no_children());
    BOOST_CHECK_THROW(co_await with_process(command("cat"),
                                            [](process&) -> task<> {
                                              throw std::runtime_error("no");
                                              co_return;
                                            }),
                      std::runtime_error);
    BOOST_TEST(no_children());
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([]() -> task<> {
        co_await with_process(command("cat"), [](process& cat) -> task<> {
          co_await line(cat.std_out());
          BOOST_ERROR("it came back");
        });
      });
      co_await sleep_for(1ms);
      n.cancel();
    });
    BOOST_TEST(no_children());
  });
}

BOOST_AUTO_TEST_CASE(writing_to_a_program_that_has_ended_is_a_broken_pipe) {
  run([]() -> task<> {
    process p((command("true")));
    co_await p.wait();
    try {
      co_await p.std_in().write_all("anybody?");
      BOOST_ERROR("no error");
    } catch (const broken_pipe& e) {
      BOOST_TEST(std::string(e.what()).starts_with("cannot write to stdin of true (pid "));
    }
  });
}

BOOST_AUTO_TEST_CASE(streams_go_one_way_and_only_where_there_is_a_pipe) {
  run([]() -> task<> {
    process p(command("cat").std_in(child_io::null));
    BOOST_CHECK_THROW(static_cast<void>(p.std_in()), usage_error);
    BOOST_CHECK_THROW(static_cast<void>(p.std_err()), usage_error);
    BOOST_CHECK_THROW(co_await p.std_out().write_all("x"), net_error);
    co_await p.std_out().close();
    BOOST_CHECK_THROW(co_await line(p.std_out()), stream_closed);
    process q((command("cat")));
    BOOST_CHECK_THROW(co_await line(q.std_in()), net_error);
    q.std_in().abort();
    BOOST_TEST((co_await q.wait()).success());
  });
  BOOST_CHECK_THROW(process(command("true")), usage_error);
}

BOOST_AUTO_TEST_CASE(a_process_belongs_to_its_loop) {
  run(run_options{.loops = 2}, []() -> task<> {
    process p((command("cat")));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(
        1, [](process& there) -> task<> { BOOST_CHECK_THROW(co_await there.wait(), usage_error); },
        std::ref(p));
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(a_group_of_its_own_is_signalled_as_a_whole) {
  run([]() -> task<> {
    // the grandchild holds stdout: the end of that is its end
    process p(shell("sleep 1000 & echo ready; wait").own_group());
    buffered_reader lines(p.std_out());
    BOOST_TEST(*co_await lines.read_line() == "ready");
    co_await p.stop();
    BOOST_TEST(!(co_await lines.read_line()).has_value());
  });
}

BOOST_AUTO_TEST_CASE(what_is_left_of_its_group_does_not_outlive_it) {
  run([]() -> task<> {
    // the grandchild ignores SIGTERM, and would hold stdout for ever
    const auto r =
      co_await run_process(shell("(trap '' TERM; sleep 1000) & echo started").own_group());
    BOOST_TEST(r.out == "started\n");
  });
}

BOOST_AUTO_TEST_CASE(one_that_goes_while_a_task_waits_is_an_error_there) {
  run([]() -> task<> {
    std::optional<process> p;
    p.emplace(command("cat"));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> { BOOST_CHECK_THROW(co_await p->wait(), process_error); });
      n.start_soon(
        [&]() -> task<> { BOOST_CHECK_THROW(co_await line(p->std_out()), stream_closed); });
      co_await checkpoint();
      co_await checkpoint();
      p.reset();
    });
    co_await until_no_children();
  });
}

BOOST_AUTO_TEST_SUITE_END()
