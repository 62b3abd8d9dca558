// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/chat/service.hpp>
#include <troupe/http/router.hpp>

#include <string>

namespace troupe::http {
class websocket;
} // namespace troupe::http

namespace troupe::chat {

/// Adds the chat to a web server: its page at `at` ("/", or "/chat/" with a slash at the end), what
/// belongs to the page beside it, and the WebSocket that it talks through, `at` + "chat". The page
/// is in the library. Pages of other servers may not connect.
///
///     http::router site;
///     chat::add_page(site, chat);
///     co_await http::serve(site, 8080);
///
/// The service must outlive the router. Throws as `router::add`.
void add_page(http::router& to, service& chat, const std::string& at = "/");

/// Serves one client over a WebSocket: what it sends are lines, a message each; what it hears are
/// events (`to_json`), one or several a message, each on a line of its own. Returns when it has
/// left. A checkpoint; see `service::talk`.
[[nodiscard]] task<> talk(service& chat, http::websocket& with);

} // namespace troupe::chat
