#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints the medians of a run and the ratios to the peer that counts beside the aims."""

import collections
import statistics
import sys

# test: work, aim (a ratio, or bytes if more than 10), whether CPU time counts (else wall time)
CORE = {
    "1a": ("start and join, ns", 0.15, True), "1b": ("the same, one yield each, ns", 0.17, True),
    "2": ("yield switch, ns", 0.11, True), "2c": ("park and wake, ns", 0.08, True),
    "2d": ("hand-off without a buffer, ns", None, True),
    "3a": ("queue of 1, ping-pong, ns", 0.15, True), "3b": ("queue of 1, one way, ns", 0.31, True),
    "4x": ("start 100,000 sleepers, ns", 0.05, True), "4": ("cancel them, ns", 0.12, True),
    "5a": ("asleep, bytes a task", 300, False), "5b": ("parked, bytes a task", 250, False),
}
ACTORS = {
    "a1": ("start an actor and its end, ns", 0.3, True),
    "a2": ("request and answer, one loop, ns", 0.25, True),
    "a3": ("request and answer, two loops, wall ns", 0.7, False),
    "a4": ("message one way, ns", 0.8, True),
    "a5": ("empty mailbox, bytes an actor", 700, False),
}
# 50 connections, 64 bytes there and back
ECHO = {"6": ("TCP echo, user CPU ns a request", 1.05, True),
        "6t": ("the same with the kernel's part", None, True),
        "6b": ("64 KiB there and back, user CPU ns", 1.05, True),
        "6bt": ("the same with the kernel's part", None, True),
        "6m": ("idle TCP connection, bytes", 6000, False)}
# wrk, 50 connections, "Hello, World!"
HTTP = {"8": ("HTTP hello, user CPU ns a request", 1.0, True),
        "8t": ("the same with the kernel's part", None, True)}
# a line said in a room of 1,000, when all have heard the last one
CHAT = {"c1": ("a line to 1,000 members, wall ns", None, False),
        "c1p": ("until a member has it, 99th percentile, ns", None, False)}
SPREAD = {"6w": ("echo that computes, two loops, wall ns a request", 1.0, False)}
# four workers on a queue of 1,000, beside goroutines on a channel
WORKERS = {"w1": ("job handed over, ns", 1.0, True),
           "w2": ("job and its result, ns", 1.0, True),
           "w3": ("job handed over to two loops, wall ns", 1.0, False)}
# a trivial child
RESTARTS = {"v1": ("restart of a child that has crashed, ns", 1.0, True),
            "v2": ("the same of one that has returned, ns", 1.0, True)}
GROUPS = {"v3": ("one_for_all of 10,000 children, ns a child", 1.5, True)}
# posted to asio::thread_pool and back
THREADS = {
    "t1": ("a call on a thread and back, wall ns", 1.0, False),
    "t16": ("the same, 16 at a time", 1.0, False),
}
# a value through a channel of one, and into another task
POOLS = {"p1": ("lease and return of a connection, ns", 4, True),
         "p2": ("the same, ten tasks for two, ns", None, True)}
# the same under testing::simulate
SIMULATION = {"s1": ("yield switch, simulated, ns", 10, True),
              "s2": ("there and back between two loops, simulated, ns", 10, True)}
FILES = {"f1": ("read 1 GiB of a file that is in memory, wall ns a MiB", 1.1, False)}
# TLS 1.3 with asio::ssl beside it; handshakes with a P-256 certificate
TLS = {"7": ("TLS echo, user CPU ns a request", 1.0, True),
       "7h": ("TLS handshake, user CPU ns", 1.0, True),
       "7m": ("idle TLS connection, bytes", None, False)}

seen = collections.defaultdict(list)
for line in open(sys.argv[1]):
    test, peer, wall, cpu = line.split("\t")
    seen[test, peer].append((float(wall), float(cpu)))


def median(test, peer, by_cpu):
    values = seen.get((test, peer))
    return statistics.median(v[by_cpu] for v in values) if values else None


def cell(value, form=".1f"):
    return "-" if value is None else f"{value:{form}}"


def table(tests, against, title, others):
    print("| " + " | ".join(["test", "work", "troupe", title, "ratio", "aim", *others.values()]) + " |")
    print("| --- | --- |" + " ---: |" * (4 + len(others)))
    for test, (work, aim, by_cpu) in tests.items():
        ours, peer = median(test, "troupe", by_cpu), median(test, against, by_cpu)
        ratio = ours / peer if ours is not None and peer else None
        goal = "-" if aim is None else f"{aim} B" if aim > 10 else f"{aim:.2f}"
        cells = [cell(median(test, other, by_cpu)) for other in others]
        print(f"| {test} | {work} | {cell(ours)} | {cell(peer)} | {cell(ratio, '.3f')} | {goal} |"
              + "".join(f" {c} |" for c in cells))
    print()


table(CORE, "go", "Go, one processor",
      {"floor": "floor", "erlang": "Erlang", "asyncio": "asyncio", "uvloop": "uvloop", "trio": "trio"})
table(ACTORS, "stock", "stock CAF", {})
table(TLS, "asio", "asio::ssl callbacks", {})
table(ECHO, "asio", "Asio callbacks", {"go": "Go", "asyncio": "asyncio", "uvloop": "uvloop", "trio": "trio"})
table(HTTP, "beast", "Beast's example", {"go": "Go", "nginx": "nginx"})
table(CHAT, "go", "Go, one processor", {"asyncio": "asyncio", "uvloop": "uvloop"})
table(SPREAD, "one_loop", "one loop", {})
table(WORKERS, "go", "Go", {})
table(RESTARTS, "erlang", "Erlang", {})
table(GROUPS, "hundred", "of 100 children", {})
table(THREADS, "asio", "asio::thread_pool", {})
table(FILES, "plain", "a loop of read", {})
table(POOLS, "channel", "a channel's hand-off", {})
table(SIMULATION, "real", "a real run", {})
