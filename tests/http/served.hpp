// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/server.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <array>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe_test {

using namespace troupe;

/// A connection that is served in memory, on virtual time.
struct served {
  explicit served(http::handler h) : answer(std::move(h)) {
    options.on_access = [this](const http::access_record& r) {
      log.push_back(std::string(r.method) + " " + std::string(r.target) + " "
                    + std::to_string(r.status) + (r.complete ? "" : " cut"));
    };
    options.on_failure = [this](const std::exception_ptr& e, const http::access_record&) {
      try {
        std::rethrow_exception(e);
      } catch (const std::exception& x) {
        failures.emplace_back(x.what());
      }
    };
  }

  http::served_handler answer;
  http::server_options options = {};
  std::vector<std::string> log = {};
  std::vector<std::string> failures = {};

  /// Runs `client(stream)` while the connection is served.
  void play(std::function<task<>(testing::memory_stream&)> client) {
    testing::run_virtually([&]() -> task<> {
      auto [here, there] = testing::memory_stream_pair();
      co_await with_nursery([&](nursery& n) -> task<> {
        n.start_soon([&, &server = there]() -> task<> {
          co_await http::serve_connection(server, answer, options);
        });
        co_await client(here);
        here.abort();
      });
    });
  }

  /// What comes back if a client sends `text` and ends its direction.
  std::string talk(std::string_view text) {
    std::string got;
    play([&](testing::memory_stream& s) -> task<> {
      co_await s.write_all(text);
      co_await s.send_eof();
      got = co_await rest_of(s);
    });
    return without_date(got);
  }

  static task<std::string> rest_of(stream& s) {
    buffered_reader reader(s);
    co_return co_await reader.read_to_end(1U << 26U);
  }

  static std::string without_date(std::string text) {
    for (std::size_t at = text.find("Date: "); at != text.npos; at = text.find("Date: "))
      text.erase(at, text.find("\r\n", at) + 2 - at);
    return text;
  }
};

/// The smallest request there is.
inline const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The first line of a response.
inline std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find("\r\n")));
}

/// What is behind the first head.
inline std::string body_of(std::string_view text) {
  return std::string(text.substr(std::min(text.size(), text.find("\r\n\r\n") + 4)));
}

} // namespace troupe_test
