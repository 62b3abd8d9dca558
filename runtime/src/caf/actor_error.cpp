// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actor_error.hpp>
#include <troupe/error.hpp>
#include <troupe/exception_group.hpp>

#include <caf/deep_to_string.hpp>
#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>

namespace troupe {

actor_error::actor_error(const std::string& what, caf::error why)
  : std::runtime_error(what), error_(std::make_shared<const caf::error>(std::move(why))) {}

namespace detail {

namespace {

/// The category of what CAF has no code for.
constexpr auto troupe_category = caf::atom("troupe");
constexpr std::uint8_t full = 1;

bool is(const caf::error& e, caf::sec code) {
  return e == caf::make_error(code)
         || (e.category() == caf::atom("system") && e.code() == static_cast<std::uint8_t>(code));
}

} // namespace

caf::error mailbox_full_error() { return caf::error(full, troupe_category); }

std::string describe(const caf::error& e) {
  if (!e)
    return "normal";
  std::string text;
  if (e.category() == caf::atom("system"))
    text = to_string(static_cast<caf::sec>(e.code()));
  else if (e.category() == caf::atom("exit"))
    text = to_string(static_cast<caf::exit_reason>(e.code()));
  else if (e.category() == troupe_category && e.code() == full)
    text = "its mailbox is full";
  else
    text = caf::to_string(e);
  const caf::message& context = e.context();
  if (context.empty())
    return text;
  const std::string said = context.match_elements<std::string>() ? context.get_as<std::string>(0)
                                                                 : caf::deep_to_string(context);
  return is(e, caf::sec::runtime_error) ? said : text + ": " + said;
}

void throw_actor_error(const caf::error& e, const std::string& doing) {
  const std::string text = "troupe: " + doing + " failed: " + describe(e);
  if (is(e, caf::sec::request_timeout))
    throw timeout_error(text);
  if (is(e, caf::sec::request_receiver_down) || e.category() == caf::atom("exit"))
    throw actor_down(text, e);
  if (is(e, caf::sec::unexpected_message) || is(e, caf::sec::unexpected_response))
    throw unexpected_message(text, e);
  if (e.category() == troupe_category && e.code() == full)
    throw mailbox_full(text, e);
  throw actor_error(text, e);
}

caf::error to_caf_error(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const actor_error& known) {
    return known.error();
  } catch (const timeout_error& late) {
    return caf::make_error(caf::sec::request_timeout, std::string(late.what()));
  } catch (const std::exception& other) {
    return caf::make_error(caf::sec::runtime_error, std::string(other.what()));
  } catch (...) {
    return caf::make_error(caf::sec::runtime_error, std::string("an unknown exception"));
  }
}

} // namespace detail

} // namespace troupe
