// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/command.hpp>
#include <troupe/error.hpp>

namespace troupe {

namespace {

/// Longer commands are cut in messages.
constexpr std::size_t text_limit = 120;

void add_quoted(std::string& text, const std::string& word) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_-+=./,:@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
    text += word;
    return;
  }
  text += '\'';
  for (const char c : word)
    if (c == '\'')
      text += "'\\''";
    else
      text += c;
  text += '\'';
}

void check_variable(const std::string& name) {
  if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos)
    throw usage_error("troupe: command: '" + name + "' cannot name a variable");
}

} // namespace

command::command(std::vector<std::string> argv) {
  if (argv.empty())
    throw usage_error("troupe: command: there must be a program");
  parts_.argv = std::move(argv);
}

command& command::env(std::string name, std::string value) {
  check_variable(name);
  parts_.variables.push_back({std::move(name), std::move(value)});
  return *this;
}

command& command::unset_env(std::string name) {
  check_variable(name);
  parts_.variables.push_back({std::move(name), std::nullopt});
  return *this;
}

command& command::standard(std::size_t which, child_io where) {
  if (where == child_io::to_stdout && which != 2)
    throw usage_error("troupe: command: only stderr can lead where stdout does");
  parts_.standard[which].io = where;
  parts_.standard[which].fd = -1;
  return *this;
}

std::string command::text() const {
  std::string text;
  for (const auto& word : parts_.argv) {
    if (!text.empty())
      text += ' ';
    add_quoted(text, word);
    if (text.size() > text_limit) {
      text.resize(text_limit);
      return text + "...";
    }
  }
  return text;
}

} // namespace troupe
