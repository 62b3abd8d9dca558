// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "support/server_program.hpp"
#include "support/temporary_directory.hpp"

#include <troupe/cleanup.hpp>

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace troupe_test {

/// A PostgreSQL server of a test's own, of Debian's package, which listens on a Unix socket and
/// on a port of 127.0.0.1, where it wants the password "secret". The user is "tester".
class postgres_server {
public:
  explicit postgres_server(troupe::nursery& n)
    : program_(n, "ready to accept connections"), port_(free_port()) {}

  /// Where the programs of the server are; empty if it is not installed.
  static std::filesystem::path programs() {
    std::filesystem::path newest;
    std::error_code none;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none))
      if (std::filesystem::exists(version.path() / "bin/initdb") && newest < version.path() / "bin")
        newest = version.path() / "bin";
    return newest;
  }

  troupe::task<> start() {
    if (!made_) {
      co_await make_data();
      made_ = true;
    }
    const std::string data = directory_ / "data";
    auto what = as_its_user((programs() / "postgres").native());
    for (const std::string& a :
         {std::string("-D"), data, std::string("-F"), std::string("-p"), std::to_string(port_),
          std::string("-k"), directory_.path().native(), std::string("-h"),
          std::string("127.0.0.1"), std::string("-N"), std::string("25")})
      what.arg(a);
    what.env("LC_ALL", "C").cwd("/");
    co_await program_.start(std::move(what));
  }

  /// Ends it without waiting for its clients, which hear of it.
  troupe::task<> stop() { co_await program_.end(SIGINT); }
  /// Ends it by force.
  troupe::task<> crash() { co_await program_.end(SIGQUIT); }
  /// A backend does not answer any more, or does again.
  static void freeze(int backend) { ::kill(backend, SIGSTOP); }
  static void thaw(int backend) { ::kill(backend, SIGCONT); }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// To connect over the Unix socket, and over TCP.
  [[nodiscard]] std::string local() const {
    return "host=" + directory_.path().native() + " port=" + std::to_string(port_)
           + " user=tester dbname=postgres";
  }
  [[nodiscard]] std::string url(const std::string& password = "secret") const {
    return "postgresql://tester:" + password + "@127.0.0.1:" + std::to_string(port_) + "/postgres";
  }

private:
  /// It refuses to run as root.
  static troupe::command as_its_user(const std::string& program) {
    if (::geteuid() != 0)
      return troupe::command(program);
    return troupe::command("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
                           program);
  }

  /// A copy of one that is made once, since making one takes seconds.
  troupe::task<> make_data() {
    namespace fs = std::filesystem;
    const fs::path once = fs::path(TROUPE_TEST_BUILD_DIR)
                          / ("postgres_data_" + programs().parent_path().filename().native());
    const int lock = ::open((once.native() + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ::flock(lock, LOCK_EX);
    const bool there = fs::exists(once);
    if (!there) {
      const fs::path fresh = directory_ / "fresh";
      const fs::path password = directory_ / "password";
      make_file(password, "secret\n");
      fs::permissions(directory_.path(), fs::perms::all);
      fs::permissions(password, fs::perms::all);
      auto what = as_its_user((programs() / "initdb").native());
      for (const char* a : {"--no-sync", "--username=tester", "--encoding=UTF8", "--locale=C",
                            "--auth-local=trust", "--auth-host=scram-sha-256", "--wal-segsize=1"})
        what.arg(a);
      what.arg("--pwfile=" + password.native()).arg("-D").arg(fresh.native()).cwd("/");
      static_cast<void>(co_await troupe::run_process(std::move(what).check()));
      const std::string part = once.native() + ".part";
      fs::remove_all(part);
      static_cast<void>(
        co_await troupe::run_process(troupe::command("cp", "-a", fresh, part).check()));
      fs::rename(part, once);
    }
    ::close(lock);
    const std::string data = directory_ / "data";
    static_cast<void>(
      co_await troupe::run_process(troupe::command("cp", "-a", once, data).check()));
    fs::permissions(directory_.path(), fs::perms::all); // for its socket
  }

  /// It is a thousand files: in memory, if there is room.
  static std::filesystem::path quick_place() {
    std::error_code none;
    const auto room = std::filesystem::space("/dev/shm", none);
    return !none && room.available > (std::uintmax_t{256} << 20U)
             ? std::filesystem::path("/dev/shm")
             : std::filesystem::temp_directory_path();
  }

  temporary_directory directory_{quick_place()};
  server_program program_;
  std::uint16_t port_;
  bool made_ = false;
};

/// Runs `body(server)` beside a server. Gives false if there is none on this machine.
template <class Body>
troupe::task<bool> with_postgres(Body body) {
  if (postgres_server::programs().empty()) {
    BOOST_TEST_MESSAGE("skipped: PostgreSQL is not installed");
    co_return false;
  }
  co_await troupe::with_nursery([&](troupe::nursery& n) -> troupe::task<> {
    postgres_server server(n);
    co_await troupe::with_cleanup(
      [&]() -> troupe::task<> {
        co_await server.start();
        co_await body(server);
      },
      [&]() -> troupe::task<> { co_await server.crash(); }, std::chrono::seconds(30));
  });
  co_return true;
}

} // namespace troupe_test
