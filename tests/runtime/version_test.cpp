// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/version.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(version)

BOOST_AUTO_TEST_CASE(text_is_made_of_the_parts) {
  BOOST_TEST(std::string(troupe::version_string)
             == std::to_string(troupe::version_major) + '.' + std::to_string(troupe::version_minor)
                  + '.' + std::to_string(troupe::version_patch));
}

BOOST_AUTO_TEST_SUITE_END()
