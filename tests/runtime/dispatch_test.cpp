// SPDX-License-Identifier: BSD-3-Clause
#include "process_functions.hpp"

#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <unistd.h>

using namespace troupe;

namespace {

task<std::thread::id> coroutine_thread() { co_return std::this_thread::get_id(); }
std::thread::id plain_thread() { return std::this_thread::get_id(); }

task<std::string> join(std::string a, const std::string& b) {
  co_await checkpoint();
  co_return a + b;
}
std::string join_plainly(std::string a, const std::string& b) { return a + b; }

} // namespace

BOOST_AUTO_TEST_SUITE(dispatching)

BOOST_AUTO_TEST_CASE(each_runs_where_it_belongs) {
  run([]() -> task<> {
    const auto here = std::this_thread::get_id();
    const dispatcher call;
    BOOST_TEST((co_await call(coroutine_thread) == here));
    BOOST_TEST((co_await call(plain_thread) != here));
    BOOST_TEST(co_await call(join, "a", std::string("b")) == "ab");
    BOOST_TEST(co_await call(join_plainly, "a", std::string("b")) == "ab");
    auto unique = std::make_unique<int>(3);
    BOOST_TEST(co_await call([](std::unique_ptr<int> p) { return *p; }, std::move(unique)) == 3);
    int seen = 0;
    co_await call([&seen] { seen = 1; });
    co_await call([&seen]() -> task<> {
      ++seen;
      co_return;
    });
    BOOST_TEST(seen == 2);
  });
}

BOOST_AUTO_TEST_CASE(failures_come_back) {
  run([]() -> task<> {
    const dispatcher call;
    BOOST_CHECK_THROW(co_await call([] { throw std::runtime_error("plain"); }), std::runtime_error);
    BOOST_CHECK_THROW(co_await call([]() -> task<> {
                        throw std::logic_error("coroutine");
                        co_return;
                      }),
                      std::logic_error);
  });
}

BOOST_AUTO_TEST_CASE(calls_run_side_by_side_in_a_nursery) {
  run([]() -> task<> {
    const dispatcher call;
    co_await with_nursery([&](nursery& n) -> task<> {
      auto one = n.start_soon(std::ref(call), join, std::string("a"), std::string("b"));
      auto two = n.start_soon(std::ref(call), join_plainly, std::string("c"), std::string("d"));
      BOOST_TEST(co_await two == "cd");
      BOOST_TEST(co_await one == "ab");
    });
  });
}

BOOST_AUTO_TEST_CASE(process_functions_run_in_a_worker) {
  run([]() -> task<> {
    const process_pool_options options{.size = 1, .program = TROUPE_TEST_WORKER};
    co_await with_process_pool(options, [](process_pool& pool) -> task<> {
      const dispatcher call(pool);
      BOOST_TEST(co_await call(jobs::add, 1, 2) == 3);
      BOOST_TEST(co_await call(jobs::worker_pid) != ::getpid());
      BOOST_CHECK_THROW(co_await call(jobs::crash), worker_died);
      BOOST_TEST(co_await call(jobs::repeat, "ab", 2U) == "abab");
      BOOST_TEST(co_await call(join, "a", std::string("b")) == "ab");
    });
    const dispatcher without;
    BOOST_CHECK_THROW(static_cast<void>(without(jobs::add, 1, 2)), usage_error);
    co_return;
  });
}

BOOST_AUTO_TEST_SUITE_END()
