// SPDX-License-Identifier: BSD-3-Clause
#include "replay.hpp"

#include "draws.hpp"

#include <troupe/testing/test_failure.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <system_error>

namespace troupe::testing::internal {

namespace {

constexpr std::size_t most_decisions = 10'000'000;

/// Reads TROUPE_SEED from the front.
class reader {
public:
  explicit reader(std::string_view whole) noexcept : whole_(whole), left_(whole) {}

  [[nodiscard]] bool at_end() const noexcept { return left_.empty(); }
  [[nodiscard]] char next() const noexcept { return left_.empty() ? '\0' : left_.front(); }

  bool take(char c) noexcept {
    if (next() != c || at_end())
      return false;
    left_.remove_prefix(1);
    return true;
  }

  template <class T>
  T number(T most = std::numeric_limits<T>::max(), int base = 10) {
    T n{};
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), n, base);
    if (error != std::errc() || n > most)
      refuse();
    left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
    return n;
  }

  /// What there is from here on makes no sense.
  [[noreturn]] void refuse() const {
    throw test_failure("troupe: TROUPE_SEED is 'seed:hash' or 'seed', or between the two has, in "
                       "this order, '~fault,...', '@decision=way,...', '%draw=bits,from-to=bits,"
                       "draw=,...' and '+chance=bits,...'; in '"
                       + std::string(whole_) + "' "
                       + (at_end() ? std::string("something is missing at the end")
                                   : "there is no sense from '" + std::string(left_) + "' on"));
  }

private:
  std::string_view whole_;
  std::string_view left_;
};

std::vector<choice> read_choices(reader& in) {
  std::vector<choice> all;
  while (!in.at_end() && std::isdigit(static_cast<unsigned char>(in.next())) != 0) {
    const auto at = in.number<std::size_t>(most_decisions - 1);
    if (!in.take('='))
      in.refuse();
    all.resize(std::max(all.size(), at + 1));
    all[at].taken = in.number<std::uint32_t>();
    in.take(',');
  }
  return all;
}

std::vector<redraw> read_draws(reader& in, bool may_leave_out) {
  std::vector<redraw> all;
  do {
    redraw& d = all.emplace_back();
    const reader here = in;
    d.first = d.last = in.number<std::uint64_t>(most_draws - 1);
    if (in.take('-'))
      d.last = in.number<std::uint64_t>(most_draws - 1);
    if (d.last < d.first || (all.size() > 1 && d.first <= all[all.size() - 2].last))
      here.refuse();
    if (!in.take('='))
      in.refuse();
    if (!may_leave_out || std::isdigit(static_cast<unsigned char>(in.next())) != 0)
      d.bits = in.number<std::uint64_t>();
  } while (in.take(','));
  return all;
}

void write_draws(std::ostream& out, char before, const std::vector<redraw>& all) {
  for (const redraw& d : all) {
    out << before << d.first;
    if (d.last != d.first)
      out << '-' << d.last;
    out << '=';
    if (d.bits)
      out << *d.bits;
    before = ',';
  }
}

} // namespace

replay replay::parse(std::string_view whole) {
  reader in(whole);
  replay r;
  r.seed = in.number<std::uint64_t>();
  if (in.take('~'))
    do
      r.without.push_back(in.number<std::size_t>());
    while (in.take(','));
  if (in.take('@'))
    r.choices = read_choices(in);
  if (in.take('%'))
    r.draws = read_draws(in, true);
  if (in.take('+'))
    r.chances = read_draws(in, false);
  if (in.take(':'))
    r.hash = in.number<std::uint64_t>(std::numeric_limits<std::uint64_t>::max(), 16);
  if (!in.at_end())
    in.refuse();
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
  write_draws(out, '%', draws);
  write_draws(out, '+', chances);
  if (hash)
    out << ':' << std::hex << *hash;
  return out.str();
}

simulation_options replay::apply(simulation_options options) const {
  if (choices) {
    options.order = schedule::in_turn;
    options.choices = *choices;
  }
  const auto last = std::max_element(without.begin(), without.end());
  if (last != without.end() && *last >= options.faults.size())
    throw test_failure("troupe: TROUPE_SEED=" + text() + " leaves out fault "
                       + std::to_string(*last) + " of a plan that has "
                       + std::to_string(options.faults.size())
                       + ": the plan has changed since it was written");
  options.faults = leave_out(options.faults, without);
  if (!draws.empty())
    options.draws = draws;
  if (!chances.empty())
    options.chances = chances;
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
  if (!hash || *hash == r.hash) {
    const auto look = [this](const std::vector<redraw>& changed, std::uint64_t there,
                             const char* what) {
      if (!changed.empty() && changed.back().last >= there)
        throw test_failure("troupe: TROUPE_SEED=" + text() + " changes " + what + ' '
                           + std::to_string(changed.back().last) + " of a run that has "
                           + std::to_string(there)
                           + ": the program has changed since it was written");
    };
    look(draws, r.drawn, "draw");
    return look(chances, r.chanced, "chance");
  }
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
