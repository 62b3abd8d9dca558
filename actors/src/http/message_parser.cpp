// SPDX-License-Identifier: BSD-3-Clause
#include "message_parser.hpp"

#include "text.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <type_traits>

namespace troupe::http {

namespace {

namespace bh = boost::beast::http;
using boost::beast::error_code;

std::string_view view(boost::beast::string_view s) noexcept { return {s.data(), s.size()}; }

[[noreturn]] void refuse(std::string_view why) { throw message_error(400, why); }

[[noreturn]] void refuse(const error_code& e) {
  switch (static_cast<bh::error>(e.value())) {
  case bh::error::partial_message: refuse("it ends in the middle");
  case bh::error::bad_line_ending: refuse("a line does not end with CR LF");
  case bh::error::bad_method: refuse("the method is no token");
  case bh::error::bad_target: refuse("the target has a character that it must not have");
  case bh::error::bad_version: refuse("the first line does not end with HTTP/1.1");
  case bh::error::bad_status: refuse("the status is no number");
  case bh::error::bad_reason: refuse("the reason has a control character");
  case bh::error::bad_field: refuse("the name of a header is no token");
  case bh::error::bad_value: refuse("the value of a header has a control character, or is no list");
  case bh::error::bad_content_length:
  case bh::error::multiple_content_length: refuse("the Content-Length is not one number");
  case bh::error::bad_transfer_encoding: refuse("the Transfer-Encoding contradicts the length");
  case bh::error::bad_chunk:
  case bh::error::bad_chunk_extension: refuse("a chunk is badly written");
  case bh::error::header_limit: throw message_error(431, "the headers are too long");
  default: refuse(e.message());
  }
}

std::uint64_t read_length(std::string_view text) {
  std::uint64_t length = 0;
  // 19 digits always fit
  if (text.empty() || text.size() > 19 || !std::all_of(text.begin(), text.end(), is_digit))
    refuse("the Content-Length is not one number");
  for (const char c : text)
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  return length;
}

/// The parser of Beast, which says what it finds by virtual functions.
template <class Head>
class finder final : public bh::basic_parser<std::is_same_v<Head, request_head>> {
public:
  static constexpr bool is_request = std::is_same_v<Head, request_head>;

  finder(Head& into, const message_limits& limits) : head_(into), limits_(limits) {
    this->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(limits.head, 1U << 30U)));
    this->body_limit(boost::none);
    this->eager(false);
  }

  /// As `put`, of text that all pieces given out refer to.
  std::size_t feed(std::string_view text, error_code& ec) {
    text_ = text;
    piece_ = {};
    return this->put(boost::asio::const_buffer(text.data(), text.size()), ec);
  }

  [[nodiscard]] std::string_view piece() const noexcept { return piece_; }
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept { return length_; }
  [[nodiscard]] bool chunked() const noexcept { return chunked_; }
  [[nodiscard]] const Head& head() const noexcept { return head_; }

private:
  void on_request_impl(bh::verb, boost::beast::string_view method, boost::beast::string_view target,
                       int version, error_code&) override {
    if constexpr (is_request) {
      if (target.size() > limits_.target)
        throw message_error(414, "the target is longer than " + std::to_string(limits_.target)
                                   + " bytes");
      head_.method.assign(method.data(), method.size());
      head_.target.assign(target.data(), target.size());
      head_.minor_version = version % 10;
    }
  }

  void on_response_impl(int status, boost::beast::string_view reason, int version,
                        error_code&) override {
    if constexpr (!is_request) {
      head_.status = status;
      head_.reason.assign(reason.data(), reason.size());
      head_.minor_version = version % 10;
    }
  }

  void on_field_impl(bh::field which, boost::beast::string_view name,
                     boost::beast::string_view value, error_code&) override {
    if (in_body_)
      return; // of the trailer: nobody asks for it
    check_one_line(view(name), view(value));
    if (head_.headers.size() == limits_.headers)
      throw message_error(431,
                          "there are more than " + std::to_string(limits_.headers) + " headers");
    if (which == bh::field::content_length) {
      if (length_)
        refuse("the Content-Length is not one number");
      length_ = read_length(view(value));
    } else if (which == bh::field::transfer_encoding)
      check_encoding(view(value));
    else if (is_request && which == bh::field::host) {
      if (has_host_)
        refuse("there is more than one Host");
      has_host_ = true;
    }
    head_.headers.add(view(name), view(value));
  }

  /// Beast goes on in the next line if that begins with a space.
  void check_one_line(std::string_view name, std::string_view value) const {
    const std::less_equal<> before; // the value may lie in a buffer of Beast's
    const char* const colon = name.data() + name.size();
    const bool here = before(colon, value.data())
                      && before(value.data() + value.size(), text_.data() + text_.size());
    if (!here || std::any_of(colon + 1, value.data(), [](char c) { return c != ' ' && c != '\t'; }))
      refuse("a header goes on in the next line");
  }

  void check_encoding(std::string_view value) {
    if (head_.minor_version == 0)
      refuse("HTTP/1.0 has no Transfer-Encoding");
    if (!same_name(value, "chunked")) {
      const std::size_t comma = value.rfind(',');
      if (comma != value.npos && same_name(trimmed(value.substr(comma + 1)), "chunked"))
        throw message_error(501, "of Transfer-Encodings, only chunked is known");
      refuse("the Transfer-Encoding is not chunked");
    }
    chunked_ = true;
  }

  void on_header_impl(error_code&) override {
    if (chunked_ && length_)
      refuse("the Transfer-Encoding contradicts the length");
    if (is_request && !has_host_ && head_.minor_version == 1)
      refuse("there is no Host");
    in_body_ = true;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view body, error_code&) override {
    piece_ = view(body);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body,
                                 error_code&) override {
    piece_ = view(body);
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  Head& head_;
  const message_limits& limits_;
  std::string_view text_;
  std::string_view piece_;
  std::optional<std::uint64_t> length_;
  bool chunked_ = false;
  bool has_host_ = false;
  bool in_body_ = false;
};

/// A line feed alone: Beast waits for the end of the head before it looks.
void check_line_ends(std::string_view text) {
  for (std::size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1))
    if (at == 0 || text[at - 1] != '\r')
      refuse("a line does not end with CR LF");
}

/// Whether the first line is well written, whatever the version.
bool names_version(std::string_view text) {
  text = text.substr(0, text.find("\r\n"));
  if (text.size() < 9)
    return false;
  const std::string_view version = text.substr(text.size() - 9);
  return version.starts_with(" HTTP/") && is_digit(version[6]) && version[7] == '.'
         && is_digit(version[8]) && std::count(text.begin(), text.end(), ' ') == 2;
}

} // namespace

template <class Head>
class message_parser<Head>::beast {
public:
  std::optional<finder<Head>> parser;
  std::size_t parsed = 0; // of the head
  bool no_body = false;
};

template <class Head>
message_parser<Head>::message_parser(const message_limits& limits)
  : beast_(std::make_unique<beast>()), limits_(limits) {}

template <class Head>
message_parser<Head>::~message_parser() = default;

template <class Head>
void message_parser<Head>::begin(Head& into, bool no_body) {
  into.headers.clear();
  beast_->parser.emplace(into, limits_);
  beast_->parsed = 0;
  beast_->no_body = no_body;
  length_.reset();
  remaining_ = 0;
  done_ = has_body_ = chunked_ = false;
}

template <class Head>
std::size_t message_parser<Head>::put_head(std::string_view text) {
  finder<Head>& parser = *beast_->parser;
  const auto check_length = [&](std::size_t length) {
    if (length <= limits_.head)
      return;
    if (finder<Head>::is_request && beast_->parsed == 0)
      throw message_error(414, "the first line is too long");
    throw message_error(431, "the head is longer than " + std::to_string(limits_.head) + " bytes");
  };
  error_code ec;
  beast_->parsed += parser.feed(text.substr(beast_->parsed), ec);
  if (ec == bh::error::header_limit)
    check_length(limits_.head + 1);
  if (ec == bh::error::bad_version && names_version(text))
    throw message_error(505, "only HTTP/1.0 and HTTP/1.1 are known");
  if (ec && ec != bh::error::need_more)
    refuse(ec);
  if (!parser.is_header_done()) {
    check_length(text.size());
    check_line_ends(text.substr(beast_->parsed));
    return 0;
  }
  check_length(beast_->parsed);
  length_ = parser.length();
  chunked_ = parser.chunked();
  find_body(parser.head());
  return beast_->parsed;
}

template <class Head>
void message_parser<Head>::find_body(const Head& head) noexcept {
  bool none = beast_->no_body;
  if constexpr (std::is_same_v<Head, response_head>)
    none = none || head.status / 100 == 1 || head.status == 204 || head.status == 304;
  remaining_ = length_.value_or(0);
  if (none)
    has_body_ = false;
  else if constexpr (std::is_same_v<Head, response_head>)
    has_body_ = chunked_ || !length_ || remaining_ != 0;
  else
    has_body_ = chunked_ || remaining_ != 0;
  done_ = !has_body_;
}

template <class Head>
typename message_parser<Head>::piece message_parser<Head>::put_body(std::string_view text) {
  piece p;
  if (done_)
    return p;
  if (!chunked_) { // up to the length, or to the end of the stream
    p.data =
      length_
        ? text.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, text.size())))
        : text;
    p.consumed = p.data.size();
    remaining_ -= length_ ? p.consumed : 0;
    done_ = length_ && remaining_ == 0;
    return p;
  }
  while (p.data.empty() && !done_ && p.consumed != text.size()) {
    error_code ec;
    p.consumed += beast_->parser->feed(text.substr(p.consumed), ec);
    if (ec == bh::error::need_more)
      break;
    if (ec)
      refuse(ec);
    p.data = beast_->parser->piece();
    done_ = beast_->parser->is_done();
  }
  return p;
}

template <class Head>
void message_parser<Head>::end_of_stream() {
  if (done_)
    return;
  if (!has_body_ || chunked_ || length_)
    refuse(bh::make_error_code(bh::error::partial_message));
  done_ = true;
}

template class message_parser<request_head>;
template class message_parser<response_head>;

} // namespace troupe::http
