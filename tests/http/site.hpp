// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/router.hpp>
#include <troupe/http/static_files.hpp>

#include "served.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace troupe_test {

/// A directory that is served at "/s/", with what should not be served in it and beside it.
struct site {
  site() {
    write("index.html", "<p>index");
    write("a b.txt", "0123456789");
    write(".hidden", "hidden");
    write("deep/er/page.html", "deep");
    write("deep/index.html", "deep index");
    write("../outside.txt", "outside");
    std::filesystem::create_directory(root / "bare");
    std::filesystem::create_symlink("../outside.txt", root / "way-out");
    std::filesystem::create_symlink("/etc/passwd", root / "far-out");
    std::filesystem::create_symlink("..", root / "up");
    std::filesystem::create_symlink("deep/er/page.html", root / "inside");
    ::mkfifo((root / "pipe").c_str(), 0600);
    app.add("*", "/s/{path...}", http::static_files(root));
  }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((root / name).parent_path());
    std::ofstream(root / name) << text;
  }

  std::string ask(const std::string& path, const std::string& more = {},
                  const std::string& method = "GET") const {
    served s(app);
    return s.talk(method + " /s/" + path + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n");
  }

  std::string status(const std::string& path, const std::string& more = {}) const {
    return ask(path, more).substr(9, 3);
  }

  std::string header(const std::string& got, const std::string& name) const {
    const std::size_t at = got.find("\r\n" + name + ": ");
    if (at == got.npos)
      return {};
    const std::size_t begin = at + name.size() + 4;
    return got.substr(begin, got.find("\r\n", begin) - begin);
  }

  troupe_test::temporary_directory all;
  std::filesystem::path root = all.path() / "root";
  http::router app;
};

} // namespace troupe_test
