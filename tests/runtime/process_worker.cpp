// SPDX-License-Identifier: BSD-3-Clause
// What the tests' pools run as their workers.
#include "process_functions.hpp"

int main(int argc, char** argv) { return troupe::run_process_worker(argc, argv).value_or(3); }
