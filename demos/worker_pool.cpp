// SPDX-License-Identifier: BSD-3-Clause
// A pool of workers on a queue: three share twenty jobs; a failed job does not end the pool,
// one that fails for a while is tried again, and a worker that is killed is replaced.
// Try: worker_pool
#include <troupe/actors/worker_pool.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

// A job is a value. It stays in the pool until it is done, so that nothing is lost with a worker.
struct job {
  int number = 0;
  int attempts = 0;
};

task<std::string> do_job(job& j) {
  ++j.attempts;
  co_await sleep_for((j.number % 4 + 1) * 10ms);
  if (j.number == 13)
    throw std::invalid_argument("an unlucky number");
  if (j.number == 7 && j.attempts < 3)
    throw timeout_error("no answer"); // which may help to ask again for
  if (j.number == 17 && j.attempts == 1)
    send_exit(self(), caf::exit_reason::kill); // somebody kills the worker
  co_await checkpoint();
  co_return j.attempts == 1 ? "done" : "done at attempt " + std::to_string(j.attempts);
}

using job_pool = worker_pool<job, std::string>;

task<> ask_for(job_pool& pool, int number) {
  std::string result;
  try {
    result = co_await pool.run(job{number});
  } catch (const std::exception& e) {
    result = e.what();
  }
  std::cout << "job " << number << ": " << result << '\n';
}

task<> parent() {
  worker_pool_options options;
  options.workers = 3;
  options.queue = 4; // who has more waits
  retry_policy again;
  again.first_delay = 20ms;
  options.retry = again;
  co_await with_worker_pool(options, do_job, [](job_pool& pool) -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      for (int number = 1; number <= 20; ++number)
        n.start_soon(ask_for, std::ref(pool), number);
      co_return;
    });

    // what nobody waits for, and fails, is kept
    auto letters = pool.dead_letters();
    co_await pool.submit(job{13});
    co_await pool.drain();
    while (const auto letter = letters.try_receive())
      std::cout << "dead letter: job " << letter->job.number << ": " << describe(letter->error)
                << '\n';

    const auto s = pool.statistics();
    std::cout << s.done << " jobs done by " << s.workers << " workers, " << s.failed << " failed, "
              << s.retried << " tried again, " << s.workers_lost << " worker lost\n";
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
