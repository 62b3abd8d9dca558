// SPDX-License-Identifier: BSD-3-Clause
#include "page_files.hpp"

#include <troupe/chat/page.hpp>
#include <troupe/http/websocket.hpp>
#include <troupe/http/websocket_handshake.hpp>
#include <troupe/net_error.hpp>

#include <chrono>
#include <utility>

namespace troupe::chat {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t message_limit = 65536; // bytes; beyond, the WebSocket is closed

// nothing from elsewhere, nothing written into the page, no frame around it
constexpr std::string_view policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

class websocket_connection final : public connection {
public:
  explicit websocket_connection(http::websocket& peer) : peer_(peer) {}

  task<input_line> read() override {
    input_line in;
    auto message = co_await peer_.receive();
    if (!message)
      in.what = input_line::kind::end;
    else
      in.text = std::move(message->data);
    co_return in;
  }

  void add(const event& e) override {
    if (!out_.empty())
      out_ += '\n';
    append_json(out_, e);
  }
  [[nodiscard]] std::size_t pending() const override { return out_.size(); }

  task<> flush() override {
    const std::string text = std::exchange(out_, {});
    if (!text.empty())
      co_await peer_.send_text(text);
  }

  task<> close() override { co_return; } // `websocket_session` does, in its own time
  void abort() noexcept override { peer_.abort(); }
  [[nodiscard]] std::string peer() const override { return peer_.peer() + ", by its browser"; }

private:
  http::websocket& peer_;
  std::string out_;
};

http::handler file(const page_file& f) {
  return [&f](http::request& /*the same for all*/, http::response& rs) -> task<> {
    rs.headers.set("Content-Type", f.type);
    rs.headers.set("Cache-Control", "no-cache");
    rs.headers.set("X-Content-Type-Options", "nosniff");
    rs.headers.set("Referrer-Policy", "no-referrer");
    rs.headers.set("Content-Security-Policy", policy);
    rs.body = f.content;
    co_return;
  };
}

} // namespace

task<> talk(service& chat, http::websocket& with) {
  websocket_connection client(with);
  co_await chat.talk(client);
}

void add_page(http::router& to, service& chat, const std::string& at) {
  for (const page_file& f : page_files()) {
    to.get(at + std::string(f.name), file(f));
    if (f.name == "index.html")
      to.get(at, file(f));
  }
  http::websocket_server_options options;
  options.socket.message_limit = message_limit;
  options.socket.close_limit = 1s; // a chat's clean-up has no time for who does not say goodbye
  options.socket.keepalive = heartbeat_options{};
  to.get(at + "chat", [&chat, options](http::request& rq, http::response& rs) -> task<> {
    const auto serve = [&chat](http::websocket& ws) { return talk(chat, ws); };
    co_await http::websocket_session(rq, rs, serve, options);
  });
}

} // namespace troupe::chat
