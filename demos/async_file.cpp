// SPDX-License-Identifier: BSD-3-Clause
// Files without blocking: several at once, lines, atomic replacement, a full disk.
// Try: ./dev demo async_file; ./dev demo async_file FILE counts the words of a file
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

task<> write_numbers(std::filesystem::path path, int count) {
  file out =
    co_await open_file(std::move(path), open_mode::write | open_mode::create | open_mode::truncate);
  for (int i = 1; i <= count; ++i)
    co_await out.write_all("number " + std::to_string(i) + "\n");
  co_await out.close();
}

task<std::map<std::string, int>> count_words(std::filesystem::path path) {
  std::map<std::string, int> count;
  file in = co_await open_file(std::move(path));
  auto lines = in.lines();
  while (auto line = co_await lines.next()) {
    std::istringstream words(*line);
    for (std::string word; words >> word;)
      ++count[word];
  }
  co_return count;
}

task<> in_directory(const std::filesystem::path& dir) {
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 1; i <= 3; ++i)
      n.start_soon(write_numbers, dir / ("part" + std::to_string(i)), 1000 * i);
    co_return;
  });
  std::uint64_t bytes = 0;
  int files = 0;
  auto list = list_directory(dir);
  while (auto entry = co_await list.next()) {
    ++files;
    bytes += (co_await path_info(entry->path)).size;
  }
  std::cout << files << " files written side by side, " << bytes << " bytes" << std::endl;

  const auto words = co_await count_words(dir / "part3");
  std::cout << "'number' stands " << words.at("number") << " times in part3" << std::endl;

  const auto settings = dir / "settings";
  co_await replace_file(settings, "colour = blue\n");
  file reader = co_await open_file(settings); // keeps what it has opened
  co_await replace_file(settings, "colour = green\n");
  auto lines = reader.lines();
  std::cout << "an open file still says: " << (co_await lines.next()).value() << std::endl;
  std::cout << "a new one says: " << co_await read_file(settings);

  try {
    static_cast<void>(co_await open_file(dir / "none"));
  } catch (const file_not_found& e) {
    std::cout << "not found: cannot " << e.operation() << ", " << e.code().message() << std::endl;
  }
  try {
    file full = co_await open_file("/dev/full", open_mode::write);
    co_await full.write_all("one byte too many");
  } catch (const no_space& e) {
    std::cout << e.what() << std::endl;
  }
}

task<> parent(std::vector<std::string> args) {
  if (args.size() > 1) {
    for (const auto& [word, times] : co_await count_words(args[1]))
      std::cout << times << ' ' << word << '\n';
    co_return;
  }
  co_await with_temporary_directory(in_directory);
  std::cout << "the directory is gone" << std::endl;
}

} // namespace

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
