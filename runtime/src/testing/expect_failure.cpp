// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/expect_failure.hpp>

#include <troupe/testing/test_failure.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <sstream>

namespace troupe::testing {

namespace {

/// Whether each of `of` has a failure of its own, from `at` on: augmenting paths.
class pairing {
public:
  pairing(const std::vector<failure_match>& of, const std::vector<exception_group::failure>& found)
    : of_(of), found_(found), taken_by_(found.size(), nobody) {}

  bool complete() {
    for (std::size_t i = 0; i < of_.size(); ++i) {
      seen_.assign(found_.size(), false);
      if (!place(i))
        return false;
    }
    return true;
  }

private:
  static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

  bool place(std::size_t i) {
    for (std::size_t k = 0; k < found_.size(); ++k) {
      if (seen_[k] || !of_[i].matches(found_[k].error))
        continue;
      seen_[k] = true;
      if (taken_by_[k] == nobody || place(taken_by_[k])) {
        taken_by_[k] = i;
        return true;
      }
    }
    return false;
  }

  const std::vector<failure_match>& of_;
  const std::vector<exception_group::failure>& found_;
  std::vector<std::size_t> taken_by_;
  std::vector<bool> seen_;
};

} // namespace

failure_match::failure_match(const std::type_info& type, std::string_view text,
                             std::function<bool(const std::exception_ptr&)> is_type)
  : kind_(kind::single), is_type_(std::move(is_type)),
    can_be_group_(type == typeid(exception_group)), text_(text) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> readable(
    abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  expected_ = readable ? readable.get() : type.name();
  if (!text_.empty())
    expected_ += " with '" + text_ + "'";
}

bool failure_match::matches(const std::exception_ptr& error) const {
  if (!error)
    return false;
  const auto single = [&] {
    return is_type_(error) && describe(error).find(text_) != std::string::npos;
  };
  try {
    std::rethrow_exception(error);
  } catch (const exception_group& g) {
    return kind_ == kind::single ? can_be_group_ && single() : matches_group(g);
  } catch (...) {
    return kind_ == kind::single && single();
  }
}

bool failure_match::matches_group(const exception_group& g) const {
  if (kind_ == kind::any_group)
    return size_ == 0 || g.size() == size_;
  return g.size() == of_.size() && pairing(of_, g.failures()).complete();
}

failure_match failure_group_of(std::vector<failure_match> of) {
  std::string text = "a group of " + std::to_string(of.size()) + ":";
  for (const auto& m : of)
    text += (&m == of.data() ? " " : ", ") + m.expected();
  failure_match all(failure_match::kind::group, std::move(text));
  all.of_ = std::move(of);
  return all;
}

failure_match any_group(std::size_t size) {
  failure_match m(failure_match::kind::any_group,
                  size == 0 ? "a group" : "a group of " + std::to_string(size));
  m.size_ = size;
  return m;
}

void check_failure(const failure_match& expected, const std::exception_ptr& error) {
  if (expected.matches(error))
    return;
  std::ostringstream text;
  text << "expected " << expected.expected() << ", but ";
  if (error) {
    text << "what came is\n";
    print_tree(text, error);
  } else {
    text << "nothing failed";
  }
  throw test_failure(text.str());
}

} // namespace troupe::testing

namespace troupe::detail {

exception_group group_in(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const exception_group& g) {
    return g;
  }
}

} // namespace troupe::detail
