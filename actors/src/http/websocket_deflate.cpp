// SPDX-License-Identifier: BSD-3-Clause
#include "websocket_deflate.hpp"

#include "text.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <new>

namespace troupe::http {

namespace {

struct parameters {
  bool server_no_takeover = false, client_no_takeover = false;
  int server_bits = 0, client_bits = 0; // 0: not given; -1: without a value
};

/// Of "permessage-deflate; a; b=c"; nothing if it is something else, or makes no sense.
std::optional<parameters> read_parameters(std::string_view text) {
  if (trimmed(cut(text, ';')) != "permessage-deflate")
    return std::nullopt;
  parameters p;
  while (!text.empty()) {
    auto value = cut(text, ';');
    const auto name = trimmed(cut(value, '='));
    value = trimmed(value);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (name == "server_no_context_takeover" && value.empty() && !p.server_no_takeover) {
      p.server_no_takeover = true;
    } else if (name == "client_no_context_takeover" && value.empty() && !p.client_no_takeover) {
      p.client_no_takeover = true;
    } else if (name == "server_max_window_bits" || name == "client_max_window_bits") {
      int& bits = name[0] == 's' ? p.server_bits : p.client_bits;
      if (bits != 0)
        return std::nullopt;
      bits = -1;
      if (value.empty() && name[0] == 'c')
        continue;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), bits);
      if (error != std::errc() || end != value.data() + value.size() || bits < 8 || bits > 15)
        return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return p;
}

/// zlib has no raw stream with a window of 8 bits.
bool can_compress_in(int bits) { return bits == 0 || bits >= 9; }

} // namespace

std::optional<deflate_answer> answer_deflate(const std::vector<std::string_view>& offers) {
  for (std::string_view rest : offers)
    while (!rest.empty()) {
      const auto p = read_parameters(cut(rest, ','));
      if (!p || !can_compress_in(p->server_bits) || p->server_bits == -1)
        continue;
      deflate_answer a;
      a.text = "permessage-deflate";
      if (p->server_no_takeover) {
        a.agreed.own_takeover = false;
        a.text += "; server_no_context_takeover";
      }
      if (p->client_no_takeover) {
        a.agreed.others_takeover = false;
        a.text += "; client_no_context_takeover";
      }
      if (p->server_bits != 0) {
        a.agreed.own_window = p->server_bits;
        a.text += "; server_max_window_bits=" + std::to_string(p->server_bits);
      }
      return a;
    }
  return std::nullopt;
}

std::optional<deflate_agreement> read_deflate_answer(std::string_view answer) {
  const auto p = read_parameters(answer);
  if (!p || p->client_bits == -1 || !can_compress_in(p->client_bits))
    return std::nullopt;
  deflate_agreement agreed;
  agreed.own_takeover = !p->client_no_takeover;
  agreed.others_takeover = !p->server_no_takeover;
  if (p->client_bits != 0)
    agreed.own_window = p->client_bits;
  return agreed;
}

/// Made when they are needed.
struct message_deflate::streams {
  z_stream out{}, in{};
  bool has_out = false, has_in = false;

  ~streams() {
    if (has_out)
      deflateEnd(&out);
    if (has_in)
      inflateEnd(&in);
  }
};

message_deflate::message_deflate(const deflate_agreement& agreed)
  : streams_(std::make_unique<streams>()), agreed_(agreed) {}

message_deflate::~message_deflate() = default;

void message_deflate::compress(std::string& out, std::span<const std::byte> message) {
  z_stream& z = streams_->out;
  if (!streams_->has_out) {
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -agreed_.own_window, 8,
                     Z_DEFAULT_STRATEGY)
        != Z_OK)
      throw std::bad_alloc();
    streams_->has_out = true;
  }
  std::array<Bytef, 8192> room;
  const std::size_t begin = out.size();
  constexpr std::size_t most = 1U << 30U; // zlib counts in 32 bits
  do {
    const auto part = message.first(std::min(message.size(), most));
    message = message.subspan(part.size());
    z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(part.data()));
    z.avail_in = static_cast<uInt>(part.size());
    do {
      z.next_out = room.data();
      z.avail_out = static_cast<uInt>(room.size());
      deflate(&z, message.empty() ? Z_SYNC_FLUSH : Z_NO_FLUSH);
      out.append(reinterpret_cast<const char*>(room.data()), room.size() - z.avail_out);
    } while (z.avail_out == 0);
  } while (!message.empty());
  if (out.size() - begin >= 4)
    out.resize(out.size() - 4); // 00 00 FF FF: the other side puts it back
  if (!agreed_.own_takeover)
    deflateReset(&z);
}

message_deflate::result message_deflate::expand(std::string& out, std::span<const std::byte> data,
                                                std::size_t limit) {
  z_stream& z = streams_->in;
  if (!streams_->has_in) {
    if (inflateInit2(&z, -15) != Z_OK)
      throw std::bad_alloc();
    streams_->has_in = true;
  }
  std::array<Bytef, 8192> room;
  z.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size()); // wslay gives 4096 at most
  for (;;) {
    z.next_out = room.data();
    z.avail_out = static_cast<uInt>(room.size());
    const int said = inflate(&z, Z_SYNC_FLUSH);
    const std::size_t got = room.size() - z.avail_out;
    if (got > limit - std::min(limit, out.size()))
      return result::too_big;
    out.append(reinterpret_cast<const char*>(room.data()), got);
    if (said == Z_STREAM_END) { // a block that says it is the last one; what follows is a new one
      inflateReset(&z);
      if (z.avail_in == 0)
        return result::good;
      continue;
    }
    if (said != Z_OK && said != Z_BUF_ERROR)
      return result::bad;
    if (z.avail_in == 0 && z.avail_out != 0)
      return result::good;
    if (said == Z_BUF_ERROR && z.avail_out != 0)
      return result::good; // no progress without more
  }
}

message_deflate::result message_deflate::expand_end(std::string& out, std::size_t limit) {
  constexpr std::array<std::byte, 4> tail{std::byte{0}, std::byte{0}, std::byte{0xFF},
                                          std::byte{0xFF}};
  const auto done = expand(out, tail, limit);
  if (done == result::good && !agreed_.others_takeover)
    inflateReset(&streams_->in);
  return done;
}

} // namespace troupe::http
