// SPDX-License-Identifier: BSD-3-Clause
#include "process_functions.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace jobs {

namespace {

int add_numbers(int a, int b) { return a + b; }

shape grow_shape(const shape& s, int by) {
  shape bigger = s;
  bigger.scale *= by;
  bigger.points.push_back({static_cast<int>(s.points.size()), "new"});
  return bigger;
}

std::map<std::string, int> letters(std::string text) {
  std::map<std::string, int> counts;
  for (const char c : text)
    ++counts[std::string(1, c)];
  return counts;
}

std::string repeated(std::string text, std::uint64_t times) {
  std::string all;
  for (; times != 0; --times)
    all += text;
  return all;
}

void throw_one(int which) {
  switch (which) {
  case 0: throw std::out_of_range("too far");
  case 1: throw 42; // NOLINT(hicpp-exception-baseclass)
  default: break;
  }
}

void abort_now() {
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  std::abort();
}

/// Does not end, and does not hear SIGTERM.
void block_for_ever() {
  ::signal(SIGTERM, SIG_IGN); // NOLINT
  for (;;)
    ::pause();
}

} // namespace

const troupe::process_function<int(int, int)> add("add", add_numbers);
const troupe::process_function<int()> worker_pid("worker_pid", ::getpid);
const troupe::process_function<void()> nothing(
  "nothing", +[] {});
const troupe::process_function<shape(const shape&, int)> grow("grow", grow_shape);
const troupe::process_function<std::map<std::string, int>(std::string)>
  count_letters("count_letters", letters);
const troupe::process_function<std::string(std::string, std::uint64_t)> repeat("repeat", repeated);
const troupe::process_function<void(int)> fail("fail", throw_one);
const troupe::process_function<void()> crash("crash", abort_now);
const troupe::process_function<void(int)> leave("leave", std::_Exit);
const troupe::process_function<void()> block("block", block_for_ever);

} // namespace jobs
