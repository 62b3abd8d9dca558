// SPDX-License-Identifier: BSD-3-Clause
// Any bytes for an HTTP server, at once and in pieces of any size: the same answers, never a crash
// or a hang. And any text for a URL, which is read again as it was written.
#include "source.hpp"

#include <troupe/http/router.hpp>
#include <troupe/http/url.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace troupe;

namespace {

task<> mirror(http::request& rq, http::response& rs) { rs.body = co_await rq.read_all(); }

task<> stream(http::request& rq, http::response& rs) {
  std::byte piece[7]; // NOLINT
  while (const std::size_t n = co_await rq.read_some(piece))
    co_await rs.write(std::span(piece).first(n));
}

task<> ignore(http::request& rq, http::response& rs) {
  rs.body = std::string(rq.param("x")) + std::string(rq.query().get("q", ""));
  co_return;
}

std::string without_dates(std::string text) {
  for (std::size_t at = text.find("Date: "); at != text.npos; at = text.find("Date: ", at))
    text.erase(at, 37);
  return text;
}

std::string answers(std::string_view pattern, std::string_view bytes) {
  http::router app;
  app.add("*", "/", mirror).add("*", "/s", stream).add("*", "/{x...}", ignore);
  http::server_options options;
  options.body_limit = 1000;
  options.on_failure = [](const std::exception_ptr&, const http::access_record&) { std::abort(); };
  std::string got;
  testing::run_virtually([&]() -> task<> {
    auto wire = fuzz::source(bytes, pattern);
    const http::served_handler answer = app;
    co_await http::serve_connection(wire.first, answer, options);
    got = wire.second.incoming()->bytes();
  });
  return without_dates(got);
}

void check_url(std::string_view text) {
  try {
    const http::url u = http::url::parse(text);
    if (http::url::parse(u.text()).text() != u.text())
      std::abort();
    if (u.resolve(u.text()).text() != u.text())
      std::abort();
  } catch (const http::url_error&) { // NOLINT(bugprone-empty-catch)
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5)
    return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view bytes = all.substr(4);
  const std::string once = answers({}, bytes);
  const std::string in_pieces = answers(all.substr(0, 4), bytes);
  // in pieces, a response can be under way when the next bytes turn out to be bad
  if (once.substr(0, once.find("\r\n")) != in_pieces.substr(0, in_pieces.find("\r\n")))
    std::abort();
  check_url(bytes);
  check_url("http://" + std::string(bytes));
  return 0;
}
