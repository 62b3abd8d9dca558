// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/cleanup.hpp>
#include <troupe/detail/pulse.hpp>
#include <troupe/nursery.hpp>
#include <troupe/protocol.hpp>

#include <array>

namespace troupe {

namespace detail {

/// One connection with its callbacks.
class protocol_run {
public:
  protocol_run(stream& s, protocol& p) noexcept : stream_(s), protocol_(p) {}

  task<> run() {
    co_await with_cleanup([this]() { return communicate(); }, [this]() { return lose(); });
    if (failure_)
      std::rethrow_exception(failure_);
  }

  // -- for the transport

  void write(std::span<const std::byte> data) {
    if (closing_ || eof_)
      return;
    pending_.append(reinterpret_cast<const char*>(data.data()), data.size());
    work_.wake_all();
    if (!paused_writing_ && queued() > marks_.high) {
      paused_writing_ = true;
      protocol_.pause_writing();
    }
  }
  void write_eof() {
    eof_ = true;
    work_.wake_all();
  }
  void close() {
    closing_ = true;
    work_.wake_all();
    if (reader_)
      reader_.cancel("the transport was closed");
  }
  void abort() {
    close();
    pending_.clear();
    if (nursery_)
      nursery_->cancel("the transport was aborted");
    aborted_ = true;
  }
  [[nodiscard]] bool is_closing() const noexcept { return closing_; }
  void pause_reading() { paused_reading_ = true; }
  void resume_reading() {
    paused_reading_ = false;
    go_on_reading_.wake_all();
  }
  void marks(water_marks m) { marks_ = m; }
  [[nodiscard]] std::size_t queued() const noexcept { return pending_.size() + writing_.size(); }
  [[nodiscard]] const stream& over() const noexcept { return stream_; }

private:
  task<> communicate() {
    try {
      co_await with_nursery([this](nursery& n) -> task<> {
        nursery_ = &n;
        made_ = true;
        protocol_.connection_made(transport_);
        if (aborted_)
          co_return n.cancel();
        n.start_soon(named("protocol writer", [this]() { return send(); }));
        reader_ = n.start_soon(named("protocol reader", [this]() { return receive(); }));
        if (closing_)
          reader_.cancel();
      });
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  /// With the queue's end it ends the connection.
  task<> send() {
    for (;;) {
      if (pending_.empty()) {
        if (closing_)
          break;
        if (eof_ && !eof_sent_) {
          eof_sent_ = true;
          co_await stream_.send_eof();
        }
        co_await work_.wait();
        continue;
      }
      writing_.swap(pending_);
      co_await stream_.write_all(writing_);
      writing_.clear();
      if (paused_writing_ && queued() <= marks_.low) {
        paused_writing_ = false;
        protocol_.resume_writing();
      }
    }
  }

  task<> receive() {
    std::array<std::byte, 3584> buffer; // the frame, which waits here, fits a page
    while (!closing_) {
      while (paused_reading_)
        co_await go_on_reading_.wait();
      const std::size_t n = co_await stream_.read_some(buffer);
      if (n == 0) {
        if (!protocol_.eof_received())
          close();
        co_return;
      }
      protocol_.data_received(std::span(buffer).first(n));
    }
  }

  task<> lose() {
    nursery_ = nullptr;
    reader_ = {};
    closing_ = true;
    if (aborted_ || failure_)
      stream_.abort();
    else
      co_await stream_.close();
    if (made_)
      protocol_.connection_lost(failure_);
  }

  stream& stream_;
  protocol& protocol_;
  transport transport_{*this};
  water_marks marks_;
  nursery* nursery_ = nullptr;
  task_handle<void> reader_;
  std::string pending_;
  std::string writing_;
  pulse work_;
  pulse go_on_reading_;
  std::exception_ptr failure_;
  bool made_ = false;
  bool closing_ = false;
  bool aborted_ = false;
  bool eof_ = false;
  bool eof_sent_ = false;
  bool paused_reading_ = false;
  bool paused_writing_ = false;
};

} // namespace detail

void transport::write(std::span<const std::byte> data) { run_.write(data); }
void transport::write_eof() { run_.write_eof(); }
void transport::close() { run_.close(); }
void transport::abort() { run_.abort(); }
bool transport::is_closing() const noexcept { return run_.is_closing(); }
void transport::pause_reading() { run_.pause_reading(); }
void transport::resume_reading() { run_.resume_reading(); }
void transport::write_limits(water_marks marks) { run_.marks(marks); }
std::size_t transport::queued() const noexcept { return run_.queued(); }
std::string transport::peer() const { return run_.over().peer(); }
std::string transport::local() const { return run_.over().local(); }

task<> run_protocol(stream& s, protocol& p) {
  detail::protocol_run r(s, p);
  co_await r.run();
}

task<> serve_protocol(protocol_factory factory, std::uint16_t port, serve_options options) {
  const tcp_handler handler = [&factory](tcp_stream& s) -> task<> {
    const auto p = factory();
    co_await run_protocol(s, *p);
  };
  co_await serve_tcp(handler, port, std::move(options));
}

} // namespace troupe
