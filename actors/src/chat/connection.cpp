// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/chat/connection.hpp>
#include <troupe/net_error.hpp>

#include <utility>

namespace troupe::chat {

task<connection::input_line> text_connection::read() {
  input_line in;
  try {
    auto line = co_await lines_.read_line();
    if (line)
      in.text = std::move(*line);
    else
      in.what = input_line::kind::end;
  } catch (const limit_overrun&) {
    in.what = input_line::kind::too_long;
  }
  if (in.what == input_line::kind::too_long) {
    const bool more = co_await lines_.skip_line();
    if (!more)
      in.what = input_line::kind::end;
  }
  co_return in;
}

void text_connection::add(const event& e) {
  append_text(out_, e);
  out_ += '\n';
}

task<> text_connection::flush() {
  const std::string text = std::exchange(out_, {});
  if (!text.empty())
    co_await peer_.write_all(text);
}

task<> text_connection::close() {
  try {
    co_await peer_.close();
  } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it has left first
  }
}

} // namespace troupe::chat
