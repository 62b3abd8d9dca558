#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints the medians of a run and the ratios to Go beside the aims."""

import collections
import statistics
import sys

WORK = {
    "1a": ("start and join, ns", 0.15), "1b": ("the same, one yield each, ns", 0.17),
    "2": ("yield switch, ns", 0.11), "2c": ("hand-off without a buffer, ns", 0.08),
    "3a": ("queue of 1, ping-pong, ns", 0.15), "3b": ("queue of 1, one way, ns", 0.31),
    "4x": ("start 100,000 sleepers, ns", 0.05), "4": ("cancel them, ns", 0.12),
    "5a": ("asleep, bytes a task", None), "5b": ("parked, bytes a task", None),
}
BYTES = {"5a": 300, "5b": 250}
seen = collections.defaultdict(list)
for line in open(sys.argv[1]):
    test, peer, value, _ = line.split("\t")
    seen[test, peer].append(float(value))
print("| test | work | troupe | Go, one processor | ratio | aim |")
print("| --- | --- | ---: | ---: | ---: | --- |")
for test, (work, aim) in WORK.items():
    ours = statistics.median(seen[test, "troupe"])
    go = statistics.median(seen[test, "go"])
    goal = f"{aim:.2f}" if aim else f"{BYTES[test]} B"
    print(f"| {test} | {work} | {ours:.1f} | {go:.1f} | {ours / go:.3f} | {goal} |")
