// SPDX-License-Identifier: BSD-3-Clause
#include "child_process.hpp"
#include "worker_protocol.hpp"

#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/net_error.hpp>
#include <troupe/process_pool.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/time.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <thread>

namespace troupe {

using namespace detail;

worker_died::worker_died(std::string function, int pid, exit_status status)
  : std::runtime_error("worker process " + std::to_string(pid)
                       + (status.signal() ? " has died of " + to_string(status)
                                          : " has ended with " + to_string(status))
                       + " in '" + function + "'"),
    function_(std::move(function)), pid_(pid), status_(status) {}

process_function_error::process_function_error(std::string function, std::string type,
                                               std::string text)
  : std::runtime_error("'" + function + "' has thrown " + type + " in its worker process"
                       + (text.empty() ? text : ": " + text)),
    function_(std::move(function)), type_(std::move(type)), text_(std::move(text)) {}

namespace {

/// A pipe, ours end first.
struct worker_pipe {
  owned_fd ours{-1};
  owned_fd theirs{-1};
};

worker_pipe make_worker_pipe(direction ours) {
  int both[2];
  if (::pipe2(both, O_CLOEXEC) != 0)
    throw process_error(errno, std::generic_category(), "cannot start a worker process");
  const bool reading = ours == direction::read;
  worker_pipe ends;
  ends.ours.reset(both[reading ? 0 : 1]);
  ends.theirs.reset(both[reading ? 1 : 0]);
  ::fcntl(ends.ours.get(), F_SETFL, O_NONBLOCK | (reading ? O_RDONLY : O_WRONLY));
  return ends;
}

struct worker {
  worker(process started, worker_pipe& to, worker_pipe& from)
    : child(std::move(started)),
      requests(stream_of(process_access::child(child).home(), std::move(to.ours),
                         "worker process " + std::to_string(child.pid()))),
      answers(stream_of(process_access::child(child).home(), std::move(from.ours),
                        "worker process " + std::to_string(child.pid()))) {}

  process child;
  descriptor_stream requests;
  descriptor_stream answers;
  std::size_t jobs = 0;
  time_point idle_since{};
};

using worker_ptr = std::unique_ptr<worker>;

task<> read_exactly(stream& from, void* to, std::size_t size) {
  auto left = std::span(static_cast<std::byte*>(to), size);
  while (!left.empty()) {
    const auto n = co_await from.read_some(left);
    if (n == 0)
      throw_net_error(ECONNRESET, "read from", from.peer());
    left = left.subspan(n);
  }
}

struct answer {
  answer_header header{};
  std::string type;
  std::vector<char> value; // or the text of an exception
};

task<> exchange(worker& w, const std::string& function, const std::vector<char>& request,
                answer& a) {
  const request_header header{function.size(), request.size()};
  co_await w.requests.write_all(std::as_bytes(std::span(&header, 1)));
  co_await w.requests.write_all(function);
  co_await w.requests.write_all(std::as_bytes(std::span(request)));
  co_await read_exactly(w.answers, &a.header, sizeof a.header);
  a.type.resize(a.header.type_size);
  co_await read_exactly(w.answers, a.type.data(), a.type.size());
  a.value.resize(a.header.size);
  co_await read_exactly(w.answers, a.value.data(), a.value.size());
}

unsigned or_cores(unsigned size) noexcept {
  return size != 0 ? size : std::max(1U, std::thread::hardware_concurrency());
}

} // namespace

struct process_pool::impl {
  explicit impl(const process_pool_options& o)
    : options(o), program(o.program), size(or_cores(o.size)), slots(size),
      home(require_loop("process_pool")) {
    options.program = program;
  }

  worker_ptr take();
  worker_ptr start();
  void give_back(worker_ptr w);
  task<> expire();
  /// Lets a worker end, by the end of its input.
  task<> retire(worker_ptr w);
  void retire_beside(worker_ptr w);
  /// For one that is busy with what nobody waits for any more.
  task<exit_status> end(worker& w);

  process_pool_options options;
  std::string program;
  unsigned size;
  semaphore slots;
  nursery* tasks = nullptr;
  loop& home;
  std::deque<worker_ptr> idle; // the last used at the back
  std::size_t workers = 0;
  std::optional<event> filled; // while the watcher has nothing to watch
  bool closing = false;
};

worker_ptr process_pool::impl::start() {
  worker_pipe requests = make_worker_pipe(direction::write);
  worker_pipe answers = make_worker_pipe(direction::read);
  command c(program.empty() ? std::string("/proc/self/exe") : program,
            std::string(worker_argument));
  c.env(worker_variable, "1").std_in(child_io::null).grace(options.grace);
  c.std_out(child_io::inherit).std_err(child_io::inherit);
  c.pass_descriptor(requests.theirs.get()).pass_descriptor(answers.theirs.get());
  auto w = std::make_unique<worker>(process(c), requests, answers);
  ++workers;
  return w;
}

/// The one that was used last, whose memory is still warm; those that have died meanwhile
/// are passed over.
worker_ptr process_pool::impl::take() {
  while (!idle.empty()) {
    worker_ptr w = std::move(idle.back());
    idle.pop_back();
    if (!w->child.status())
      return w;
    --workers;
  }
  return start();
}

void process_pool::impl::give_back(worker_ptr w) {
  ++w->jobs;
  if (options.jobs_per_worker != 0 && w->jobs >= options.jobs_per_worker) {
    retire_beside(std::move(w));
    return;
  }
  w->idle_since = current_time();
  idle.push_back(std::move(w));
  if (filled)
    filled->set();
}

void process_pool::impl::retire_beside(worker_ptr w) {
  --workers;
  tasks->start_soon(
    named("end of a worker process",
          [](impl& self, worker_ptr old) -> task<> { co_await self.retire(std::move(old)); }),
    std::ref(*this), std::move(w));
}

task<> process_pool::impl::retire(worker_ptr w) {
  const auto end_it = [&]() -> task<> {
    co_await w->requests.close();
    const bool ended =
      co_await move_on_after(options.grace, [&]() -> task<> { co_await w->child.wait(); });
    if (!ended)
      co_await end(*w);
  };
  co_await shielded(end_it);
}

task<exit_status> process_pool::impl::end(worker& w) {
  w.child.kill();
  co_return co_await w.child.wait();
}

/// Ends those that have been idle for long.
task<> process_pool::impl::expire() {
  for (;;) {
    if (idle.empty()) {
      filled.emplace();
      co_await filled->wait();
      filled.reset();
      continue;
    }
    co_await sleep_until(deadline_after(idle.front()->idle_since, options.idle_ttl));
    if (idle.empty() || current_time() < deadline_after(idle.front()->idle_since, options.idle_ttl))
      continue;
    worker_ptr old = std::move(idle.front());
    idle.pop_front();
    retire_beside(std::move(old));
  }
}

process_pool::process_pool(const process_pool_options& options)
  : impl_(std::make_unique<impl>(options)) {
  if (std::getenv(worker_variable)) // NOLINT(concurrency-mt-unsafe)
    throw usage_error("troupe: a worker process cannot have workers of its own; if this is the "
                      "program itself, its main is to call run_process_worker first");
}

void process_pool::open(nursery& n) {
  impl_->tasks = &n;
  n.start_service(
    named("idle worker processes", [](impl& self) -> task<> { co_await self.expire(); }),
    std::ref(*impl_));
}

process_pool::~process_pool() = default;

std::size_t process_pool::size() const noexcept { return impl_->size; }
std::size_t process_pool::workers() const noexcept { return impl_->workers; }
std::size_t process_pool::idle() const noexcept { return impl_->idle.size(); }

task<std::vector<char>> process_pool::call(const std::string& function, std::vector<char> request) {
  impl& pool = *impl_;
  if (loop::current() != &pool.home)
    throw usage_error("troupe: process_pool::run: the pool belongs to another loop");
  const auto check_open = [&] {
    if (pool.closing)
      throw usage_error("troupe: process_pool::run: the pool is closing");
  };
  check_open();
  const auto permit = co_await pool.slots.acquire();
  check_open();
  worker_ptr w = pool.take();
  answer a;
  bool answered = false;
  std::optional<exit_status> died;
  const auto talk = [&]() -> task<> {
    try {
      co_await exchange(*w, function, request, a);
      answered = true;
    } catch (const net_error&) { // NOLINT(bugprone-empty-catch): it has died
    }
  };
  const auto tidy_up = [&]() -> task<> {
    if (answered) {
      pool.give_back(std::move(w));
    } else {
      --pool.workers;
      // one that has closed its pipes is about to end by itself
      died = co_await pool.end(*w);
      w.reset();
    }
  };
  const int pid = w->child.pid();
  co_await with_cleanup(talk, tidy_up, duration::max());
  if (died)
    throw worker_died(function, pid, *died);
  switch (a.header.kind) {
  case answer_kind::value: break;
  case answer_kind::exception:
    throw process_function_error(function, std::move(a.type),
                                 std::string(a.value.begin(), a.value.end()));
  case answer_kind::unknown_function:
    throw usage_error("troupe: process_pool::run: the worker program has no process function '"
                      + function + "'");
  }
  co_return std::move(a.value);
}

task<> process_pool::close() {
  impl& pool = *impl_;
  pool.closing = true;
  std::vector<semaphore::permit> all;
  while (all.size() < pool.size)
    all.push_back(co_await pool.slots.acquire());
  co_await with_nursery([&](nursery& n) -> task<> {
    for (; !pool.idle.empty(); pool.idle.pop_back())
      n.start_soon(
        [](impl& self, worker_ptr old) -> task<> {
          --self.workers;
          co_await self.retire(std::move(old));
        },
        std::ref(pool), std::move(pool.idle.back()));
    co_return;
  });
}

} // namespace troupe
