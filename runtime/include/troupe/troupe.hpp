// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// Everything but the test kit.

#include <troupe/actor.hpp>
#include <troupe/actor_error.hpp>
#include <troupe/as_completed.hpp>
#include <troupe/async_generator.hpp>
#include <troupe/barrier.hpp>
#include <troupe/buffered_reader.hpp>
#include <troupe/cancel_scope.hpp>
#include <troupe/capacity_limiter.hpp>
#include <troupe/channel.hpp>
#include <troupe/cleanup.hpp>
#include <troupe/clock.hpp>
#include <troupe/condition.hpp>
#include <troupe/dead_letters.hpp>
#include <troupe/descriptor_stream.hpp>
#include <troupe/error.hpp>
#include <troupe/event.hpp>
#include <troupe/exception_group.hpp>
#include <troupe/gather.hpp>
#include <troupe/mailbox.hpp>
#include <troupe/map_concurrently.hpp>
#include <troupe/messages.hpp>
#include <troupe/mutex.hpp>
#include <troupe/net_error.hpp>
#include <troupe/nursery.hpp>
#include <troupe/outcome.hpp>
#include <troupe/pipe.hpp>
#include <troupe/race.hpp>
#include <troupe/resolve.hpp>
#include <troupe/run.hpp>
#include <troupe/semaphore.hpp>
#include <troupe/serve.hpp>
#include <troupe/shared_mutex.hpp>
#include <troupe/socket_address.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>
#include <troupe/task_handle.hpp>
#include <troupe/task_local.hpp>
#include <troupe/task_tree.hpp>
#include <troupe/tcp.hpp>
#include <troupe/time.hpp>
#include <troupe/udp.hpp>
#include <troupe/unix_socket.hpp>
#include <troupe/wait.hpp>
