// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/net_error.hpp>
#include <troupe/socket_address.hpp>

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

namespace troupe {

static_assert(socket_address::capacity >= sizeof(sockaddr_un));
static_assert(socket_address::capacity >= sizeof(sockaddr_in6));

namespace {

template <class T>
T as(const socket_address& a) noexcept {
  T result{};
  std::memcpy(&result, a.data(), std::min<std::size_t>(sizeof result, a.size()));
  return result;
}

template <class T>
void assign(socket_address& a, const T& value) noexcept {
  std::memcpy(a.data(), &value, sizeof value);
  a.size(sizeof value);
}

} // namespace

socket_address::socket_address(std::string_view host, std::uint16_t port) {
  const auto parsed = parse(host, port);
  if (!parsed)
    throw_net_error(EINVAL, "use", std::string(host) + " (not a numeric address)");
  *this = *parsed;
}

std::optional<socket_address> socket_address::parse(std::string_view host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string name(host);
  // numeric: does not ask anybody
  const int error =
    name.empty() ? EAI_NONAME : ::getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error == EAI_MEMORY)
    throw std::bad_alloc();
  if (error != 0)
    return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  socket_address result;
  std::memcpy(result.data(), found->ai_addr, found->ai_addrlen);
  result.size(found->ai_addrlen);
  return result.with_port(port);
}

socket_address socket_address::unix_path(std::string_view path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof un.sun_path || path.find('\0') != path.npos)
    throw_net_error(path.empty() ? ENOENT : ENAMETOOLONG, "use the Unix socket",
                    path.empty() ? "\"\"" : path);
  path.copy(un.sun_path, path.size());
  std::size_t length = offsetof(sockaddr_un, sun_path) + path.size();
  if (path.front() == '@')
    un.sun_path[0] = '\0';
  else
    ++length; // the zero at its end
  socket_address result;
  std::memcpy(result.storage_.data(), &un, sizeof un);
  result.size_ = static_cast<std::uint32_t>(length);
  return result;
}

socket_address socket_address::any_ipv4(std::uint16_t port) noexcept {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  socket_address result;
  assign(result, in);
  return result;
}

socket_address socket_address::any_ipv6(std::uint16_t port) noexcept {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  socket_address result;
  assign(result, in);
  return result;
}

int socket_address::family() const noexcept {
  return size_ < sizeof(sa_family_t) ? AF_UNSPEC : as<sockaddr_un>(*this).sun_family;
}

bool socket_address::is_ipv4() const noexcept { return family() == AF_INET; }
bool socket_address::is_ipv6() const noexcept { return family() == AF_INET6; }
bool socket_address::is_unix() const noexcept { return family() == AF_UNIX; }

void socket_address::size(std::uint32_t bytes) noexcept { size_ = std::min(bytes, capacity); }

std::uint16_t socket_address::port() const noexcept {
  if (is_ipv4())
    return ntohs(as<sockaddr_in>(*this).sin_port);
  return is_ipv6() ? ntohs(as<sockaddr_in6>(*this).sin6_port) : std::uint16_t(0);
}

socket_address socket_address::with_port(std::uint16_t port) const noexcept {
  socket_address result = *this;
  if (is_ipv4()) {
    auto in = as<sockaddr_in>(*this);
    in.sin_port = htons(port);
    assign(result, in);
  } else if (is_ipv6()) {
    auto in = as<sockaddr_in6>(*this);
    in.sin6_port = htons(port);
    assign(result, in);
  }
  return result;
}

std::string socket_address::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_ipv4()) {
    const auto in = as<sockaddr_in>(*this);
    return ::inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
  }
  if (is_ipv6()) {
    const auto in = as<sockaddr_in6>(*this);
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr))
      return ::inet_ntop(AF_INET, &in.sin6_addr.s6_addr[12], text.data(), text.size());
    std::string result = ::inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size());
    std::array<char, IF_NAMESIZE> interface {};
    if (in.sin6_scope_id != 0)
      result +=
        '%'
        + (::if_indextoname(in.sin6_scope_id, interface.data()) ? std::string(interface.data())
                                                                : std::to_string(in.sin6_scope_id));
    return result;
  }
  if (!is_unix())
    return "nowhere";
  const auto un = as<sockaddr_un>(*this);
  const std::size_t length = size_ - std::min<std::size_t>(size_, offsetof(sockaddr_un, sun_path));
  if (length == 0)
    return "unnamed";
  if (un.sun_path[0] == '\0')
    return "@" + std::string(un.sun_path + 1, length - 1);
  return {un.sun_path, ::strnlen(un.sun_path, length)};
}

std::string socket_address::text() const {
  std::string where = host();
  if (is_unix() || empty())
    return where;
  if (where.find(':') != std::string::npos)
    where = "[" + where + "]";
  return where + ":" + std::to_string(port());
}

} // namespace troupe
