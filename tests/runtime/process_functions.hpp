// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/messages.hpp>
#include <troupe/process_function.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What the tests have their worker processes do: in the test program and in the worker's.
namespace jobs {

struct point {
  int x;
  std::string name;
};
struct shape {
  std::vector<jobs::point> points;
  double scale;
};

} // namespace jobs

TROUPE_MESSAGES(process_tests, 0, jobs::point, jobs::shape)

namespace jobs {

extern const troupe::process_function<int(int, int)> add;
extern const troupe::process_function<int()> worker_pid;
extern const troupe::process_function<void()> nothing;
extern const troupe::process_function<shape(const shape&, int)> grow;
extern const troupe::process_function<std::map<std::string, int>(std::string)> count_letters;
extern const troupe::process_function<std::string(std::string, std::uint64_t)> repeat;
extern const troupe::process_function<void(int)> fail;
extern const troupe::process_function<void()> crash;
extern const troupe::process_function<void(int)> leave;
extern const troupe::process_function<void()> block;

} // namespace jobs
