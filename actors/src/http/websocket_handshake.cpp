// SPDX-License-Identifier: BSD-3-Clause
#include "websocket_handshake.hpp"

#include "base64.hpp"
#include "message_parser.hpp"
#include "text.hpp"

#include <troupe/buffered_reader.hpp>

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <span>
#include <stdexcept>
#include <utility>

namespace troupe::http {

namespace {

/// What stands before the empty line, and that.
task<head_and_rest<std::string>> read_head_text(stream& from, std::size_t limit) {
  buffered_reader reader(from, limit);
  head_and_rest<std::string> text;
  try {
    text.head = co_await reader.read_until("\r\n\r\n");
  } catch (const limit_overrun&) {
    throw message_error(431, "the head is longer than " + std::to_string(limit) + " bytes");
  }
  text.behind = reader.buffered();
  co_return text;
}

template <class Head>
task<head_and_rest<Head>> read_head(stream& from, std::size_t limit) {
  auto text = co_await read_head_text(from, limit);
  head_and_rest<Head> all;
  message_parser<Head> parser({limit, limit, limit});
  parser.begin(all.head, true);
  if (parser.put_head(text.head) != text.head.size())
    throw message_error(400, "the head makes no sense");
  all.behind = std::move(text.behind);
  co_return all;
}

} // namespace

std::string make_websocket_key() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("troupe: no random number for the key of a WebSocket");
  return base64(std::as_bytes(std::span(bytes)));
}

std::string accept_of_key(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base64(std::as_bytes(std::span(digest)));
}

std::vector<std::string_view> list_of(const headers& h, std::string_view name) {
  std::vector<std::string_view> all;
  for (std::string_view rest : h.all(name))
    while (!rest.empty())
      if (const auto element = trimmed(cut(rest, ',')); !element.empty())
        all.push_back(element);
  return all;
}

task<head_and_rest<request_head>> read_request_head(stream& from, std::size_t limit) {
  return read_head<request_head>(from, limit);
}

task<head_and_rest<response_head>> read_response_head(stream& from, std::size_t limit) {
  return read_head<response_head>(from, limit);
}

} // namespace troupe::http
