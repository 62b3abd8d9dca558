// SPDX-License-Identifier: BSD-3-Clause
#include <troupe/wsgi/python.hpp>

#include <troupe/error.hpp>

#include <pybind11/embed.h>
#include <pybind11/stl.h>

#include <atomic>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

namespace py = pybind11;

namespace troupe::wsgi {

namespace {

std::atomic<bool> there_is_one = false;

/// A text as WSGI has it: each character is a byte.
py::str native(std::string_view text) {
  return py::reinterpret_steal<py::str>(
    PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
}

std::string bytes_of(const py::handle& text) {
  if (!py::isinstance<py::str>(text))
    throw py::type_error("a status, and the names and values of headers, have to be str");
  const auto encoded = py::reinterpret_steal<py::bytes>(PyUnicode_AsLatin1String(text.ptr()));
  if (!encoded)
    throw py::error_already_set();
  return std::string(encoded);
}

/// Runs with the lock what may throw Python's errors, which cannot leave it.
template <class F>
auto with_lock(F fn) {
  const py::gil_scoped_acquire lock;
  try {
    return fn();
  } catch (const py::error_already_set& e) {
    throw python_error(e.what());
  } catch (const py::builtin_exception& e) {
    throw python_error(e.what());
  }
}

/// `wsgi.input`, as long as the request lives. The lock is let go while it reads.
class input {
public:
  explicit input(http::gateway_environ& env) noexcept : env_(&env) {}

  void end() noexcept { env_ = nullptr; }

  py::bytes read(std::optional<long long> size) {
    return get([size](http::gateway_environ& env) {
      return size && *size >= 0 ? env.read(static_cast<std::size_t>(*size)) : env.read_all();
    });
  }
  py::bytes read_line(std::optional<long long> size) {
    return get([size](http::gateway_environ& env) {
      return size && *size >= 0 ? env.read_line(static_cast<std::size_t>(*size)) : env.read_line();
    });
  }
  py::list read_lines(std::optional<long long>) {
    py::list all;
    for (;;) {
      const py::bytes one = read_line({});
      if (py::len(one) == 0)
        return all;
      all.append(one);
    }
  }
  py::bytes next() {
    py::bytes one = read_line({});
    if (py::len(one) == 0)
      throw py::stop_iteration();
    return one;
  }

  /// What reading has thrown, and Python has been told only that.
  void rethrow() {
    if (error_)
      std::rethrow_exception(std::exchange(error_, {}));
  }

private:
  template <class F>
  py::bytes get(F read) {
    if (!env_)
      throw py::value_error("the request is over");
    std::string text;
    try {
      const py::gil_scoped_release free;
      text = read(*env_);
    } catch (...) {
      error_ = std::current_exception();
      throw;
    }
    return py::bytes(text);
  }

  http::gateway_environ* env_;
  std::exception_ptr error_;
};

/// An application, which is let go with the lock.
class held_callable {
public:
  explicit held_callable(py::object callable) noexcept : callable_(std::move(callable)) {}
  held_callable(const held_callable&) = delete;
  held_callable& operator=(const held_callable&) = delete;
  ~held_callable() {
    const py::gil_scoped_acquire lock;
    callable_ = py::object();
  }
  [[nodiscard]] const py::object& get() const noexcept { return callable_; }

private:
  py::object callable_;
};

/// What Python may keep of a call.
struct call_in_python {
  const http::start_response* start; // null when the call is over
  std::string written = {};          // by the callable that start_response gives
};

/// One call of an application, on one thread from its beginning to its end, by one state of
/// Python's: what is local to a context stays.
class call {
public:
  call(const held_callable& app, http::gateway_environ& env, const http::start_response& start)
    : input_(std::make_shared<input>(env)), shared_(new call_in_python{&start}) {
    try {
      with_lock([&] { begin(app, env); });
    } catch (...) {
      finish();
      input_->rethrow();
      throw;
    }
  }
  call(const call&) = delete;
  call& operator=(const call&) = delete;
  ~call() { finish(); }

  /// Whether it gives a list of one piece.
  [[nodiscard]] bool alone() const noexcept { return alone_; }

  std::optional<std::string> next() {
    try {
      return with_lock([this] { return piece(); });
    } catch (...) {
      input_->rethrow();
      throw;
    }
  }

private:
  void begin(const held_callable& app, http::gateway_environ& env) {
    py::dict environ;
    for (const auto& [name, value] : env.variables)
      environ[native(name)] = native(value);
    environ["wsgi.version"] = py::make_tuple(1, 0);
    environ["wsgi.input"] = py::cast(input_);
    environ["wsgi.errors"] = py::module_::import("sys").attr("stderr");
    environ["wsgi.input_terminated"] = true; // it ends where the body does
    environ["wsgi.multithread"] = true;
    environ["wsgi.multiprocess"] = false;
    environ["wsgi.run_once"] = false;
    const py::cpp_function write(
      [shared = shared_](const py::bytes& text) { shared->written += std::string(text); });
    const auto begin_response = [shared = shared_, write](const py::str& status,
                                                          const py::list& fields,
                                                          const py::object& error) -> py::object {
      if (!shared->start)
        throw py::value_error("the request is over");
      http::headers all;
      for (const py::handle field : fields) {
        const auto pair = py::cast<py::tuple>(field);
        all.add(bytes_of(pair[0]), bytes_of(pair[1]));
      }
      try {
        (*shared->start)(bytes_of(status), all);
      } catch (const std::invalid_argument&) {
        if (error.is_none())
          throw;
        const auto raised = py::cast<py::tuple>(error); // it is too late for another response
        PyErr_SetObject(py::object(raised[0]).ptr(), py::object(raised[1]).ptr());
        throw py::error_already_set();
      }
      return write; // NOLINT(performance-no-automatic-move): for each call
    };
    result_ =
      app.get()(environ, py::cpp_function(begin_response, py::arg("status"), py::arg("headers"),
                                          py::arg("exc_info") = py::none()));
    iterator_ = py::reinterpret_steal<py::object>(PyObject_GetIter(result_.ptr()));
    if (!iterator_)
      throw py::error_already_set();
    alone_ = (py::isinstance<py::list>(result_) || py::isinstance<py::tuple>(result_))
             && py::len(result_) == 1;
  }

  std::optional<std::string> piece() {
    const auto one = py::reinterpret_steal<py::object>(PyIter_Next(iterator_.ptr()));
    if (!one && PyErr_Occurred())
      throw py::error_already_set();
    if (one && !py::isinstance<py::bytes>(one))
      throw py::type_error("an application has to give bytes");
    std::string text = std::exchange(shared_->written, {});
    if (one)
      text += std::string(py::reinterpret_borrow<py::bytes>(one));
    else if (text.empty())
      return std::nullopt;
    return text;
  }

  /// Closes what it has given, read to its end or not.
  void finish() noexcept {
    const py::gil_scoped_acquire lock;
    try {
      if (result_ && py::hasattr(result_, "close"))
        result_.attr("close")();
    } catch (py::error_already_set& e) {
      e.discard_as_unraisable("the close() of a WSGI application's iterable");
    } catch (...) { // NOLINT(bugprone-empty-catch): nobody is left to hear of it
    }
    iterator_ = result_ = py::object();
    input_->end();
    shared_->start = nullptr;
  }

  /// The thread's state stays until the end, and the lock is free between two uses.
  struct thread_state {
    py::gil_scoped_acquire lock;
    py::gil_scoped_release free;
  } state_;
  std::shared_ptr<input> input_;
  std::shared_ptr<call_in_python> shared_;
  py::object result_;
  py::object iterator_;
  bool alone_ = false;
};

} // namespace

PYBIND11_EMBEDDED_MODULE(troupe_wsgi, m) {
  py::class_<input, std::shared_ptr<input>>(m, "Input")
    .def("read", &input::read, py::arg("size") = py::none())
    .def("readline", &input::read_line, py::arg("size") = py::none())
    .def("readlines", &input::read_lines, py::arg("hint") = py::none())
    .def("__iter__", [](const py::object& self) { return self; })
    .def("__next__", &input::next);
}

namespace {

class running_python {
public:
  void let_go() { free_.emplace(); }
  void take_back() noexcept { free_.reset(); }

private:
  struct one_of_a_kind {
    one_of_a_kind() {
      if (there_is_one.exchange(true))
        throw usage_error("troupe: there is a wsgi::python in this process already");
    }
    ~one_of_a_kind() { there_is_one = false; }
  } only_;
  py::scoped_interpreter interpreter_{false}; // leaves the signals alone
  std::optional<py::gil_scoped_release> free_;
};

} // namespace

struct python::impl {
  std::unique_ptr<running_python> running = std::make_unique<running_python>();
};

python::python(const std::vector<std::string>& path) : impl_(std::make_unique<impl>()) {
  try {
    py::module_::import("troupe_wsgi");
    py::list places = py::module_::import("sys").attr("path");
    for (std::size_t i = 0; i < path.size(); ++i)
      places.insert(i, path[i]);
  } catch (const py::error_already_set& e) {
    throw python_error(e.what());
  }
  impl_->running->let_go();
}

python::~python() { impl_->running->take_back(); }

http::application python::load(const std::string& what) const {
  const std::size_t colon = what.find(':');
  const std::string name = colon == what.npos ? "app" : what.substr(colon + 1);
  const auto app = with_lock([&] {
    py::object callable = py::module_::import(what.substr(0, colon).c_str()).attr(name.c_str());
    if (!PyCallable_Check(callable.ptr()))
      throw py::type_error(what + " cannot be called");
    return std::make_shared<const held_callable>(std::move(callable));
  });
  return [app](http::gateway_environ& env, const http::start_response& start) {
    const auto one = std::make_shared<call>(*app, env, start);
    return http::gateway_body([one] { return one->next(); }, one->alone());
  };
}

} // namespace troupe::wsgi
