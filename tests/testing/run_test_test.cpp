// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/run_test.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/troupe.hpp>

#include <caf/all.hpp>

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_test;
using troupe::testing::test_failure;
using troupe::testing::test_options;

namespace {

/// What the test that runs `body` is said to have leaked.
template <class Body>
std::string leak_of(Body body, test_options options = {}) {
  options.name = "leaky";
  try {
    run_test(options, body);
  } catch (const test_failure& e) {
    const std::string text = e.what();
    BOOST_TEST_MESSAGE(text);
    BOOST_TEST(text.find("test 'leaky' has leaked:\n  ") == 0U);
    return text;
  }
  return "nothing";
}

bool says(const std::string& text, const std::string& part) {
  BOOST_TEST(text.find(part) != std::string::npos, "'" << part << "' is not in: " << text);
  return true;
}

task<> quick() { co_return; }

struct outcome_of_program {
  std::string text;
  exit_status status;
};

outcome_of_program hang(const std::string& how) {
  return run(run_options{.loops = 1}, [&]() -> task<outcome_of_program> {
    const auto result = co_await run_process(command(TROUPE_HANGING_TEST, how));
    co_return outcome_of_program{result.err, result.status};
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(test_runner)

BOOST_AUTO_TEST_CASE(gives_the_result_on_virtual_time) {
  BOOST_TEST(run_test([]() -> task<int> {
               co_await sleep_for(24h);
               co_return 7;
             })
             == 7);
  const auto kept = run_test([]() -> task<std::unique_ptr<int>> { co_return nullptr; });
  BOOST_TEST(!kept);
}

BOOST_AUTO_TEST_CASE(throws_what_the_body_throws) {
  BOOST_CHECK_EXCEPTION(run_test([]() -> task<> {
                          co_await checkpoint();
                          throw std::runtime_error("as meant");
                        }),
                        std::runtime_error,
                        [](const auto& e) { return std::string(e.what()) == "as meant"; });
}

BOOST_AUTO_TEST_CASE(a_clock_of_ones_own_is_moved_by_hand) {
  testing::virtual_clock time(false);
  test_options options;
  options.time = &time;
  run_test(options, [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([]() -> task<> { co_await sleep_for(1h); });
      co_await checkpoint();
      time.advance(1h);
    });
  });
  BOOST_TEST((time.now() == time_point(1h)));
}

BOOST_AUTO_TEST_CASE(a_clean_test_of_each_area_leaks_nothing) {
  for (const unsigned loops : {1U, 3U}) {
    for (const bool virtual_time : {true, false}) {
      test_options options;
      options.loops = loops;
      options.virtual_time = virtual_time;
      BOOST_TEST(leak_of(
                   []() -> task<> {
                     BOOST_TEST(co_await to_thread([] { return 1; }) == 1);
                     pipe_ends p = make_pipe();
                     udp_socket datagrams(0, "127.0.0.1");
                     auto pair = unix_stream_pair();
                     signal_receiver signals({SIGUSR1});
                     ::kill(::getpid(), SIGUSR1);
                     BOOST_TEST(co_await signals.next() == SIGUSR1);
                     const tls_client_context trust{tls_client_options{}};
                     tcp_listener listener(0, listen_options{.address = "127.0.0.1"});
                     co_await with_nursery([&](nursery& n) -> task<> {
                       n.start_on(1, quick);
                       n.start_soon([&]() -> task<> {
                         tcp_stream s = co_await open_tcp_stream("localhost", listener.port());
                         co_await s.write_all("x");
                       });
                       const auto got = co_await listener.accept();
                       static_cast<void>(co_await run_process(command("true")));
                       static_cast<void>(co_await read_file("/proc/self/stat"));
                       const auto a = n.start_actor([](mailbox& in) -> task<> {
                         static_cast<void>(co_await in.receive<int>());
                       });
                       send(a.address(), 1);
                     });
                     const auto ordinary =
                       actor_system().spawn([](caf::event_based_actor* me) -> caf::behavior {
                         return {[me](int) { me->quit(); }};
                       });
                     caf::anon_send(ordinary, 1);
                   },
                   options)
                 == "nothing");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_kept_is_a_leak) {
  std::optional<task<>> kept;
  const auto text = leak_of([&]() -> task<> {
    kept.emplace(quick());
    co_return;
  });
  says(text, "1 coroutine frame");
  kept.reset();
  BOOST_TEST(leak_of(quick) == "nothing");
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_stays_open_is_a_leak) {
  int fd = -1;
  const auto text = leak_of([&]() -> task<> {
    fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    co_return;
  });
  says(text, "descriptor " + std::to_string(fd) + ": /dev/null");
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(a_thread_that_runs_on_is_a_leak) {
  std::jthread left;
  const auto text = leak_of([&]() -> task<> {
    left = std::jthread([](std::stop_token stop) {
      while (!stop.stop_requested())
        std::this_thread::yield();
    });
    co_return;
  });
  says(text, "\n  thread ");
}

BOOST_AUTO_TEST_CASE(an_ordinary_actor_that_runs_on_is_a_leak) {
  const auto text = leak_of([]() -> task<> {
    actor_system().spawn([](caf::event_based_actor* me) -> caf::behavior {
      me->delayed_send(me, 3600s, 1);
      return {[](int) {}};
    });
    co_return;
  });
  says(text, "1 CAF actor still running");
  says(text, "1 timer of loop 0");
}

BOOST_AUTO_TEST_CASE(a_message_that_nobody_has_read_is_a_leak) {
  const auto text = leak_of([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      const auto a = n.start_actor([](mailbox&) -> task<> { co_await checkpoint(); });
      send(a.address(), 1);
      send(a.address(), 2);
      co_return;
    });
  });
  says(text, "2 messages that nobody has read");
}

BOOST_AUTO_TEST_CASE(without_the_check_nothing_is_said) {
  std::optional<task<>> kept;
  test_options options;
  options.check_leaks = false;
  BOOST_TEST(leak_of(
               [&]() -> task<> {
                 kept.emplace(quick());
                 co_return;
               },
               options)
             == "nothing");
}

BOOST_AUTO_TEST_CASE(a_test_that_hangs_shows_its_tasks_and_aborts) {
  const auto result = hang("waits");
  BOOST_TEST(result.status.signal() == SIGABRT);
  says(result.text, "test 'the_one_that_hangs' has not ended within 0.100 s; its tasks:");
  says(result.text, "stuck_worker");
}

BOOST_AUTO_TEST_CASE(a_test_that_hangs_in_a_deadlock_names_the_circle) {
  const auto result = hang("deadlocks");
  BOOST_TEST(result.status.signal() == SIGABRT);
  says(result.text, "the last for the first:\n  left, for a mutex\n  right, for a mutex\n");
}

BOOST_AUTO_TEST_CASE(a_test_that_spins_is_ended_too) {
  const auto result = hang("spins");
  BOOST_TEST(result.status.signal() == SIGABRT);
  says(result.text, "loop 0: busy, no answer");
}

BOOST_AUTO_TEST_SUITE_END()
