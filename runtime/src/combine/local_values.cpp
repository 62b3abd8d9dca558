// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/local_values.hpp>
#include <troupe/detail/loop.hpp>
#include <troupe/detail/task_extras.hpp>
#include <troupe/detail/thread_job.hpp>
#include <troupe/nursery.hpp>

#include <atomic>
#include <new>
#include <utility>

namespace troupe::detail {

namespace {

std::shared_ptr<const local_value> values_of(const task_block& t) noexcept {
  return t.extras() ? std::static_pointer_cast<const local_value>(t.extras()->locals) : nullptr;
}

/// `values` without what `setting` has set, the last with that address.
std::shared_ptr<const local_value> without(const std::shared_ptr<const local_value>& values,
                                           const local_setting* setting) {
  if (values && values->set_by == setting) [[likely]]
    return values->next;
  // Not in the order in which they were set, as in a generator. What is in front
  // may be shared, and is copied.
  std::shared_ptr<const local_value> result;
  std::shared_ptr<const local_value>* end = &result;
  const local_value* v = values.get();
  for (; v && v->set_by != setting; v = v->next.get()) {
    auto copy = std::make_shared<local_value>(v->set_by, v->key, v->value, nullptr);
    auto* const next = &copy->next;
    *end = std::move(copy);
    end = next;
  }
  if (v)
    *end = v->next;
  return result;
}

} // namespace

/// In a loop: a long list must not use up the stack. Each is freed while `after`
/// still holds the next.
local_value::~local_value() {
  while (next && next.use_count() == 1) {
    auto after = next->next;
    next = std::move(after);
  }
}

std::uint64_t new_local_key() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

const void* find_local(std::uint64_t key) noexcept {
  const void* values = nullptr;
  if (const task_block* t = current_task_block())
    values = t->extras() ? t->extras()->locals.get() : nullptr;
  else if (const thread_work* work = thread_work::current())
    values = work->locals();
  const auto* v = static_cast<const local_value*>(values);
  while (v && v->key != key)
    v = v->next.get();
  return v ? v->value.get() : nullptr;
}

void copy_locals(const task_block& starter, task_block& child) {
  if (starter.extras()->locals)
    child.need_extras().locals = starter.extras()->locals;
}

local_setting::local_setting(std::uint64_t key, std::shared_ptr<const void> value)
  : task_(&require_current_task("setting a task_local")) {
  task_->need_extras().locals =
    std::make_shared<local_value>(this, key, std::move(value), values_of(*task_));
  task_->add_ref();
}

local_setting::~local_setting() {
  try {
    task_->extras()->locals = without(values_of(*task_), this);
  } catch (const std::bad_alloc&) { // NOLINT(bugprone-empty-catch): the value stays
  }
  task_->release();
}

} // namespace troupe::detail
