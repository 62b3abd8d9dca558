// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/nursery.hpp>

#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

namespace troupe::detail {

/// The link between the body of a nursery and the frame that opened it.
class nursery_hook : public link_hook, public suspension {
public:
  nursery_hook(nursery& n, frame_link& link) noexcept : nursery_(n), link_(link) {}

  std::coroutine_handle<> completed(task_block& t) noexcept final;
  unwind_step unwound(task_block& t) noexcept final;

  // as a suspension of the parent: waiting for the children
  bool withdraw() noexcept final { return false; }
  [[nodiscard]] const char* waits_for() const noexcept final { return "children"; }
  [[nodiscard]] time_point wakes_at() const noexcept final { return nursery_.scope_.deadline(); }

  /// The last child has ended and the parent waits.
  void children_ended() noexcept;

protected:
  ~nursery_hook() = default;

  /// Leaves the scope. Returns true if the parent goes on, false if it is to be
  /// unwound further.
  bool close(task_block& t) noexcept;

  [[nodiscard]] bool failed() const noexcept;
  [[nodiscard]] bool body_cut_off() const noexcept { return body_cut_off_; }
  [[noreturn]] void throw_failures();
  [[noreturn]] void throw_cut_off();

  nursery& nursery_;
  frame_link& link_;

private:
  void body_over(task_block& t) noexcept;

  bool body_cut_off_ = false;
};

template <class Body>
class [[nodiscard]] nursery_awaiter : private nursery_hook {
public:
  using troupe_awaitable = void;
  using value_type = body_value<Body, nursery>;

  template <class B>
  nursery_awaiter(nursery_options options, B&& body)
    : nursery_hook(own_, link_), body_(std::forward<B>(body)), own_(options) {
    check_awaited_arguments<B>();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }

  template <troupe_promise Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) {
    task_block& t = *h.promise().task;
    auto frame = call_body(body_, own_).release();
    link_.child = frame;
    link_.hook = this;
    link_.join(frame.promise(), &h.promise(), &t);
    own_.open(t, *this);
    return transfer(t, frame);
  }

  value_type await_resume() {
    if (this->failed())
      this->throw_failures();
    if constexpr (!std::is_void_v<value_type>) {
      if (this->body_cut_off())
        this->throw_cut_off();
    }
    return link_.take();
  }

private:
  Body body_;
  nursery own_;
  result_link<value_type> link_;
};

/// For the parts of the runtime that walk the tree of tasks.
struct tree_access {
  static task_block* parent(const nursery& n) noexcept { return n.parent_; }

  /// Calls `f(task, depth)` for all tasks below `top`, depth first. Without
  /// recursion or memory: by way of the links that are there.
  template <class F>
  static void for_each_below(const nursery& top, F f) {
    unsigned depth = 0;
    task_block* t = top.children_.first();
    while (t) {
      f(*t, depth);
      if (task_block* child = first_child(t->scope())) {
        ++depth;
        t = child;
        continue;
      }
      t = next_after(t, top, depth);
    }
  }

  /// The same for a task and all below it, which has depth 0.
  template <class F>
  static void for_each_from(task_block& root, F f) {
    f(root, 0U);
    for (cancel_scope* s = root.scope(); s; s = scope_access::outer(*s))
      if (const nursery* n = scope_access::nursery_of(*s))
        for_each_below(*n, [&](task_block& t, unsigned depth) { f(t, depth + 1); });
  }

private:
  /// The first child of the nurseries from `s` outwards.
  static task_block* first_child(cancel_scope* s) noexcept {
    for (; s; s = scope_access::outer(*s))
      if (const nursery* n = scope_access::nursery_of(*s))
        if (task_block* child = n->children_.first())
          return child;
    return nullptr;
  }

  static task_block* next_after(task_block* t, const nursery& top, unsigned& depth) noexcept {
    for (;;) {
      nursery& n = *t->owner();
      if (task_block* sibling = n.children_.next(*t, n.children_))
        return sibling;
      if (&n == &top)
        return nullptr;
      if (task_block* cousin = first_child(scope_access::outer(n.scope_)))
        return cousin;
      t = n.parent_;
      --depth;
    }
  }
};

/// Waits for `stopping()`.
class [[nodiscard]] stop_awaiter : public suspension {
public:
  using troupe_awaitable = void;

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_ = h.promise().task;
    if (task_->cancelled_at(h))
      return true;
    if (is_asked_to_stop(*task_))
      return task_->must_yield(h);
    task_->wait(h, *this);
    return true;
  }
  void await_resume() const noexcept {}

  bool withdraw() noexcept final { return true; }
  [[nodiscard]] const char* waits_for() const noexcept final { return "a request to stop"; }

  void requested() noexcept { task_->wake(); }

private:
  task_block* task_ = nullptr;
};

// -- start ------------------------------------------------------------------------

/// The untyped half of the handshake of `nursery::start`.
class start_wait : public suspension {
public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool withdraw() noexcept final;
  [[nodiscard]] const char* waits_for() const noexcept final { return "a task to start"; }

  /// The child is ready: it is now the nursery's alone.
  void ready() noexcept;
  /// The child has ended before it was ready.
  void child_ended() noexcept;

protected:
  ~start_wait();
  /// `child` has its extras.
  void expect(task_block& caller, task_block& child) noexcept;
  [[noreturn]] void throw_not_started();

  task_block* caller_ = nullptr;
  task_block* child_ = nullptr; // a reference is held
  start_wait* next_withdrawn_ = nullptr;
  bool ready_ = false;
};

/// The child's end of the handshake; stored with the child.
class status_base {
public:
  explicit status_base(start_wait& w) noexcept : wait_(&w) {}

protected:
  void check() const;
  start_wait* wait_; // null once started
};

template <class F>
struct first_parameter;
template <class R, class A, class... As>
struct first_parameter<R (*)(A, As...)> {
  using type = A;
};
template <class R, class A, class... As>
struct first_parameter<R (*)(A, As...) noexcept> {
  using type = A;
};
template <class R, class C, class A, class... As>
struct first_parameter<R (C::*)(A, As...)> {
  using type = A;
};
template <class R, class C, class A, class... As>
struct first_parameter<R (C::*)(A, As...) const> {
  using type = A;
};
template <class F>
  requires requires { &F::operator(); }
struct first_parameter<F> : first_parameter<decltype(&F::operator())> {};

template <class T>
struct status_value {
  static_assert(sizeof(T) == 0,
                "troupe: a function for nursery::start takes troupe::task_status<T>& "
                "as its first parameter");
};
template <class T>
struct status_value<task_status<T>&> {
  using type = T;
};

template <class F>
struct unwrap_named {
  using type = F;
};
template <class F>
struct unwrap_named<named_callable<F>> {
  using type = F;
};

template <class F>
using started_value =
  typename status_value<typename first_parameter<typename unwrap_named<F>::type>::type>::type;

} // namespace troupe::detail

namespace troupe {

template <class T>
class task_status : private detail::status_base {
public:
  task_status(detail::start_wait& w, std::optional<T>& slot) noexcept
    : status_base(w), slot_(&slot) {}

  /// The task is ready; the caller of `start` gets `value`. Not a checkpoint.
  /// Throws `usage_error` if called twice.
  template <class U = T>
  void started(U&& value) {
    check();
    slot_->emplace(std::forward<U>(value));
    std::exchange(wait_, nullptr)->ready();
  }

private:
  std::optional<T>* slot_;
};

template <>
class task_status<void> : private detail::status_base {
public:
  template <class Slot>
  task_status(detail::start_wait& w, Slot&) noexcept : status_base(w) {}

  /// The task is ready. Not a checkpoint. Throws `usage_error` if called twice.
  void started() {
    check();
    std::exchange(wait_, nullptr)->ready();
  }
};

namespace detail {

/// Passes the stored status to the child as the reference it asks for.
template <class T>
struct stored_status {
  task_status<T> status;
  operator task_status<T>&() noexcept { return status; }
};

/// For the parts of the runtime that start tasks by themselves.
struct nursery_access {
  template <class F, class... Args>
  static auto make_child(nursery& n, F fn, Args... args) {
    return n.make_child(std::move(fn), std::move(args)...);
  }
  static void adopt(nursery& n, task_block& child) noexcept { n.adopt(child, false); }
  static void check_open(const nursery& n, const char* what) {
    static_cast<void>(n.check_open(what));
  }
  static void child_ended(nursery& n, task_block& child) noexcept { n.child_ended(child); }
};

/// Gives `child` the task-local values of `starter`. Throws `std::bad_alloc`.
void copy_locals(const task_block& starter, task_block& child);

/// As above, if the task that starts it has any.
inline void inherit_locals(const loop& home, task_block& child) {
  if (const task_block* starter = home.current_task(); starter && starter->extras()) [[unlikely]]
    copy_locals(*starter, child);
}

template <class T, class F, class... Args>
class [[nodiscard]] start_awaiter : public start_wait {
public:
  using troupe_awaitable = void;

  template <class Fn, class... As>
  explicit start_awaiter(nursery& n, Fn&& fn, As&&... args)
    : nursery_(n), fn_(std::forward<Fn>(fn)), args_(std::forward<As>(args)...) {}

  template <troupe_promise Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    task_block& caller = *h.promise().task;
    if (caller.cancelled_at(h))
      return true;
    auto child = std::apply(
      [&](auto&... args) {
        return nursery_access::make_child(nursery_, std::move(fn_),
                                          stored_status<T>{task_status<T>(*this, slot_)},
                                          std::move(args)...);
      },
      args_);
    child->need_extras();
    child->start(); // the last that can fail; the child does not run before we suspend
    expect(caller, *child);
    nursery_access::adopt(nursery_, *child.release());
    caller.wait(h, *this);
    return true;
  }

  T await_resume() {
    if (!ready_)
      throw_not_started();
    if constexpr (!std::is_void_v<T>)
      return std::move(*slot_);
  }

private:
  using slot = std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>>;

  nursery& nursery_;
  F fn_;
  std::tuple<Args...> args_;
  slot slot_{};
};

} // namespace detail

template <class F, class... Args>
auto nursery::launch(bool service, F fn, Args... args) {
  auto child = make_child(std::move(fn), std::move(args)...);
  child->start();
  adopt(*child, service);
  return task_handle(*child.release());
}

template <class F, class... Args>
auto nursery::make_child(F fn, Args... args) {
  detail::loop& home = check_open("starting a task");
  if constexpr (detail::is_named<F>) {
    auto child = make_child(std::move(fn.fn), std::move(args)...);
    child->name(std::move(fn.name));
    return child;
  } else {
    using value = typename detail::task_of<F, Args...>::value;
    using block = detail::child_block<value, F, Args...>;
    auto child = std::make_unique<block>(home, this, std::move(fn), std::move(args)...);
    detail::inherit_locals(home, *child);
    return child;
  }
}

template <class F, class... Args>
auto nursery::start_soon(F fn, Args... args) {
  return launch(false, std::move(fn), std::move(args)...);
}

template <class F, class... Args>
auto nursery::start_service(F fn, Args... args) {
  return launch(true, std::move(fn), std::move(args)...);
}

template <class F, class... Args>
auto nursery::start(F&& fn, Args&&... args) {
  detail::check_awaited_arguments<F, Args...>();
  using function = std::decay_t<F>;
  using value = detail::started_value<function>;
  return detail::start_awaiter<value, function, std::decay_t<Args>...>(*this, std::forward<F>(fn),
                                                                       std::forward<Args>(args)...);
}

template <class F, class... Args>
auto nursery::make_elsewhere(unsigned index, F fn, Args... args) {
  detail::loop& home = check_open("starting a task elsewhere");
  if constexpr (detail::is_named<F>) {
    auto child = make_elsewhere(index, std::move(fn.fn), std::move(args)...);
    child->name(fn.name);
    child->away().name(std::move(fn.name));
    return child;
  } else {
    using value = typename detail::task_of<F, Args...>::value;
    using block = detail::elsewhere_block<value, F, Args...>;
    return std::make_unique<block>(home, this, detail::loop_at(home, index), std::move(fn),
                                   std::move(args)...);
  }
}

template <class F, class... Args>
auto nursery::start_on(unsigned index, F fn, Args... args) {
  auto child = make_elsewhere(index, std::move(fn), std::move(args)...);
  child->prepare();
  child->send_off(); // before the cancellation that `adopt` may deliver
  adopt(*child, false);
  return task_handle(*child.release());
}

template <class F, class... Args>
auto nursery::start_elsewhere(F fn, Args... args) {
  return start_on(detail::least_loaded(check_open("start_elsewhere")), std::move(fn),
                  std::move(args)...);
}

template <class E, class Handler>
void nursery::on_error(Handler handler) {
  static_cast<void>(check_open("on_error"));
  auto typed = [handler = std::move(handler)](const std::exception_ptr& error,
                                              std::string_view task) mutable {
    try {
      std::rethrow_exception(error);
    } catch (const E& e) {
      if constexpr (std::is_invocable_v<Handler&, const E&, std::string_view>) {
        handler(e, task);
      } else {
        static_assert(std::is_invocable_v<Handler&, const E&>,
                      "troupe: an error handler takes (const E&) or (const E&, std::string_view)");
        handler(e);
      }
      return true;
    } catch (...) {
      return false;
    }
  };
  handlers_.push_back(std::make_unique<error_handler>(std::move(typed)));
}

template <class Body>
auto with_nursery(Body&& body) {
  return detail::nursery_awaiter<std::decay_t<Body>>({}, std::forward<Body>(body));
}

template <class Body>
auto with_nursery(nursery_options options, Body&& body) {
  return detail::nursery_awaiter<std::decay_t<Body>>(options, std::forward<Body>(body));
}

inline auto stopping() { return detail::stop_awaiter{}; }

} // namespace troupe
