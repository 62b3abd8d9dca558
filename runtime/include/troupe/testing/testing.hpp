// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// The test kit, all of it but what belongs to one test framework (boost_test.hpp).
#include <troupe/testing/check_channel.hpp>
#include <troupe/testing/check_clock.hpp>
#include <troupe/testing/check_stream.hpp>
#include <troupe/testing/checkpoints.hpp>
#include <troupe/testing/eventually.hpp>
#include <troupe/testing/expect_failure.hpp>
#include <troupe/testing/explore.hpp>
#include <troupe/testing/faults.hpp>
#include <troupe/testing/history.hpp>
#include <troupe/testing/injection.hpp>
#include <troupe/testing/live_faults.hpp>
#include <troupe/testing/memory_listener.hpp>
#include <troupe/testing/memory_stream.hpp>
#include <troupe/testing/network.hpp>
#include <troupe/testing/node.hpp>
#include <troupe/testing/run_test.hpp>
#include <troupe/testing/sequencer.hpp>
#include <troupe/testing/simulated_disk.hpp>
#include <troupe/testing/simulation.hpp>
#include <troupe/testing/test_failure.hpp>
#include <troupe/testing/trace.hpp>
#include <troupe/testing/virtual_clock.hpp>
#include <troupe/testing/wait_all_tasks_blocked.hpp>
