// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/error.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/net_error.hpp>
#include <troupe/random.hpp>
#include <troupe/retry.hpp>

#include <algorithm>
#include <cmath>

namespace troupe {

bool is_transient(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const connection_refused&) {
  } catch (const connection_reset&) {
  } catch (const connection_aborted&) {
  } catch (const connection_timeout&) {
  } catch (const broken_pipe&) {
  } catch (const end_of_stream&) {
  } catch (const host_unreachable&) {
  } catch (const name_not_found&) {
  } catch (const timeout_error&) {
  } catch (const exception_group& all) { // reader and writer see it together
    return std::all_of(all.failures().begin(), all.failures().end(),
                       [](const exception_group::failure& f) { return is_transient(f.error); });
  } catch (...) {
    return false;
  }
  return true;
}

std::optional<duration> backoff::next() {
  ++failures_;
  if (policy_->attempts != 0 && failures_ >= policy_->attempts)
    return std::nullopt;
  const double longest = static_cast<double>(policy_->max_delay.count());
  const double full =
    std::min(longest, static_cast<double>(policy_->first_delay.count())
                        * std::pow(policy_->factor, static_cast<double>(failures_ - 1)));
  return duration(static_cast<duration::rep>(full * (1 - policy_->jitter * random_fraction())));
}

namespace detail {

task<> wait_after(std::exception_ptr why, backoff& delays, const retry_policy& policy) {
  if (!policy.retries(why))
    std::rethrow_exception(why);
  const auto delay = delays.next();
  if (!delay)
    std::rethrow_exception(why);
  if (policy.on_retry)
    policy.on_retry(why, *delay);
  co_await sleep_for(*delay);
}

} // namespace detail

task<> heartbeat(stream& of, heartbeat_options options, detail::awaited_function<task<>()> ping) {
  for (;;) {
    const time_point heard = of.statistics().last_read;
    const duration silent = current_time() - heard;
    if (silent >= options.limit)
      throw connection_timeout(std::make_error_code(std::errc::timed_out), "hear from", of.peer());
    if (silent < options.interval) {
      co_await sleep_until(heard + options.interval);
      continue;
    }
    co_await ping();
    co_await sleep_until(std::min(current_time() + options.interval, heard + options.limit));
  }
}

} // namespace troupe
