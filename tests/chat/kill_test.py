#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Nothing acknowledged is lost: kill_test.py CHAT_SERVER [ROUNDS]. People talk, the server is killed
(-9), and what any of them has seen is in the history of the next one."""
import os
import random
import sqlite3
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(__file__))
from support import LIMIT, Person, Server

PEOPLE = 10
program = sys.argv[1]
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 10


def talk(person, number, seen, progress):
    try:
        for i in range(100000):
            line = f"round {number} line {i}"
            person.say(line)
            while True:
                heard = person.file.readline()
                if not heard.endswith("\n"):
                    return
                if not heard.startswith("*"):
                    seen.append(heard[:-1])
                    progress.release()
                if heard == f"{person.nick}: {line}\n":
                    break
    except OSError:
        pass


with tempfile.TemporaryDirectory() as folder:
    history = os.path.join(folder, "chat.db")
    seen = []
    for number in range(rounds):
        server = Server(program, history)
        people = [Person(server.tcp, f"p{i}") for i in range(PEOPLE)]
        logs = [[] for _ in people]
        progress = threading.Semaphore(0)
        threads = [threading.Thread(target=talk, args=(p, number, log, progress))
                   for p, log in zip(people, logs)]
        for t in threads:
            t.start()
        for _ in range(2 * PEOPLE * PEOPLE + random.randrange(3000)):  # in the middle of it
            assert progress.acquire(timeout=LIMIT), "nobody hears anything any more"
        server.kill()
        for t in threads:
            t.join()
        now = set().union(*logs)
        assert len(now) > PEOPLE, f"only {len(now)} lines"
        assert not any(line.endswith("(not kept)") for line in now), "the history was in trouble"
        seen.append(now)
        server = Server(program, history)  # after the crash, it can be read, and shows
        last = Person(server.tcp, "late")
        last.say("/who")
        last.hear("in lobby: late")
        server.end()
        rows = sqlite3.connect(history).execute("SELECT id, nick, text FROM chat_lines ORDER BY id").fetchall()
        kept = [f"{nick}: {text}" for _, nick, text in rows]
        assert len(set(kept)) == len(kept), "a line is there twice"
        for earlier, lines in enumerate(seen):
            lost = lines - set(kept)
            assert not lost, f"seen in round {earlier}, and lost: {sorted(lost)[:5]}"
        place = {line: i for i, line in enumerate(kept)}
        for log in logs:  # one order for all
            places = [place[line] for line in log]
            assert places == sorted(places), "somebody has heard another order"
    print(f"{rounds} kills, {sum(map(len, seen))} lines seen, all kept; {len(kept)} in the history")
