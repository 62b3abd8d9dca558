// SPDX-License-Identifier: BSD-3-Clause
#include "io_uring.hpp"

#include <boost/asio/bind_allocator.hpp>

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

template <class T>
struct io_uring::in_place {
  using value_type = T;

  explicit in_place(std::byte* s) noexcept : storage(s) {}
  template <class U>
  in_place(const in_place<U>& other) noexcept : storage(other.storage) {} // NOLINT: allocators do

  T* allocate(std::size_t n) {
    if (n * sizeof(T) > sizeof(io_uring::storage_))
      throw std::bad_alloc();
    return reinterpret_cast<T*>(storage);
  }
  void deallocate(T*, std::size_t) noexcept {}

  friend bool operator==(const in_place&, const in_place&) = default;

  std::byte* storage;
};

io_uring::io_uring(boost::asio::execution_context& io)
  : service(io), descriptor_(static_cast<boost::asio::io_context&>(io)) {
  usable_ = set_up();
}

io_uring::~io_uring() {
  if (entries_)
    ::munmap(entries_, entries_size_);
  if (rings_)
    ::munmap(rings_, rings_size_);
}

void io_uring::shutdown() {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

io_uring* io_uring::of(loop& home) {
  if (!allowed.load(std::memory_order_relaxed))
    return nullptr;
  auto& ring = boost::asio::use_service<io_uring>(home.io());
  return ring.usable_ ? &ring : nullptr;
}

/// Throws `std::bad_alloc`.
bool io_uring::set_up() {
  io_uring_params p{};
  p.flags = IORING_SETUP_CLAMP;
  const int fd = ring_setup(entries, p);
  if (fd < 0)
    return false; // an old kernel, or forbidden
  constexpr unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS;
  try {
    descriptor_.assign(fd);
  } catch (...) {
    ::close(fd);
    throw;
  }
  return (p.features & needed) == needed && map(p);
}

bool io_uring::map(const io_uring_params& p) noexcept {
  const int fd = descriptor_.native_handle();
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
  while (ring_enter(descriptor_.native_handle(), 1) < 0 && errno == EINTR) {
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

void io_uring::watch(loop& home) noexcept {
  if (watching_)
    return;
  watching_ = true;
  descriptor_.async_wait(
    boost::asio::posix::stream_descriptor::wait_read,
    boost::asio::bind_allocator(in_place<void>(storage_.data()),
                                [this, &home](const boost::system::error_code& error) {
                                  if (error)
                                    return;
                                  watching_ = false;
                                  reap();
                                  if (under_way_ != 0)
                                    watch(home);
                                  home.pump();
                                }));
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
