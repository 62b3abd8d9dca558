// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <troupe/http/gateway.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::wsgi {

/// Something in Python has failed: its exception, with the traceback. An application's is
/// answered with 500 by the server.
class python_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The Python interpreter of this process, for web applications after WSGI (PEP 3333): Flask,
/// Django and their kin.
///
///     wsgi::python python({"."});
///     http::router site;
///     site.add("*", "/{path...}", http::gateway(python.load("hello:app")));
///
/// Applications run on the gateway's threads, which take turns by Python's global lock; it is
/// let go while they read the request and while what they give is sent. No loop waits for it.
///
/// There is one at a time, to be destroyed by the thread that made it, after all that it has
/// loaded. SIGINT stays the program's.
class python {
public:
  /// Starts the interpreter. `path`: where modules are looked for, before the system's. Blocks
  /// for some milliseconds. Throws `usage_error` if there is one, `python_error`.
  explicit python(const std::vector<std::string>& path = {});
  python(const python&) = delete;
  python& operator=(const python&) = delete;
  ~python();

  /// Imports "module:callable"; without a callable it is "app". Blocks as long as the import
  /// takes: call it before the loops run, or by `to_thread`. Throws `python_error`.
  [[nodiscard]] http::application load(const std::string& what) const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe::wsgi
