// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/http/url.hpp>

#include <iostream>

int main() {
  if (troupe::http::url::parse("https://localhost/a").port == 443)
    std::cout << "all done\n";
}
