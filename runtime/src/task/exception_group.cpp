// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/task_block.hpp>
#include <troupe/exception_group.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <ostream>
#include <stdexcept>

namespace troupe {

namespace {

std::string type_name(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
    abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free);
  return text ? text.get() : type.name();
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n')
      c = ' ';
  return text;
}

void print_level(std::ostream& out, const std::exception_ptr& e, const std::string& task,
                 const std::string& first, const std::string& rest) {
  out << first;
  if (!task.empty())
    out << '\'' << task << "' ";
  try {
    std::rethrow_exception(e);
  } catch (const exception_group& group) {
    out << "failed in " << group.size() << (group.size() == 1 ? " task:\n" : " tasks:\n");
    const auto& failures = group.failures();
    for (std::size_t i = 0; i < failures.size(); ++i) {
      const bool last = i + 1 == failures.size();
      print_level(out, failures[i].error, failures[i].task, rest + (last ? "`-- " : "|-- "),
                  rest + (last ? "    " : "|   "));
    }
  } catch (const std::exception& x) {
    out << "failed: " << one_line(x.what()) << " (" << type_name(typeid(x)) << ")\n";
  } catch (...) {
    out << "failed: " << describe(e) << '\n';
  }
}

void flatten_into(std::vector<exception_group::failure>& all,
                  const std::vector<exception_group::failure>& level) {
  for (const auto& f : level) {
    try {
      std::rethrow_exception(f.error);
    } catch (const exception_group& inner) {
      flatten_into(all, inner.failures());
    } catch (...) {
      all.push_back(f);
    }
  }
}

} // namespace

exception_group::exception_group(std::vector<failure> failures) : failures_(std::move(failures)) {
  if (failures_.empty())
    throw std::invalid_argument("troupe: an exception_group needs at least one failure");
  constexpr std::size_t shown = 5;
  what_ = std::to_string(failures_.size()) + (failures_.size() == 1 ? " failure: " : " failures: ");
  for (std::size_t i = 0; i < failures_.size(); ++i) {
    if (i > 0)
      what_ += "; ";
    if (i == shown) {
      what_ += "and " + std::to_string(failures_.size() - shown) + " more";
      break;
    }
    if (!failures_[i].task.empty())
      what_ += failures_[i].task + ": ";
    what_ += describe(failures_[i].error);
  }
}

const char* exception_group::what() const noexcept { return what_.c_str(); }

std::vector<exception_group::failure> exception_group::flatten() const {
  std::vector<failure> all;
  flatten_into(all, failures_);
  return all;
}

std::string describe(const std::exception_ptr& e) {
  if (!e)
    return "no failure";
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& x) {
    return x.what();
  } catch (const std::string& text) {
    return text;
  } catch (const char* text) {
    return text;
  } catch (...) {
    const std::type_info* type = abi::__cxa_current_exception_type();
    return type ? "an exception of type " + type_name(*type) : "a foreign exception";
  }
}

void print_tree(std::ostream& out, const std::exception_ptr& e, const std::string& task) {
  print_level(out, e, task, "", "");
}

namespace detail {

std::string describe_or_empty(const std::exception_ptr& e) noexcept {
  try {
    return describe(e);
  } catch (...) {
    return {};
  }
}

std::string name_or_empty(const task_block& t) noexcept {
  try {
    return t.name();
  } catch (...) {
    return {};
  }
}

} // namespace detail

} // namespace troupe
