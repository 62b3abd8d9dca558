// SPDX-License-Identifier: BSD-3-Clause
// Web requests at the same time, by one session that keeps its connections: all together (gather),
// one by one as they are answered (as_completed), and until the first has ended (wait).
// Try: web_requests, or: web_requests https://www.example.com/ http://www.example.org/
#include <troupe/http/client_session.hpp>
#include <troupe/http/server.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

/// "/delay/100" is answered after 100 ms, "/status/404" with 404.
task<> answer(http::request& rq, http::response& rs) {
  const std::string target = rq.target;
  if (target.starts_with("/delay/"))
    co_await sleep_for(std::stoi(target.substr(7)) * 1ms);
  if (target.starts_with("/status/"))
    rs.status = std::stoi(target.substr(8));
  rs.body = "this is " + target + "\n";
}

task<int> fetch_status(http::client_session& session, std::string url) {
  const auto response = co_await session.get(url);
  co_return response.status();
}

task<> ask(http::client_session& session, std::vector<std::string> urls) {
  co_await with_nursery([&](nursery& n) -> task<> {
    const auto fetchers = [&]() {
      std::vector<task_handle<int>> running;
      for (const auto& url : urls)
        running.push_back(n.start_soon(named(url, fetch_status), std::ref(session), url));
      return running;
    };

    std::vector<task<int>> calls;
    for (const auto& url : urls)
      calls.push_back(fetch_status(session, url));
    std::cout << "gather:";
    for (const int status : co_await gather(std::move(calls)))
      std::cout << ' ' << status;
    std::cout << '\n';

    as_completed in_order(fetchers(), 10s);
    while (const auto next = co_await in_order.next())
      std::cout << "as_completed: " << next->name() << ": " << co_await *next << '\n';

    auto pending = fetchers();
    while (!pending.empty()) {
      const auto so_far = co_await wait(pending, wait_until::first_completed);
      std::cout << "wait: " << so_far.done.size() << " done, " << so_far.pending.size()
                << " pending\n";
      pending = so_far.pending;
    }
  });

  http::client_request hurried("GET", urls.back());
  hurried.total_limit = 10ms;
  try {
    static_cast<void>(co_await session.request(std::move(hurried)));
  } catch (const timeout_error& e) {
    std::cout << "too slow: " << e.what() << '\n';
  }
  std::cout << session.statistics().requests << " requests, " << session.statistics().opened
            << " connections\n";
}

task<> parent(std::vector<std::string> args) {
  std::vector<std::string> urls(args.begin() + 1, args.end());
  if (!urls.empty())
    co_return co_await http::with_client_session(
      [&](http::client_session& session) { return ask(session, urls); });

  tcp_listener listener(0, {.address = "127.0.0.1"});
  const std::string site = "http://127.0.0.1:" + std::to_string(listener.port());
  for (const char* target : {"/", "/delay/30", "/status/404", "/delay/90"})
    urls.push_back(site + target);
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await http::serve(answer, std::move(listener)); });
    co_await http::with_client_session(
      [&](http::client_session& session) { return ask(session, urls); });
    n.cancel("all is answered");
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
