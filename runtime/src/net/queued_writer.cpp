// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/error.hpp>
#include <troupe/queued_writer.hpp>
#include <troupe/time.hpp>

namespace troupe {

void queued_writer::add(std::span<const std::byte> data) {
  if (closed_)
    throw usage_error("troupe: queued_writer: written to after the end of its body");
  pending_.append(reinterpret_cast<const char*>(data.data()), data.size());
  added_ += data.size();
  if (size() >= marks_.high)
    full_ = true;
  work_.wake_all();
}

task<> queued_writer::write(std::span<const std::byte> data) {
  co_await checkpoint();
  while (full_)
    co_await room_.wait();
  add(data);
}

task<> queued_writer::write(std::string_view text) { return write(std::as_bytes(std::span(text))); }

bool queued_writer::try_write(std::span<const std::byte> data) {
  if (full_)
    return false;
  add(data);
  return true;
}

bool queued_writer::try_write(std::string_view text) {
  return try_write(std::as_bytes(std::span(text)));
}

task<> queued_writer::flush() {
  co_await checkpoint();
  for (const std::size_t until = added_; done_ < until;)
    co_await written_.wait();
}

void queued_writer::close() {
  closed_ = true;
  work_.wake_all();
}

task<> queued_writer::run() {
  for (;;) {
    if (pending_.empty()) {
      if (closed_)
        co_return;
      co_await work_.wait();
      continue;
    }
    writing_.swap(pending_);
    co_await to_.write_all(writing_);
    done_ += writing_.size();
    writing_.clear();
    if (full_ && size() <= marks_.low) {
      full_ = false;
      room_.wake_all();
    }
    written_.wake_all();
  }
}

} // namespace troupe
