// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/redis/reply.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::redis {

/// One word of a command: text (any bytes) or a number.
class argument {
public:
  argument(std::string text) noexcept : text_(std::move(text)) {}
  argument(std::string_view text) : text_(text) {}
  argument(const char* text) : text_(text) {}
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  argument(T n) : text_(std::to_string(n)) {}
  /// All digits that it takes to read the same value again.
  argument(double x);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
  std::string text_;
};

/// What the server remembers of a connection, and so who uses it next would meet: bits.
struct connection_state {
  static constexpr std::uint8_t settings = 1;    ///< a database, a user, a name ...: "select"
  static constexpr std::uint8_t mode = 2;        ///< other replies than one for each: "subscribe"
  static constexpr std::uint8_t transaction = 4; ///< between "multi" and "exec"
  static constexpr std::uint8_t watched = 8;     ///< by "watch"
};

/// Commands that go to the server together: one round trip for all of them.
///
///     redis::batch b;
///     b.add("incr", "visits").add("get", "motto");
///     const auto replies = co_await db.run(b);
class batch {
public:
  template <class... Args>
    requires(sizeof...(Args) > 0)
  batch& add(Args&&... args) {
    const argument words[] = {argument(std::forward<Args>(args))...};
    return append(words);
  }
  /// For words that are known only at run time. Throws `std::invalid_argument` if there are none.
  batch& append(std::span<const argument> words);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// As they are sent.
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  /// The first word of the first command, for messages.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// The state of a connection after the commands, as `connection_state`, if it was `before`.
  [[nodiscard]] std::uint8_t state_after(std::uint8_t before) const noexcept {
    return static_cast<std::uint8_t>((before & ~ends_) | begins_);
  }

private:
  std::string bytes_;
  std::string name_;
  std::size_t size_ = 0;
  std::uint8_t begins_ = 0; // what of the state
  std::uint8_t ends_ = 0;   // before that
};

/// Finds the replies in what a server sends, in pieces of any size: hiredis' reader. Knows nothing
/// of streams.
class reply_reader {
public:
  /// Throws `std::bad_alloc`.
  reply_reader();
  reply_reader(reply_reader&&) noexcept = default;
  reply_reader& operator=(reply_reader&&) noexcept = default;
  ~reply_reader() = default;

  /// More of what was sent. Throws `protocol_error` if there was an error before, `std::bad_alloc`.
  void feed(std::span<const std::byte> bytes);

  /// The next reply, if all of it is there. Throws `protocol_error`, and will again.
  [[nodiscard]] std::optional<reply> next();

  /// Whether something was fed that is not part of a reply that was given.
  [[nodiscard]] bool has_rest() const noexcept { return has_rest_; }

private:
  struct frees {
    void operator()(void* reader) const noexcept;
  };
  std::unique_ptr<void, frees> reader_;
  bool has_rest_ = false;
};

} // namespace troupe::redis
