// SPDX-License-Identifier: BSD-3-Clause
#include "replay.hpp"

#include <troupe/testing/test_failure.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>
#include <system_error>

namespace troupe::testing::internal {

namespace {

[[noreturn]] void refuse(std::string_view whole) {
  throw test_failure("troupe: TROUPE_SEED is 'seed', 'seed:hash', 'seed@decision=way,...:hash' or "
                     "'seed~fault,...@decision=way,...:hash', not '"
                     + std::string(whole) + "'");
}

/// Reads a number off the front of `text`.
template <class T>
T take_number(std::string_view& text, std::string_view whole, int base = 10) {
  T n{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n, base);
  if (error != std::errc())
    refuse(whole);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return n;
}

bool take(std::string_view& text, char c) noexcept {
  if (text.empty() || text.front() != c)
    return false;
  text.remove_prefix(1);
  return true;
}

constexpr std::size_t most_decisions = 10'000'000;

} // namespace

replay replay::parse(std::string_view whole) {
  std::string_view text = whole;
  replay r;
  r.seed = take_number<std::uint64_t>(text, whole);
  if (take(text, '~'))
    do
      r.without.push_back(take_number<std::size_t>(text, whole));
    while (take(text, ','));
  if (take(text, '@')) {
    r.choices.emplace();
    while (!text.empty() && text.front() != ':') {
      const auto at = take_number<std::size_t>(text, whole);
      if (!take(text, '=') || at >= most_decisions)
        refuse(whole);
      const auto way = take_number<std::uint32_t>(text, whole);
      r.choices->resize(std::max(r.choices->size(), at + 1));
      (*r.choices)[at].taken = way;
      take(text, ',');
    }
  }
  if (take(text, ':'))
    r.hash = take_number<std::uint64_t>(text, whole, 16);
  if (!text.empty())
    refuse(whole);
  return r;
}

std::optional<replay> replay::of_environment() {
  const char* text = std::getenv("TROUPE_SEED"); // NOLINT(concurrency-mt-unsafe): only read
  if (!text || !*text)
    return {};
  return parse(text);
}

std::string replay::text() const {
  std::ostringstream out;
  out << seed;
  char before = '~';
  for (const std::size_t i : without) {
    out << before << i;
    before = ',';
  }
  if (choices) {
    before = '@';
    for (std::size_t i = 0; i < choices->size(); ++i)
      if ((*choices)[i].taken != 0) {
        out << before << i << '=' << (*choices)[i].taken;
        before = ',';
      }
    if (before == '@')
      out << '@';
  }
  if (hash)
    out << ':' << std::hex << *hash;
  return out.str();
}

simulation_options replay::apply(simulation_options options) const {
  if (choices) {
    options.order = schedule::in_turn;
    options.choices = *choices;
  }
  if (!without.empty() && without.back() >= options.faults.size())
    throw test_failure("troupe: TROUPE_SEED=" + text() + " leaves out fault "
                       + std::to_string(without.back()) + " of a plan that has "
                       + std::to_string(options.faults.size())
                       + ": the plan has changed since it was written");
  options.faults = leave_out(options.faults, without);
  return options;
}

std::vector<fault> leave_out(const std::vector<fault>& plan,
                             const std::vector<std::size_t>& without) {
  std::vector<fault> left;
  for (std::size_t i = 0; i < plan.size(); ++i)
    if (std::find(without.begin(), without.end(), i) == without.end())
      left.push_back(plan[i]);
  return left;
}

void replay::check(const simulation_report& r) const {
  if (!hash || *hash == r.hash)
    return;
  std::ostringstream out;
  out << "troupe: this is not the run that TROUPE_SEED=" << text()
      << " was written for: the hash of its event log is " << std::hex << r.hash << std::dec
      << ". The program or its options have changed since, or it depends on something that no "
         "seed brings back.";
  if (r.failed())
    out << " It fails, too: " << r.why();
  throw test_failure(out.str());
}

} // namespace troupe::testing::internal
