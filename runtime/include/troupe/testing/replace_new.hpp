// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Replaces `operator new` and `operator delete` of the whole program by ones that can be made
// to fail (`for_each_allocation`) and are counted. To be included in one source of a test
// program; a part of no other header.

#include <troupe/testing/failing_allocations.hpp>

#include <new>

void* operator new(std::size_t n) { return troupe::testing::allocations.take(n, 0); }
void* operator new[](std::size_t n) { return troupe::testing::allocations.take(n, 0); }
void* operator new(std::size_t n, std::align_val_t a) {
  return troupe::testing::allocations.take(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
  return troupe::testing::allocations.take(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  try {
    return troupe::testing::allocations.take(n, 0);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void* operator new[](std::size_t n, const std::nothrow_t& t) noexcept { return operator new(n, t); }
void operator delete(void* p) noexcept { troupe::testing::allocations.give_back(p); }
void operator delete[](void* p) noexcept { troupe::testing::allocations.give_back(p); }
void operator delete(void* p, std::size_t) noexcept { troupe::testing::allocations.give_back(p); }
void operator delete[](void* p, std::size_t) noexcept { troupe::testing::allocations.give_back(p); }
void operator delete(void* p, std::align_val_t) noexcept {
  troupe::testing::allocations.give_back(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
  troupe::testing::allocations.give_back(p);
}
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  troupe::testing::allocations.give_back(p);
}
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
  troupe::testing::allocations.give_back(p);
}
void operator delete(void* p, const std::nothrow_t&) noexcept {
  troupe::testing::allocations.give_back(p);
}
void operator delete[](void* p, const std::nothrow_t&) noexcept {
  troupe::testing::allocations.give_back(p);
}
