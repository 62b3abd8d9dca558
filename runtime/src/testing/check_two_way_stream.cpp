// SPDX-License-Identifier: BSD-3-Clause
#include "stream_rules.hpp"

#include <utility>

namespace troupe::testing {

namespace {

using options = check_stream_options;

task<> both_ways_at_once(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await write_bytes(*e.one, 1'000'000); });
    n.start_soon([&]() -> task<> { co_await write_bytes(*e.other, 1'000'000); });
    n.start_soon([&]() -> task<> { co_await read_bytes(*e.one, 1'000'000); });
    n.start_soon([&]() -> task<> { co_await read_bytes(*e.other, 1'000'000); });
    co_return;
  });
}

task<> reader_does_not_hold_the_writer(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto reader = n.start_soon([&]() -> task<> {
      require(co_await read_text(*e.one, 6) == "answer", "the answer is not what was written");
    });
    co_await wait_all_tasks_blocked();
    n.start_soon([&]() -> task<> { co_await e.one->write_all("question"); });
    require(co_await read_text(*e.other, 8) == "question", "the question is not what was written");
    require(!reader.done(), "a read returns before there is anything");
    co_await e.other->write_all("answer");
  });
}

task<> writer_does_not_hold_the_reader(stream_ends& e, const options& o) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto writer = n.start_soon([&]() -> task<> { co_await write_until_cut(*e.one, o.clog); });
    co_await wait_all_tasks_blocked();
    require(!writer.done(), "nothing holds the writer back");
    n.start_soon([&]() -> task<> { co_await e.other->write_all("x"); });
    require(co_await read_text(*e.one, 1) == "x", "what is read is not what was written");
    co_await read_bytes(*e.other, o.clog);
  });
}

task<> closing_ends_both_ways(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await e.one->close(); });
    co_await read_to_some_end(*e.other);
    co_await write_until_broken(*e.other);
  });
}

task<> eof_ends_one_way_alone(stream_ends& e, const options&) {
  for (int round = 0; round < 2; ++round) {
    if (round == 1)
      std::swap(e.one, e.other); // the other direction, which is still open
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon([&]() -> task<> {
        co_await e.one->write_all("last words");
        co_await e.one->send_eof();
      });
      require(co_await read_text(*e.other, 100) == "last words",
              "what was written before the end does not arrive");
      require((co_await read_once(*e.other)).empty(), "something is read after the end");
      if (round == 1)
        co_return;
      n.start_soon([&]() -> task<> { co_await write_bytes(*e.other, 10'000); });
      co_await read_bytes(*e.one, 10'000);
    });
  }
}

task<> eof_wakes_the_reader(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto reader = n.start_soon([&]() -> task<> {
      require((co_await read_once(*e.other)).empty(), "something is read after the end");
    });
    co_await wait_all_tasks_blocked();
    co_await e.one->send_eof();
    co_await reader;
  });
}

task<> nothing_is_written_after_eof(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await read_to_some_end(*e.other); });
    co_await e.one->send_eof();
    co_await e.one->send_eof();
    const auto write = [&]() -> task<> { co_await e.one->write_all("x"); };
    co_await expect<broken_pipe>("a write after send_eof has to throw broken_pipe", write);
  });
}

task<> eof_waits_for_no_writer(stream_ends& e, const options& o) {
  co_await with_nursery([&](nursery& n) -> task<> {
    auto writer = n.start_soon([&]() -> task<> { co_await write_until_cut(*e.one, o.clog); });
    co_await wait_all_tasks_blocked();
    const auto end = [&]() -> task<> { co_await e.one->send_eof(); };
    co_await expect<usage_error>("send_eof while a task writes has to throw usage_error", end);
    require(!writer.done(), "send_eof has disturbed the writer");
    e.one->abort();
    n.cancel();
  });
}

task<> no_eof_after_close(stream_ends& e, const options&) {
  co_await with_nursery([&](nursery& n) -> task<> {
    n.start_soon([&]() -> task<> { co_await e.other->close(); });
    co_await e.one->close();
  });
  const auto end = [&]() -> task<> { co_await e.one->send_eof(); };
  co_await expect<stream_closed>("send_eof after close has to throw stream_closed", end);
}

constexpr stream_rule two_way_rules[] = {
  {"a task that reads does not keep another from writing", reader_does_not_hold_the_writer},
  {"a task that writes does not keep another from reading", writer_does_not_hold_the_reader},
  {"both directions work at once", both_ways_at_once},
  {"closing ends both directions", closing_ends_both_ways},
};

constexpr stream_rule half_closing_rules[] = {
  {"send_eof ends one direction alone", eof_ends_one_way_alone},
  {"send_eof reaches a reader that waits", eof_wakes_the_reader},
  {"nothing is written after send_eof", nothing_is_written_after_eof},
  {"send_eof while a task writes is a mistake", eof_waits_for_no_writer},
  {"a closed stream has no end to send", no_eof_after_close},
};

} // namespace

task<> check_two_way_stream(stream_maker make, check_stream_options options) {
  co_await check_one_way_stream(make, options);
  const stream_maker the_other_way = [&make]() -> task<stream_ends> {
    stream_ends e = co_await make();
    std::swap(e.one, e.other);
    co_return e;
  };
  co_await check_one_way_stream(the_other_way, options);
  co_await check_stream_rules("check_two_way_stream", two_way_rules, make, options);
}

task<> check_two_way_stream(stream_maker make) {
  return check_two_way_stream(std::move(make), check_stream_options());
}

task<> check_half_closeable_stream(stream_maker make, check_stream_options options) {
  co_await check_two_way_stream(make, options);
  co_await check_stream_rules("check_half_closeable_stream", half_closing_rules, make, options);
}

task<> check_half_closeable_stream(stream_maker make) {
  return check_half_closeable_stream(std::move(make), check_stream_options());
}

} // namespace troupe::testing
