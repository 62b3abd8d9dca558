// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/supervisor_messages.hpp>
#include <troupe/answer.hpp>

#include <limits>

namespace troupe {

namespace {

caf::actor address_of(const supervisor& s, const std::string& name) {
  for (const child_info& c : s.children())
    if (c.name == name)
      return c.address;
  return {};
}

task<caf::actor> start_child(supervisor& s, const child_factory& make, child_start_request r) {
  if (!make)
    throw supervisor_error("troupe: supervisor '" + s.name() + "' starts no child by message");
  child_spec spec = make(r);
  spec.name = r.name;
  co_await s.start_child(spec);
  co_return address_of(s, r.name);
}

task<caf::actor> restart_child(supervisor& s, std::string name) {
  co_await s.restart_child(name);
  co_return address_of(s, name);
}

} // namespace

task<> supervisor::serve(mailbox& in, child_factory make) {
  // one that takes long to start is in nobody's way but that of its supervisor
  const concurrent any_number{std::numeric_limits<std::size_t>::max()};
  co_await in.serve(
    any_number,
    [&](child_start_request r) {
      return as_answer(troupe::start_child(*this, make, std::move(r)));
    },
    [&](child_restart_request r) {
      return as_answer(troupe::restart_child(*this, std::move(r.name)));
    },
    [&](child_stop_request r) { return as_answer(stop_child(std::move(r.name))); },
    [&](child_delete_request r) { return as_answer(delete_child(std::move(r.name))); },
    [&](child_list_request) { return child_list{children()}; });
}

} // namespace troupe
