// SPDX-License-Identifier: BSD-3-Clause
#include "child_process.hpp"

#include <troupe/net_error.hpp>
#include <troupe/nursery.hpp>

#include <algorithm>

namespace troupe {

namespace {

using namespace detail;

constexpr default_io for_capture{child_io::null, child_io::pipe, child_io::pipe};
constexpr default_io for_input{child_io::pipe, child_io::pipe, child_io::pipe};

/// Reads to the end, at most `limit` bytes.
task<> capture(stream& from, std::string& into, std::size_t limit, const command& what) {
  constexpr std::size_t piece = 65536; // what a pipe holds
  for (;;) {
    const std::size_t before = into.size();
    into.resize(before + piece);
    const auto n = co_await from.read_some(std::as_writable_bytes(std::span(into)).subspan(before));
    into.resize(before + n);
    if (n == 0)
      co_return;
    if (into.size() > limit)
      throw output_too_long("'" + what.text() + "' has written more than the "
                            + std::to_string(limit) + " bytes that were to be kept");
  }
}

/// Programs need not read what they are given.
task<> feed(stream& to, const std::string& text) {
  try {
    co_await to.write_all(text);
  } catch (const broken_pipe&) { // NOLINT(bugprone-empty-catch)
  }
  co_await to.close();
}

} // namespace

task<process_result> run_process(command what) {
  const auto& parts = what.parts();
  process p = co_await process_access::open(what, parts.input ? for_input : for_capture);
  child_process& child = process_access::child(p);
  const std::string nothing;
  process_result result(exit_status::exited(0), {}, {});
  const auto talk = [&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      if (descriptor_stream* in = child.end_of(0))
        n.start_soon(named("stdin", feed), std::ref<stream>(*in),
                     std::cref(parts.input ? *parts.input : nothing));
      if (descriptor_stream* out = child.end_of(1))
        n.start_soon(named("stdout", capture), std::ref<stream>(*out), std::ref(result.out),
                     parts.output_limit, std::cref(what));
      if (descriptor_stream* err = child.end_of(2))
        n.start_soon(named("stderr", capture), std::ref<stream>(*err), std::ref(result.err),
                     parts.output_limit, std::cref(what));
      result.status = co_await child.wait();
    });
  };
  const auto end = [&]() -> task<> {
    if (!child.reap())
      static_cast<void>(co_await child.stop(parts.grace));
  };
  co_await with_cleanup(talk, end, duration::max());
  if (parts.check && !result.status.success())
    throw process_failed(what.text(), result.status, result.err);
  co_return result;
}

} // namespace troupe
