// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/error.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/process_function.hpp>
#include <troupe/run.hpp>

#include <charconv>
#include <chrono>
#include <cstring>
#include <iostream>
#include <string_view>
#include <utility>

namespace troupe::detail {

main_arguments parse_main_arguments(int& argc, char** argv, run_options defaults) {
  main_arguments result{std::move(defaults), {}};
  result.exit_code = run_process_worker(argc, argv);
  if (result.exit_code)
    return result;
  result.options.handle_signals = true;
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    const std::string_view arg = argv[i];
    std::string_view value;
    if (i == 0) {
      argv[kept++] = argv[i];
    } else if (arg == "--") {
      for (++i; i < argc; ++i)
        argv[kept++] = argv[i];
    } else if (arg == "--debug") {
      result.options.debug = true;
    } else if (arg == "--loops" || arg.starts_with("--loops=")) {
      if (arg.size() > 7)
        value = arg.substr(8);
      else if (i + 1 < argc)
        value = argv[++i];
      unsigned loops = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), loops);
      if (error != std::errc() || end != value.data() + value.size() || loops == 0
          || loops > 1024) {
        std::cerr << argv[0] << ": --loops takes a number from 1 to 1024, not '" << value << "'\n";
        result.exit_code = 2;
        return result;
      }
      result.options.loops = loops;
    } else if (arg == "--shutdown-limit" || arg.starts_with("--shutdown-limit=")) {
      if (arg.size() > 16)
        value = arg.substr(17);
      else if (i + 1 < argc)
        value = argv[++i];
      double seconds = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
      if (value == "none") {
        result.options.shutdown_limit = duration::max();
      } else if (error != std::errc() || end != value.data() + value.size() || !(seconds > 0)
                 || seconds > 1e6) {
        std::cerr << argv[0] << ": --shutdown-limit takes a number of seconds or 'none', not '"
                  << value << "'\n";
        result.exit_code = 2;
        return result;
      } else {
        result.options.shutdown_limit =
          std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
      }
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return result;
}

int report_main_failure(const std::exception_ptr& error) noexcept {
  try {
    try {
      std::rethrow_exception(error);
    } catch (const task_cancelled&) {
      if (const int number = last_signal())
        return 128 + number;
      print_tree(std::cerr, error, "main");
    } catch (...) {
      print_tree(std::cerr, error, "main");
    }
  } catch (...) { // NOLINT(bugprone-empty-catch): stderr is gone; the exit code is left
  }
  return 1;
}

} // namespace troupe::detail
