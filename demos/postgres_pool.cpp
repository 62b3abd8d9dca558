// SPDX-License-Identifier: BSD-3-Clause
// PostgreSQL from many tasks: ten move money between accounts in transactions, over a pool of three
// connections; a statement that takes too long is cut off, and nothing is lost.
// Try: postgres_pool "host=/run/postgresql dbname=..."        or
// postgresql://user:password@host/name
#include <troupe/postgres/pool.hpp>
#include <troupe/postgres/transaction.hpp>
#include <troupe/troupe.hpp>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

using postgres_pool = connection_pool<postgres::connection>;

// Serializable transactions that meet are refused, and tried again.
task<> move_money(postgres_pool& pool, int from, int to, int amount) {
  retry_policy again;
  again.first_delay = 1ms;
  again.attempts = 100;
  again.retries = [](const std::exception_ptr& why) {
    try {
      std::rethrow_exception(why);
    } catch (const postgres::error& e) {
      return e.sqlstate() == postgres::sqlstate::serialization_failure
             || e.sqlstate() == postgres::sqlstate::deadlock_detected;
    } catch (...) {
      return false;
    }
  };
  co_await retry(again, [&]() -> task<> {
    auto db = co_await pool.borrow(30s);
    postgres::transaction_options options;
    options.isolation = postgres::isolation::serializable;
    co_await with_transaction(*db, options, [&]() -> task<> {
      static_cast<void>(co_await db->query(
        "update troupe_demo set money = money - $1 where id = $2", amount, from));
      static_cast<void>(
        co_await db->query("update troupe_demo set money = money + $1 where id = $2", amount, to));
    });
  });
}

task<> show(postgres_pool& pool) {
  co_await with_nursery([&](nursery& n) -> task<> {
    for (int i = 0; i < 10; ++i)
      n.start_soon(move_money, std::ref(pool), i % 4, (i + 1) % 4, 10);
    co_return;
  });
  {
    auto db = co_await pool.borrow();
    const auto accounts = co_await db->query("select id, money from troupe_demo order by id");
    int sum = 0;
    for (const auto account : accounts) {
      const auto [id, money] = account.as<int, int>();
      std::cout << "account " << id << ": " << money << '\n';
      sum += money;
    }
    std::cout << "together: " << sum << '\n';
    const bool slept = co_await move_on_after(
      100ms, [&]() -> task<> { static_cast<void>(co_await db->query("select pg_sleep(60)")); });
    std::cout << (slept ? "slept\n" : "a minute's sleep was cut off, in the server, too\n");
    const auto r = co_await db->query("select 'and the connection goes on'");
    std::cout << r.only()[0].text() << '\n';
  }
  const auto s = pool.statistics();
  std::cout << s.opened << " connections were opened, and lent again " << s.reused << " times\n";
}

task<> parent(std::vector<std::string> args) {
  const std::string where = args.size() > 1 ? args[1] : "";
  const auto functions = postgres::pooled(where);
  connection_pool_options options;
  options.max = 3;
  try {
    auto maker = co_await postgres::open_connection(where);
    static_cast<void>(co_await maker.execute(
      "create unlogged table troupe_demo as select id, 100 as money from generate_series(0, 3) id;"
      "alter table troupe_demo add primary key (id)"));
    co_await with_cleanup(
      [&]() -> task<> { co_await with_connection_pool(options, functions, show); },
      [&]() -> task<> { static_cast<void>(co_await maker.execute("drop table troupe_demo")); });
  } catch (const postgres::connection_error& e) {
    std::cout << e.what() << "\ngive the address of a server: postgres_pool "
              << "postgresql://user:password@host/name\n";
  }
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
