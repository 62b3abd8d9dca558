// SPDX-License-Identifier: BSD-3-Clause
// Runs a web application written in Python (Flask, Django: all that speaks WSGI) behind troupe's
// HTTP server. The application runs on threads; the loop goes on.
// Try: wsgi_server [port [module:callable]]      then: curl localhost:8000
//   With hello.py in this folder, a Flask application called app: wsgi_server 8000 hello:app
#include <troupe/http/gateway.hpp>
#include <troupe/http/router.hpp>
#include <troupe/http/server.hpp>
#include <troupe/troupe.hpp>
#include <troupe/wsgi/python.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace troupe;

task<> serve(http::router& site, std::uint16_t port) {
  tcp_listener listener(port, {.address = "127.0.0.1"});
  std::cout << "http://127.0.0.1:" << listener.port() << "/" << std::endl;
  co_await http::serve(std::ref(site), std::move(listener));
}

task<> parent(std::vector<std::string> args) {
  const int port = args.size() > 1 ? std::stoi(args[1]) : 8000;
  // Python's own demonstration, which tells what it was asked
  const std::string name = args.size() > 2 ? args[2] : "wsgiref.simple_server:demo_app";
  const wsgi::python python({"."});
  http::router site;
  site.add("*", "/{path...}", http::gateway(python.load(name)));
  co_await serve(site, static_cast<std::uint16_t>(port));
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
