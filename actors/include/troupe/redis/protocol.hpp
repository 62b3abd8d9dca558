// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/redis/reply.hpp>

#include <concepts>
#include <cstddef>
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

private:
  std::string bytes_;
  std::string name_;
  std::size_t size_ = 0;
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

private:
  struct frees {
    void operator()(void* reader) const noexcept;
  };
  std::unique_ptr<void, frees> reader_;
};

} // namespace troupe::redis
