// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>

namespace troupe::detail {

/// A node of an intrusive, circular, doubly linked list. A node that is in no
/// list points to itself, so `unlink` is always allowed. `Tag` lets one object
/// be in several lists.
template <class Tag>
struct list_node {
  list_node* next_ = this;
  list_node* prev_ = this;

  list_node() = default;
  list_node(const list_node&) = delete;
  list_node& operator=(const list_node&) = delete;

  [[nodiscard]] bool linked() const noexcept { return next_ != this; }

  void unlink() noexcept {
    next_->prev_ = prev_;
    prev_->next_ = next_;
    next_ = prev_ = this;
  }
};

/// First in, first out list of `T`, which derives from `list_node<Tag>`. The
/// list does not own its elements.
template <class T, class Tag>
class list {
public:
  using node = list_node<Tag>;

  [[nodiscard]] bool empty() const noexcept { return !head_.linked(); }

  void push_back(T& x) noexcept {
    node& n = x;
    n.prev_ = head_.prev_;
    n.next_ = &head_;
    head_.prev_->next_ = &n;
    head_.prev_ = &n;
  }

  void push_front(T& x) noexcept {
    node& n = x;
    n.next_ = head_.next_;
    n.prev_ = &head_;
    head_.next_->prev_ = &n;
    head_.next_ = &n;
  }

  [[nodiscard]] T& front() const noexcept { return static_cast<T&>(*head_.next_); }
  [[nodiscard]] T& back() const noexcept { return static_cast<T&>(*head_.prev_); }

  T& pop_front() noexcept {
    node& n = *head_.next_;
    head_.next_ = n.next_;
    n.next_->prev_ = &head_;
    n.next_ = n.prev_ = &n;
    return static_cast<T&>(n);
  }

  /// Moves all of `other` to the end of this list.
  void splice_back(list& other) noexcept {
    if (other.empty())
      return;
    node& first = *other.head_.next_;
    node& last = *other.head_.prev_;
    first.prev_ = head_.prev_;
    head_.prev_->next_ = &first;
    last.next_ = &head_;
    head_.prev_ = &last;
    other.head_.next_ = other.head_.prev_ = &other.head_;
  }

  [[nodiscard]] static T* next(T& x, const list& of) noexcept {
    node* n = static_cast<node&>(x).next_;
    return n == &of.head_ ? nullptr : static_cast<T*>(n);
  }

  [[nodiscard]] static T* prev(T& x, const list& of) noexcept {
    node* n = static_cast<node&>(x).prev_;
    return n == &of.head_ ? nullptr : static_cast<T*>(n);
  }

  [[nodiscard]] T* first() const noexcept { return empty() ? nullptr : &front(); }
  [[nodiscard]] T* last() const noexcept { return empty() ? nullptr : &back(); }

  /// Calls `f` for each element, in order. `f` may unlink its argument.
  template <class F>
  void for_each(F&& f) const {
    for (node* n = head_.next_; n != &head_;) {
      node* after = n->next_;
      f(static_cast<T&>(*n));
      n = after;
    }
  }

private:
  node head_;
};

} // namespace troupe::detail
