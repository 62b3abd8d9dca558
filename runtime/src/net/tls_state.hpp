// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "tls_core.hpp"

#include <troupe/detail/loop.hpp>
#include <troupe/tls.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <cstdlib>
#include <exception>
#include <span>
#include <string>

namespace troupe::detail {

/// Bytes that are added at the end and taken from the front. Keeps little when empty.
class byte_queue {
public:
  byte_queue() = default;
  byte_queue(byte_queue&& other) noexcept { swap(other); }
  byte_queue& operator=(byte_queue&&) = delete;
  ~byte_queue() { std::free(data_); }

  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {data_ + begin_, data_ + end_};
  }

  /// False if there is no memory.
  [[nodiscard]] bool append(const void* from, std::size_t count) noexcept;
  /// Room for `count` more at the end, to be filled and told to `filled`. Throws
  /// `std::bad_alloc`.
  [[nodiscard]] std::span<std::byte> room(std::size_t count);
  void filled(std::size_t count) noexcept { end_ += count; }
  void consume(std::size_t count) noexcept;
  void clear() noexcept;
  void swap(byte_queue& other) noexcept;

private:
  static constexpr std::size_t kept = 512;

  [[nodiscard]] bool reserve(std::size_t more) noexcept;

  std::byte* data_ = nullptr;
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

class tls_progress;

/// One connection: an SSL object of OpenSSL's, which reads and writes memory, between a
/// stream and the tasks that use it. Its parts:
///
/// - what has come from the transport and OpenSSL has not taken: `kept_`, and behind it
///   `fresh_`, which lies where a task has just read it to;
/// - what OpenSSL has written and the transport has not taken: `out_`.
///
/// At most one task reads from the transport (`tls_filling`), and one writes to it
/// (`tls_flushing`). A writer can need what a reader gets: OpenSSL does not write while
/// it has half of a post-handshake message.
class tls_state : public boost::intrusive_ref_counter<tls_state, boost::thread_unsafe_counter> {
public:
  tls_state(std::unique_ptr<stream> transport, SSL_CTX& ctx, duration shutdown_limit);
  tls_state(const tls_state&) = delete;
  tls_state& operator=(const tls_state&) = delete;
  ~tls_state();

  [[nodiscard]] SSL& ssl() const noexcept { return *ssl_; }
  [[nodiscard]] stream& transport() const noexcept { return *transport_; }
  [[nodiscard]] std::string peer() const { return transport_ ? transport_->peer() : peer_; }
  [[nodiscard]] std::string local() const { return transport_ ? transport_->local() : "closed"; }
  /// The other side, for errors: "localhost (127.0.0.1:4433)".
  [[nodiscard]] std::string who() const;

  /// Throws `usage_error` on another loop.
  void check_loop(const char* what) const;

  // -- steps, which do not wait

  enum class step {
    done,
    wants_more, ///< ciphertext
    ended,      ///< the other side has sent close_notify
    failed,     ///< see `failure`
  };

  [[nodiscard]] step handshake() noexcept;
  /// Reads what there is, as far as there is room.
  [[nodiscard]] step read(std::span<std::byte> into, std::size_t& count) noexcept;
  /// All of it, or nothing.
  [[nodiscard]] step write(std::span<const std::byte> data) noexcept;
  /// Writes close_notify.
  [[nodiscard]] step shut_down() noexcept;

  /// Whether OpenSSL may have something to give without more ciphertext.
  [[nodiscard]] bool anything_buffered() const noexcept {
    return !kept_.empty() || SSL_has_pending(ssl_.get()) != 0;
  }
  [[nodiscard]] std::size_t to_flush() const noexcept { return out_.size(); }
  /// Whether a task reads from the transport.
  [[nodiscard]] bool filling() const noexcept { return filling_; }
  [[nodiscard]] bool peer_has_ended() const noexcept {
    return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }
  [[nodiscard]] bool has_ended() const noexcept {
    return (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0;
  }

  /// What came from the transport: the next step takes it, or `keep_fresh`. At the end of
  /// the transport, there is a failure.
  void landed(std::span<const std::byte> ciphertext);
  void keep_fresh() noexcept;

  /// In front of all: no TLS was spoken at all.
  void write_plain_alert() noexcept;

  // -- steps, which wait

  /// A step that wanted more can be tried again. A checkpoint.
  [[nodiscard]] task<> more();
  /// Gives the transport what it has to be given.
  [[nodiscard]] task<> flush();
  /// The same for an alert: if it can be, and not for long.
  [[nodiscard]] task<> flush_alert();
  [[nodiscard]] task<> close();

  // -- what has happened

  /// What all further reads throw, and writes; or null.
  [[nodiscard]] const std::exception_ptr& failure() const noexcept { return failure_; }
  void fail(std::exception_ptr why) noexcept {
    if (!failure_)
      failure_ = std::move(why);
  }
  void check_readable() const;
  void check_writable(const char* what) const;
  [[nodiscard]] bool closing() const noexcept { return closing_ || closed_; }

  [[nodiscard]] const stream_statistics& statistics() const noexcept { return statistics_; }

  /// Closes the transport without waiting, whoever is in it.
  void drop() noexcept;
  void abort() noexcept;

  bool reading = false; // by a task
  bool writing = false;

  // for the handshake
  std::string host; // whom a client wants
  std::string session_key;
  std::shared_ptr<tls_client_core> client; // one of these two
  std::shared_ptr<tls_server_core> server;
  std::shared_ptr<const tls_identities> identities;
  std::exception_ptr distrust; // why the certificate was refused

private:
  friend class tls_progress;
  friend class tls_filling;
  friend class tls_flushing;
  friend struct tls_bio;

  [[nodiscard]] step result_of(int returned, const char* operation) noexcept;
  void set_failure(unsigned long code, const char* operation) noexcept;
  void progress() noexcept;
  [[nodiscard]] task<> say_goodbye();

  loop& home_;
  std::unique_ptr<stream> transport_;
  ssl_ptr ssl_;
  std::span<const std::byte> fresh_;
  byte_queue kept_;
  byte_queue out_;
  duration shutdown_limit_;
  stream_statistics statistics_; // of what is not encrypted
  std::exception_ptr failure_;
  std::exception_ptr write_failure_; // the transport's; what came before can still be read
  std::string peer_;                 // when the transport is gone
  list<tls_progress, tls_progress> waiting_;
  unsigned in_transport_ = 0; // tasks
  bool filling_ = false;
  bool cut_off_ = false; // in the middle of a write: half a record is on its way
  bool closing_ = false;
  bool closed_ = false;
  bool no_memory_ = false;
  bool fatal_ = false; // OpenSSL has failed
};

using tls_state_ptr = boost::intrusive_ptr<tls_state>;

/// A checkpoint before something that does not wait.
struct tls_pass {
  using troupe_awaitable = void;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) const {
    task_block& t = *h.promise().task;
    return t.cancelled_at(h) || t.must_yield(h);
  }
  void await_resume() const noexcept {}
};

/// Waits until the task that reads from the transport has got something, or has left.
class tls_progress final : public suspension, public list_node<tls_progress> {
public:
  using troupe_awaitable = void;

  explicit tls_progress(tls_state& s) noexcept : state_(s) {}
  ~tls_progress() { unlink(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    state_.waiting_.push_back(*this);
    task_->wait(h, *this);
    return true;
  }
  void await_resume() const noexcept {}

  bool withdraw() noexcept override {
    unlink();
    return true;
  }
  [[nodiscard]] const char* waits_for() const noexcept override {
    return "TLS, another task's read";
  }

  void wake() noexcept {
    unlink();
    task_->wake();
  }

private:
  tls_state& state_;
  task_block* task_ = nullptr;
};

/// The turn of the one task that reads from the transport.
class tls_filling {
public:
  explicit tls_filling(tls_state& s) noexcept : state_(s) {
    s.filling_ = true;
    ++s.in_transport_;
  }
  tls_filling(const tls_filling&) = delete;
  tls_filling& operator=(const tls_filling&) = delete;
  ~tls_filling() {
    state_.filling_ = false;
    --state_.in_transport_;
    state_.progress();
  }

private:
  tls_state& state_;
};

/// The turn of the one task that writes to the transport, with what it writes.
class tls_flushing {
public:
  explicit tls_flushing(tls_state& s) noexcept : state_(s) {
    bytes_.swap(s.out_);
    s.cut_off_ = true;
    ++s.in_transport_;
  }
  tls_flushing(const tls_flushing&) = delete;
  tls_flushing& operator=(const tls_flushing&) = delete;
  ~tls_flushing() { --state_.in_transport_; }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_.bytes(); }

  void done() noexcept {
    state_.cut_off_ = false;
    bytes_.clear();
    if (state_.out_.empty())
      bytes_.swap(state_.out_); // its memory can be used again
  }
  void failed() noexcept {
    state_.cut_off_ = false;
    state_.write_failure_ = std::current_exception();
  }

private:
  tls_state& state_;
  byte_queue bytes_;
};

/// Sets a flag for as long as it lives.
class tls_busy {
public:
  explicit tls_busy(bool& flag) noexcept : flag_(flag) { flag_ = true; }
  tls_busy(const tls_busy&) = delete;
  tls_busy& operator=(const tls_busy&) = delete;
  ~tls_busy() { flag_ = false; }

private:
  bool& flag_;
};

} // namespace troupe::detail
