// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <boost/test/unit_test.hpp>
#include <sqlite3.h>

#include <string>

namespace troupe_test {

/// Another process's hand on the file: SQLite locks connections against each other all the same.
class stranger {
public:
  explicit stranger(const std::string& path) {
    BOOST_REQUIRE(sqlite3_open(path.c_str(), &db_) == 0);
  }
  stranger(const stranger&) = delete;
  stranger& operator=(const stranger&) = delete;
  ~stranger() { sqlite3_close(db_); }
  void run(const char* sql) {
    BOOST_REQUIRE(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == 0);
  }
  int number(const char* sql) {
    int n = -1;
    const auto take = [](void* into, int, char** row, char**) {
      *static_cast<int*>(into) = std::stoi(row[0]);
      return 0;
    };
    BOOST_REQUIRE(sqlite3_exec(db_, sql, take, &n, nullptr) == 0);
    return n;
  }

private:
  sqlite3* db_ = nullptr;
};

} // namespace troupe_test
