// SPDX-License-Identifier: BSD-3-Clause
#include "text.hpp"

#include <troupe/http/router.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

namespace troupe::http {

/// A part of paths, and what can follow it.
struct router::node {
  std::vector<std::pair<std::string, std::unique_ptr<node>>> parts; // written out
  std::unique_ptr<node> any;                                        // "{name}"
  std::unique_ptr<node> rest;                                       // "{name...}"

  struct route {
    std::string method;
    std::vector<std::string> names; // of the parts that are not written out
    handler answer;
  };
  std::vector<route> routes;

  [[nodiscard]] const node* find(std::string_view part) const noexcept {
    for (const auto& [text, child] : parts)
      if (text == part)
        return child.get();
    return nullptr;
  }

  [[nodiscard]] const route* has(std::string_view method) const noexcept {
    for (const route& r : routes)
      if (r.method == method)
        return &r;
    return nullptr;
  }

  [[nodiscard]] const route* find_method(std::string_view method) const noexcept {
    const route* r = has(method);
    if (!r && method == "HEAD")
      r = has("GET");
    return r ? r : has("*");
  }
};

struct router::routes {
  struct search {
    std::string_view method;
    const node* without_method = nullptr; // has the path, but not the method
    std::vector<std::string> values = {}; // of the names, so far
  };

  /// What follows `at` for the parts that are `left`, none if there is nothing in it.
  static const node::route* find(const node& at, std::optional<std::string_view> left, search& s);

  task<> dispatch(request& rq, response& rs) const;

  node root;
  std::vector<middleware> around; // the first is the outermost
  std::vector<handler> chain;     // each calls the one before; the first calls dispatch
};

namespace {

[[noreturn]] void refuse_route(std::string_view path, std::string_view why) {
  throw std::invalid_argument("the route '" + std::string(path) + "' " + std::string(why));
}

std::string decoded(std::string_view part) {
  return part.find('%') == part.npos ? std::string(part) : percent_decode(part);
}

} // namespace

router::router() : routes_(std::make_shared<routes>()) {}

router& router::add(std::string_view method, std::string_view path, handler answer) {
  if (method != "*" && !is_token(method))
    refuse_route(path, "has no method");
  if (!path.starts_with('/'))
    refuse_route(path, "does not begin with a '/'");
  node* at = &routes_->root;
  std::vector<std::string> names;
  std::string_view left = path.substr(1);
  for (bool last = false; !last;) {
    last = left.find('/') == left.npos;
    const std::string_view part = cut(left, '/');
    std::unique_ptr<node>* next = nullptr;
    if (part.starts_with('{') && part.ends_with('}')) {
      std::string_view name = part.substr(1, part.size() - 2);
      const bool rest = name.ends_with("...");
      if (rest)
        name.remove_suffix(3);
      if (!is_token(name) || std::find(names.begin(), names.end(), name) != names.end())
        refuse_route(path, "has a name that is none, or stands there twice");
      if (rest && !last)
        refuse_route(path, "goes on behind a {name...}");
      names.emplace_back(name);
      next = rest ? &at->rest : &at->any;
    } else {
      if (part.find_first_of("{}") != part.npos)
        refuse_route(path, "has a brace that is not around a whole part");
      const auto known = std::find_if(at->parts.begin(), at->parts.end(),
                                      [&](const auto& p) { return p.first == part; });
      next = known != at->parts.end() ? &known->second
                                      : &at->parts.emplace_back(std::string(part), nullptr).second;
    }
    if (!*next)
      *next = std::make_unique<node>();
    at = next->get();
  }
  if (at->has(method))
    refuse_route(path, "has a handler already");
  at->routes.push_back({std::string(method), std::move(names), std::move(answer)});
  return *this;
}

router& router::wrap(middleware around) {
  routes& all = *routes_;
  all.around.push_back(std::move(around));
  all.chain.clear();
  all.chain.reserve(all.around.size() + 1); // they refer to each other
  const handler innermost = [&all](request& rq, response& rs) { return all.dispatch(rq, rs); };
  all.chain.push_back(innermost);
  for (std::size_t i = all.around.size(); i-- != 0;) {
    const handler outer = [&m = all.around[i], &next = all.chain.back()](
                            request& rq, response& rs) { return m(rq, rs, next); };
    all.chain.push_back(outer);
  }
  return *this;
}

const router::node::route* router::routes::find(const node& at,
                                                std::optional<std::string_view> left, search& s) {
  if (!left) {
    const node::route* r = at.find_method(s.method);
    if (!r && !at.routes.empty())
      s.without_method = &at;
    return r;
  }
  const std::size_t end = left->find('/');
  const std::string part = decoded(left->substr(0, end));
  std::optional<std::string_view> behind;
  if (end != left->npos)
    behind = left->substr(end + 1);
  if (const node* next = at.find(part))
    if (const node::route* r = find(*next, behind, s))
      return r;
  if (at.any && !part.empty()) {
    s.values.push_back(part);
    if (const node::route* r = find(*at.any, behind, s))
      return r;
    s.values.pop_back();
  }
  if (at.rest) {
    s.values.push_back(decoded(*left));
    if (const node::route* r = find(*at.rest, std::nullopt, s))
      return r;
    s.values.pop_back();
  }
  return nullptr;
}

task<> router::routes::dispatch(request& rq, response& rs) const {
  search s{rq.method};
  const node::route* r = nullptr;
  const std::string_view path = rq.path();
  try {
    if (path.starts_with('/'))
      r = find(root, path.substr(1), s);
  } catch (const url_error& e) {
    throw http_error(400, e.what());
  }
  if (r) {
    for (std::size_t i = 0; i != r->names.size(); ++i)
      rq.params_.emplace_back(r->names[i], std::move(s.values[i]));
    return r->answer(rq, rs);
  }
  if (!s.without_method)
    throw http_error(404);
  std::string allow;
  const auto allowed = [&](std::string_view method) {
    allow.append(allow.empty() ? "" : ", ").append(method);
  };
  for (const node::route& known : s.without_method->routes) {
    allowed(known.method);
    if (known.method == "GET" && !s.without_method->has("HEAD"))
      allowed("HEAD");
  }
  throw http_error(405, {}, {{"Allow", allow}});
}

task<> router::operator()(request& rq, response& rs) const {
  return routes_->chain.empty() ? routes_->dispatch(rq, rs) : routes_->chain.back()(rq, rs);
}

} // namespace troupe::http
