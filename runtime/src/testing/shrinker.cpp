// SPDX-License-Identifier: BSD-3-Clause
#include "shrinker.hpp"

#include "draws.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <limits>
#include <string_view>
#include <tuple>
#include <typeinfo>
#include <utility>

namespace troupe::testing::internal {

namespace {

/// As many draws are looked at; what is behind them stays as it is.
constexpr std::size_t most_looked_at = 100'000;

bool is_digit(char c) noexcept { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool ends_path(char c) noexcept {
  return std::isspace(static_cast<unsigned char>(c)) != 0
         || std::string_view("'\"`,;:()[]<>").find(c) != std::string_view::npos;
}

/// Ranges of what has changed, the same in each. `changed(i)` is null where nothing has.
template <class Changed>
std::vector<redraw> ranges(std::size_t n, Changed changed) {
  std::vector<redraw> all;
  for (std::size_t i = 0; i < n; ++i) {
    const std::optional<std::optional<std::uint64_t>> c = changed(i);
    if (!c)
      continue;
    if (!all.empty() && all.back().last + 1 == i && all.back().bits == *c)
      all.back().last = i;
    else
      all.push_back({i, i, *c});
  }
  return all;
}

} // namespace

std::string kind_of(const simulation_report& r) {
  std::string kind;
  try {
    std::rethrow_exception(r.failure);
  } catch (const std::exception& e) {
    kind = typeid(e).name();
  } catch (...) { // NOLINT(bugprone-empty-catch): has only its text
  }
  kind += ' ';
  const std::string why = r.why();
  const std::string_view line = std::string_view(why).substr(0, why.find('\n'));
  for (std::size_t i = 0; i < line.size();) {
    const bool path = line[i] == '/' && (i == 0 || ends_path(line[i - 1]));
    if (!path && !is_digit(line[i])) {
      kind += line[i++];
      continue;
    }
    kind += path ? '/' : '0';
    while (i < line.size() && (path ? !ends_path(line[i]) : is_digit(line[i])))
      ++i;
  }
  return kind;
}

bool shrinker::size::is_simpler_than(const size& other) const {
  const auto all = [](const size& s) {
    return std::tuple(s.faults, s.strikes, s.out_of_turn, s.steps, s.elapsed, s.draws.size());
  };
  if (all(*this) != all(other))
    return all(*this) < all(other);
  return draws < other.draws;
}

shrinker::shrinker(const simulated_program& program, const simulation_options& options,
                   const simulation_report& failing, std::size_t runs)
  : program_(program), options_(options), seeds_(draws_of(failing.seed, most_looked_at)),
    most_steps_(std::min(options.max_steps, 1000 + 4 * failing.steps)), kind_(kind_of(failing)),
    best_(failing), left_(runs), part_(runs) {}

std::optional<simulation_report> shrinker::shrink() {
  change as_it_was;
  as_it_was.choices = best_.choices;
  if (!try_it({}, true) && !try_it(std::move(as_it_was), true))
    return {}; // the program has changed meanwhile, or depends on chance
  // what has failed once is not tried again: at last a round tries nothing
  for (std::size_t before = left_ + 1; left_ != before && left_ != 0;) {
    before = left_;
    in_part([this] { drop_faults(); });
    in_part([this] { quieten(); });
    in_part([this] { end_with_zeros(); });
    in_part([this] {
      shorten();
      for (std::size_t piece = now_.choices.size(); piece != 0 && may_go_on(); piece /= 2)
        clear_pieces(piece);
    });
    in_part([this] { leave_out(); });
    in_part([this] { zero_pieces(); });
    in_part([this] { lessen(); });
  }
  return best_;
}

replay shrinker::found() const {
  replay r = replay_of(now_);
  r.hash = best_.hash;
  return r;
}

template <class Pass>
void shrinker::in_part(Pass pass) {
  part_ = (left_ + 2) / 3;
  pass();
  part_ = left_;
}

// -- one attempt --------------------------------------------------------------------------

bool shrinker::try_it(change c, bool as_it_is) {
  if (!may_go_on())
    return false;
  while (!c.choices.empty() && c.choices.back().taken == 0)
    c.choices.pop_back();
  const replay again = replay_of(c);
  const auto [known, is_new] = tried_.try_emplace(again.text(), false);
  same_ = known->second;
  if (!is_new)
    return false;
  --left_;
  --part_;
  simulation_options how = again.apply(options_);
  how.max_steps = most_steps_;
  simulation_report r = program_(best_.seed, how);
  // a run that was cut off earlier than the options say would be another one when it is replayed
  const bool cut_off = most_steps_ < options_.max_steps && r.steps >= most_steps_;
  if (!r.failed() || cut_off || kind_of(r) != kind_)
    return false;
  same_ = known->second = true;
  forget_unused(c, r);
  size s = size_of(c, r);
  if (!as_it_is && !s.is_simpler_than(simplest_))
    return false;
  now_ = std::move(c);
  simplest_ = std::move(s);
  best_ = std::move(r);
  best_.choices.resize(now_.choices.size());
  best_.given = now_.choices.size();
  replay used = replay_of(now_);
  best_.draws = std::move(used.draws);
  best_.chances = std::move(used.chances);
  return true;
}

replay shrinker::replay_of(const change& c) const {
  replay r;
  r.seed = best_.seed;
  r.without = c.without;
  r.choices = c.choices;
  using changed = std::optional<draw>;
  r.draws = ranges(c.draws.size(), [&](std::size_t i) {
    return i < seeds_.size() && c.draws[i] == seeds_[i] ? changed() : changed(c.draws[i]);
  });
  r.chances = ranges(c.quiet.size(),
                     [&](std::size_t i) { return c.quiet[i] ? changed(draw(0)) : changed(); });
  return r;
}

/// What the run has not come to is no change.
void shrinker::forget_unused(change& c, const simulation_report& r) const {
  c.choices.resize(std::min(c.choices.size(), r.choices.size()));
  for (std::size_t i = 0; i < c.choices.size(); ++i)
    c.choices[i] = r.choices[i];
  while (!c.choices.empty() && c.choices.back().taken == 0)
    c.choices.pop_back();
  c.draws.resize(std::min<std::size_t>(c.draws.size(), r.drawn));
  c.quiet.resize(std::min<std::size_t>(c.quiet.size(), r.chanced));
}

shrinker::draw shrinker::drawn(const change& c, std::size_t at) const {
  return at < c.draws.size() ? c.draws[at] : draw(seeds_[at]);
}

shrinker::size shrinker::size_of(const change& c, const simulation_report& r) const {
  size s;
  s.faults = options_.faults.size() - c.without.size();
  s.strikes = r.strikes;
  s.out_of_turn = static_cast<std::size_t>(
    std::count_if(c.choices.begin(), c.choices.end(), [](choice w) { return w.taken != 0; }));
  s.steps = r.steps;
  s.elapsed = r.elapsed;
  const std::size_t n = std::min<std::size_t>(r.drawn, std::max(seeds_.size(), c.draws.size()));
  for (std::size_t i = 0; i < n; ++i)
    if (const draw d = drawn(c, i))
      s.draws.push_back(*d);
  while (!s.draws.empty() && s.draws.back() == 0)
    s.draws.pop_back();
  return s;
}

// -- faults and chances -------------------------------------------------------------------

/// Leaves out all that are not needed: half of them at a time, then fewer.
void shrinker::drop_faults() {
  const std::size_t n = options_.faults.size();
  for (std::size_t piece = n; piece != 0 && may_go_on(); piece /= 2)
    for (std::size_t from = 0; from < n && may_go_on(); from += piece) {
      change fewer = now_;
      for (std::size_t i = from; i < std::min(from + piece, n); ++i)
        if (std::find(fewer.without.begin(), fewer.without.end(), i) == fewer.without.end())
          fewer.without.push_back(i);
      std::sort(fewer.without.begin(), fewer.without.end());
      if (fewer.without.size() != now_.without.size())
        static_cast<void>(try_it(std::move(fewer)));
    }
}

/// Lets less happen: nothing at all, then half of it, and so on.
void shrinker::quieten() {
  const auto n = std::min<std::size_t>(best_.chanced, most_looked_at);
  for (std::size_t piece = n; piece != 0 && may_go_on(); piece /= 2)
    for (std::size_t from = 0; from < n && may_go_on(); from += piece) {
      change fewer = now_;
      // without these there may be others, which are to be quiet, too
      const std::size_t to = from + piece >= best_.chanced ? 2 * n : from + piece;
      fewer.quiet.resize(std::max(fewer.quiet.size(), to));
      std::fill_n(fewer.quiet.begin() + static_cast<std::ptrdiff_t>(from), to - from, true);
      static_cast<void>(try_it(std::move(fewer)));
    }
}

// -- decisions ----------------------------------------------------------------------------

void shrinker::shorten() {
  for (std::size_t cut = (now_.choices.size() + 1) / 2; cut != 0 && may_go_on();) {
    change fewer = now_;
    fewer.choices.resize(fewer.choices.size() - std::min(cut, fewer.choices.size()));
    if (!try_it(std::move(fewer)) || now_.choices.size() < cut)
      cut /= 2;
  }
}

void shrinker::clear_pieces(std::size_t piece) {
  for (std::size_t from = 0; from < now_.choices.size() && may_go_on(); from += piece) {
    change fewer = now_;
    bool any = false;
    for (std::size_t i = from; i < std::min(from + piece, fewer.choices.size()); ++i)
      any |= std::exchange(fewer.choices[i].taken, 0) != 0;
    if (any)
      static_cast<void>(try_it(std::move(fewer)));
  }
}

// -- draws --------------------------------------------------------------------------------

/// Which draws the program has got, up to the last that is not 0.
std::vector<std::size_t> shrinker::given() const {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; all.size() < simplest_.draws.size(); ++i)
    if (drawn(now_, i))
      all.push_back(i);
  return all;
}

/// The same, but for what it would draw beyond: that is 0 for as long as the run is again.
shrinker::change shrinker::with_zeros_behind() const {
  change c = now_;
  const auto n = static_cast<std::size_t>(best_.drawn);
  for (std::size_t i = c.draws.size(); i < std::min(n, seeds_.size()); ++i)
    c.draws.push_back(seeds_[i]);
  if (n <= c.draws.size()) // else not all are looked at
    c.draws.resize(std::min(2 * n + 16, 2 * most_looked_at), draw(0));
  return c;
}

/// Zeros from here on: as early as can be.
void shrinker::end_with_zeros() {
  for (std::size_t cut = simplest_.draws.size(); cut != 0 && may_go_on();) {
    const auto at = given();
    change c = with_zeros_behind();
    for (std::size_t i = at.size() - std::min(cut, at.size()); i < at.size(); ++i)
      c.draws[at[i]] = 0;
    if (!try_it(std::move(c)) || simplest_.draws.size() < cut)
      cut /= 2;
  }
}

/// Gives the program fewer draws, so that those that matter come early.
void shrinker::leave_out() {
  for (std::size_t piece = simplest_.draws.size() / 2; piece != 0 && may_go_on(); piece /= 2)
    for (std::size_t from = 0; may_go_on();) {
      const auto at = given();
      if (from + piece >= at.size()) // the last one is not 0
        break;
      change c = with_zeros_behind();
      for (std::size_t i = from; i < from + piece; ++i)
        c.draws[at[i]].reset();
      if (!try_it(std::move(c)))
        from += piece;
    }
}

void shrinker::zero_pieces() {
  for (std::size_t piece = simplest_.draws.size(); piece != 0 && may_go_on(); piece /= 2)
    for (std::size_t from = 0; may_go_on(); from += piece) {
      const auto at = given();
      if (from >= at.size())
        break;
      change c = with_zeros_behind();
      bool any = false;
      for (std::size_t i = from; i < std::min(from + piece, at.size()); ++i)
        any |= std::exchange(c.draws[at[i]], draw(0)) != draw(0);
      if (any)
        static_cast<void>(try_it(std::move(c)));
    }
}

void shrinker::lessen() {
  for (std::size_t i = 0; i < simplest_.draws.size() && may_go_on(); ++i)
    if (simplest_.draws[i] != 0)
      lessen(i);
}

/// Looks for a small number that does, in place of the draw that the program gets as this one.
/// `draw % n` is that number then; of what uses the high bits, as `random_fraction` does, it
/// becomes a small part.
void shrinker::lessen(std::size_t nth) {
  const auto with = [&](std::uint64_t bits) {
    change c = with_zeros_behind();
    c.draws[given()[nth]] = bits;
    return try_it(std::move(c)) || same_;
  };
  const auto is_there = [&] { return nth < simplest_.draws.size(); };
  constexpr std::array<unsigned, 18> digits{1,  2,  3,  4,  6,  8,  11, 14, 17,
                                            20, 24, 29, 34, 40, 48, 58, 61, 63};
  std::uint64_t no = 0;  // the last one that was too small
  std::uint64_t yes = 0; // the first one that was not, but may take longer than the one there is
  for (const unsigned d : digits) {
    const std::uint64_t bits = (std::uint64_t{1} << d) - 1;
    if (bits >= simplest_.draws[nth] || !may_go_on())
      break;
    if (with(bits)) {
      yes = bits;
      break;
    }
    no = bits;
  }
  if (yes == 0 && is_there())
    yes = simplest_.draws[nth];
  constexpr int precise = 12; // bits
  for (int i = 0; i < precise && is_there() && may_go_on(); ++i) {
    if (yes <= no + 1)
      break;
    const std::uint64_t middle = no + (yes - no) / 2;
    (with(middle) ? yes : no) = middle;
  }
}

} // namespace troupe::testing::internal
