// SPDX-License-Identifier: BSD-3-Clause
#include "stream_rules.hpp"

#include <vector>

namespace troupe::testing {

namespace {

using options = check_stream_options;

task<> write_nothing(stream& to) { co_await to.write_all(std::string_view()); }

task<> all_arrives_in_order(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      co_await write_bytes(*e.one, 300'000);
      co_await write_nothing(*e.one);
    });
    co_await read_bytes(*e.other, 300'000);
  });
}

task<> parts_arrive_as_one(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      std::vector<std::vector<std::byte>> pieces;
      std::vector<std::span<const std::byte>> parts;
      std::size_t at = 0;
      for (std::size_t size = 0; size < 200; ++size) {
        pieces.push_back(bytes_from(at, size));
        at += size;
      }
      parts.assign(pieces.begin(), pieces.end());
      co_await e.one->write_all(parts);
    });
    co_await read_bytes(*e.other, 199 * 200 / 2);
  });
}

task<> read_gives_what_is_there(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await e.one->write_all("abc"); });
    std::string text;
    while (text.size() < 3) // waits for ever if the buffer has to be full
      text += co_await read_once(*e.other, 100'000);
    require(text == "abc", "'abc' was written, and '" + text + "' is read");
  });
}

task<> read_waits_for_something(stream_ends& e, const options&) {
  std::string got;
  co_await with_nursery([&](nursery& n) -> task<> {
    auto reader = n.start_soon([&]() -> task<> { got = co_await read_once(*e.other); });
    co_await wait_all_tasks_blocked();
    require(!reader.done(), "nothing was written, and a read returns");
    co_await e.one->write_all("x");
    co_await reader;
    require(got == "x", "'x' was written, and '" + got + "' is read");
  });
}

task<> no_room_is_a_mistake(stream_ends& e, const options&) {
  const auto read = [&]() -> task<> {
    static_cast<void>(co_await e.other->read_some(std::span<std::byte>()));
  };
  co_await expect<usage_error>("a read into nothing has to throw usage_error", read);
}

task<> second_reader_is_a_mistake(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto first = n.start_soon([&]() -> task<> {
      const std::string got = co_await read_once(*e.other);
      require(got == "x", "the second reader has disturbed the first");
    });
    co_await wait_all_tasks_blocked();
    const auto second = [&]() -> task<> { co_await read_once(*e.other); };
    co_await expect<usage_error>("a second reader has to get usage_error", second);
    require(!first.done(), "the second reader has disturbed the first");
    co_await e.one->write_all("x");
  });
}

task<> second_writer_is_a_mistake(stream_ends& e, const options& o) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto first = n.start_soon([&]() -> task<> { co_await write_until_cut(*e.one, o.clog); });
    co_await wait_all_tasks_blocked();
    require(!first.done(), "a write of " + std::to_string(o.clog)
                             + " bytes ends without a reader: 'clog' is too small, or nothing "
                               "holds writers back");
    const auto second = [&]() -> task<> { co_await e.one->write_all("x"); };
    co_await expect<usage_error>("a second writer has to get usage_error", second);
    require(!first.done(), "the second writer has disturbed the first");
    e.one->abort();
    n.cancel();
  });
}

task<> slow_reader_loses_nothing(stream_ends& e, const options& o) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto writer = n.start_soon([&]() -> task<> { co_await write_until_cut(*e.one, o.clog); });
    co_await wait_all_tasks_blocked();
    require(!writer.done(), "nothing holds the writer back");
    co_await read_bytes(*e.other, o.clog);
  });
}

task<> reading_is_a_checkpoint(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await e.one->write_all("abc"); });
    require(co_await read_text(*e.other, 1) == "a", "the first byte is not what was written");
    const auto read = [&]() -> task<> { co_await read_once(*e.other); };
    const bool returned = co_await returns_when_cancelled(read);
    require(!returned, "a read in a cancelled scope returns when something is there");
    require(co_await read_text(*e.other, 2) == "bc", "a cancelled read has taken something");
  });
}

task<> writing_is_a_checkpoint(stream_ends& e, const options&) {
  const auto write = [&]() -> task<> { co_await e.one->write_all("lost"); };
  bool returned = co_await returns_when_cancelled(write);
  require(!returned, "a write in a cancelled scope returns");
  const auto nothing = [&]() -> task<> { co_await write_nothing(*e.one); };
  returned = co_await returns_when_cancelled(nothing);
  require(!returned, "a write of nothing in a cancelled scope returns");
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await e.one->write_all("kept"); });
    const std::string got = co_await read_text(*e.other, 4);
    require(got == "kept", "a write that was cancelled before it began has written");
  });
}

task<> cancelled_read_has_read_nothing(stream_ends& e, const options&) {
  for (int i = 0; i < 5; ++i)
    co_await with_nursery([&](nursery& n) -> task<> {
      auto reader = n.start_soon([&]() -> task<> { co_await read_once(*e.other); });
      co_await wait_all_tasks_blocked();
      reader.cancel();
      co_await wait_all_tasks_blocked();
      require(reader.done(), "a read that waits cannot be cancelled");
      n.start_soon([&]() -> task<> { co_await e.one->write_all("abc"); });
      const std::string got = co_await read_text(*e.other, 3);
      require(got == "abc",
              "after a read that was cancelled, '" + got + "' is read where 'abc' was written");
    });
}

task<> read_that_is_cancelled_too_late_gives_what_it_has(stream_ends& e, const options&) {
  std::string got;
  co_await with_nursery([&](nursery& n) -> task<> {
    auto reader = n.start_soon([&]() -> task<> { got = co_await read_once(*e.other); });
    co_await wait_all_tasks_blocked();
    co_await e.one->write_all("a"); // there is somebody who reads it
    reader.cancel();
    co_await wait_all_tasks_blocked();
    require(reader.done(), "a read cannot be cancelled");
    n.start_soon([&]() -> task<> {
      co_await e.one->write_all("bc");
      co_await e.one->close();
    });
    const std::string rest = co_await read_text(*e.other, 100);
    require(got + rest == "abc",
            "'abc' was written, and the reads give '" + got + "' and '" + rest + "'");
  });
}

task<> cancelled_write_ends(stream_ends& e, const options& o) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto writer = n.start_soon([&]() -> task<> { co_await write_until_cut(*e.one, o.clog); });
    co_await wait_all_tasks_blocked();
    writer.cancel();
    co_await wait_all_tasks_blocked();
    const bool ended = writer.done();
    e.one->abort();
    require(ended, "a write that waits cannot be cancelled");
  });
}

task<> reader_lets_others_run(stream_ends& e, const options&) {
  bool read = false;
  std::size_t steps = 0;
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await write_bytes(*e.one, 20'000); });
    n.start_soon([&]() -> task<> {
      for (; !read && steps < 100'000; ++steps) // time may stand still meanwhile
        co_await checkpoint();
    });
    std::byte byte{};
    for (int i = 0; i < 20'000; ++i)
      static_cast<void>(co_await e.other->read_some({&byte, 1}));
    read = true;
    require(steps > 10, "a task that reads what is there keeps the others from running");
  });
}

task<> end_is_read_after_all(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      co_await write_bytes(*e.one, 10'000);
      co_await e.one->close();
    });
    co_await read_bytes(*e.other, 10'000);
    for (int i = 0; i < 3; ++i)
      require((co_await read_once(*e.other)).empty(), "something is read after the end");
  });
}

task<> closed_stream_says_so(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    for (stream* s : {e.one.get(), e.other.get()})
      n.start_soon([s]() -> task<> { // at once: one may wait for the other
        co_await s->close();
        co_await s->close();
        s->abort();
        co_await s->close();
      });
    co_return;
  });
  const auto write = [&]() -> task<> { co_await e.one->write_all("x"); };
  co_await expect<stream_closed>("a write after close has to throw stream_closed", write);
  const auto read = [&]() -> task<> { co_await read_once(*e.other); };
  co_await expect<stream_closed>("a read after close has to throw stream_closed", read);
}

task<> closing_wakes_the_reader(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      const auto read = [&]() -> task<> { co_await read_once(*e.other); };
      co_await expect<stream_closed>("a read that waits while the stream is closed has to throw "
                                     "stream_closed",
                                     read);
    });
    co_await wait_all_tasks_blocked();
    n.start_soon([&]() -> task<> { co_await e.one->close(); });
    co_await e.other->close();
  });
}

task<> closing_wakes_the_writer(stream_ends& e, const options& o) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      const auto much = bytes_from(0, o.clog);
      const auto write = [&]() -> task<> { co_await e.one->write_all(much); };
      co_await expect<stream_closed>("a write that waits while the stream is closed has to throw "
                                     "stream_closed",
                                     write);
    });
    co_await wait_all_tasks_blocked();
    co_await e.one->close();
  });
}

task<> cancelled_close_has_closed(stream_ends& e, const options&) {
  const auto close = [&]() -> task<> { co_await e.one->close(); };
  static_cast<void>(co_await returns_when_cancelled(close));
  const auto write = [&]() -> task<> { co_await e.one->write_all("x"); };
  co_await expect<stream_closed>("a stream whose close was cancelled has to be closed", write);
  co_await read_to_some_end(*e.other);
}

task<> abort_wakes_all(stream_ends& e, const options& o) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> {
      const auto much = bytes_from(0, o.clog);
      const auto write = [&]() -> task<> { co_await e.one->write_all(much); };
      co_await expect<stream_closed>("a write that waits in a stream that is aborted has to throw "
                                     "stream_closed",
                                     write);
    });
    co_await wait_all_tasks_blocked();
    e.one->abort();
    e.one->abort();
    co_await read_to_some_end(*e.other);
  });
}

task<> writer_hears_that_the_reader_has_gone(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await e.other->close(); });
    co_await wait_all_tasks_blocked();
    co_await write_until_broken(*e.one);
  });
}

task<> waiting_writer_hears_that_the_reader_has_gone(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto writer = n.start_soon([&]() -> task<> { co_await write_until_broken(*e.one); });
    co_await wait_all_tasks_blocked();
    require(!writer.done(), "nothing holds the writer back");
    e.other->abort();
  });
}

task<> reader_hears_that_the_writer_was_destroyed(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto reader = n.start_soon([&]() -> task<> { co_await read_to_some_end(*e.other); });
    co_await wait_all_tasks_blocked();
    require(!reader.done(), "a read returns before there is anything");
    e.one.reset();
    co_await reader;
  });
}

task<> statistics_count(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await write_bytes(*e.one, 12'345); });
    co_await read_bytes(*e.other, 12'345);
  });
  const auto wrote = e.one->statistics();
  const auto read = e.other->statistics();
  require(wrote.bytes_written == 12'345,
          "12345 bytes were written, and statistics() says " + std::to_string(wrote.bytes_written));
  require(read.bytes_read == 12'345,
          "12345 bytes were read, and statistics() says " + std::to_string(read.bytes_read));
  e.one->abort();
  require(e.one->statistics().bytes_written == 12'345, "statistics() forgets when it is closed");
}

constexpr stream_rule one_way_rules[] = {
  {"all that is written is read, in order", all_arrives_in_order},
  {"several parts are written as if they were one", parts_arrive_as_one},
  {"a read gives what is there and does not wait for more", read_gives_what_is_there},
  {"a read waits until there is something", read_waits_for_something},
  {"a read needs room for a byte", no_room_is_a_mistake},
  {"two tasks that read are a mistake", second_reader_is_a_mistake},
  {"two tasks that write are a mistake", second_writer_is_a_mistake},
  {"a writer waits for a slow reader, and nothing is lost", slow_reader_loses_nothing},
  {"reading is a checkpoint", reading_is_a_checkpoint},
  {"writing is a checkpoint", writing_is_a_checkpoint},
  {"a cancelled read has read nothing", cancelled_read_has_read_nothing},
  {"a read that is cancelled when something has come gives it or leaves it",
   read_that_is_cancelled_too_late_gives_what_it_has},
  {"a write that waits can be cancelled", cancelled_write_ends},
  {"reading what is there lets other tasks run", reader_lets_others_run},
  {"the end is read behind all that was written, again and again", end_is_read_after_all},
  {"a closed stream says so, and is closed twice without harm", closed_stream_says_so},
  {"closing sends a reader away", closing_wakes_the_reader},
  {"closing sends a writer away", closing_wakes_the_writer},
  {"a cancelled close has closed", cancelled_close_has_closed},
  {"aborting sends all away", abort_wakes_all},
  {"a writer hears that the reader has gone", writer_hears_that_the_reader_has_gone},
  {"a writer that waits hears that the reader has gone",
   waiting_writer_hears_that_the_reader_has_gone},
  {"a reader hears that the writer was destroyed", reader_hears_that_the_writer_was_destroyed},
  {"statistics count all bytes", statistics_count},
};

} // namespace

task<> check_one_way_stream(stream_maker make, check_stream_options options) {
  co_await check_stream_rules("check_one_way_stream", one_way_rules, make, options);
}

task<> check_one_way_stream(stream_maker make) {
  return check_one_way_stream(std::move(make), check_stream_options());
}

} // namespace troupe::testing
