// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/redis/connection.hpp>
#include <troupe/testing/memory_stream.hpp>

#include <memory>
#include <utility>

namespace troupe_test {

/// A connection whose server is the test, and the end of that server.
inline std::pair<troupe::redis::connection, troupe::testing::memory_stream> wired() {
  auto [client, server] = troupe::testing::memory_stream_pair();
  return {
    troupe::redis::connection(std::make_unique<troupe::testing::memory_stream>(std::move(client))),
    std::move(server)};
}

} // namespace troupe_test
