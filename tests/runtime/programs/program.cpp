// SPDX-License-Identifier: BSD-3-Clause
// What troupe::main does with arguments, failures and signals. The first argument says
// what to be; program_test.py runs it and looks at what comes out.
#include <troupe/troupe.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

void say(const std::string& text) { std::cout << text << std::endl; }

task<> nothing() { co_return; }

task<> fail(std::string text) {
  throw std::runtime_error(text);
  co_return;
}

task<> two_failures() {
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon(named("left", fail), "out of paper");
    n.start_soon(named("right", fail), "out of ink");
    co_return;
  });
}

task<int> count_arguments(std::vector<std::string> args) {
  for (const auto& a : args)
    say("argument " + a);
  co_return static_cast<int>(args.size());
}

task<> count_loops() {
  co_await with_nursery([](nursery& n) -> task<> {
    std::set<std::thread::id> threads;
    for (unsigned i = 0; i < 8; ++i) {
      auto h =
        n.start_on(i, []() -> task<std::thread::id> { co_return std::this_thread::get_id(); });
      threads.insert(co_await h);
    }
    say("loops: " + std::to_string(threads.size()));
  });
}

/// Does not let go of its loop for as long as `d`.
task<> hog(duration d) {
  const auto end = std::chrono::steady_clock::now() + d;
  while (std::chrono::steady_clock::now() < end) {
  }
  co_return;
}

task<> slow_step() {
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon(named("hog", hog), 150ms);
    n.start_soon(named("quick", nothing));
    co_return;
  });
}

task<> tidy() {
  co_await with_cleanup(
    []() -> task<> {
      say("ready");
      co_await sleep_forever();
    },
    []() -> task<> {
      co_await checkpoint();
      say("cleaned up, " + to_string(*current_cancel_reason()));
    });
}

/// Ends well although it was asked to end.
task<> unimpressed() {
  co_await shielded([]() -> task<> {
    say("ready");
    co_await sleep_for(50ms);
    while (!current_cancel_reason())
      co_await sleep_for(1ms);
  });
}

task<> stubborn() {
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon(named("refuses", []() -> task<> {
      co_await shielded([]() -> task<> {
        say("ready");
        co_await sleep_forever();
      });
    }));
    co_return;
  });
}

task<> holds_the_first_loop() {
  say("ready");
  co_await hog(1h);
}

task<> family() {
  co_await with_nursery([](nursery& n) -> task<> {
    n.start_soon(named("sleeper", []() -> task<> { co_await sleep_for(1h); }));
    n.start_soon(named("listener", []() -> task<> {
      event never;
      co_await never.wait();
    }));
    co_await checkpoint();
    say("ready");
  });
}

/// What comes in goes out.
task<> cat() {
  descriptor_stream in = standard_input();
  descriptor_stream out = standard_output();
  std::array<std::byte, 10'000> buffer{};
  while (const auto n = co_await in.read_some(buffer))
    co_await out.write_all(std::span(buffer).first(n));
}

/// Serves the sockets that it was given: answers with their names.
task<> activated() {
  co_await with_nursery([](nursery& n) -> task<> {
    for (const inherited_descriptor& d : inherited_descriptors())
      n.start_soon(
        [](const std::string& name, tcp_listener listener) -> task<> {
          tcp_stream peer = co_await listener.accept();
          co_await peer.write_all(name + "\n");
        },
        d.name, tcp_listener::adopt(d.fd));
    co_return;
  });
}

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "nothing")
    return troupe::main(argc, argv, nothing);
  if (what == "fail")
    return troupe::main(argc, argv, [] { return fail("no luck"); });
  if (what == "two_failures")
    return troupe::main(argc, argv, two_failures);
  if (what == "arguments")
    return troupe::main(argc, argv, count_arguments);
  if (what == "loops")
    return troupe::main(argc, argv, count_loops);
  if (what == "slow_step")
    return troupe::main(argc, argv, slow_step);
  if (what == "tidy")
    return troupe::main(argc, argv, tidy);
  if (what == "unimpressed")
    return troupe::main(argc, argv, unimpressed);
  if (what == "stubborn")
    return troupe::main(argc, argv, stubborn);
  if (what == "short_limit") // said by the program, not by its arguments
    return troupe::main(argc, argv, run_options{.loops = 1, .shutdown_limit = 200ms}, stubborn);
  if (what == "holds_the_first_loop")
    return troupe::main(argc, argv, holds_the_first_loop);
  if (what == "family")
    return troupe::main(argc, argv, family);
  if (what == "cat")
    return troupe::main(argc, argv, cat);
  if (what == "activated")
    return troupe::main(argc, argv, activated);
  std::cerr << "what?\n";
  return 99;
}
