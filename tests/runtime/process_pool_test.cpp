// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include "process_functions.hpp"
#include "support/children.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;
using troupe_test::no_children;
using troupe_test::open_descriptors;

namespace {

process_pool_options sized(unsigned size) { return {.size = size, .program = TROUPE_TEST_WORKER}; }

using pool_body = std::function<task<>(process_pool&)>;

/// Runs `body` with a pool, after which nothing of it is left.
void with_pool(const process_pool_options& options, const pool_body& body) {
  run([&]() -> task<> {
    const tcp_listener poll(0); // the loop's own descriptors
    const auto before = open_descriptors();
    co_await with_process_pool(options, body);
    BOOST_TEST(no_children());
    BOOST_TEST(open_descriptors() == before);
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_pools)

BOOST_AUTO_TEST_CASE(values_go_there_and_back) {
  with_pool(sized(1), [](process_pool& pool) -> task<> {
    BOOST_TEST(pool.workers() == 0U);
    BOOST_TEST(co_await pool.run(jobs::add, 40, 2) == 42);
    BOOST_TEST(co_await pool.run(jobs::worker_pid) != ::getpid());
    co_await pool.run(jobs::nothing);
    jobs::shape s;
    s.points.push_back({7, "seven"});
    s.scale = 1.5;
    const auto bigger = co_await pool.run(jobs::grow, s, 4);
    BOOST_TEST(bigger.scale == 6.0);
    BOOST_TEST(bigger.points.size() == 2U);
    BOOST_TEST(bigger.points.front().name == "seven");
    auto counts = co_await pool.run(jobs::count_letters, "hello");
    BOOST_TEST(counts["l"] == 2);
    BOOST_TEST(counts.size() == 4U);
    BOOST_TEST(pool.workers() == 1U);
    BOOST_TEST(pool.idle() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(large_values_go_there_and_back) {
  with_pool(sized(1), [](process_pool& pool) -> task<> {
    const std::string text(1 << 20, 'x');
    const auto twice = co_await pool.run(jobs::repeat, text, 8);
    BOOST_TEST(twice.size() == text.size() * 8);
  });
}

BOOST_AUTO_TEST_CASE(exceptions_come_back_with_type_and_text_and_the_worker_goes_on) {
  with_pool(sized(1), [](process_pool& pool) -> task<> {
    const int before = co_await pool.run(jobs::worker_pid);
    try {
      co_await pool.run(jobs::fail, 0);
      BOOST_ERROR("no error");
    } catch (const process_function_error& e) {
      BOOST_TEST(e.what()
                 == std::string("'fail' has thrown std::out_of_range in its worker process: "
                                "too far"));
      BOOST_TEST(e.type() == "std::out_of_range");
      BOOST_TEST(e.text() == "too far");
    }
    try {
      co_await pool.run(jobs::fail, 1);
      BOOST_ERROR("no error");
    } catch (const process_function_error& e) {
      BOOST_TEST(e.what() == std::string("'fail' has thrown int in its worker process"));
    }
    BOOST_TEST(co_await pool.run(jobs::worker_pid) == before);
  });
}

BOOST_AUTO_TEST_CASE(a_worker_that_dies_fails_its_job_alone_and_is_replaced) {
  with_pool(sized(1), [](process_pool& pool) -> task<> {
    const int before = co_await pool.run(jobs::worker_pid);
    try {
      co_await pool.run(jobs::crash);
      BOOST_ERROR("no error");
    } catch (const worker_died& e) {
      BOOST_TEST(e.pid() == before);
      BOOST_TEST(e.status().signal() == SIGABRT);
      BOOST_TEST(e.what()
                 == "worker process " + std::to_string(before) + " has died of SIGABRT in 'crash'");
    }
    BOOST_TEST(pool.workers() == 0U);
    BOOST_TEST(co_await pool.run(jobs::worker_pid) != before);
    try {
      co_await pool.run(jobs::leave, 5);
      BOOST_ERROR("no error");
    } catch (const worker_died& e) {
      BOOST_TEST(std::string(e.what()).ends_with(" has ended with exit code 5 in 'leave'"));
    }
    BOOST_TEST(co_await pool.run(jobs::add, 1, 1) == 2);
  });
}

BOOST_AUTO_TEST_CASE(one_that_dies_while_it_is_idle_fails_nobody) {
  with_pool(sized(1), [](process_pool& pool) -> task<> {
    const int first = co_await pool.run(jobs::worker_pid);
    ::kill(first, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(first), &info, WEXITED | WNOWAIT);
    BOOST_TEST(co_await pool.run(jobs::worker_pid) != first);
  });
}

BOOST_AUTO_TEST_CASE(p03_a_cancelled_job_ends_its_worker_which_is_replaced) {
  with_pool(sized(1), [](process_pool& pool) -> task<> {
    const int before = co_await pool.run(jobs::worker_pid);
    co_await with_nursery([&](nursery& n) -> task<> {
      auto busy = n.start_soon([&]() -> task<> { co_await pool.run(jobs::block); });
      auto waiting =
        n.start_soon([&]() -> task<int> { co_return co_await pool.run(jobs::add, 1, 2); });
      auto given_up = n.start_soon([&]() -> task<> { co_await pool.run(jobs::crash); });
      co_await sleep_for(5ms);
      given_up.cancel(); // has called nothing
      co_await checkpoint();
      BOOST_TEST(!waiting.done());
      busy.cancel();
      BOOST_TEST(co_await waiting == 3);
    });
    BOOST_TEST(co_await pool.run(jobs::worker_pid) != before);
    BOOST_TEST(pool.workers() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(p04_p09_cancelled_at_any_moment_a_job_leaves_nothing) {
  with_pool(sized(2), [](process_pool& pool) -> task<> {
    const std::string text(200000, 'x');
    for (int when = 0; when < 50; ++when) {
      co_await with_nursery([&](nursery& n) -> task<> {
        auto one = n.start_soon([&]() -> task<> { co_await pool.run(jobs::repeat, text, 3); });
        for (int i = 0; i < when; ++i)
          co_await checkpoint();
        if (when % 5 == 4)
          co_await sleep_for(1ms);
        one.cancel();
      });
      BOOST_TEST(co_await pool.run(jobs::add, when, 1) == when + 1);
      BOOST_TEST(pool.workers() <= 2U);
      BOOST_TEST(pool.idle() == pool.workers());
    }
  });
}

BOOST_AUTO_TEST_CASE(a_thousand_jobs_over_two_workers) {
  with_pool(sized(2), [](process_pool& pool) -> task<> {
    int sum = 0;
    std::set<int> pids;
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 1000; ++i)
        n.start_soon(
          [&](int number) -> task<> {
            sum += co_await pool.run(jobs::add, number, 1);
            if (number % 10 == 0)
              pids.insert(co_await pool.run(jobs::worker_pid));
          },
          i);
      co_return;
    });
    BOOST_TEST(sum == 500500);
    BOOST_TEST(pids.size() <= 2U);
    BOOST_TEST(pool.workers() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(a_worker_is_replaced_after_its_number_of_jobs) {
  auto options = sized(1);
  options.jobs_per_worker = 3;
  with_pool(options, [](process_pool& pool) -> task<> {
    std::vector<int> pids;
    for (int i = 0; i < 7; ++i)
      pids.push_back(co_await pool.run(jobs::worker_pid));
    BOOST_TEST(pids[0] == pids[2]);
    BOOST_TEST(pids[2] != pids[3]);
    BOOST_TEST(pids[3] == pids[5]);
    BOOST_TEST(pids[5] != pids[6]);
    BOOST_TEST(pool.workers() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(idle_workers_are_ended_after_their_time) {
  auto options = sized(2);
  options.idle_ttl = 10min;
  run_virtually([&]() -> task<> {
    co_await with_process_pool(options, [](process_pool& pool) -> task<> {
      for (int round = 0; round < 2; ++round) {
        co_await pool.run(jobs::nothing);
        BOOST_TEST(pool.workers() == 1U);
        co_await sleep_for(9min);
        BOOST_TEST(pool.workers() == 1U);
        co_await sleep_for(2min);
        BOOST_TEST(pool.workers() == 0U);
      }
    });
    BOOST_TEST(no_children());
  });
}

BOOST_AUTO_TEST_CASE(closing_waits_for_the_jobs_and_takes_no_more) {
  with_pool(sized(1), [](process_pool& pool) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      auto job = n.start_soon([&]() -> task<int> { co_return co_await pool.run(jobs::add, 1, 2); });
      co_await checkpoint();
      co_await pool.close();
      BOOST_TEST(job.done());
      BOOST_TEST(no_children());
    });
    BOOST_CHECK_THROW(co_await pool.run(jobs::nothing), usage_error);
  });
}

BOOST_AUTO_TEST_CASE(a_pool_that_is_cancelled_leaves_nothing) {
  run([]() -> task<> {
    const auto options = sized(2);
    co_await move_on_after(20ms, [&]() -> task<> {
      co_await with_process_pool(options, [](process_pool& pool) -> task<> {
        co_await with_nursery([&](nursery& n) -> task<> {
          for (int i = 0; i < 5; ++i)
            n.start_soon([&]() -> task<> { co_await pool.run(jobs::block); });
          co_return;
        });
      });
    });
    BOOST_TEST(no_children());
  });
}

BOOST_AUTO_TEST_CASE(workers_do_not_outlive_a_program_that_crashes) {
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t program = ::fork();
  if (program == 0) {
    run([&]() -> task<> {
      const auto options = sized(1);
      co_await with_process_pool(options, [&](process_pool& pool) -> task<> {
        const int worker = co_await pool.run(jobs::worker_pid);
        if (::write(ends[1], &worker, sizeof worker) == sizeof worker)
          co_await pool.run(jobs::block);
      });
    });
    ::_exit(1);
  }
  int worker = 0;
  BOOST_REQUIRE(::read(ends[0], &worker, sizeof worker) == sizeof worker);
  pollfd ended{static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)), POLLIN, 0};
  BOOST_REQUIRE(ended.fd >= 0);
  ::kill(program, SIGKILL);
  BOOST_TEST(::waitpid(program, nullptr, 0) == program);
  BOOST_TEST(::poll(&ended, 1, 20000) == 1);
  for (const int fd : {ended.fd, ends[0], ends[1]})
    ::close(fd);
}

BOOST_AUTO_TEST_CASE(misuse_and_programs_that_cannot_be_run_are_errors) {
  auto options = sized(1);
  options.program = "/no/such/worker";
  with_pool(options, [](process_pool& pool) -> task<> {
    BOOST_CHECK_THROW(co_await pool.run(jobs::nothing), process_error);
    BOOST_CHECK_THROW(co_await pool.run(jobs::nothing), process_error);
    BOOST_TEST(pool.workers() == 0U);
  });
  options.program = "false"; // does not know what it is to do
  with_pool(options, [](process_pool& pool) -> task<> {
    BOOST_CHECK_THROW(co_await pool.run(jobs::nothing), worker_died);
  });
  with_pool(sized(1), [](process_pool& pool) -> task<> {
    const process_function<int(int, int)> unknown(
      "only_here", +[](int a, int) { return a; });
    BOOST_CHECK_THROW(co_await pool.run(unknown, 1, 2), usage_error);
    BOOST_CHECK_THROW(process_function<void()>(
                        "add", +[] {}),
                      usage_error);
    BOOST_TEST(co_await pool.run(jobs::add, 1, 2) == 3);
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_on(
        1,
        [](process_pool& there) -> task<> {
          BOOST_CHECK_THROW(co_await there.run(jobs::nothing), usage_error);
        },
        std::ref(pool));
      co_return;
    });
  });
  ::setenv("TROUPE_PROCESS_WORKER", "1", 1);
  run([]() -> task<> {
    BOOST_CHECK_THROW(co_await with_process_pool([](process_pool&) -> task<> { co_return; }),
                      usage_error);
  });
  ::unsetenv("TROUPE_PROCESS_WORKER");
}

BOOST_AUTO_TEST_SUITE_END()
