#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a demo and talks to it: demo_test.py DIRECTORY_OF_DEMOS CASE."""
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

LIMIT = 20  # seconds, for everything that should happen at once
where = sys.argv[1]


def program(name, *args, **more):
    return subprocess.Popen([os.path.join(where, name), *map(str, args)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


def output(name, *args):
    p = program(name, *args)
    text, _ = p.communicate(timeout=LIMIT)
    assert p.returncode == 0, (p.returncode, text)
    return text


def in_order(text, *parts):
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is missing, or not in its place, in:\n{text}"
        at = found + len(part)


class Server:
    """A demo that listens: the port is taken from what it says."""

    def __init__(self, name, *args, ports=1, **more):
        self.process = program(name, *args, **more)
        self.said = ""
        self.ports = []
        while len(self.ports) < ports:
            line = self.process.stdout.readline()
            assert line, f"{name} has ended: {self.said}"
            self.said += line
            self.ports += map(int, re.findall(r"(?:127\.0\.0\.1:|nc localhost )(\d+)", line))

    def until(self, part):
        while part not in self.said:
            line = self.process.stdout.readline()
            assert line, f"{part!r} was not said: {self.said}"
            self.said += line

    def end(self):
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        text, _ = self.process.communicate(timeout=LIMIT)
        self.said += text
        assert self.process.returncode == 130, (self.process.returncode, self.said)
        assert "failed" not in re.sub(r"chat: room: .*", "", self.said), self.said


class Client:
    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(LIMIT)
        self.socket.connect(("127.0.0.1", port))
        self.got = b""

    def say(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else (data + "\n").encode())
        return self

    def hear(self, part):
        """Reads up to `part`, and gives what came before it."""
        part = part.encode()
        while part not in self.got:
            data = self.socket.recv(65536)
            assert data, f"{part!r} was not heard: {self.got!r}"
            self.got += data
        before, _, self.got = self.got.partition(part)
        return before

    def hear_end(self):
        while data := self.socket.recv(65536):
            self.got += data
        return self.got

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def join(port, nick):
    client = Client(port).say(nick)
    client.hear("you are in lobby")
    return client


def trio_tutorial():
    text = output("trio_tutorial")
    in_order(text, "waiting for children", "child1: started", "exiting!", "parent: all done!")
    assert text.count("exiting!") == 2


def timeouts():
    in_order(output("timeouts"), "no answer", "42", "'asking for the answer'", "outer goes on",
             "five steps done")


def cancellation_and_cleanup():
    text = output("cancellation_and_cleanup")
    in_order(text, "connected", "clean-up: requested: enough", "closed localhost", "destructor",
             "the handle says", "parent: done")
    assert "never printed" not in text


def async_file():
    in_order(output("async_file"), "3 files written side by side", "'number' stands 3000 times",
             "an open file still says: colour = blue", "a new one says: colour = green",
             "not found: cannot open, No such file or directory",
             "cannot write /dev/full: No space left on device", "the directory is gone")
    # wc is not ours
    counted = sum(int(line.split()[0]) for line in output("async_file", __file__).splitlines())
    assert counted == int(subprocess.run(["wc", "-w", __file__], capture_output=True, text=True,
                                         env={"LC_ALL": "C"}).stdout.split()[0]), counted


def blocking_calls():
    text = output("blocking_calls")
    in_order(text, "tick", "default pool: 42", "tick", "own pool: 4 calls on 2 threads, two at a time",
             "cpu pool: 9592 primes", "downloaded 0 %", "download stopped", "no answer, and not waited for")


def gather():
    in_order(output("gather"), "[2, 4]", "'a large sum'", "no result",
             "gather_settled: 3, and a failure: 1")


def wait_and_as_completed():
    in_order(output("wait_and_as_completed"), "1 done, 2 pending", "as_completed: 50",
             "as_completed: 150", "as_completed: 250", "1 pending")


def web_requests():
    text = output("web_requests")
    in_order(text, "gather: 200 200 404 200", "/delay/90: 200", "wait: ", " 0 pending",
             "too slow: GET http://127.0.0.1:", "no response within 10 ms", "13 requests, 4 connections")
    assert text.count("as_completed: ") == 4 and "/status/404: 404" in text, text
    in_order(text, "/delay/30: 200", "/delay/90: 200")


def wsgi_server():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "hello.py"), "w") as f:
            f.write("def app(environ, start_response):\n"
                    "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
                    "    return [b'you asked for ' + environ['PATH_INFO'].encode()]\n")
        server = Server("wsgi_server", 0, "hello:app", cwd=folder)
        client = Client(server.ports[0])
        client.say(b"GET /here HTTP/1.1\r\nHost: x\r\n\r\n").hear("you asked for /here")
        server.end()


def async_generators():
    text = output("async_generators")
    in_order(text, "connected", "Asia", "disconnected", "all read", "leaving early",
             "disconnected", "done")


def queue():
    text = output("queue")
    in_order(text, "got apples 1", "got apples 3", "consumer: 8 items")
    in_order(text, "got pears 1", "got pears 5")


def worker_pool():
    text = output("worker_pool")
    assert all(f"job {i}: done" in text for i in range(1, 21) if i != 13), text
    in_order(text, "job 13: an unlucky number", "dead letter: job 13: an unlucky number",
             "19 jobs done by 3 workers, 2 failed, 2 tried again, 1 worker lost")
    assert "job 7: done at attempt 3" in text and "job 17: done at attempt 2" in text, text


def supervision_tree():
    text = output("supervision_tree")
    in_order(text, "The tree:", "shop/till: runs", "kitchen/cook: runs",
             "chaos hits shop/till", "shop: child 'till' has failed: hit",
             "shop: child 'till' has started again (1)",
             "chaos hits kitchen/oven", "kitchen: child 'oven' has failed: hit",
             "kitchen: child 'cook' was stopped", "kitchen: child 'cook' has started again (1)",
             "chaos hits shop/door", "chaos hits shop/door",
             "shop: child 'door' would be restarted too often: giving up",
             "root: child 'shop' has failed", "root: child 'shop' has started again (1)",
             "The tree has healed:", "shop, restarted 1 times", "shop/door: runs", "kitchen/oven: runs",
             "closed")
    assert "does not run" not in text


def picture(path):
    """What a demo has drawn: the names of its tracks by group, and what is on them by both."""
    with open(path, encoding="utf-8") as f:
        events = json.load(f)["traceEvents"]
    groups = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    rows = {e["tid"]: (groups[e["pid"]], e["args"]["name"]) for e in events
            if e["name"] == "thread_name"}
    drawn = [e for e in events if e["ph"] != "M"]
    assert [e["ts"] for e in drawn] == sorted(e["ts"] for e in drawn)
    on = {}
    for e in drawn:
        on.setdefault(rows[e["tid"]], []).append(e)
    return on


def supervision_faults():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hour.json")
        text = output("supervision_faults", 1, path)
        on = picture(path)
    in_order(text, "00:00:00.000  ", "has started", "has failed", "has started again", "01:00:00.000  closed: ",
             "steps, hash ")
    for why in ("out of paper", "burnt", "cut a finger"):
        assert why in text, text
    said = re.findall(r"^(\d\d:\d\d:\d\d\.\d\d\d)  ", text, re.M)
    assert len(said) > 20 and said == sorted(said), said
    assert text == output("supervision_faults", 1), "the same seed, another hour"
    assert text != output("supervision_faults", 2), "another seed, the same hour"
    assert len([e for e in on["loop 0", "till"] if "#" in e["name"]]) > 1, "the till had one life"
    assert any("out of paper" in e["name"] or "till" in e["name"] for e in on["simulation", "faults"])


def chat_day():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "day.json")
        text = output("chat_day", 1, 30, path)
        on = picture(path)
    lines, people = map(int, re.match(r"(\d+) lines were said by (\d+) people", text).groups())
    assert people == 30 and lines > 1000, text
    partitions, resets, again = map(int, re.search(
        r"(\d+) partitions, (\d+) resets, (\d+) attempts to connect again", text).groups())
    assert partitions > 20 and resets > 10 and again > 10, text
    assert "86400 s have taken " in text and "times as fast as life" in text, text
    tracks = [row for group, row in on if group == "people"]
    assert len(tracks) == 30 and "ann" in tracks, tracks
    assert sum(e["name"].startswith("line ") for row in tracks for e in on["people", row]) == lines
    assert any("cut off" in e["name"] for e in on["network", "faults"])
    assert max(e["args"]["value"] for e in on["network", "people online"]) > 10
    a_day = 24 * 3600 * 1e6
    assert all(0 <= e["ts"] <= a_day for es in on.values() for e in es)
    steps = lambda said: re.search(r"\d+ steps, hash .*", said)[0]
    assert steps(text) == steps(output("chat_day", 1, 30)), "the same seed, another day"
    assert steps(text) != steps(output("chat_day", 2, 30)), "another seed, the same day"


def unused_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connection_pool():
    server = Server("echo_server", 0)
    in_order(output("connection_pool", server.ports[0]), *(f"echo: coro_{i}\n" for i in range(5)),
             "3 connections were opened, and lent again 2 times")
    server.end()
    in_order(output("connection_pool", unused_port()), "Connection refused", "start an echo server")


def redis_pool():
    if shutil.which("redis-server"):
        in_order(output("redis_pool"), "1000 visits, counted over 3 connections",
                 "a hundred at once: the last one is 1100")
    in_order(output("redis_pool", f"redis://127.0.0.1:{unused_port()}"), "Connection refused")


def postgres_pool():
    in_order(output("postgres_pool", f"host=127.0.0.1 dbname=x user=x port={unused_port()}"),
             "Connection refused", "give the address of a server")
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not programs:
        return
    # it refuses to run as root
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    user = user if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        data = os.path.join(folder, "data")
        subprocess.run([*user, f"{programs[-1]}/initdb", "--no-sync", "-U", "demo", "-A", "trust",
                        "-D", data], check=True, stdout=subprocess.DEVNULL, cwd="/")
        server = subprocess.Popen([*user, f"{programs[-1]}/postgres", "-F", "-D", data, "-k", folder,
                                   "-h", ""], stderr=subprocess.PIPE, text=True, cwd="/",
                                  env={**os.environ, "LC_ALL": "C"})
        while "ready to accept connections" not in server.stderr.readline():
            assert server.poll() is None
        try:
            in_order(output("postgres_pool", f"host={folder} user=demo dbname=postgres"),
                     "account 0: ", "together: 400", "was cut off, in the server, too",
                     "and the connection goes on", "lent again")
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=LIMIT)


def processes():
    in_order(output("processes"), "sorted: cid is first",
             "has failed with exit code 3: out of paper",
             "not run: cannot run no-such-program: No such file or directory",
             "time is up: the stubborn one was killed", "you said: hello", "you said: goodbye",
             "20 at once: 50 bytes")


def process_pool():
    in_order(output("process_pool"), "33860 primes below 400000; the loop went on",
             "'division' has thrown std::domain_error in its worker process: nothing can be divided by 0",
             "has died of SIGABRT in 'bug'", "6 / 3 = 2")


def signals():
    p = program("signals")
    assert p.stdout.readline() == f"process {p.pid} listens\n"
    for number, said in ((signal.SIGHUP, "settings read again, 1 times now\n"),
                         (signal.SIGUSR1, "all is well\n"),
                         (signal.SIGHUP, "settings read again, 2 times now\n")):
        p.send_signal(number)
        assert p.stdout.readline() == said
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=LIMIT)
    assert p.returncode == 130, p.returncode


def graceful_shutdown():
    in_order(output("graceful_shutdown"), "stopping", "quick: has finished", "slow: cut off",
             "all ended")


def graceful_shutdown_signal():
    p = program("graceful_shutdown", "forever")
    p.stdout.readline()
    p.send_signal(signal.SIGTERM)
    text, _ = p.communicate(timeout=LIMIT)
    assert p.returncode == 143, (p.returncode, text)
    assert text.count("cut off, signal: SIGTERM") == 2, text


def echo():
    server = Server("echo_server", 0)
    in_order(output("echo_client", server.ports[0], 2), "sending", "got data async",
             "connection closed")
    Client(server.ports[0]).say("half a li").reset()
    data = bytes(range(256)) * 1000
    client = Client(server.ports[0])
    for _ in range(8):
        client.say(data)
        got = b""
        while len(got) < len(data):
            got += client.socket.recv(65536)
        assert got == data
    client.socket.shutdown(socket.SHUT_WR)
    assert client.hear_end() == b""
    server.end()


def echo_port_taken():
    server = Server("echo_server", 0)
    second = program("echo_server", server.ports[0])
    text, _ = second.communicate(timeout=LIMIT)
    assert second.returncode == 1
    assert f"cannot listen on 127.0.0.1:{server.ports[0]}: Address already in use" in text, text
    server.end()


def echo_out_of_descriptors():
    """More clients than descriptors: reported once, the first are served, the rest
    when others have left."""
    low = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
    server = Server("echo_server", 0, preexec_fn=low)
    clients = [Client(server.ports[0]) for _ in range(40)]
    clients[0].say("first").hear("first")
    server.until("Too many open files")
    before = cpu_time(server.process.pid)
    clients[1].say("second").hear("second")
    for c in clients[:30]:
        c.socket.close()
    clients[39].say("last").hear("last")
    assert cpu_time(server.process.pid) - before < 1.0
    for c in clients[30:]:
        c.socket.close()
    server.process.send_signal(signal.SIGINT)
    text, _ = server.process.communicate(timeout=LIMIT)
    assert server.process.returncode == 130
    assert (server.said + text).count("Too many open files") == 1, server.said + text


def cpu_time(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connections():
    server = Server("connections", 0)
    a, b = Client(server.ports[0]), Client(server.ports[0])
    a.say("list").hear(f"127.0.0.1:{a.socket.getsockname()[1]}")
    b.say("list").hear(f"127.0.0.1:{a.socket.getsockname()[1]}")
    b.say("hello").say("list").hear(f"127.0.0.1:{b.socket.getsockname()[1]}\n")
    a.hear(": hello")
    name = f"127.0.0.1:{a.socket.getsockname()[1]}"
    a.socket.close()
    server.until(f"{name} has left")
    assert name.encode() not in b.say("list").hear(f":{b.socket.getsockname()[1]}\n")
    server.end()


def chat():
    folder = tempfile.TemporaryDirectory()
    server = Server("chat", 0, os.path.join(folder.name, "chat.db"))
    port = server.ports[0]
    bob = join(port, "bob")
    bob.say("hello, is anybody there?").say("/who").hear("in lobby: bob\n")
    eve = Client(port).say("bob")
    eve.hear("bob is taken")
    eve.say("no blanks").hear("a nick name has")
    eve.say("eve")
    eve.hear("bob: hello, is anybody there?\n")  # history
    eve.hear("you are in lobby")
    bob.hear("eve has joined lobby")
    eve.say("/who").hear("in lobby: ")
    eve.say("hi \u00fc").say("/nonsense").hear("commands:")
    bob.hear("eve: hi \u00fc\n")
    eve.say("/join den").hear("you are in den")
    bob.hear("eve has left lobby")
    eve.say("secret").say("/who").hear("in den: eve\n")
    eve.say("/quit").hear("goodbye")
    assert eve.hear_end() == b"\n"
    server.until("eve has left\n")
    assert b"secret" not in bob.say("/who").hear("in lobby: bob\n")
    in_order(output("chat_client", port, "ann", "I am a program"), "you are in lobby", "goodbye")
    bob.hear("ann: I am a program\n")
    server.end()
    assert bob.hear_end().count(b"shutting down, goodbye") == 1


def chat_bad_input():
    folder = tempfile.TemporaryDirectory()
    server = Server("chat", 0, os.path.join(folder.name, "chat.db"))
    port = server.ports[0]
    bob = join(port, "bob")
    bad = join(port, "bad")
    bob.hear("bad has joined")
    bad.say(b"\xff\xfe broken\n").hear("it is not UTF-8")
    bad.say(b"\xed\xa0\x80 surrogate\n").hear("it is not UTF-8")
    bad.say(b"x" * 5_000_000 + b"\n").hear("more than 1000 bytes")
    bad.say("x" * 1000)
    bob.hear("bad: " + "x" * 1000 + "\n")
    bad.say("\x1b[31mred")
    bob.hear("bad: ?[31mred\n")
    bad.say(b"half a li").reset()
    bob.hear("bad has left lobby")
    for _ in range(50):
        Client(port).reset()  # before its name
        join(port, "bad").reset()
        bob.hear("bad has left lobby")
    bob.say("still here").say("/who").hear("in lobby: bob\n")
    server.end()


def chat_slow_client():
    """One that never reads is dropped, and nobody waits for it."""
    folder = tempfile.TemporaryDirectory()
    server = Server("chat", 0, os.path.join(folder.name, "chat.db"))
    port = server.ports[0]
    talkers = [join(port, f"bob{i}") for i in range(80)]
    ann = talkers[0]
    slow = Client(port, receive_buffer=4096).say("slow")
    ann.hear("slow has joined")
    line = "y" * 990
    for i in range(1000):  # each may say 20 lines at once, and then 10 a second
        for talker in talkers:
            talker.say(f"{i} {line}")
        for talker in talkers:
            talker.hear(f"bob79: {i} ")
        if b"slow has left" in ann.say("/who").hear("in lobby:"):
            break
    else:
        raise AssertionError("the slow client was never dropped")
    server.until("slow was too slow")
    slow.socket.close()
    server.end()


def services():
    folder = tempfile.TemporaryDirectory()
    history = os.path.join(folder.name, "chat.db")
    server = Server("services", 0, 0, 0, 0, history, ports=2)
    server.until("Ctrl-C ends")
    chat_port, echo_port = server.ports
    web_port, = map(int, re.findall(r"http://localhost:(\d+)/", server.said))
    tls_port, = map(int, re.findall(r"-connect localhost:(\d+)", server.said))
    bob = join(chat_port, "bob")
    server.until("chat: bob has joined lobby")
    Client(echo_port).say("echo?").hear("echo?")
    page = Client(web_port).say(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert b"<title>Chat</title>" in page.hear_end()
    eve = subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", f"localhost:{tls_port}"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                           text=True)
    eve.stdin.write("eve\nover TLS\n")
    eve.stdin.flush()
    bob.hear("eve: over TLS")
    bob.say("crash!").hear("the room has crashed on it")
    bob.say("still there").hear("bob: still there")
    ann = join(chat_port, "ann")
    ann.socket.close()
    server.until("chat: ann has left")
    server.end()
    assert bob.hear_end().count(b"shutting down, goodbye") == 1
    assert eve.communicate(timeout=LIMIT)[0].count("the server is shutting down, goodbye") == 1
    assert "All clients are gone" in server.said
    server = Server("services", 0, 0, 0, 0, history, ports=2)  # history is still there
    assert b"eve: over TLS\nbob: still there\n" in Client(server.ports[0]).say("bob").hear("you are in")
    server.end()


class Certificate:
    """chat.crt and chat.key, for localhost, in a folder of their own."""

    def __init__(self, subject="/CN=localhost"):
        self.folder = tempfile.TemporaryDirectory()
        self.crt, self.key = (os.path.join(self.folder.name, n) for n in ("chat.crt", "chat.key"))
        subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-x509",
                        "-days", "365", "-out", self.crt, "-subj", subject], check=True,
                       stderr=subprocess.DEVNULL)


class SecureClient:
    """openssl s_client, with its input and output as Client has them."""

    def __init__(self, port, certificate, *args):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-verify_quiet", "-verify_return_error", "-connect",
             f"127.0.0.1:{port}", "-servername", "localhost", "-CAfile", certificate.crt, *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.got = b""

    def say(self, data):
        self.process.stdin.write(data if isinstance(data, bytes) else (data + "\n").encode())
        return self

    hear = Client.hear

    @property
    def socket(self):
        return self

    def recv(self, size):
        return os.read(self.process.stdout.fileno(), size)

    def hear_end(self):
        rest, errors = self.process.communicate(timeout=LIMIT)
        return self.got + rest


def netcat(port, text, *options):
    """What nc hears when it says `text` and ends its direction."""
    return subprocess.run(["nc", "-N", *options, "localhost", str(port)], input=text, text=True,
                          capture_output=True, timeout=LIMIT).stdout


def udp_echo():
    server = Server("udp_echo", 0)
    # nc does not know when a datagram was the last one
    said = subprocess.run(["nc", "-u", "-w", "1", "localhost", str(server.ports[0])], input="hello\n",
                          text=True, capture_output=True, timeout=LIMIT).stdout
    assert said == "hello\n", said
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(80)]
    for n, client in enumerate(clients):
        client.settimeout(LIMIT)
        client.sendto(f"from {n}".encode(), ("127.0.0.1", server.ports[0]))
    for n, client in enumerate(clients):
        assert client.recv(100) == f"from {n}".encode()
    clients[0].sendto(b"", ("127.0.0.1", server.ports[0]))
    assert clients[0].recv(100) == b""
    server.end()


def echo_services():
    certificate = Certificate()
    path = os.path.join(certificate.folder.name, "echo")
    server = Server("echo_services", 0, path, certificate.crt, certificate.key, ports=4)
    tcp, tls, udp, web = server.ports
    assert netcat(tcp, "hello\n") == "hello\n"
    client = SecureClient(tls, certificate).say("hello")
    client.hear("hello")
    client.process.kill()
    client.process.communicate()
    said = subprocess.run(["nc", "-u", "-w", "1", "127.0.0.1", str(udp)], input="hello\n", text=True,
                          capture_output=True, timeout=LIMIT).stdout
    assert said == "hello\n", said
    assert output("websocket_client", "hello", f"ws://localhost:{web}/") == "hello\n"
    said = subprocess.run(["nc", "-N", "-U", path], input="hello\n", text=True, capture_output=True,
                          timeout=LIMIT).stdout
    assert said == "hello\n", said
    server.end()
    in_order(server.said, "TCP: 1 connections, 1 messages, 6 bytes",
             "TLS: 1 connections, 1 messages, 6 bytes", "UDP: 0 connections, 1 messages, 6 bytes",
             "WebSocket: 1 connections, 1 messages, 5 bytes",
             "Unix: 1 connections, 1 messages, 6 bytes")


def reconnecting_client():
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    client = Server("reconnecting_client", port, ports=0)
    client.until("Connection refused; again in")
    listening.settimeout(LIMIT)
    listening.listen()
    first, _ = listening.accept()
    first.sendall(b"one\n")
    client.until("server: one")
    first.close()
    client.until("the stream has ended; again in")
    second, _ = listening.accept()
    second.sendall(b"two\n")
    client.until("server: two")
    second.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    second.close()
    client.until("Connection reset by peer; again in")
    # a server that restarts
    listening.close()
    client.until("Connection refused; again in")
    with subprocess.Popen(["nc", "-l", "127.0.0.1", str(port)], stdin=subprocess.PIPE, text=True) as nc:
        nc.stdin.write("three\nbye\n")
        nc.stdin.flush()
        text, _ = client.process.communicate(timeout=LIMIT)
        nc.kill()
    in_order(text, "server: three", "the server has said goodbye")
    assert client.process.returncode == 0


def closing_connections():
    in_order(output("closing_connections"), "close: the server says 'closing'", "close: the server has ended",
             "eof: the server says 'I have nothing more to say'", "eof: the server has ended",
             "server: the client went on with 11 bytes", "abort: read from has failed: connection reset",
             "leave: the server says 'how?'", "client's end: you have left", "after close: stream_closed")


def closing_connections_server():
    server = Server("closing_connections", 0)
    port = server.ports[0]
    assert netcat(port, "close\n") == "closing\n"
    assert netcat(port, "eof\nand more") == "I have nothing more to say\n"
    assert netcat(port, "") == "you have left\n"
    client = Client(port).say("abort")
    try:
        client.socket.recv(100)
        raise AssertionError("no reset")
    except ConnectionResetError:
        pass
    server.until("went on with 8 bytes")
    server.end()


def socket_errors():
    in_order(output("socket_errors"), "nobody listens: connection_refused", "no such name: name_not_found",
             "port is taken: address_in_use", "not my address: address_not_available",
             "peer has crashed: connection_reset", "peer has left: broken_pipe",
             "peer ends too early: incomplete_read_error; 'abc' of 10 bytes", "closed here: stream_closed",
             "peer is silent: timeout_error", "two readers: usage_error", "line has no end: limit_overrun",
             "datagram is too long: message_too_long", "as a value: Connection refused")


def protocol_echo():
    server = Server("protocol_echo", 0)
    port = server.ports[0]
    assert netcat(port, "hello\n") == "hello\n"
    one, two = Client(port), Client(port)
    one.say("1")
    two.say("2")
    two.hear("2\n")
    one.hear("1\n")
    one.say("bye")
    assert one.hear_end() == b"bye\n"
    two.reset()
    server.until("was lost: ")
    # one that sends and never reads
    deaf = Client(port)
    deaf.socket.setblocking(False)
    sent = 0
    try:
        while sent < 100_000_000:
            sent += deaf.socket.send(b"x" * 65536)
    except BlockingIOError:
        pass
    assert sent < 100_000_000
    Client(port).say("still there").hear("still there\n")
    deaf.reset()
    server.end()


def selector_loop():
    server = Server("selector_loop", 0)
    port = server.ports[0]
    assert netcat(port, "hello\n") == "hello\n"
    clients = [Client(port) for _ in range(10)]
    for n, client in enumerate(clients):
        client.say(f"from {n}")
    for n, client in reversed(list(enumerate(clients))):
        client.hear(f"from {n}\n")
    big = Client(port)
    big.say(b"x" * 50_000).hear("x" * 50_000)
    clients[0].reset()
    server.end()


def secure():
    certificate = Certificate()
    server = Server("secure_server", 0, certificate.crt, certificate.key)
    in_order(output("secure_client", server.ports[0], certificate.crt, "blah blah blah"), "Connecting...",
             "Connected to CN=localhost by TLSv1.3")
    server.until("received: blah blah blah")
    server.until("Client disconnected")
    for version in ("-tls1_2", "-tls1_3"):
        client = SecureClient(server.ports[0], certificate, version, "-no_ign_eof")
        client.say("from openssl " + version)
        server.until("received: from openssl " + version)
        client.process.communicate(b"Q\n", timeout=LIMIT)
    old = subprocess.run(["openssl", "s_client", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect",
                          f"127.0.0.1:{server.ports[0]}"], stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=LIMIT)
    assert old.returncode != 0, old.stdout
    server.process.send_signal(signal.SIGINT)
    text, _ = server.process.communicate(timeout=LIMIT)
    assert server.process.returncode == 130, text
    in_order(server.said + text, "Client connected from 127.0.0.1:", "TLSv1.3", "there is no version of TLS")


def curl(*args, **more):
    done = subprocess.run(["curl", "-sS", "--max-time", str(LIMIT), *map(str, args)], capture_output=True, **more)
    assert done.returncode == 0, done
    return done.stdout.decode()


def web_server():
    with tempfile.TemporaryDirectory() as tmp:
        file = os.path.join(tmp, "numbers.txt")
        with open(file, "w") as out:
            out.write("".join(f"{i}\n" for i in range(100000)))
        server = Server("web_server", 0, tmp)
        url = f"http://127.0.0.1:{server.ports[0]}"
        assert curl(url) == "<html><body><h3>Hello World</h3></body></html>"
        assert curl(f"{url}/hello/w%C3%B6rld") == "Hello, w\u00f6rld!\n"
        # one connection for all
        text = curl("-v", "--stderr", "-", f"{url}/hello/a", f"{url}/hello/b", "--head", f"{url}/hello/c")
        assert "Re-using existing connection" in text and text.count("Connected to") == 1, text
        in_order(curl("-i", f"{url}/nowhere"), "HTTP/1.1 404 Not Found", "Content-Length: 10")
        in_order(curl("-i", "-X", "DELETE", f"{url}/"), "405", "Allow: GET, HEAD")
        in_order(curl("-i", f"{url}/ticks?n=x"), "400", "n is a number up to 100")
        in_order(curl("-i", f"{url}/ticks?n=2"), "Transfer-Encoding: chunked", "tick 1\ntick 2\n")
        # a body that curl sends in chunks, one that waits to be asked for, and one that is large
        assert curl("-T", "-", f"{url}/count", input=b"x" * 3_000_000) == "3000000 bytes\n"
        assert curl("-H", "Expect: 100-continue", "--data-binary", f"@{file}", f"{url}/count") == \
            f"{os.path.getsize(file)} bytes\n"
        # files
        with open(file) as there:
            assert curl(f"{url}/files/numbers.txt") == there.read()
        in_order(curl("-i", "-r", "2-5", f"{url}/files/numbers.txt"), "206 Partial Content",
                 f"Content-Range: bytes 2-5/{os.path.getsize(file)}", "1\n2\n")
        part = os.path.join(tmp, "part")
        with open(part, "w") as out:
            out.write("0\n1\n")
        curl("-C", "-", "-o", part, f"{url}/files/numbers.txt")  # goes on where it has stopped
        with open(file) as there, open(part) as got:
            assert there.read() == got.read()
        etag = re.search(r'ETag: (".*")', curl("-I", f"{url}/files/numbers.txt"))[1]
        in_order(curl("-i", "-H", f"If-None-Match: {etag}", f"{url}/files/numbers.txt"), "304 Not Modified")
        for path in ("/files/../web_server", "/files/%2e%2e/%2e%2e/etc/passwd", "/files//etc/passwd"):
            in_order(curl("-i", "--path-as-is", url + path), "404 Not Found")
        # what is no HTTP
        for bad in ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "hello\r\n\r\n"):
            answer = Client(server.ports[0]).say(bad.encode()).hear_end()
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer
        assert curl(url), "it goes on"
        server.end()
        lines = [json.loads(line) for line in server.said.splitlines() if line.startswith("{")]
        assert [line["status"] for line in lines if line["target"] == "/nowhere"] == [404], lines
        assert all(line["user_agent"].startswith("curl/") for line in lines if line["status"] != 400), lines


def web_server_drains():
    server = Server("web_server", 0)
    idle = Client(server.ports[0])
    busy = Client(server.ports[0]).say(b"GET /ticks?n=10 HTTP/1.1\r\nHost: a\r\n\r\n")
    busy.hear("tick 1\n")
    server.process.send_signal(signal.SIGINT)
    assert idle.hear_end() == b""
    assert b"tick 10\n\r\n0\r\n\r\n" in busy.hear_end(), busy.got
    server.process.communicate(timeout=LIMIT)
    assert server.process.returncode == 130


def https_server():
    certificate = Certificate()
    server = Server("https_server", 0, certificate.crt, certificate.key)
    url = f"https://localhost:{server.ports[0]}/"
    assert curl("--cacert", certificate.crt, url) == "<html><h1>Hello SSL</h1></html>"
    text = curl("-v", "--http1.1", "--stderr", "-", "--cacert", certificate.crt, url, url)
    assert "Re-using existing connection" in text, text
    server.until("has come by TLSv1.3")
    refused = subprocess.run(["curl", "-sS", url], capture_output=True, text=True, timeout=LIMIT)
    assert refused.returncode == 60, refused  # whom it does not trust
    server.process.send_signal(signal.SIGINT)
    server.process.communicate(timeout=LIMIT)
    assert server.process.returncode == 130


def secure_bad_certificates():
    certificate, other = Certificate(), Certificate("/CN=somebody else")
    server = Server("secure_server", 0, certificate.crt, certificate.key)
    client = program("secure_client", server.ports[0], other.crt)
    text, _ = client.communicate(timeout=LIMIT)
    assert client.returncode == 1
    assert f"cannot trust 127.0.0.1:{server.ports[0]}: its certificate is self-signed" in text, text
    server.until("does not know who has issued our certificate")
    server.process.kill()
    server.process.wait()
    for crt, key, why in (
            (certificate.crt, other.key, f"cannot load the key {other.key}: it does not belong to the "
             f"certificate in {certificate.crt}"),
            ("none.crt", "none.key", "cannot load the certificate none.crt: No such file or directory")):
        failing = program("secure_server", 0, crt, key)
        text, _ = failing.communicate(timeout=LIMIT)
        assert failing.returncode == 1 and why in text, text


def tls_chat():
    certificate = Certificate()
    server = Server("tls_chat", 0, certificate.crt, certificate.key)
    bob = SecureClient(server.ports[0], certificate).say("bob")
    bob.hear("you are in lobby")
    eve = SecureClient(server.ports[0], certificate, "-tls1_2").say("eve")
    eve.hear("you are in lobby")
    bob.hear("eve has joined lobby")
    bob.say("hello \u00fc, in private")
    eve.hear("bob: hello \u00fc, in private\n")
    eve.say("/quit").hear("goodbye")
    eve.hear_end()
    bob.hear("eve has left lobby")
    server.end()
    assert bob.hear_end().count(b"shutting down, goodbye") == 1


def tls_chat_bad_clients():
    """In plain text, half a hand-shake, resets: nobody else notices."""
    certificate = Certificate()
    server = Server("tls_chat", 0, certificate.crt, certificate.key)
    bob = SecureClient(server.ports[0], certificate).say("bob")
    bob.hear("you are in lobby")
    slow = Client(server.ports[0]).say(b"\x16\x03\x01")  # and nothing more
    plain = Client(server.ports[0]).say("no TLS at all")
    assert plain.hear_end()[:2] == b"\x15\x03"  # an alert
    server.until("what came is not TLS")
    for _ in range(20):
        Client(server.ports[0]).reset()
        Client(server.ports[0]).say(b"\x16\x03\x01\x02\x00").reset()
    killed = SecureClient(server.ports[0], certificate).say("eve")
    bob.hear("eve has joined lobby")
    killed.process.kill()
    killed.process.wait()
    bob.hear("eve has left lobby")
    bob.say("/who").hear("in lobby: bob\n")
    slow.socket.close()
    server.process.send_signal(signal.SIGINT)
    text, _ = server.process.communicate(timeout=LIMIT)
    assert server.process.returncode == 130, text
    assert (server.said + text).count("failed") <= 1, server.said + text


globals()[sys.argv[2]]()
