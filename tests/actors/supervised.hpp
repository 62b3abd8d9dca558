// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/actors/supervisor.hpp>
#include <troupe/time.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

/// Children and supervisors for tests.
namespace troupe_test {

using namespace troupe;

/// Options of a supervisor that says nothing.
inline supervisor_options quiet() {
  supervisor_options options;
  options.on_event = [](const supervisor_event&) {};
  return options;
}

/// Writes "+x" when it begins and "-x" when it is gone.
class trace {
public:
  trace(std::string& to, std::string name) : to_(to), name_(std::move(name)) { to_ += "+" + name_; }
  trace(const trace&) = delete;
  trace& operator=(const trace&) = delete;
  ~trace() { to_ += "-" + name_; }

private:
  std::string& to_;
  std::string name_;
};

inline child_spec sleeper(std::string& log, const std::string& name) {
  return {.name = name, .start = [&log, name]() -> task<> {
            const trace t(log, name);
            co_await sleep_forever();
          }};
}

inline child_spec crasher(const std::string& name, int& lives, duration lasts) {
  return {.name = name, .start = [&lives, lasts]() -> task<> {
            ++lives;
            co_await sleep_for(lasts);
            throw std::runtime_error("crash " + std::to_string(lives));
          }};
}

/// Crashes after a second of its first life, and not again.
inline child_spec crashes_once(const std::string& name, int& lives) {
  return {.name = name, .start = [&lives]() -> task<> {
            if (++lives == 2)
              co_await sleep_forever();
            co_await sleep_for(std::chrono::seconds(1));
            throw std::runtime_error("crash");
          }};
}

} // namespace troupe_test
