// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/cleanup.hpp>
#include <troupe/exception_group.hpp>

namespace troupe::detail {

std::coroutine_handle<> cleanup_hook::completed(task_block& t) noexcept {
  if (const auto frame = begin(t))
    return transfer(t, frame);
  return transfer(t, body_.parent->handle());
}

unwind_step cleanup_hook::unwound(task_block& t) noexcept {
  body_cut_off_ = true;
  const auto frame = begin(t);
  if (!frame)
    return unwind_step::resume; // with the failure to make the clean-up
  t.schedule_resume(frame);
  return unwind_step::wait;
}

std::coroutine_handle<> cleanup_hook::begin(task_block& t) noexcept {
  try {
    auto frame = make_cleanup().release();
    cleanup_.child = frame;
    cleanup_.hook = &second_;
    cleanup_.join(frame.promise(), body_.parent, &t);
    scope_options options{.after = limit_, .shield = true, .name = "clean-up"};
    open_scope(scope_, options, t);
    return frame;
  } catch (...) {
    cleanup_.error = std::current_exception();
    return {};
  }
}

/// Returns true if the frame that asked goes on, false if it is unwound further.
bool cleanup_hook::finish() noexcept {
  scope_access::leave(scope_);
  // a shield that was raised in the meantime does not bring the body's result back
  return !body_cut_off_ || cleanup_.error || abandoned_;
}

std::coroutine_handle<> cleanup_hook::second_hook::completed(task_block& t) noexcept {
  const auto parent = owner_.body_.parent->handle();
  if (owner_.finish())
    return transfer(t, parent);
  t.resume_at(parent);
  t.schedule_unwind();
  return std::noop_coroutine();
}

unwind_step cleanup_hook::second_hook::unwound(task_block&) noexcept {
  owner_.abandoned_ = true;
  return owner_.finish() ? unwind_step::resume : unwind_step::destroy;
}

void cleanup_hook::check() {
  std::exception_ptr failed = cleanup_.error;
  if (abandoned_ && !failed) {
    std::string text = "troupe: the clean-up did not end within its time and was cut off";
    if (const cancel_reason* why = scope_.reason(); why && !why->message.empty())
      text += " while " + why->message;
    failed = std::make_exception_ptr(cleanup_timeout(text));
  }
  if (!failed)
    return;
  if (body_.error)
    throw exception_group({{std::exchange(body_.error, {}), "body"}, {failed, "clean-up"}});
  std::rethrow_exception(failed);
}

} // namespace troupe::detail
