#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reads the picture that trace_program draws, as a viewer does: trace_test.py PROGRAM."""
import json
import subprocess
import sys

written = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, check=True, timeout=20).stdout
events = json.loads(written.decode())["traceEvents"]  # strictly UTF-8

groups = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
rows = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
drawn = [e for e in events if e["ph"] != "M"]
assert sorted(groups.values()) == ["loop 0", "loop 1", "numbers", "people", "simulation"], groups
assert len({tid for _, tid in rows}) == len(rows), "viewers take equal tids for one thread"
assert not {tid for _, tid in rows} & set(groups), "or for the main thread of a process"
assert all((e["pid"], e["tid"]) in rows for e in drawn), "a track without a name"
assert [e["ts"] for e in drawn] == sorted(e["ts"] for e in drawn), "not in the order of time"


def on(group, row):
    return [e for e in drawn if groups[e["pid"]] == group and rows[e["pid"], e["tid"]] == row]


def shape(es):
    return [(e["ph"], e["name"], e["ts"], e.get("dur")) for e in es]


# Virtual microseconds; the outer one comes first.
assert shape(on("people", "ann")) == [
    ("X", "online", 0, 12e6), ("X", "writes", 0, 12e6), ("i", "sends", 12e6, None)], on("people", "ann")
assert on("people", "ann")[1]["args"] == {"end": "by and by"}

# What is not UTF-8 is marked, what has not ended lasts to the end, fractions are kept.
bob = on("people", 'bob "\\\nü ? ??? ??')
assert shape(bob)[0] == ("i", "before all others", 1.5, None), bob
assert bob[1]["ts"] + bob[1]["dur"] == max(e["ts"] + e.get("dur", 0) for e in drawn), bob
assert [e["args"]["value"] for e in on("numbers", "online")] == [1, None]

# Each task has a track, its life and what it waits for; the next of its name has it after it.
lives = on("loop 0", "worker")
print(*shape(lives), sep="\n")
assert [e["name"] for e in lives if "#" in e["name"]][0].startswith("worker#")
assert len([e for e in lives if "#" in e["name"]]) == 2, lives
assert [e["name"] for e in lives].count("sleep") >= 6, lives
assert all(e["args"]["end"] == "ended" for e in lives if "#" in e["name"]), lives
assert len(on("loop 1", "worker")) > 3

# In one row, things contain each other or are apart.
for row in rows:
    open_until = []
    for e in (e for e in drawn if (e["pid"], e["tid"]) == row and e["ph"] == "X"):
        while open_until and open_until[-1] <= e["ts"]:
            open_until.pop()
        assert not open_until or e["ts"] + e["dur"] <= open_until[-1], (rows[row], e)
        open_until.append(e["ts"] + e["dur"])

assert any("worker" in e["name"] for e in on("simulation", "faults")), "the faults are not there"
