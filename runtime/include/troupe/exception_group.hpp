// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <exception>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// Several failures at once: what a nursery throws when more than one of its
/// tasks has failed (or always, if asked). Groups nest as nurseries do.
///
/// After Python's `ExceptionGroup`.
class exception_group : public std::exception {
public:
  struct failure {
    std::exception_ptr error;
    std::string task; ///< the name of the task that failed
  };

  /// Throws `std::invalid_argument` if `failures` is empty.
  explicit exception_group(std::vector<failure> failures);

  /// "3 failures: worker 1: broken pipe; worker 2: ..."
  [[nodiscard]] const char* what() const noexcept override;

  [[nodiscard]] const std::vector<failure>& failures() const noexcept { return failures_; }
  [[nodiscard]] std::size_t size() const noexcept { return failures_.size(); }

  /// All failures, those of nested groups one by one.
  [[nodiscard]] std::vector<failure> flatten() const;

  /// The first exception of type `E`, nested groups included; null if there is
  /// none. Valid as long as the group.
  template <class E>
  [[nodiscard]] const E* find() const;

  /// Two lists of failures: those of type `E`, and the rest. Nested groups are
  /// flattened.
  template <class E>
  [[nodiscard]] std::pair<std::vector<failure>, std::vector<failure>> split() const;

private:
  std::vector<failure> failures_;
  std::string what_;
};

/// The message of `e`: its `what()`, or what kind of thing was thrown.
[[nodiscard]] std::string describe(const std::exception_ptr& e);

/// Writes `e`, one line a failure, groups as a tree with the tasks' names.
void print_tree(std::ostream& out, const std::exception_ptr& e, const std::string& task = {});

template <class E>
const E* exception_group::find() const {
  for (const auto& f : failures_) {
    try {
      std::rethrow_exception(f.error);
    } catch (const E& e) {
      return &e; // kept alive by the exception_ptr
    } catch (const exception_group& inner) {
      if (const E* e = inner.find<E>())
        return e;
    } catch (...) {
    }
  }
  return nullptr;
}

template <class E>
std::pair<std::vector<exception_group::failure>, std::vector<exception_group::failure>>
exception_group::split() const {
  std::pair<std::vector<failure>, std::vector<failure>> result;
  for (auto& f : flatten()) {
    try {
      std::rethrow_exception(f.error);
    } catch (const E&) {
      result.first.push_back(std::move(f));
    } catch (...) {
      result.second.push_back(std::move(f));
    }
  }
  return result;
}

} // namespace troupe
