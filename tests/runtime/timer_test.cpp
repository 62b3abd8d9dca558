// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/detail/timer.hpp>

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <random>
#include <utility>

using namespace troupe;

namespace {

struct counted_timer final : detail::timer {
  void expired() noexcept override {}
  std::pair<time_point, int> key;
};

time_point at(int ticks) { return time_point(duration(ticks)); }

} // namespace

BOOST_AUTO_TEST_SUITE(timers)

BOOST_AUTO_TEST_CASE(heap_gives_what_a_sorted_map_gives_whatever_is_removed) {
  std::mt19937 random(1);
  detail::timer_heap heap;
  std::deque<counted_timer> all(2000);
  std::map<std::pair<time_point, int>, counted_timer*> model;
  int sequence = 0;
  for (int step = 0; step < 200'000; ++step) {
    auto& t = all[random() % all.size()];
    const auto what = random() % 16;
    // by turns it grows, shrinks by removal, and shrinks by time
    const auto phase = static_cast<unsigned>(step / 5000) % 3;
    if (!t.armed() && (phase == 0 || what < 4)) {
      t.key = {at(static_cast<int>(random() % 1000)), ++sequence};
      heap.add(t, t.key.first);
      model.emplace(t.key, &t);
    } else if (t.armed() && (phase == 1 || what < 2)) {
      heap.remove(t);
      model.erase(t.key);
    } else if (phase == 2) {
      const auto now = at(static_cast<int>(random() % 1000));
      const bool due = !model.empty() && model.begin()->first.first <= now;
      auto* first = heap.pop_due(now);
      BOOST_REQUIRE(first == (due ? model.begin()->second : nullptr));
      if (due) {
        BOOST_REQUIRE(!first->armed());
        model.erase(model.begin());
      }
    }
    BOOST_REQUIRE(heap.size() == model.size());
    BOOST_REQUIRE(heap.empty() == model.empty());
    if (what == 0)
      BOOST_REQUIRE(
        (heap.next() == (model.empty() ? time_point::max() : model.begin()->first.first)));
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_left_when_all_are_removed) {
  detail::timer_heap heap;
  std::deque<counted_timer> all(1000);
  for (int i = 0; i < 1000; ++i)
    heap.add(all[static_cast<std::size_t>(i)], at(i));
  for (auto& t : all)
    heap.remove(t);
  BOOST_TEST(heap.empty());
  BOOST_TEST((heap.next() == time_point::max()));
  BOOST_TEST(!heap.pop_due(time_point::max()));
}

BOOST_AUTO_TEST_CASE(deadline_that_the_clock_cannot_say_is_never) {
  constexpr troupe::time_point now{troupe::duration(7)};
  BOOST_TEST((troupe::deadline_after(now, troupe::duration(5)) == now + troupe::duration(5)));
  BOOST_TEST((troupe::deadline_after(now, troupe::duration(-5)) == now - troupe::duration(5)));
  BOOST_TEST((troupe::deadline_after(now, troupe::duration::max()) == troupe::time_point::max()));
}

BOOST_AUTO_TEST_SUITE_END()
