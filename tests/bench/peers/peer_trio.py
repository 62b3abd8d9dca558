# SPDX-License-Identifier: BSD-3-Clause
"""The workloads of bench.cpp and echo.cpp with trio: peer_trio.py TEST."""

import os
import sys
import time

import trio
import trio.testing

test = sys.argv[1]
counter = 0


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Meter:
    def __init__(self):
        self.wall, self.cpu = time.perf_counter_ns(), time.process_time_ns()

    def report(self, name, operations):
        wall, cpu = time.perf_counter_ns() - self.wall, time.process_time_ns() - self.cpu
        print(f"{name}\ttrio\t{wall / operations:.1f}\t{cpu / operations:.1f}", flush=True)


async def child():
    global counter
    counter += 1


async def yielding_child():
    global counter
    await trio.lowlevel.checkpoint()
    counter += 1


async def spawn(fn):
    m = Meter()
    for _ in range(20):
        async with trio.open_nursery() as n:
            for _ in range(1000):
                n.start_soon(fn)
    m.report(test, 20_000)
    assert counter == 20_000


async def yield_often(n):
    for _ in range(n):
        await trio.lowlevel.checkpoint()


async def yields():
    m = Meter()
    async with trio.open_nursery() as n:
        n.start_soon(yield_often, 50_000)
        n.start_soon(yield_often, 50_000)
    m.report("2", 100_000)


async def park_and_wake():
    count = 20_000
    ping, pong = trio.lowlevel.ParkingLot(), trio.lowlevel.ParkingLot()

    async def other():
        for _ in range(count):
            await ping.park()
            pong.unpark()

    m = Meter()
    async with trio.open_nursery() as n:
        n.start_soon(other)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(count):
            ping.unpark()
            await pong.park()
    m.report("2c", 2 * count)


async def ping_pong():
    count = 20_000
    a_send, a_receive = trio.open_memory_channel(1)
    b_send, b_receive = trio.open_memory_channel(1)

    async def other():
        for _ in range(count):
            await b_send.send(await a_receive.receive())

    m = Meter()
    async with trio.open_nursery() as n:
        n.start_soon(other)
        for i in range(count):
            await a_send.send(i)
            assert await b_receive.receive() == i
    m.report("3a", 2 * count)


async def one_way():
    count = 50_000
    send, receive = trio.open_memory_channel(1)

    async def producer():
        for i in range(count):
            await send.send(i)

    m = Meter()
    async with trio.open_nursery() as n:
        n.start_soon(producer)
        for i in range(count):
            assert await receive.receive() == i
    m.report("3b", count)


async def cancel():
    count = 50_000
    m = Meter()
    async with trio.open_nursery() as n:
        for _ in range(count):
            n.start_soon(trio.sleep, 3600)
        await trio.sleep(0)
        await trio.sleep(0)
        m.report("4x", count)
        await trio.sleep(0.05)
        m = Meter()
        n.cancel_scope.cancel()
    m.report("4", count)


async def memory(wait, *args):
    count = 50_000
    before = resident()
    async with trio.open_nursery() as n:
        for _ in range(count):
            n.start_soon(wait, *args)
        await trio.sleep(0.2)
        print(f"{test}\ttrio\t{(resident() - before) / count:.1f}\t0", flush=True)
        os._exit(0)


async def echo():
    async def serve(stream):
        while data := await stream.receive_some(1024):
            await stream.send_all(data)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    print(listeners[0].socket.getsockname()[1], flush=True)
    await trio.serve_listeners(serve, listeners)


def parked():
    return never.wait()


never = trio.Event()
trio.run({
    "1a": lambda: spawn(child), "1b": lambda: spawn(yielding_child), "2": yields,
    "2c": park_and_wake, "3a": ping_pong, "3b": one_way, "4": cancel,
    "5a": lambda: memory(trio.sleep, 3600), "5b": lambda: memory(parked), "6": echo,
}[test])
