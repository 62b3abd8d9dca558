// SPDX-License-Identifier: BSD-3-Clause
// Clients that connect again, and ask again, in many orders: connections are reset, the network is
// cut, the server refuses, crashes and comes back.
#include "support/explored.hpp"

#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <string>
#include <utility>

using namespace troupe_test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t port = 7;

/// What those have seen who may not throw. Of this run.
std::string wrong;

void note(bool holds, const std::string& what) {
  if (!holds)
    wrong += what + "; ";
}

/// Answers each number with twice the number, and 0 at once.
task<> answer_all(tcp_stream& peer) {
  buffered_reader in(peer);
  for (;;) {
    const auto line = co_await in.read_line();
    if (!line)
      co_return;
    if (*line != "0" && random_bits() % 4 == 0)
      co_await sleep_for(some_time());
    co_await peer.write_all(std::to_string(2 * std::stoi(*line)) + "\n");
  }
}

struct alive {
  int& count;
  explicit alive(int& n) : count(n) { ++count; }
  alive(const alive&) = delete;
  alive& operator=(const alive&) = delete;
  ~alive() { --count; }
};

/// A server that goes down now and then, by itself or with its machine, and comes back.
task<> server(simulated_network& net, int& connections) {
  const auto serving = [&]() -> task<> {
    co_await net.on("server", [&]() -> task<> {
      serve_options options;
      options.on_failure = [](const std::exception_ptr& why, std::string_view) {
        note(is_transient(why), "the server has failed: " + describe(why));
      };
      co_await serve_tcp(
        [&](tcp_stream& peer) -> task<> {
          const alive one(connections);
          co_await answer_all(peer);
        },
        port, options);
    });
  };
  for (;;) {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(named("a life of the server", serving));
      co_await sleep_for(some_time() * 20);
      if (random_bits() % 2 == 0)
        net.crash("server");
      n.cancel("it goes down");
    });
    demand(connections == 0, "a connection has outlived its server");
    co_await sleep_for(some_time() * 5); // meanwhile clients are refused
  }
}

/// What networks do.
task<> weather(simulated_network& net) {
  for (;;) {
    co_await sleep_for(some_time() * 5);
    switch (random_bits() % 4) {
    case 0: net.reset("client", "server"); break;
    case 1: net.reset_after("client", "server", 1 + random_bits() % 64); break;
    case 2:
      net.partition("client", "server");
      co_await sleep_for(some_time() * 50);
      net.heal();
      break;
    case 3:
      net.refuse("server");
      co_await sleep_for(some_time() * 5);
      net.refuse("server", false);
      break;
    }
  }
}

/// `clients` on the host "client", with all that can happen; nothing is left afterwards.
task<> in_bad_weather(simulated_network& net, std::function<task<>()> clients) {
  wrong.clear();
  int connections = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_service([&] { return server(net, connections); });
    n.start_service([&] { return weather(net); });
    co_await net.on("client", clients);
  });
  demand(connections == 0, "a connection is left");
  demand(wrong.empty(), wrong);
}

/// Quick, and for ever.
retry_policy persistent() {
  retry_policy policy;
  policy.first_delay = 2ms;
  policy.max_delay = 50ms;
  policy.attempts = 0;
  policy.on_retry = [](const std::exception_ptr& why, duration delay) {
    note(is_transient(why), "retried: " + describe(why));
    note(delay >= 1ms && delay <= 50ms, "another delay than the policy's");
  };
  return policy;
}

/// The next line of a peer that may have gone.
task<std::string> line_of(stream& s, buffered_reader& in) {
  auto line = co_await in.read_line();
  if (!line)
    throw end_of_stream("read from", s.peer(), "the server has gone");
  co_return *std::move(line);
}

/// Asks one thing after the other, and where it was cut off, that one again.
task<> asks_until_it_is_answered() {
  int answered = 0;
  co_await stay_connected(
    persistent(), [] { return fail_after(100ms, [] { return open_tcp_stream("server", port); }); },
    [&](tcp_stream& s) -> task<> {
      buffered_reader in(s);
      while (answered != 10) {
        const int question = answered + 1;
        co_await s.write_all(std::to_string(question) + "\n");
        const std::string answer = co_await fail_after(100ms, [&] { return line_of(s, in); });
        demand(answer == std::to_string(2 * question), "the answer to another question");
        ++answered;
        co_await sleep_for(some_time());
      }
    });
  demand(answered == 10, "a question was not answered");
}

/// What has become of requests. One whose task is cancelled is neither answered nor has failed.
struct tally {
  int begun = 0;
  int answered = 0;
  int failed = 0;
  int cut_off = 0;
};

class one_request {
public:
  explicit one_request(tally& t) : tally_(t) { ++tally_.begun; }
  one_request(const one_request&) = delete;
  one_request& operator=(const one_request&) = delete;
  ~one_request() {
    if (!over_)
      ++tally_.cut_off;
  }
  void answered() noexcept { end(tally_.answered); }
  void failed() noexcept { end(tally_.failed); }

private:
  void end(int& as) noexcept {
    if (!std::exchange(over_, true))
      ++as;
  }

  tally& tally_;
  bool over_ = false;
};

void check(const tally& t) {
  demand(t.begun == t.answered + t.failed + t.cut_off, "a request has not ended");
}

/// A connection for each attempt; not more than three attempts.
task<int> ask_anew(int question, int& attempts) {
  retry_policy policy = persistent();
  policy.attempts = 3;
  co_return co_await retry(policy, [&]() -> task<int> {
    ++attempts;
    co_return co_await fail_after(50ms, [&]() -> task<int> {
      tcp_stream s = co_await open_tcp_stream("server", port);
      co_await s.write_all(std::to_string(question) + "\n");
      buffered_reader in(s);
      const std::string answer = co_await line_of(s, in);
      co_return std::stoi(answer);
    });
  });
}

task<> asks_three_times(tally& t) {
  for (int question = 1; question != 5; ++question) {
    one_request r(t);
    int attempts = 0;
    std::exception_ptr why;
    try {
      const int answer = co_await ask_anew(question, attempts);
      demand(answer == 2 * question, "the answer to another question");
      r.answered();
    } catch (const std::logic_error&) {
      throw;
    } catch (const std::exception&) {
      why = std::current_exception();
    }
    if (why) {
      demand(is_transient(why), "a request has failed: " + describe(why));
      demand(attempts == 3, "given up after " + std::to_string(attempts) + " attempts");
      r.failed();
    }
    co_await sleep_for(some_time());
  }
}

/// Descriptors are as many as there may be connections at a time: one that is left is missed.
task<> many_who_ask_three_times(simulated_network& net) {
  net.descriptor_limit("client", 3);
  tally t;
  co_await in_bad_weather(net, [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < 3; ++i)
        n.start_soon(named("asker", asks_three_times), std::ref(t));
      co_return;
    });
  });
  check(t);
}

/// A question on its way; with it ends the channel of the one who has asked.
struct question {
  int number;
  send_channel<int> answer;
};

/// Many share one connection, which is made again when it breaks. What was under way then has
/// failed.
class shared_line {
public:
  explicit shared_line(receive_channel<question> in) : in_(std::move(in)) {}

  task<> run() {
    co_await stay_connected(
      persistent(),
      [] { return fail_after(100ms, [] { return open_tcp_stream("server", port); }); },
      [this](tcp_stream& s) { return session(s); });
  }

private:
  task<> session(tcp_stream& s) {
    std::deque<question> asked;
    mutex writing;
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service([&]() -> task<> {
        const heartbeat_options often{.interval = 20ms, .limit = 60ms};
        co_await heartbeat(s, often, [&]() -> task<> {
          const auto turn = co_await writing.lock();
          co_await s.write_all("0\n");
        });
      });
      n.start_soon([&]() -> task<> {
        for (;;) {
          question q = co_await in_.receive();
          const std::string text = std::to_string(q.number) + "\n";
          const auto turn = co_await writing.lock();
          asked.push_back(std::move(q));
          co_await s.write_all(text);
        }
      });
      buffered_reader in(s);
      for (;;) {
        const std::string line = co_await line_of(s, in);
        if (line == "0")
          continue;
        demand(!asked.empty(), "an answer without a question");
        question q = std::move(asked.front());
        asked.pop_front();
        demand(line == std::to_string(2 * q.number), "the answer to another question");
        try {
          co_await q.answer.send(2 * q.number);
        } catch (const broken_resource_error&) { // nobody waits for it any more
        }
      }
    });
  }

  receive_channel<question> in_;
};

task<> asks_through(send_channel<question>& line, int first, tally& t) {
  for (int number = first; number != first + 5; ++number) {
    one_request r(t);
    auto answer = make_channel<int>(1);
    co_await line.emplace(number, std::move(answer.tx));
    const auto heard = co_await answer.rx.next();
    demand(!heard || *heard == 2 * number, "the answer to another question");
    if (heard)
      r.answered();
    else
      r.failed();
    co_await sleep_for(some_time());
  }
}

task<> many_who_share_a_connection(simulated_network& net) {
  net.descriptor_limit("client", 1);
  tally t;
  co_await in_bad_weather(net, [&]() -> task<> {
    auto questions = make_channel<question>(2);
    shared_line line(std::move(questions.rx));
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service(named("line", [&] { return line.run(); }));
      for (int i = 0; i < 4; ++i)
        n.start_soon(named("asker", asks_through), std::ref(questions.tx), 100 * i + 1,
                     std::ref(t));
      co_return;
    });
  });
  check(t);
}

/// A network of which one packet in fifty is lost.
struct bad_network {
  bad_network() {
    net.add_host("server");
    net.add_host("client");
  }
  static network_options lossy() {
    network_options o;
    o.seed = 0;
    o.links.jitter = 2ms;
    o.links.loss = 0.02;
    o.retransmit_after = 20ms;
    return o;
  }
  [[nodiscard]] simulation_options with(std::vector<fault> faults) {
    simulation_options how;
    how.network = &net;
    how.faults = std::move(faults);
    return how;
  }

  simulated_network net{lossy()};
};

constexpr std::uint64_t seeds = 1000;

} // namespace

BOOST_AUTO_TEST_SUITE(explored_reconnection)

BOOST_AUTO_TEST_CASE(each_question_is_asked_until_it_is_answered) {
  bad_network bad;
  explore_with([&] { return in_bad_weather(bad.net, asks_until_it_is_answered); }, bad.with({}),
               seeds);
}

BOOST_AUTO_TEST_CASE(each_request_is_answered_or_has_failed) {
  bad_network bad;
  explore_with([&] { return many_who_ask_three_times(bad.net); },
               bad.with({cancel("asker", 0.01), stall("asker", 0.05)}), seeds);
}

BOOST_AUTO_TEST_CASE(each_request_of_a_shared_connection_is_answered_or_has_failed) {
  bad_network bad;
  explore_with([&] { return many_who_share_a_connection(bad.net); },
               bad.with({cancel("asker", 0.01), stall("asker", 0.05), stall("line", 0.05)}), seeds);
}

BOOST_AUTO_TEST_SUITE_END()
