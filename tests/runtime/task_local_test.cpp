// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/troupe.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;
using troupe::testing::run_virtually;

namespace {

const task_local<std::string> user{"nobody"};
const task_local<int> depth;

} // namespace

BOOST_AUTO_TEST_SUITE(task_local_suite)

BOOST_AUTO_TEST_CASE(gives_the_fallback_where_none_was_set) {
  BOOST_TEST(user.get() == "nobody");
  BOOST_CHECK_THROW(static_cast<void>(user.set("anna")), std::logic_error);
  run_virtually([]() -> task<> {
    BOOST_TEST(user.get() == "nobody");
    BOOST_TEST(depth.get() == 0);
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(set_holds_until_the_end_of_the_scope) {
  run_virtually([]() -> task<> {
    {
      const auto outer = user.set("anna");
      BOOST_TEST(user.get() == "anna");
      const auto other = depth.set(1);
      {
        const auto inner = user.set("ben");
        co_await checkpoint();
        BOOST_TEST(user.get() == "ben");
        BOOST_TEST(depth.get() == 1);
      }
      BOOST_TEST(user.get() == "anna");
    }
    BOOST_TEST(user.get() == "nobody");
    BOOST_TEST(depth.get() == 0);
  });
}

BOOST_AUTO_TEST_CASE(with_holds_for_the_body_and_gives_its_value) {
  run_virtually([]() -> task<> {
    const auto name_later = []() -> task<std::string> {
      co_await sleep_for(1s);
      co_return user.get();
    };
    auto call = user.with("anna", name_later);
    BOOST_TEST(user.get() == "nobody");
    BOOST_TEST((co_await std::move(call)) == "anna");
    BOOST_TEST(user.get() == "nobody");
    const auto fails = []() -> task<> {
      throw std::runtime_error("broken");
      co_return;
    };
    auto failing = user.with("anna", fails);
    BOOST_CHECK_THROW(co_await std::move(failing), std::runtime_error);
    BOOST_TEST(user.get() == "nobody");
  });
}

BOOST_AUTO_TEST_CASE(children_inherit_what_is_set_when_they_start) {
  run_virtually([]() -> task<> {
    std::vector<std::string> seen;
    const auto look = [&]() -> task<> {
      co_await sleep_for(1s);
      seen.push_back(user.get());
    };
    co_await with_nursery([&](nursery& n) -> task<> {
      n.start_soon(look);
      {
        const auto restore = user.set("anna");
        n.start_soon(look);
        n.start_service(look);
        co_await n.start([&](task_status<>& status) -> task<> {
          status.started();
          co_await look();
        });
        n.start_soon([&]() -> task<> {
          co_await with_nursery([&](nursery& inner) -> task<> {
            inner.start_soon(look); // a grandchild
            co_return;
          });
        });
      }
      n.start_soon(look);
      co_await sleep_for(2s); // the service too
    });
    BOOST_TEST(std::ranges::count(seen, "anna") == 4);
    BOOST_TEST(seen.size() == 6U);
  });
}

BOOST_AUTO_TEST_CASE(what_a_child_sets_is_its_own) {
  run_virtually([]() -> task<> {
    const auto restore = user.set("anna");
    co_await with_nursery([&](nursery& n) -> task<> {
      auto child = n.start_soon([]() -> task<> {
        const auto mine = user.set("ben");
        co_await sleep_for(2s);
        BOOST_TEST(user.get() == "ben");
      });
      co_await sleep_for(1s);
      BOOST_TEST(user.get() == "anna");
      const auto later = user.set("carl");
      co_await child;
      BOOST_TEST(user.get() == "carl");
    });
    BOOST_TEST(user.get() == "anna");
  });
}

BOOST_AUTO_TEST_CASE(value_is_taken_back_when_cancellation_unwinds) {
  run_virtually([]() -> task<> {
    const bool finished = co_await move_on_after(1s, []() -> task<> {
      const auto restore = user.set("anna");
      const auto body = []() -> task<> { co_await sleep_forever(); };
      co_await depth.with(3, body);
    });
    BOOST_TEST(!finished);
    BOOST_TEST(user.get() == "nobody");
    BOOST_TEST(depth.get() == 0);
  });
}

BOOST_AUTO_TEST_CASE(values_may_be_taken_back_out_of_order) {
  run_virtually([]() -> task<> {
    const auto generator = []() -> async_generator<int> {
      const auto restore = user.set("generator");
      co_yield 1;
    };
    auto g = generator();
    static_cast<void>(co_await g.next());
    {
      const auto mine = user.set("anna");
      const auto more = depth.set(1);
      g.close();
      BOOST_TEST(user.get() == "anna");
      BOOST_TEST(depth.get() == 1);
    }
    BOOST_TEST(user.get() == "nobody");
    BOOST_TEST(depth.get() == 0);
  });
}

BOOST_AUTO_TEST_CASE(values_are_freed_with_the_last_task_that_has_them) {
  const task_local<std::shared_ptr<int>> kept{nullptr};
  std::weak_ptr<int> look;
  run_virtually([&]() -> task<> {
    co_await with_nursery([&](nursery& n) -> task<> {
      auto value = std::make_shared<int>(1);
      look = value;
      const auto restore = kept.set(std::move(value));
      n.start_soon([&]() -> task<> {
        co_await sleep_for(1s);
        BOOST_TEST(*kept.get() == 1);
      });
      co_return;
    });
    BOOST_TEST(look.expired());
  });
}

BOOST_AUTO_TEST_CASE(a_long_list_of_values_is_freed_without_recursion) {
  run_virtually([]() -> task<> {
    co_await with_nursery([](nursery& n) -> task<> {
      std::vector<std::unique_ptr<task_local_setting>> all;
      for (int i = 0; i != 300'000; ++i)
        all.emplace_back(new auto(depth.set(i)));
      n.start_soon([]() -> task<> {
        BOOST_TEST(depth.get() == 299'999);
        co_await sleep_for(1s);
      });
      while (!all.empty())
        all.pop_back();
      co_return;
    });
  });
}

BOOST_AUTO_TEST_CASE(tasks_on_other_loops_inherit) {
  run_options options;
  options.loops = 2;
  run(options, []() -> task<> {
    const auto restore = user.set("anna");
    co_await with_nursery([](nursery& n) -> task<> {
      const auto look = []() -> task<std::string> {
        co_await checkpoint();
        std::string before = user.get();
        const auto mine = user.set("ben");
        co_return before + " " + user.get();
      };
      std::vector<task_handle<std::string>> children;
      for (unsigned i = 0; i != 20; ++i)
        children.push_back(n.start_on(i, look));
      for (auto& child : children) {
        const std::string seen = co_await child;
        BOOST_TEST(seen == "anna ben");
      }
    });
    BOOST_TEST(user.get() == "anna");
  });
}

BOOST_AUTO_TEST_SUITE_END()
