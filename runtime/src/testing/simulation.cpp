// SPDX-License-Identifier: BSD-3-Clause
#include "draws.hpp"
#include "simulator.hpp"

#include <troupe/detail/task_block.hpp>
#include <troupe/error.hpp>
#include <troupe/testing/simulation.hpp>

#include <iomanip>
#include <sstream>

namespace troupe::testing {

namespace {

/// As they stand in the options.
void write(std::ostream& out, const char* what, const std::vector<redraw>& all) {
  const char* before = " {";
  for (const redraw& d : all) {
    if (&d == &all.front())
      out << " and " << what;
    out << before << d.first << ", " << d.last;
    if (d.bits)
      out << ", " << *d.bits;
    out << '}';
    before = ", {";
  }
}

} // namespace

std::string simulation_report::why() const {
  return failure ? troupe::detail::describe_or_empty(failure) : std::string();
}

std::string simulation_report::text() const {
  if (!failure)
    return {};
  std::ostringstream out;
  out << "troupe: the simulation has failed after " << steps << " steps and "
      << std::chrono::duration<double>(elapsed).count() << " s of its time: " << why()
      << "\nWhat was done last:\n"
      << log << "It comes back with seed " << seed;
  for (std::size_t i = 0; i < given; ++i)
    out << (i == 0 ? " and the choices {" : ", {") << choices[i].taken << '}';
  write(out, "the draws", draws);
  write(out, "the chances", chances);
  out << ", its hash is " << std::hex << hash << ".\n";
  return out.str();
}

namespace internal {

simulated_run::simulated_run(std::uint64_t seed, const simulation_options& options) {
  if (options.loops == 0)
    throw usage_error("troupe: simulate needs one loop at least");
  check_draws(options.draws);
  check_chances(options.chances);
  simulator_ = std::make_unique<simulator>(seed, options);
  runtime_ =
    std::make_unique<troupe::detail::runtime>(options.loops, nullptr, false, false, duration::max(),
                                              options.configure_actors, simulator_.get());
  runtime_->network_in_use(options.network);
}

simulated_run::~simulated_run() = default;

troupe::detail::runtime& simulated_run::runtime() noexcept { return *runtime_; }

void simulated_run::threw(std::exception_ptr e) noexcept { simulator_->fail(std::move(e)); }

bool simulated_run::stuck() const noexcept { return simulator_->stuck(); }

void simulated_run::end(simulation_report& into) {
  if (stuck()) {
    unregister_runtime(*runtime_);
    static_cast<void>(runtime_.release());
  } else {
    runtime_.reset();
  }
  simulator_->report(into);
}

} // namespace internal

} // namespace troupe::testing
