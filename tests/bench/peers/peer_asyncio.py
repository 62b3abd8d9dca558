# SPDX-License-Identifier: BSD-3-Clause
"""The workloads of bench.cpp and echo.cpp with asyncio: peer_asyncio.py asyncio|uvloop TEST."""

import asyncio
import os
import sys
import time

peer, test = sys.argv[1:]
counter = 0


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Meter:
    def __init__(self):
        self.wall, self.cpu = time.perf_counter_ns(), time.process_time_ns()

    def report(self, name, operations):
        wall, cpu = time.perf_counter_ns() - self.wall, time.process_time_ns() - self.cpu
        print(f"{name}\t{peer}\t{wall / operations:.1f}\t{cpu / operations:.1f}", flush=True)


async def child():
    global counter
    counter += 1


async def yielding_child():
    global counter
    await asyncio.sleep(0)
    counter += 1


async def spawn(fn):
    m = Meter()
    for _ in range(50):
        async with asyncio.TaskGroup() as group:
            for _ in range(1000):
                group.create_task(fn())
    m.report(test, 50_000)
    assert counter == 50_000


async def yield_often(n):
    for _ in range(n):
        await asyncio.sleep(0)


async def yields():
    m = Meter()
    async with asyncio.TaskGroup() as group:
        group.create_task(yield_often(100_000))
        group.create_task(yield_often(100_000))
    m.report("2", 200_000)


async def park_and_wake():
    n = 50_000
    ping, pong = asyncio.Event(), asyncio.Event()

    async def other():
        for _ in range(n):
            await ping.wait()
            ping.clear()
            pong.set()

    m = Meter()
    async with asyncio.TaskGroup() as group:
        group.create_task(other())
        for _ in range(n):
            ping.set()
            await pong.wait()
            pong.clear()
    m.report("2c", 2 * n)


async def ping_pong():
    n = 50_000
    a, b = asyncio.Queue(1), asyncio.Queue(1)

    async def other():
        for _ in range(n):
            await b.put(await a.get())

    m = Meter()
    async with asyncio.TaskGroup() as group:
        group.create_task(other())
        for i in range(n):
            await a.put(i)
            assert await b.get() == i
    m.report("3a", 2 * n)


async def one_way():
    n = 100_000
    a = asyncio.Queue(1)

    async def producer():
        for i in range(n):
            await a.put(i)

    m = Meter()
    async with asyncio.TaskGroup() as group:
        group.create_task(producer())
        for i in range(n):
            assert await a.get() == i
    m.report("3b", n)


async def cancel():
    n = 100_000
    m = Meter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(3600)) for _ in range(n)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        m.report("4x", n)
        await asyncio.sleep(0.05)
        m = Meter()
        for t in tasks:
            t.cancel()
    m.report("4", n)


async def memory(wait):
    n = 100_000
    before = resident()
    tasks = [asyncio.ensure_future(wait()) for _ in range(n)]
    await asyncio.sleep(0.2)
    print(f"{test}\t{peer}\t{(resident() - before) / len(tasks):.1f}\t0", flush=True)
    os._exit(0)


async def echo():
    async def serve(reader, writer):
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def chat():
    members = set()

    async def serve(reader, writer):
        name = (await reader.readline()).rstrip()
        members.add(writer)
        while line := await reader.readline():
            text = name + b": " + line
            for member in list(members):
                member.write(text)
                if member.transport.get_write_buffer_size() > 1 << 20:
                    member.transport.abort()
        members.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def parked():
    return never.wait()


never = asyncio.Event()
if peer == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run({
    "1a": lambda: spawn(child), "1b": lambda: spawn(yielding_child), "2": yields,
    "2c": park_and_wake, "3a": ping_pong, "3b": one_way, "4": cancel,
    "5a": lambda: memory(lambda: asyncio.sleep(3600)), "5b": lambda: memory(parked), "6": echo,
    "c1": chat,
}[test]())
