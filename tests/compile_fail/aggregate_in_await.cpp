// SPDX-License-Identifier: BSD-3-Clause
// says: write emplace(fields...) or emplace(std::move(name))
#include <troupe/channel.hpp>

#include <string>
#include <utility>

struct job {
  int id;
  std::string text;
};

troupe::task<> produce(troupe::send_channel<job> to) {
#ifdef MISUSE
  co_await to.send(job{1, "text"});
#else
  job one{1, "text"};
  co_await to.send(one);
  co_await to.emplace(std::move(one));
  co_await to.emplace(2, "text");
#endif
}
