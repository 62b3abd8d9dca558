// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for services and checks; see tests/runtime/awaitables_test.cpp.
#include "support/awaitable_trials.hpp"

#include <troupe/actors/connection_pool.hpp>
#include <troupe/actors/echo.hpp>
#include <troupe/actors/testing/check_pool.hpp>
#include <troupe/actors/testing/check_supervisor.hpp>
#include <troupe/testing/memory_stream.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <utility>

using namespace troupe;
using namespace troupe_test;

BOOST_AUTO_TEST_SUITE(services_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_echo) {
  run_trials({
    {"echo", true,
     [] {
       auto pair = std::make_shared<std::pair<testing::memory_stream, testing::memory_stream>>(
         testing::memory_stream_pair());
       trial t;
       t.waiting = [pair]() -> task<> { co_await echo(pair->first); };
       return t;
     }},
    {"serve_echo", true,
     [] {
       trial t;
       t.real_time = true;
       t.waiting = []() -> task<> {
         const listen_options local{.address = "127.0.0.1"};
         tcp_listener listener(0, local);
         const echo_options options;
         co_await serve_echo(std::move(listener), options);
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_check_pool) {
  run_trials({
    {"check_pool", true,
     [] {
       trial t;
       t.now = []() -> task<> {
         const testing::pool_runner run = [](std::size_t max, testing::pool_opener open,
                                             testing::pool_body body) -> task<> {
           connection_pool_options options;
           options.max = max;
           connection_functions<testing::pooled_thing> functions;
           functions.open = open;
           co_await with_connection_pool(options, functions, body);
         };
         co_await testing::check_pool(run);
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_CASE(p04_p05_check_supervisor) {
  run_trials({
    {"check_supervisor", true,
     [] {
       trial t;
       t.now = []() -> task<> {
         const testing::supervisor_runner run = [](const supervisor_options& options,
                                                   testing::supervisor_body body) -> task<> {
           co_await with_supervisor(options, body);
         };
         co_await testing::check_supervisor(run);
       };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
