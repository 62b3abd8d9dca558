// SPDX-License-Identifier: BSD-3-Clause
// A call on another thread and back, one after another and 16 at a time: to_thread beside
// asio::thread_pool, which is posted to and posts back.
#include "meter.hpp"

#include <troupe/troupe.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

using namespace troupe;

namespace {

constexpr int round_trips = 100'000;

volatile int sink = 0;
void work() { sink = sink + 1; }

task<> calls(int n) {
  for (int i = 0; i < n; ++i)
    co_await to_thread(work);
}

void ours(const char* test, int at_once) {
  run(run_options{.loops = 1}, [=]() -> task<> {
    co_await calls(1000);
    const bench::meter m("troupe");
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int i = 0; i < at_once; ++i)
        n.start_soon(calls, round_trips / at_once);
      co_return;
    });
    m.report(test, round_trips);
  });
}

class asio_calls {
public:
  asio_calls(int trips, int at_once) : left_(trips), running_(at_once) {
    for (int i = 0; i < at_once; ++i)
      next();
    io_.run();
  }

private:
  void next() {
    if (left_ == 0) {
      if (--running_ == 0)
        guard_.reset();
      return;
    }
    --left_;
    boost::asio::post(pool(), [this] {
      work();
      boost::asio::post(io_, [this] { next(); });
    });
  }

  static boost::asio::thread_pool& pool() {
    static boost::asio::thread_pool threads(40);
    return threads;
  }

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
    io_.get_executor()};
  int left_;
  int running_;
};

void asio(const char* test, int at_once) {
  const asio_calls warm_up(1000, at_once);
  const bench::meter m("asio");
  const asio_calls calls(round_trips, at_once);
  m.report(test, round_trips);
}

} // namespace

int main() {
  ours("t1", 1);
  asio("t1", 1);
  ours("t16", 16);
  asio("t16", 16);
}
