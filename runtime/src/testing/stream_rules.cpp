// SPDX-License-Identifier: BSD-3-Clause
#include "stream_rules.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace troupe::testing {

task<> check_stream_rules(const char* suite, std::span<const stream_rule> rules,
                          const stream_maker& make, const check_stream_options& options) {
  for (const stream_rule& rule : rules) {
    const auto body = [&]() -> task<> {
      stream_ends ends = co_await make();
      require(ends.one && ends.other, "there are no two streams");
      co_await rule.holds(ends, options);
      for (const auto& left : {ends.one.get(), ends.other.get()})
        if (left)
          left->abort();
    };
    co_await check_rule(suite, rule.says, options.patience, body);
  }
}

namespace {

/// What is written, over and over again; the length is prime, unlike all buffers'.
const std::vector<std::byte>& pattern() {
  static const std::vector<std::byte> bytes = [] {
    std::vector<std::byte> all(65'521);
    std::uint32_t x = 1;
    for (std::byte& b : all) {
      x = x * 1'664'525U + 1'013'904'223U;
      b = static_cast<std::byte>(x >> 24U);
    }
    return all;
  }();
  return bytes;
}

/// Where `got` is not what stands at `position`; its size if it is.
std::size_t first_difference(std::size_t position, std::span<const std::byte> got) {
  const auto& all = pattern();
  for (std::size_t done = 0; done < got.size();) {
    const std::size_t at = (position + done) % all.size();
    const std::size_t n = std::min(got.size() - done, all.size() - at);
    if (std::memcmp(&got[done], &all[at], n) != 0)
      return done
             + static_cast<std::size_t>(std::mismatch(&all[at], &all[at] + n, &got[done]).first
                                        - &all[at]);
    done += n;
  }
  return got.size();
}

/// Says what is wrong with a read that gives `n` bytes, at `at` of `total`, in `room`. Is asked
/// only where something is: a million reads are checked.
[[noreturn]] void refuse_read(std::size_t at, std::size_t total, std::span<const std::byte> room,
                              std::size_t n) {
  if (n == 0)
    throw test_failure("a read gives the end after " + std::to_string(at) + " bytes, where "
                       + std::to_string(total) + " were written");
  if (n > room.size())
    throw test_failure("a read of " + std::to_string(room.size()) + " bytes gives "
                       + std::to_string(n));
  throw test_failure("byte " + std::to_string(at + first_difference(at, room.first(n)))
                     + " is not what was written");
}

} // namespace

std::vector<std::byte> bytes_from(std::size_t position, std::size_t count) {
  const auto& all = pattern();
  std::vector<std::byte> bytes;
  bytes.reserve(count);
  while (bytes.size() < count) {
    const std::size_t at = (position + bytes.size()) % all.size();
    const std::size_t n = std::min(count - bytes.size(), all.size() - at);
    bytes.insert(bytes.end(), &all[at], &all[at] + n);
  }
  return bytes;
}

task<> write_bytes(stream& to, std::size_t total) {
  std::size_t piece = 1;
  for (std::size_t at = 0; at < total; piece = piece * 17 % 65'521) {
    const auto bytes = bytes_from(at, std::min(piece, total - at));
    co_await to.write_all(bytes);
    at += bytes.size();
  }
}

task<> write_until_cut(stream& to, std::size_t total) {
  const auto bytes = bytes_from(0, total);
  try {
    co_await to.write_all(bytes);
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch): the rule is about something else
  }
}

task<> read_bytes(stream& from, std::size_t total) {
  std::vector<std::byte> buffer(65536);
  std::size_t piece = 1;
  for (std::size_t at = 0; at < total; piece = piece * 7 % 65'521) {
    const auto room = std::span(buffer).first(std::min(piece, total - at));
    const std::size_t n = co_await from.read_some(room);
    if (n == 0 || n > room.size() || first_difference(at, room.first(n)) != n)
      refuse_read(at, total, room, n);
    at += n;
  }
}

task<std::string> read_once(stream& from, std::size_t at_most) {
  std::string text(at_most, '\0');
  const std::size_t n = co_await from.read_some(std::as_writable_bytes(std::span(text)));
  require(n <= at_most, "a read gives more than was asked for");
  text.resize(n);
  co_return text;
}

task<std::string> read_text(stream& from, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    const std::string more = co_await read_once(from, size - text.size());
    if (more.empty())
      break;
    text += more;
  }
  co_return text;
}

task<> read_to_some_end(stream& from) {
  try {
    for (std::string text = "some"; !text.empty();)
      text = co_await read_once(from, 65536);
  } catch (const net_error& e) {
    require(e.code() != std::errc::bad_file_descriptor,
            "the other side has gone, and reading says that this side is closed");
  }
}

task<> write_until_broken(stream& to) {
  const auto writing = [&to]() -> task<> {
    const auto block = bytes_from(0, 65536);
    for (int i = 0; i < 800; ++i) {
      co_await to.write_all(block);
      if (i >= 50) // it may take what still comes for some time, politely
        co_await sleep_for(std::chrono::milliseconds(10));
    }
  };
  co_await expect<broken_pipe, connection_reset, connection_aborted>(
    "writing to one who has gone has to throw broken_pipe or connection_reset", writing);
}

} // namespace troupe::testing
