// SPDX-License-Identifier: BSD-3-Clause
#include "tls_state.hpp"

#include <troupe/error.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <new>

namespace troupe::detail {

// -- byte_queue

bool byte_queue::reserve(std::size_t more) noexcept {
  if (more <= capacity_ - end_)
    return true;
  const std::size_t there = size();
  if (begin_ != 0 && more <= capacity_ - there) {
    std::memmove(data_, data_ + begin_, there);
  } else {
    const std::size_t wanted = std::max({there + more, 2 * there, std::size_t{128}});
    auto* larger = static_cast<std::byte*>(std::malloc(wanted));
    if (!larger)
      return false;
    if (there != 0)
      std::memcpy(larger, data_ + begin_, there);
    std::free(data_);
    data_ = larger;
    capacity_ = wanted;
  }
  begin_ = 0;
  end_ = there;
  return true;
}

bool byte_queue::append(const void* from, std::size_t count) noexcept {
  if (!reserve(count))
    return false;
  std::memcpy(data_ + end_, from, count);
  end_ += count;
  return true;
}

void byte_queue::consume(std::size_t count) noexcept {
  begin_ += count;
  if (begin_ == end_)
    clear();
}

void byte_queue::clear() noexcept {
  begin_ = end_ = 0;
  if (capacity_ > kept) {
    std::free(data_);
    data_ = nullptr;
    capacity_ = 0;
  }
}

void byte_queue::swap(byte_queue& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  std::swap(capacity_, other.capacity_);
}

// -- what OpenSSL reads and writes

struct tls_bio {
  static tls_state& of(BIO* b) noexcept { return *static_cast<tls_state*>(BIO_get_data(b)); }

  static int write(BIO* b, const char* from, int count) noexcept {
    tls_state& s = of(b);
    BIO_clear_retry_flags(b);
    if (!s.out_.append(from, static_cast<std::size_t>(count))) {
      s.no_memory_ = true;
      return -1;
    }
    return count;
  }

  static int read(BIO* b, char* into, int room) noexcept {
    tls_state& s = of(b);
    BIO_clear_retry_flags(b);
    const auto source = s.kept_.empty() ? s.fresh_ : s.kept_.bytes();
    if (source.empty()) {
      BIO_set_retry_read(b);
      return -1;
    }
    const std::size_t n = std::min(source.size(), static_cast<std::size_t>(room));
    std::memcpy(into, source.data(), n);
    if (!s.kept_.empty())
      s.kept_.consume(n);
    else
      s.fresh_ = s.fresh_.subspan(n);
    // what is decrypted may be put where the rest of `fresh_` lies
    s.keep_fresh();
    return static_cast<int>(n);
  }

  static long control(BIO*, int command, long, void*) noexcept {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static int create(BIO* b) noexcept {
    BIO_set_init(b, 1);
    return 1;
  }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const it = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "troupe stream");
      if (!m)
        throw std::bad_alloc();
      BIO_meth_set_write(m, write);
      BIO_meth_set_read(m, read);
      BIO_meth_set_ctrl(m, control);
      BIO_meth_set_create(m, create);
      return m;
    }();
    return it;
  }
};

// -- tls_state

tls_state::tls_state(std::unique_ptr<stream> transport, SSL_CTX& ctx, duration shutdown_limit)
  : home_(*loop::current()), transport_(std::move(transport)), ssl_(SSL_new(&ctx)),
    shutdown_limit_(shutdown_limit) {
  BIO* bio = ssl_ ? BIO_new(tls_bio::method()) : nullptr;
  if (!bio) {
    ERR_clear_error();
    throw std::bad_alloc();
  }
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  statistics_.opened = statistics_.last_read = statistics_.last_written = home_.rough_now();
}

tls_state::~tls_state() {
  // Else OpenSSL takes it for an attack that there was no goodbye, and never resumes the
  // session. TLS has not asked for that since 1.1.
  if (!fatal_)
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

std::string tls_state::who() const {
  const std::string where = peer();
  return host.empty() || where.starts_with(host) ? where : host + " (" + where + ")";
}

void tls_state::check_loop(const char* what) const {
  if (loop::current() != &home_)
    throw usage_error(std::string("troupe: ") + what
                      + ": the stream belongs to another loop; it is used on the one that made it");
}

void tls_state::check_readable() const {
  if (closing())
    throw_net_error(EBADF, "read from", who());
}

void tls_state::check_writable(const char* what) const {
  if (closing())
    throw_net_error(EBADF, "write to", who());
  if (failure_)
    std::rethrow_exception(failure_);
  if (write_failure_)
    std::rethrow_exception(write_failure_);
  if (has_ended())
    throw_net_error(EPIPE, "write to", who());
  if (cut_off_)
    throw usage_error(std::string("troupe: ") + what
                      + ": an earlier write was cancelled in the middle; the stream can only be "
                        "closed");
}

tls_state::step tls_state::result_of(int returned, const char* operation) noexcept {
  if (no_memory_) {
    no_memory_ = false;
    ERR_clear_error();
    fail(std::make_exception_ptr(std::bad_alloc()));
    return step::failed;
  }
  switch (SSL_get_error(ssl_.get(), returned)) {
  case SSL_ERROR_WANT_READ: return step::wants_more;
  case SSL_ERROR_ZERO_RETURN: return step::ended;
  default: set_failure(take_openssl_error(), operation); return step::failed;
  }
}

void tls_state::set_failure(unsigned long code, const char* operation) noexcept {
  fatal_ = true;
  try {
    if (distrust)
      fail(std::exchange(distrust, nullptr));
    else if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
      fail(std::make_exception_ptr(std::bad_alloc()));
    else
      fail(std::make_exception_ptr(tls_error(tls_code(code), operation, who())));
  } catch (...) {
    fail(std::current_exception());
  }
}

namespace {

/// Somebody else's errors would be taken for those of the next call.
void forget_old_errors() noexcept {
  if (ERR_peek_error() != 0)
    ERR_clear_error();
}

} // namespace

tls_state::step tls_state::handshake() noexcept {
  forget_old_errors();
  const int n = SSL_do_handshake(ssl_.get());
  keep_fresh();
  return n == 1 ? step::done : result_of(n, "do the TLS handshake with");
}

tls_state::step tls_state::read(std::span<std::byte> into, std::size_t& count) noexcept {
  forget_old_errors();
  count = 0;
  step result = step::done;
  do {
    const auto room = static_cast<int>(std::min<std::size_t>(into.size() - count, INT_MAX));
    const int n = SSL_read(ssl_.get(), into.data() + count, room);
    if (n <= 0) {
      result = result_of(n, "read from");
      break;
    }
    count += static_cast<std::size_t>(n);
  } while (count < into.size() && (!fresh_.empty() || anything_buffered()));
  keep_fresh();
  if (count != 0) {
    statistics_.bytes_read += count;
    statistics_.last_read = home_.rough_now();
    return step::done; // what else there was comes again
  }
  // Answers to requests for renegotiation, which nobody is there to send: a client waits for
  // them in vain, a server goes on.
  const std::size_t too_much = SSL_is_server(ssl_.get()) == 1 ? 0 : 4096;
  if (result == step::wants_more && !writing && out_.size() > too_much) {
    set_failure(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_NO_RENEGOTIATION), "read from");
    return step::failed;
  }
  return result;
}

tls_state::step tls_state::write(std::span<const std::byte> data) noexcept {
  forget_old_errors();
  const int n = SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size()));
  keep_fresh();
  if (n <= 0)
    return result_of(n, "write to");
  statistics_.bytes_written += data.size();
  statistics_.last_written = home_.rough_now();
  return step::done;
}

tls_state::step tls_state::shut_down() noexcept {
  if (SSL_in_init(ssl_.get()) != 0) // it has half of a message
    if (const step result = handshake(); result != step::done)
      return result;
  forget_old_errors();
  const int n = SSL_shutdown(ssl_.get());
  return n >= 0 ? step::done : result_of(n, "end writing to");
}

void tls_state::landed(std::span<const std::byte> ciphertext) {
  fresh_ = ciphertext;
  if (ciphertext.empty()) {
    constexpr auto cut = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING);
    const bool early = !SSL_is_init_finished(ssl_.get());
    fail(std::make_exception_ptr(
      early ? tls_truncated(tls_code(cut), "do the TLS handshake with", who(),
                            "the other side has closed the connection in the middle of it")
            : tls_truncated(tls_code(cut), "read from", who())));
  }
}

void tls_state::keep_fresh() noexcept {
  if (fresh_.empty())
    return;
  if (!kept_.append(fresh_.data(), fresh_.size()))
    fail(std::make_exception_ptr(std::bad_alloc()));
  fresh_ = {};
}

void tls_state::write_plain_alert() noexcept {
  constexpr std::array<unsigned char, 7> unexpected_message{21, 3, 3, 0, 2, 2, 10};
  if (out_.empty())
    static_cast<void>(out_.append(unexpected_message.data(), unexpected_message.size()));
}

void tls_state::progress() noexcept {
  while (!waiting_.empty())
    waiting_.front().wake();
}

void tls_state::drop() noexcept {
  closed_ = true;
  if (in_transport_ != 0)
    transport_->abort(); // a stream must not be destroyed around those who are in it
  else if (transport_) {
    try {
      peer_ = transport_->peer();
    } catch (...) { // NOLINT(bugprone-empty-catch): only for messages
    }
    transport_.reset();
  }
  progress();
}

void tls_state::abort() noexcept {
  closed_ = true;
  if (transport_)
    transport_->abort();
  progress();
}

} // namespace troupe::detail
