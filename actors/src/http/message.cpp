// SPDX-License-Identifier: BSD-3-Clause
#include "head_lines.hpp"
#include "text.hpp"

#include <troupe/http/message.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace troupe::http {

namespace {

std::string sentence(int status, std::string_view details) {
  std::string text = std::to_string(status);
  if (const auto phrase = reason_phrase(status); !phrase.empty())
    text.append(" ").append(phrase);
  if (!details.empty())
    text.append(": ").append(details);
  return text;
}

bool persists(int minor_version, const headers& h) noexcept {
  return minor_version >= 1 ? !h.has_token("Connection", "close")
                            : h.has_token("Connection", "keep-alive");
}

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

} // namespace

std::string_view reason_phrase(int status) noexcept {
  // clang-format off
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 418: return "I'm a teapot";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    case 511: return "Network Authentication Required";
    default: return {};
  }
  // clang-format on
}

http_error::http_error(int status, std::string_view details, headers more)
  : std::runtime_error(sentence(status, details)), status_(status), details_(details),
    headers_(std::move(more)) {}

bool request_head::keep_alive() const noexcept { return persists(minor_version, headers); }
bool response_head::keep_alive() const noexcept { return persists(minor_version, headers); }

void append_head(std::string& text, const request_head& head) {
  if (!is_token(head.method))
    throw std::invalid_argument("'" + head.method + "' is no method");
  if (head.target.empty() || head.target.find(' ') != std::string::npos
      || std::any_of(head.target.begin(), head.target.end(), is_control))
    throw std::invalid_argument("'" + head.target + "' is no target for a request");
  text.append(head.method).append(" ").append(head.target);
  text.append(head.minor_version == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  head.headers.append_to(text);
  text.append("\r\n");
}

void append_head(std::string& text, const response_head& head) {
  append_status_line(text, head);
  head.headers.append_to(text);
  text.append("\r\n");
}

} // namespace troupe::http
