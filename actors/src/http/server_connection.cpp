// SPDX-License-Identifier: BSD-3-Clause
#include "server_connection.hpp"

#include "head_lines.hpp"

#include <troupe/exception_group.hpp>
#include <troupe/net_error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/time.hpp>
#include <troupe/tls_error.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <utility>

namespace troupe::http {

namespace {

/// How long, and how much, a client may go on sending after the last response. Closed at
/// once, the connection would be reset and the response lost.
constexpr duration linger_time = std::chrono::seconds(2);
constexpr std::size_t linger_size = 1U << 20U;

message_limits limits_of(const server_options& options) {
  return {options.head_limit, options.target_limit, options.header_limit};
}

/// Whether the other side is gone, which is nobody's mistake.
bool is_leaving(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const connection_reset&) {
    return true;
  } catch (const broken_pipe&) {
    return true;
  } catch (const connection_timeout&) {
    return true;
  } catch (const end_of_stream&) {
    return true;
  } catch (const tls_truncated&) {
    return true;
  } catch (...) {
    return false;
  }
}

} // namespace

/// From the first byte of a request on. Destroyed with the frames when the connection is
/// cancelled.
class server_connection::exchange {
public:
  explicit exchange(server_connection& of) noexcept : of_(of) {}
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;
  ~exchange() {
    if (!of_.options_.on_access)
      return;
    try {
      of_.options_.on_access(of_.record());
    } catch (...) { // NOLINT(bugprone-empty-catch): it must not throw
    }
  }

private:
  server_connection& of_;
};

server_connection::server_connection(stream& on, const handler& answer,
                                     const server_options& options)
  : stream_(on), answer_(answer), options_(options), request_(*this), response_(*this),
    parser_(limits_of(options)) {}

const std::string& server_connection::peer() {
  if (peer_.empty())
    peer_ = stream_.peer();
  return peer_;
}

access_record server_connection::record() const {
  access_record r;
  r.took = current_time() - began_;
  r.time =
    current_wall_time() - std::chrono::duration_cast<std::chrono::system_clock::duration>(r.took);
  r.peer = request_.peer();
  r.method = request_.method;
  r.target = request_.target;
  r.minor_version = request_.minor_version;
  r.status = response_.started_ ? response_.status : 0;
  r.complete = complete_;
  r.bytes_in = body_in_;
  r.bytes_out = bytes_out_;
  r.user_agent = request_.headers.get("User-Agent", "");
  r.referer = request_.headers.get("Referer", "");
  return r;
}

void server_connection::report(const std::exception_ptr& error) noexcept {
  try {
    if (options_.on_failure)
      options_.on_failure(error, record());
    else
      print_tree(std::cerr, error, request_.method + " " + request_.target + " of " + peer());
  } catch (...) { // NOLINT(bugprone-empty-catch): nobody is left to tell
  }
}

task<> server_connection::run() {
  std::exception_ptr failure;
  try {
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_service(named("stop watcher", [this]() -> task<> {
        co_await stopping();
        draining_ = true;
        if (idle_)
          idle_->cancel("the server stops");
      }));
      co_await serve_requests();
    });
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) {
    co_await stream_.close();
    co_return;
  }
  stream_.abort();
  if (!is_leaving(failure))
    std::rethrow_exception(failure);
}

task<> server_connection::serve_requests() {
  while (keep_) {
    const bool more = co_await wait_for_request();
    if (!more)
      co_return;
    begin_exchange();
    const exchange logged(*this);
    std::optional<http_error> error;
    if (parse_head(error) == 0 && !error)
      co_await read_head(error);
    if (error)
      co_await refuse_request(*error);
    else
      co_await answer_request();
  }
  if (!upgraded_ && !broken_ && (begin_ != end_ || !parser_.done()))
    co_await close_slowly();
}

/// Gives whether something has come.
task<bool> server_connection::wait_for_request() {
  std::optional<time_point> deadline; // empty lines are no request, and give no more time
  for (;;) {
    // some clients send an empty line behind a body
    while (unread().starts_with("\r\n"))
      begin_ += 2;
    if (begin_ != end_ && unread() != "\r")
      co_return true;
    if (draining_ || is_stopping())
      co_return false;
    struct idling {
      server_connection& of;
      ~idling() { of.idle_ = nullptr; }
    } const until_the_end{*this};
    make_room();
    if (!deadline)
      deadline = deadline_after(current_time(), options_.idle_time);
    std::optional<std::size_t> n;
    try {
      n = co_await move_on_at(*deadline, [&](cancel_scope& s) {
        idle_ = &s;
        return stream_.read_some(room());
      });
    } catch (...) {
      broken_ = true;
      throw;
    }
    end_ += n.value_or(0);
    if (n.value_or(0) == 0)
      co_return false;
  }
}

void server_connection::begin_exchange() {
  parser_.begin(request_);
  request_.method.clear();
  request_.target.clear();
  request_.minor_version = 1;
  request_.body_limit_ = options_.body_limit;
  request_.params_.clear();
  request_.query_.reset();
  response_.status = 200;
  response_.reason.clear();
  response_.headers.clear();
  response_.body.clear();
  response_.started_ = response_.close_ = false;
  piece_ = {};
  length_.reset();
  streamed_ = body_in_ = bytes_out_ = 0;
  body_waited_ = {};
  expects_continue_ = bad_body_ = chunked_out_ = complete_ = false;
  began_ = current_time();
  if (options_.on_access)
    peer();
  ++requests_;
}

/// Gives the size of the head, 0 if it is not all there.
std::size_t server_connection::parse_head(std::optional<http_error>& error) {
  try {
    const std::size_t size = parser_.put_head(unread());
    begin_ += size;
    const auto expect = size == 0 ? std::nullopt : request_.headers.get("Expect");
    if (expect && request_.minor_version == 1) {
      if (!same_name(*expect, "100-continue"))
        throw http_error(417, "only 100-continue can be expected");
      expects_continue_ = true;
    }
    return size;
  } catch (const http_error& e) {
    error = e;
    return 0;
  }
}

/// Reads until it is there.
task<> server_connection::read_head(std::optional<http_error>& error) {
  const time_point deadline = began_ + options_.head_time;
  std::size_t size = 0;
  while (size == 0 && !error) {
    const auto n = co_await fill_before(deadline);
    if (!n)
      error.emplace(408, "the head of the request did not come in time");
    else if (*n == 0)
      error.emplace(400, "the request ends in the middle");
    else
      size = parse_head(error);
  }
}

task<> server_connection::refuse_request(const http_error& why) {
  bad_body_ = true;
  answer_with(why);
  keep_ = false;
  co_await end_response();
}

void server_connection::answer_with(const http_error& why) {
  response_.status = why.status();
  response_.reason.clear();
  response_.headers = why.fields();
  const bool tell = why.status() < 500 && !why.details().empty();
  response_.body = tell ? why.details() : std::string(reason_phrase(why.status()));
  response_.body += '\n';
}

void server_connection::check_status(int status) const {
  if (!is_final(status))
    throw usage_error("the handler of " + request_.method + " " + request_.target
                      + " has set the status " + std::to_string(status)
                      + ": that of a response is from 200 to 599");
}

task<> server_connection::answer_request() {
  std::optional<http_error> error;
  std::exception_ptr failure; // that nobody has planned
  try {
    co_await answer_(request_, response_);
    if (!response_.started_)
      check_status(response_.status);
  } catch (const http_error& e) {
    error = e;
    if (e.status() >= 500 || !is_final(e.status()))
      failure = std::current_exception();
  } catch (...) {
    failure = std::current_exception();
    error.emplace(500);
  }
  if (broken_) { // whatever the handler makes of it
    cut_off();
    if (failure && !is_leaving(failure))
      report(failure);
    co_return;
  }
  if (failure)
    report(failure);
  if (upgraded_) {
    keep_ = false;
    co_return;
  }
  if (error && response_.started_) { // too late to say so
    cut_off();
    co_return;
  }
  if (error && !is_final(error->status()))
    error.emplace(500);
  if (error)
    answer_with(*error);
  co_await end_response();
}

/// Sends what is left of the response, and gets the rest of the request out of the way.
task<> server_connection::end_response() {
  std::exception_ptr failure;
  try {
    if (!response_.started_)
      co_await write_whole();
    else if (chunked_out_ && !body_forbidden())
      co_await write_chunk({}, true);
    else if (length_ && streamed_ != *length_ && !body_forbidden())
      throw usage_error("a response of " + std::to_string(*length_) + " bytes has ended after "
                        + std::to_string(streamed_));
    complete_ = true;
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    cut_off();
    if (!is_leaving(failure))
      report(failure);
    co_return;
  }
  if (!keep_)
    co_return;
  try {
    std::array<std::byte, 4096> dropped; // NOLINT: filled by reading
    std::size_t n = parser_.done() && piece_.empty() ? 0 : 1;
    while (n != 0)
      n = co_await read_body(dropped);
  } catch (const http_error&) {
    keep_ = false;
  }
}

void server_connection::cut_off() noexcept {
  keep_ = false;
  broken_ = true;
  stream_.abort();
}

task<> server_connection::close_slowly() {
  co_await move_on_after(linger_time, [&]() -> task<> {
    co_await stream_.send_eof();
    std::array<std::byte, 4096> dropped; // NOLINT: filled by reading
    std::size_t all = 0;
    std::size_t n = 1;
    while (n != 0 && all < linger_size) {
      n = co_await stream_.read_some(dropped);
      all += n;
    }
  });
}

} // namespace troupe::http
