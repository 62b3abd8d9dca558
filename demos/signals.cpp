// SPDX-License-Identifier: BSD-3-Clause
// Signals as a stream: SIGHUP reads the settings again, SIGUSR1 says how it goes, Ctrl-C ends.
// Try: signals, then from another terminal: kill -HUP and kill -USR1 with the number it says
#include <troupe/troupe.hpp>

#include <unistd.h>

#include <csignal>
#include <iostream>

using namespace troupe;

task<> parent() {
  signal_receiver signals({SIGHUP, SIGUSR1});
  std::cout << "process " << ::getpid() << " listens" << std::endl;
  int reloads = 0;
  while (const int number = co_await signals.next())
    if (number == SIGHUP)
      std::cout << "settings read again, " << ++reloads << " times now" << std::endl;
    else
      std::cout << "all is well" << std::endl;
}

int main(int argc, char** argv) { return troupe::main(argc, argv, parent); }
