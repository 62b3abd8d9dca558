// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/redis/protocol.hpp>

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <new>
#include <stdexcept>

namespace troupe::redis {

/// Makes replies as hiredis' reader finds them. What it calls must not throw: null says that
/// there is no memory.
struct reply_builder {
  /// Where the reply of a task goes: into the array around it, or by itself.
  static reply* place(const redisReadTask* t, reply&& made) noexcept {
    try {
      if (!t->parent)
        return new reply(std::move(made)); // NOLINT: hiredis keeps it, see `next`
      // the array grows as its elements come, and not to what a liar has announced
      auto& around = static_cast<reply*>(t->parent->obj)->elements_;
      around.push_back(std::move(made));
      return &around.back(); // until the next one: the reader has done with it then
    } catch (...) {
      return nullptr;
    }
  }
  static void* string(const redisReadTask* t, char* text, std::size_t size) {
    const auto kind = t->type == REDIS_REPLY_STRING   ? reply::type::string
                      : t->type == REDIS_REPLY_STATUS ? reply::type::status
                                                      : reply::type::error;
    try {
      return place(t, reply(kind, std::string(text, size)));
    } catch (...) {
      return nullptr;
    }
  }
  /// The size is an int in hiredis 0, and a size_t in 1.
  template <class Size>
  static void* array(const redisReadTask* t, Size) {
    return place(t, reply(std::vector<reply>()));
  }
  static void* integer(const redisReadTask* t, long long n) {
    return place(t, reply(static_cast<std::int64_t>(n)));
  }
  static void* nil(const redisReadTask* t) { return place(t, reply()); }
  static void destroy(void* r) { delete static_cast<reply*>(r); } // NOLINT: see `place`

  static redisReplyObjectFunctions* functions() {
    static redisReplyObjectFunctions all = [] {
      redisReplyObjectFunctions f{};
      f.createString = string;
      f.createArray = array;
      f.createInteger = integer;
      f.createNil = nil;
      f.freeObject = destroy;
      return f;
    }();
    return &all;
  }
};

namespace {

redisReader& reader_of(void* r) noexcept { return *static_cast<redisReader*>(r); }

[[noreturn]] void throw_error(const redisReader& r) {
  throw protocol_error(std::string("redis: what came is not its protocol: ") + r.errstr);
}

bool is_word(std::string_view text, std::string_view small) noexcept {
  return text.size() == small.size()
         && std::equal(text.begin(), text.end(), small.begin(), [](char a, char b) {
              return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
            });
}

/// What a command does to the state of its connection.
struct effect {
  std::string_view word;
  std::uint8_t begins = 0;
  std::uint8_t ends = 0;
  std::string_view second = {}; // if it is only so with this one
};

using bits = connection_state;

constexpr effect effects[] = {
  {"multi", bits::transaction},
  {"exec", 0, bits::transaction | bits::watched},
  {"discard", 0, bits::transaction | bits::watched},
  {"watch", bits::watched},
  {"unwatch", 0, bits::watched},
  {"select", bits::settings},
  {"auth", bits::settings},
  {"hello", bits::settings},
  {"reset", bits::settings},
  {"readonly", bits::settings},
  {"readwrite", bits::settings},
  {"asking", bits::settings},
  {"client", bits::settings, 0, "setname"},
  {"client", bits::settings, 0, "setinfo"},
  {"client", bits::settings, 0, "no-evict"},
  {"client", bits::settings, 0, "no-touch"},
  {"client", bits::mode, 0, "reply"},
  {"client", bits::mode, 0, "tracking"},
  {"client", bits::mode, 0, "caching"},
  {"script", bits::mode, 0, "debug"},
  {"subscribe", bits::mode},
  {"psubscribe", bits::mode},
  {"ssubscribe", bits::mode},
  {"unsubscribe", bits::mode}, // as many replies as there are channels
  {"punsubscribe", bits::mode},
  {"sunsubscribe", bits::mode},
  {"monitor", bits::mode},
  {"sync", bits::mode},
  {"psync", bits::mode},
  {"replconf", bits::mode},
  {"quit", bits::mode},
};

effect effect_of(std::span<const argument> words) noexcept {
  for (const effect& e : effects)
    if (is_word(words[0].text(), e.word)
        && (e.second.empty() || (words.size() > 1 && is_word(words[1].text(), e.second)))
        && (e.ends == 0 || words.size() == 1)) // with more words it is refused, and ends nothing
      return e;
  return {};
}

} // namespace

argument::argument(double x) {
  std::array<char, 64> digits{};
  const auto [end, bad] = std::to_chars(digits.data(), digits.data() + digits.size(), x);
  text_.assign(digits.data(), end);
}

batch& batch::append(std::span<const argument> words) {
  if (words.empty())
    throw std::invalid_argument("troupe: a Redis command needs a word");
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const argument& word : words) {
    texts.push_back(word.text().data());
    sizes.push_back(word.text().size());
  }
  char* encoded = nullptr;
  const long long size =
    redisFormatCommandArgv(&encoded, static_cast<int>(words.size()), texts.data(), sizes.data());
  if (size < 0)
    throw std::bad_alloc();
  struct frees {
    void operator()(char* text) const noexcept { std::free(text); }
  };
  const std::unique_ptr<char, frees> owned(encoded);
  if (size_ == 0)
    name_ = words.front().text();
  bytes_.append(encoded, static_cast<std::size_t>(size));
  ++size_;
  const effect e = effect_of(words);
  begins_ = static_cast<std::uint8_t>((begins_ & ~e.ends) | e.begins);
  ends_ |= e.ends;
  return *this;
}

void reply_reader::frees::operator()(void* reader) const noexcept {
  redisReaderFree(&reader_of(reader));
}

reply_reader::reply_reader() : reader_(redisReaderCreateWithFunctions(reply_builder::functions())) {
  if (!reader_)
    throw std::bad_alloc();
}

void reply_reader::feed(std::span<const std::byte> bytes) {
  redisReader& r = reader_of(reader_.get());
  if (bytes.empty())
    return;
  if (redisReaderFeed(&r, reinterpret_cast<const char*>(bytes.data()), bytes.size()) != REDIS_OK)
    throw_error(r);
  has_rest_ = true;
}

std::optional<reply> reply_reader::next() {
  redisReader& r = reader_of(reader_.get());
  void* found = nullptr;
  if (redisReaderGetReply(&r, &found) != REDIS_OK)
    throw_error(r);
  if (!found)
    return std::nullopt;
  const std::unique_ptr<reply> owned(static_cast<reply*>(found));
  has_rest_ = r.pos != r.len;
  return std::move(*owned);
}

} // namespace troupe::redis
