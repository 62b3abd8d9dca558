// SPDX-License-Identifier: BSD-3-Clause
// buffered_reader, fed in pieces of any size and asked in any order, against a model that has
// all the bytes at once.
#include "source.hpp"

#include <troupe/buffered_reader.hpp>
#include <troupe/run.hpp>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

using namespace troupe;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// What a reader should do, with all bytes at hand.
class model {
public:
  model(std::string_view all, std::size_t limit) : rest_(all), limit_(limit) {}

  std::optional<std::string> line(bool& overrun) {
    const std::size_t end = rest_.find('\n');
    std::string_view text = rest_.substr(0, end);
    const bool cr = !text.empty() && text.back() == '\r';
    overrun = text.size() - (cr ? 1 : 0) > limit_;
    if (overrun || rest_.empty())
      return std::nullopt;
    rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
    return std::string(cr ? text.substr(0, text.size() - 1) : text);
  }
  bool skip() {
    const std::size_t end = rest_.find('\n');
    rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
    return end != rest_.npos;
  }
  std::optional<std::string> until(std::string_view delimiter, bool& overrun) {
    const std::size_t at = rest_.find(delimiter);
    // without a delimiter, the last bytes may be the beginning of one
    const std::size_t before = at != rest_.npos ? at
                               : rest_.size() >= delimiter.size()
                                 ? rest_.size() - (delimiter.size() - 1)
                                 : 0;
    overrun = before > limit_;
    if (overrun || at == rest_.npos)
      return std::nullopt;
    return take(at + delimiter.size());
  }
  std::optional<std::string> exactly(std::size_t n) {
    if (n > rest_.size())
      return std::nullopt;
    return take(n);
  }

private:
  std::string take(std::size_t n) {
    std::string text(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return text;
  }
  std::string_view rest_;
  std::size_t limit_;
};

task<> compare(std::string_view script, std::string_view bytes) {
  constexpr std::size_t limit = 20;
  auto wire = fuzz::source(bytes, script);
  buffered_reader in(wire.first, limit);
  model m(bytes, limit);
  for (const char step : script) {
    const auto argument = static_cast<std::size_t>(static_cast<unsigned char>(step) / 8);
    bool overrun = false;
    bool overran = false;
    std::optional<std::string> expected;
    std::optional<std::string> got;
    switch (step % 4) {
    case 0:
      expected = m.line(overrun);
      try {
        got = co_await in.read_line();
      } catch (const limit_overrun&) {
        overran = true;
      }
      break;
    case 1: {
      const bool more = co_await in.skip_line();
      require(more == m.skip());
      break;
    }
    case 2: {
      static constexpr std::string_view delimiters[] = {"\n", "\r\n", "--", "aab"};
      const auto delimiter = delimiters[argument % 4];
      expected = m.until(delimiter, overrun);
      try {
        got = co_await in.read_until(delimiter);
      } catch (const limit_overrun&) {
        overran = true;
      } catch (const incomplete_read_error&) { // NOLINT(bugprone-empty-catch): the model says so
      }
      break;
    }
    default:
      expected = m.exactly(argument);
      try {
        got = co_await in.read_exactly(argument);
      } catch (const incomplete_read_error&) { // NOLINT(bugprone-empty-catch)
      }
    }
    require(overran == overrun);
    require(got == expected);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2)
    return 0;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::size_t script = 1 + data[0] % 32U;
  if (size <= script)
    return 0;
  run(run_options{.loops = 1},
      [&]() -> task<> { co_await compare(all.substr(1, script - 1), all.substr(script)); });
  return 0;
}
