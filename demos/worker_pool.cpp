// SPDX-License-Identifier: BSD-3-Clause
// A pool of workers on a queue: three share twenty jobs, a failed job does not end
// the pool.
// Try: worker_pool
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace std::chrono_literals;

struct report {
  int worker;
  int job;
  std::string result;
};

task<std::string> do_job(int job) {
  co_await sleep_for((job % 4 + 1) * 10ms);
  if (job == 13)
    throw std::runtime_error("an unlucky number");
  co_return "done";
}

task<> worker(int id, receive_channel<int> jobs, send_channel<report> reports) {
  while (const auto job = co_await jobs.next()) {
    report r{id, *job, {}};
    try {
      r.result = co_await do_job(*job);
    } catch (const std::exception& e) {
      r.result = e.what();
    }
    co_await reports.emplace(std::move(r));
  }
}

task<> parent() {
  auto [jobs_in, jobs_out] = make_channel<int>(4);
  auto [reports_in, reports_out] = make_channel<report>(4);
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int id = 1; id <= 3; ++id)
      n.start_soon(named("worker " + std::to_string(id), worker), id, jobs_out.clone(),
                   reports_in.clone());
    reports_in.close(); // the workers have their own ends of the queues
    jobs_out.close();

    n.start_soon(
      [](send_channel<int> jobs) -> task<> {
        for (int job = 1; job <= 20; ++job)
          co_await jobs.send(job);
      },
      std::move(jobs_in));

    int count = 0;
    while (const auto r = co_await reports_out.next()) {
      std::cout << "worker " << r->worker << ": job " << r->job << ": " << r->result << '\n';
      ++count;
    }
    std::cout << count << " jobs\n";
  });
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
