// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/chat/event.hpp>

#include <array>
#include <string_view>

namespace troupe::chat {

namespace {

constexpr std::array<std::string_view, 12> kinds = {"notice",  "welcome", "entered",   "line",
                                                    "whisper", "joined",  "left",      "members",
                                                    "rooms",   "trouble", "recovered", "goodbye"};

void append_names(std::string& to, const event& e, std::string_view between) {
  std::string_view separator = between;
  for (const std::string& name : e.names) {
    to += separator;
    to += name;
  }
}

void append_quoted(std::string& to, std::string_view text) {
  to += '"';
  for (const char c : text)
    switch (c) {
    case '"': to += "\\\""; break;
    case '\\': to += "\\\\"; break;
    case '\n': to += "\\n"; break;
    default:
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto code = static_cast<unsigned char>(c);
        to += "\\u00";
        to += digits[code >> 4U];
        to += digits[code & 15U];
      } else {
        to += c;
      }
    }
  to += '"';
}

void append_field(std::string& to, std::string_view name, std::string_view text) {
  if (text.empty())
    return;
  to += ",\"";
  to += name;
  to += "\":";
  append_quoted(to, text);
}

} // namespace

void append_text(std::string& to, const event& e) {
  const auto add = [&to](auto... parts) { (to.append(std::string_view(parts)), ...); };
  const std::string_view room = e.room, nick = e.nick, other = e.to, text = e.text;
  switch (e.what) {
  case event_kind::notice: add("* ", text); break;
  case event_kind::welcome: add("* you are called ", nick); break;
  case event_kind::entered:
    add("* you are in ", room,
        "; commands: /who, /rooms, /join ROOM, /msg NICK TEXT, /help, /quit");
    break;
  case event_kind::line: add(nick, ": ", text, e.kept ? "" : " (not kept)"); break;
  case event_kind::whisper: add(nick, " to ", other, ", in private: ", text); break;
  case event_kind::joined: add("* ", nick, " has joined ", room); break;
  case event_kind::left:
    add("* ", nick, " has left ", room);
    if (!text.empty())
      add(" (", text, ")");
    break;
  case event_kind::members:
    add("* in ", room, ":");
    append_names(to, e, " ");
    break;
  case event_kind::rooms:
    add("* rooms:");
    append_names(to, e, ", ");
    break;
  case event_kind::trouble: add("* history is not kept right now: ", text); break;
  case event_kind::recovered:
    add("* history is kept again");
    if (!text.empty())
      add("; ", text);
    break;
  case event_kind::goodbye: add("* ", text, text.empty() ? "goodbye" : ", goodbye"); break;
  }
}

void append_json(std::string& to, const event& e) {
  to += "{\"what\":\"";
  to += kinds.at(static_cast<std::size_t>(e.what));
  to += '"';
  append_field(to, "room", e.room);
  append_field(to, "nick", e.nick);
  append_field(to, "to", e.to);
  append_field(to, "text", e.text);
  if (e.id != 0)
    to += ",\"id\":" + std::to_string(e.id);
  if (e.what == event_kind::line) {
    to += e.kept ? ",\"kept\":true" : ",\"kept\":false";
    if (e.old)
      to += ",\"old\":true";
  }
  if (!e.names.empty()) {
    to += ",\"names\":[";
    for (std::size_t i = 0; i < e.names.size(); ++i) {
      if (i != 0)
        to += ',';
      append_quoted(to, e.names[i]);
    }
    to += ']';
  }
  to += '}';
}

std::string to_text(const event& e) {
  std::string text;
  append_text(text, e);
  return text;
}

std::string to_json(const event& e) {
  std::string text;
  append_json(text, e);
  return text;
}

} // namespace troupe::chat
