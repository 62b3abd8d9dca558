// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/async_generator.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace troupe::http {

/// The body of a request: none, a text, or what a generator gives or a stream holds, which is
/// sent as it comes.
///
/// With a length, it is announced, and a source that gives more or less is `client_error`; without,
/// it is sent in chunks. Only none and a text can be sent again: for a redirect that keeps the
/// body, or on another connection.
class upload {
public:
  upload() = default;
  template <class Text>
    requires std::convertible_to<Text, std::string_view>
    upload(const Text& text) // NOLINT(google-explicit-constructor): a text is a body
      : source_(std::string(std::string_view(text))) {}
    upload(std::string&& text) // NOLINT(google-explicit-constructor): without a copy
      : source_(std::move(text)) {}

    /// What the generator gives until its end.
    upload(async_generator<std::string> parts, // NOLINT(google-explicit-constructor)
           std::optional<std::uint64_t> length = {})
      : source_(std::move(parts)), length_(length) {}

    /// The stream to its end. It must live until the request is over.
    explicit upload(stream& from, std::optional<std::uint64_t> length = {})
      : source_(&from), length_(length) {}

    [[nodiscard]] bool empty() const noexcept {
      return std::holds_alternative<std::monostate>(source_);
    }
    /// The text; null if it is none.
    [[nodiscard]] const std::string* text() const noexcept {
      return std::get_if<std::string>(&source_);
    }
    [[nodiscard]] bool repeatable() const noexcept { return empty() || text(); }

    /// How long it is; none if nobody knows.
    [[nodiscard]] std::optional<std::uint64_t> length() const noexcept;

    /// The next part of a generator or a stream, never empty; nothing at its end. A checkpoint
    /// where the source has one; throws what the source throws.
    [[nodiscard]] task<std::optional<std::string>> next();

  private:
    std::variant<std::monostate, std::string, async_generator<std::string>, stream*> source_;
    std::optional<std::uint64_t> length_;
};

} // namespace troupe::http
