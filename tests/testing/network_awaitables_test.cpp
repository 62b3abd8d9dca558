// SPDX-License-Identifier: BSD-3-Clause
// P4 and P5 for what is done on a simulated network.
#include "support/awaitable_trials.hpp"

#include <troupe/testing/network.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>

using namespace troupe;
using namespace troupe::testing;
using troupe_test::run_trials;
using troupe_test::trial;

BOOST_AUTO_TEST_SUITE(network_awaitables)

BOOST_AUTO_TEST_CASE(p04_p05_simulated_network) {
  const auto net = std::make_shared<simulated_network>();
  net->add_host("there");
  run_trials({
    {"simulated_network::on", false,
     [net] {
       trial t;
       t.now = [net]() -> task<> { co_await net->on("there", []() -> task<> { co_return; }); };
       return t;
     }},
  });
}

BOOST_AUTO_TEST_SUITE_END()
