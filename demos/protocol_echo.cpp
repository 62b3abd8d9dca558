// SPDX-License-Identifier: BSD-3-Clause
// asyncio's echo server of a transport and a protocol: callbacks beside tasks.
// Try: protocol_echo [port]        and in another terminal: nc localhost 5566
#include <troupe/troupe.hpp>

#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace troupe;

class echo_protocol : public protocol {
public:
  void connection_made(transport& t) override {
    transport_ = &t;
    peer_ = t.peer();
    std::cout << "connection from " << peer_ << std::endl;
  }

  void data_received(std::span<const std::byte> data) override {
    transport_->write(data);
    const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
    if (text.starts_with("bye"))
      transport_->close(); // when all is written
  }

  // a client that sends and does not read must not fill the memory
  void pause_writing() override { transport_->pause_reading(); }
  void resume_writing() override { transport_->resume_reading(); }

  void connection_lost(const std::exception_ptr& why) override {
    std::cout << peer_ << (why ? " was lost: " + describe(why) : " has left") << std::endl;
  }

private:
  transport* transport_ = nullptr;
  std::string peer_;
};

task<> serve(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 5566;
  tcp_listener listener(static_cast<std::uint16_t>(port), {.address = "127.0.0.1"});
  std::cout << "listening on " << listener.local() << ", Ctrl-C ends" << std::endl;
  const auto handler = [](tcp_stream& peer) -> task<> {
    echo_protocol p;
    co_await run_protocol(peer, p);
  };
  co_await serve_listener(handler, std::move(listener));
}

int main(int argc, char** argv) { return troupe::main(argc, argv, serve); }
