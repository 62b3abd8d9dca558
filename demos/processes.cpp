// SPDX-License-Identifier: BSD-3-Clause
// Child processes: output, input, failures, a time limit, a conversation, many at once.
// Try: processes
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

task<> output_and_input() {
  const auto r = co_await run_process(command("sort", "-r").input("ann\nbob\ncid\n").check());
  std::cout << "sorted: " << r.out.substr(0, 3) << " is first\n";
}

task<> failures() {
  try {
    co_await run_process(command("sh", "-c", "echo out of paper >&2; exit 3").check());
  } catch (const process_failed& e) {
    std::cout << "failed: " << e.what() << '\n';
  }
  try {
    co_await run_process(command("no-such-program"));
  } catch (const process_error& e) {
    std::cout << "not run: " << e.what() << '\n';
  }
}

/// A program that does not mind SIGTERM gets SIGKILL after its grace.
task<> time_limit() {
  const bool ended = co_await move_on_after(300ms, []() -> task<> {
    command stubborn("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done");
    co_await run_process(stubborn.grace(200ms).own_group());
  });
  std::cout << (ended ? "it has ended by itself?\n" : "time is up: the stubborn one was killed\n");
}

task<> conversation() {
  co_await with_process(command("sed", "-u", "s/^/you said: /"), [](process& p) -> task<> {
    buffered_reader answers(p.std_out());
    for (const std::string line : {"hello", "goodbye"}) {
      co_await p.std_in().write_all(line + "\n");
      std::cout << *co_await answers.read_line() << '\n';
    }
  });
}

task<> many_at_once() {
  std::size_t bytes = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 20; ++i)
      n.start_soon(
        [&](int number) -> task<> {
          const auto r = co_await run_process(command("echo", std::to_string(number)));
          bytes += r.out.size();
        },
        i);
    co_return;
  });
  std::cout << "20 at once: " << bytes << " bytes\n";
}

task<> parent() {
  co_await output_and_input();
  co_await failures();
  co_await time_limit();
  co_await conversation();
  co_await many_at_once();
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
