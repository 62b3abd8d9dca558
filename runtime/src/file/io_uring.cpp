// SPDX-License-Identifier: BSD-3-Clause
#include "io_uring.hpp"

#include <troupe/detail/runtime.hpp>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>

namespace troupe::detail {

namespace {

constexpr unsigned entries = 128;

std::atomic<bool> allowed{true};

int ring_setup(unsigned size, io_uring_params& p) noexcept {
  return static_cast<int>(::syscall(SYS_io_uring_setup, size, &p));
}

int ring_enter(int fd, unsigned submit) noexcept {
  return static_cast<int>(::syscall(SYS_io_uring_enter, fd, submit, 0, 0, nullptr, 0));
}

// The kernel is the other side: acquire what it has written, release what it will read.
unsigned load(const unsigned* shared) noexcept { return __atomic_load_n(shared, __ATOMIC_ACQUIRE); }
void store(unsigned* shared, unsigned value) noexcept {
  __atomic_store_n(shared, value, __ATOMIC_RELEASE);
}

template <class T>
T* at(void* base, unsigned offset) noexcept {
  return reinterpret_cast<T*>(static_cast<std::byte*>(base) + offset);
}

} // namespace

void allow_io_uring(bool yes) noexcept { allowed = yes; }

bool uses_io_uring(loop& home) { return io_uring::of(home) != nullptr; }

io_uring::~io_uring() {
  if (entries_)
    ::munmap(entries_, entries_size_);
  if (rings_)
    ::munmap(rings_, rings_size_);
}

void io_uring::shutdown() { ring_.reset(-1); }

io_uring* io_uring::of(loop& home) {
  if (!allowed.load(std::memory_order_relaxed) || home.owner().simulated())
    return nullptr;
  auto& ring = boost::asio::use_service<io_uring>(home.io());
  if (ring.state_ == state::unknown)
    ring.state_ = ring.set_up(home) ? state::usable : state::unusable;
  return ring.state_ == state::usable ? &ring : nullptr;
}

bool io_uring::set_up(loop& home) noexcept {
  io_uring_params p{};
  p.flags = IORING_SETUP_CLAMP;
  ring_.reset(ring_setup(entries, p));
  if (ring_.get() < 0)
    return false; // an old kernel, or forbidden
  constexpr unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS;
  if ((p.features & needed) != needed || !map(p))
    return false;
  // as long as something is done, not its edges: most is taken before the loop looks
  try {
    poller::of(home).watch(home, ring_.get(), *this, EPOLLIN);
  } catch (...) {
    return false; // threads do without
  }
  return true;
}

bool io_uring::map(const io_uring_params& p) noexcept {
  const int fd = ring_.get();
  rings_size_ = std::max<std::size_t>(p.sq_off.array + p.sq_entries * sizeof(unsigned),
                                      p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe));
  void* rings = ::mmap(nullptr, rings_size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                       IORING_OFF_SQ_RING);
  if (rings == MAP_FAILED)
    return false;
  rings_ = rings;
  entries_size_ = p.sq_entries * sizeof(io_uring_sqe);
  void* sqes = ::mmap(nullptr, entries_size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                      IORING_OFF_SQES);
  if (sqes == MAP_FAILED)
    return false;
  entries_ = static_cast<io_uring_sqe*>(sqes);
  submitted_head_ = at<unsigned>(rings_, p.sq_off.head);
  submitted_tail_ = at<unsigned>(rings_, p.sq_off.tail);
  submitted_index_ = at<unsigned>(rings_, p.sq_off.array);
  submitted_mask_ = *at<unsigned>(rings_, p.sq_off.ring_mask);
  done_head_ = at<unsigned>(rings_, p.cq_off.head);
  done_tail_ = at<unsigned>(rings_, p.cq_off.tail);
  done_ = at<io_uring_cqe>(rings_, p.cq_off.cqes);
  done_mask_ = *at<unsigned>(rings_, p.cq_off.ring_mask);
  return true;
}

/// One at a time: the kernel has read the entry when this returns.
bool io_uring::submit(const io_uring_sqe& what) noexcept {
  if (under_way_ > done_mask_) // there must be room for the answer
    return false;
  const unsigned tail = *submitted_tail_;
  const unsigned slot = tail & submitted_mask_;
  entries_[slot] = what;
  submitted_index_[slot] = slot;
  store(submitted_tail_, tail + 1);
  while (ring_enter(ring_.get(), 1) < 0 && errno == EINTR) {
  }
  if (load(submitted_head_) != tail + 1) {
    store(submitted_tail_, tail); // not taken
    return false;
  }
  ++under_way_;
  return true;
}

bool io_uring::start(io_uring_op& op) noexcept {
  constexpr std::size_t most_at_once = 0x7ffff000;
  const file_call& t = op.what();
  io_uring_sqe what{};
  what.fd = t.fd;
  what.user_data = reinterpret_cast<std::uintptr_t>(&op);
  switch (t.what) {
  case file_call::kind::read: what.opcode = IORING_OP_READ; break;
  case file_call::kind::write: what.opcode = IORING_OP_WRITE; break;
  case file_call::kind::sync_data: what.fsync_flags = IORING_FSYNC_DATASYNC; [[fallthrough]];
  case file_call::kind::sync: what.opcode = IORING_OP_FSYNC; break;
  }
  if (what.opcode != IORING_OP_FSYNC) {
    what.addr = reinterpret_cast<std::uintptr_t>(t.data);
    what.len = static_cast<unsigned>(std::min(t.size, most_at_once));
    what.off = static_cast<std::uint64_t>(t.offset);
  }
  return submit(what);
}

void io_uring::cancel(io_uring_op& op) noexcept {
  io_uring_sqe what{};
  what.opcode = IORING_OP_ASYNC_CANCEL;
  what.fd = -1;
  what.addr = reinterpret_cast<std::uintptr_t>(&op);
  static_cast<void>(submit(what)); // if not, the operation comes to its own end
}

void io_uring::reap() noexcept {
  for (unsigned head = *done_head_; head != load(done_tail_);) {
    const io_uring_cqe answer = done_[head & done_mask_];
    store(done_head_, ++head);
    --under_way_;
    if (answer.user_data != 0) // not that of a cancellation
      reinterpret_cast<io_uring_op*>(answer.user_data)->completed(answer.res);
  }
}

void io_uring_op::completed(int result) noexcept {
  result_ = result;
  done_ = true;
  if (!waiting_)
    return;
  task_->home().outside(-1);
  if (withdrawn_ && (result == -ECANCELED || result == -EINTR || result == -EAGAIN))
    task_->aborted();
  else
    task_->wake();
}

} // namespace troupe::detail
