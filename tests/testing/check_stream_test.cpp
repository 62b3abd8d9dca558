// SPDX-License-Identifier: BSD-3-Clause
// P26 for streams: our own keep the rules, and streams that break one are found out.
#include "support/certificates.hpp"
#include "support/tls_pair.hpp"

#include <troupe/testing/check_stream.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

using namespace troupe;
using namespace troupe::testing;

namespace {

task<stream_ends> tcp_ends() {
  const listen_options loopback{.address = "127.0.0.1"};
  tcp_listener listener(0, loopback);
  tcp_stream client = co_await open_tcp_stream("127.0.0.1", listener.port());
  tcp_stream server = co_await listener.accept();
  co_return stream_ends(std::move(client), std::move(server));
}

task<stream_ends> tls_ends() {
  troupe_test::tls_pair p;
  co_await p.shake_hands(tls_client_context(troupe_test::client_options()),
                         tls_server_context(troupe_test::server_options()));
  co_return stream_ends(std::move(*p.client), std::move(*p.server));
}

/// What is wrong with a stream.
enum class defect {
  loses_a_byte,
  writes_the_first_part,
  fills_the_buffer,
  gives_too_early,
  reads_nothing_into_nothing,
  readers_queue,
  writers_queue,
  never_full,
  reading_is_no_checkpoint,
  writing_is_no_checkpoint,
  cancelled_read_loses,
  write_cannot_be_cancelled,
  end_is_an_error,
  end_comes_once,
  second_close_throws,
  closed_reads_the_end,
  close_wakes_nobody,
  cancelled_close_does_nothing,
  abort_does_nothing,
  writes_to_nobody,
  counts_nothing,
  reading_keeps_from_writing,
  eof_closes,
  writes_after_eof,
  eof_disturbs_a_writer,
  eof_after_close,
};

struct broken {
  defect what;
  const char* found;
};

const std::vector<broken> all_broken{
  {defect::loses_a_byte, "in order: byte"},
  {defect::writes_the_first_part, "as if they were one: it hangs"},
  {defect::fills_the_buffer, "does not wait for more: it hangs"},
  {defect::gives_too_early, "is not what was written"},
  {defect::reads_nothing_into_nothing, "has to throw usage_error, but it returns"},
  {defect::readers_queue, "two tasks that read are a mistake: it hangs"},
  {defect::writers_queue, "two tasks that write are a mistake: it hangs"},
  {defect::never_full, "nothing holds writers back"},
  {defect::reading_is_no_checkpoint, "a read in a cancelled scope returns"},
  {defect::writing_is_no_checkpoint, "a write in a cancelled scope returns"},
  {defect::cancelled_read_loses, "gives it or leaves it: "},
  {defect::write_cannot_be_cancelled, "a write that waits cannot be cancelled"},
  {defect::end_is_an_error, "the stream has ended"},
  {defect::end_comes_once, "again and again: it hangs"},
  {defect::second_close_throws, "closed before"},
  {defect::closed_reads_the_end, "has to throw stream_closed, but it returns"},
  {defect::close_wakes_nobody, "closing sends a reader away: it hangs"},
  {defect::cancelled_close_does_nothing, "a cancelled close has closed: a stream whose"},
  {defect::abort_does_nothing, "aborting sends all away: a write that waits"},
  {defect::writes_to_nobody, "the reader has gone: writing to one who has gone has to throw"},
  {defect::counts_nothing, "statistics() says 0"},
  {defect::reading_keeps_from_writing, "does not keep another from writing: it hangs"},
  {defect::eof_closes, "send_eof ends one direction alone: "},
  {defect::writes_after_eof, "a write after send_eof has to throw broken_pipe, but it returns"},
  {defect::eof_disturbs_a_writer, "send_eof while a task writes has to throw usage_error"},
  {defect::eof_after_close, "send_eof after close has to throw stream_closed, but it returns"},
};

/// A memory stream, but for its defect.
class broken_stream final : public stream {
public:
  broken_stream(memory_stream good, defect d) : good_(std::move(good)), d_(d) {
    if (d == defect::never_full)
      good_.outgoing()->capacity(static_cast<std::size_t>(-1));
  }

  using stream::write_all;

  task<std::size_t> read_some(std::span<std::byte> into) override {
    memory_pipe& in = *good_.incoming();
    if (d_ == defect::reads_nothing_into_nothing && into.empty())
      co_return 0;
    if (d_ == defect::closed_reads_the_end && in.closed())
      co_return 0;
    if (d_ == defect::gives_too_early && in.bytes().empty() && !in.ended() && !early_) {
      early_ = true;
      into[0] = std::byte('?');
      co_return 1;
    }
    if (d_ == defect::reading_is_no_checkpoint && !in.bytes().empty() && !into.empty()) {
      const std::string bytes(in.bytes());
      const std::size_t n = std::min(bytes.size(), into.size());
      std::memcpy(into.data(), bytes.data(), n);
      in.bytes(bytes.substr(n));
      co_return n;
    }
    if (d_ == defect::end_comes_once && ended_)
      co_await sleep_forever();
    mutex::guard alone;
    const bool busy = std::exchange(reading_, true);
    const resetting not_reading{busy ? nullptr : &reading_};
    if (d_ == defect::readers_queue || (d_ == defect::reading_keeps_from_writing && !busy))
      alone = co_await one_.lock();
    if (d_ == defect::close_wakes_nobody && busy)
      throw usage_error("another task reads");
    if (d_ == defect::close_wakes_nobody && !in.closed() && !into.empty())
      while (in.bytes().empty() && (in.closed() || !in.ended()))
        co_await sleep_for(std::chrono::seconds(1));
    std::size_t n = co_await good_.read_some(into);
    if (d_ == defect::cancelled_read_loses)
      co_await checkpoint();
    while (d_ == defect::fills_the_buffer && n != 0 && n < into.size())
      n += co_await good_.read_some(into.subspan(n));
    if (n == 0) {
      ended_ = true;
      if (d_ == defect::end_is_an_error)
        throw end_of_stream("read from", peer());
    }
    co_return n;
  }

  task<> write_all(std::span<const std::byte> data) override {
    if (d_ == defect::writing_is_no_checkpoint && data.size() == 4) {
      good_.outgoing()->put({reinterpret_cast<const char*>(data.data()), data.size()});
      co_return;
    }
    if (d_ == defect::loses_a_byte && data.size() > 1000)
      data = data.subspan(1);
    if (d_ == defect::writes_after_eof && good_.outgoing()->ended() && !good_.incoming()->closed())
      co_return;
    if (d_ == defect::writes_to_nobody && good_.outgoing()->closed() && !good_.incoming()->closed())
      co_return;
    mutex::guard alone;
    const bool busy = std::exchange(writing_, true);
    const resetting not_writing{busy ? nullptr : &writing_};
    if (d_ == defect::writers_queue || (d_ == defect::reading_keeps_from_writing && !busy))
      alone = co_await one_.lock();
    if (d_ == defect::write_cannot_be_cancelled && data.size() > 1'000'000)
      co_await shielded([&]() -> task<> { co_await good_.write_all(data); });
    else
      co_await good_.write_all(data);
  }

  task<> write_all(std::span<const std::span<const std::byte>> parts) override {
    if (d_ == defect::writes_the_first_part)
      co_await good_.write_all(parts.front());
    else
      co_await stream::write_all(parts);
  }

  task<> send_eof() override {
    const bool closed = good_.incoming()->closed();
    if (d_ == defect::eof_after_close && closed)
      co_return;
    if (d_ == defect::eof_disturbs_a_writer && !closed)
      good_.outgoing()->end();
    else if (d_ == defect::eof_closes)
      co_await good_.close();
    else
      co_await good_.send_eof();
  }

  task<> close() override {
    if (d_ == defect::second_close_throws && good_.incoming()->closed())
      throw std::runtime_error("closed before");
    if (d_ == defect::cancelled_close_does_nothing)
      co_await checkpoint();
    co_await good_.close();
  }

  void abort() noexcept override {
    if (d_ != defect::abort_does_nothing)
      good_.abort();
  }

  [[nodiscard]] std::string peer() const override { return good_.peer(); }
  [[nodiscard]] std::string local() const override { return good_.local(); }
  [[nodiscard]] stream_statistics statistics() const override {
    return d_ == defect::counts_nothing ? stream_statistics() : good_.statistics();
  }

private:
  struct resetting {
    bool* flag;
    ~resetting() {
      if (flag)
        *flag = false;
    }
  };

  memory_stream good_;
  defect d_;
  mutex one_;
  bool reading_ = false;
  bool writing_ = false;
  bool early_ = false;
  bool ended_ = false;
};

} // namespace

BOOST_AUTO_TEST_SUITE(check_stream)

BOOST_AUTO_TEST_CASE(p26_streams_in_memory_keep_the_rules) {
  run_virtually([]() -> task<> {
    const stream_maker buffered = []() -> task<stream_ends> {
      co_return stream_ends(memory_stream_pair());
    };
    co_await check_half_closeable_stream(buffered);
    const stream_maker in_step = []() -> task<stream_ends> {
      co_return stream_ends(lockstep_stream_pair());
    };
    co_await check_half_closeable_stream(in_step);
    const stream_maker tiny = []() -> task<stream_ends> {
      memory_stream_options options;
      options.capacity = 1;
      co_return stream_ends(memory_stream_pair(options));
    };
    check_stream_options little;
    little.clog = 10'000;
    co_await check_half_closeable_stream(tiny, little);
  });
}

BOOST_AUTO_TEST_CASE(p26_sockets_and_pipes_keep_the_rules) {
  run([]() -> task<> {
    const stream_maker local = []() -> task<stream_ends> {
      co_return stream_ends(unix_stream_pair());
    };
    co_await check_half_closeable_stream(local);
    co_await check_half_closeable_stream(tcp_ends);
    const stream_maker pipes = []() -> task<stream_ends> {
      auto ends = make_pipe();
      co_return stream_ends(std::move(ends.writer), std::move(ends.reader));
    };
    co_await check_one_way_stream(pipes);
  });
}

BOOST_AUTO_TEST_CASE(p26_tls_keeps_the_rules) {
  check_stream_options less;
  less.clog = 1'000'000;
  run_virtually([&]() -> task<> { co_await check_half_closeable_stream(tls_ends, less); });
}

BOOST_AUTO_TEST_CASE(p26_each_broken_stream_is_found_out) {
  for (const auto& [what, found] : all_broken) {
    BOOST_TEST_CONTEXT(found) {
      run_virtually([&, d = what, text = std::string(found)]() -> task<> {
        const stream_maker make = [d]() -> task<stream_ends> {
          auto [one, other] = memory_stream_pair();
          co_return stream_ends(std::make_unique<broken_stream>(std::move(one), d),
                                std::make_unique<broken_stream>(std::move(other), d));
        };
        try {
          co_await check_half_closeable_stream(make);
          BOOST_ERROR("it is not found out");
        } catch (const test_failure& e) {
          const std::string said = e.what();
          BOOST_TEST(said.find(text) != said.npos, "found out is: " << said);
        }
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(check_can_be_cut_off) {
  run_virtually([]() -> task<> {
    const stream_maker never = []() -> task<stream_ends> {
      co_await sleep_forever();
      co_return stream_ends(memory_stream_pair());
    };
    const auto check = [&]() -> task<> { co_await check_one_way_stream(never); };
    const bool ended = co_await move_on_after(std::chrono::seconds(5), check);
    BOOST_TEST(!ended);
    BOOST_CHECK_EXCEPTION(co_await check_one_way_stream(never), test_failure, [](auto& e) {
      return std::string(e.what()).ends_with("in order: it hangs");
    });
  });
}

BOOST_AUTO_TEST_SUITE_END()
