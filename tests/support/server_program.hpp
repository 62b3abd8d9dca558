// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/buffered_reader.hpp>
#include <troupe/nursery.hpp>
#include <troupe/process.hpp>
#include <troupe/tcp.hpp>
#include <troupe/time.hpp>

#include <csignal>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace troupe_test {

/// A server program that a test starts and ends. Started again and again, it has the same
/// address.
class server_program {
public:
  /// `ready` is what it writes (to stdout or stderr) when it can be connected to.
  server_program(troupe::nursery& n, std::string ready) : nursery_(n), ready_(std::move(ready)) {}
  server_program(const server_program&) = delete;
  server_program& operator=(const server_program&) = delete;

  /// Starts it and waits until it is ready.
  troupe::task<> start(troupe::command what) {
    what.std_in(troupe::child_io::null)
      .std_out(troupe::child_io::pipe)
      .std_err(troupe::child_io::to_stdout)
      .own_group();
    process_ = std::make_shared<troupe::process>(co_await troupe::open_process(std::move(what)));
    troupe::buffered_reader out(process_->std_out());
    std::string said;
    for (;;) {
      const auto line = co_await out.read_line();
      if (!line)
        throw std::runtime_error("a server has not started: " + said);
      said += *line + '\n';
      if (line->find(ready_) != std::string::npos)
        break;
    }
    // it would wait for room one day
    nursery_.start_service([p = process_]() -> troupe::task<> {
      troupe::buffered_reader rest(p->std_out());
      for (;;) {
        const bool more = co_await rest.skip_line();
        if (!more)
          break;
      }
      co_await troupe::sleep_forever();
    });
  }

  /// Ends it by a signal, and waits for that, if it runs.
  troupe::task<> end(int signal) {
    if (!process_)
      co_return;
    process_->send_signal(signal);
    static_cast<void>(co_await process_->wait());
  }
  void send_signal(int signal) { process_->send_signal(signal); }
  [[nodiscard]] bool runs() const { return process_ && !process_->status(); }

private:
  troupe::nursery& nursery_;
  std::string ready_;
  std::shared_ptr<troupe::process> process_; // the one who reads what it writes has it, too
};

/// A port that nobody listens on.
inline std::uint16_t free_port() {
  troupe::listen_options options;
  options.address = "127.0.0.1";
  return troupe::tcp_listener(0, options).port();
}

} // namespace troupe_test
