#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a program that uses troupe::main: program_test.py PROGRAM CASE."""
import fcntl
import os
import pathlib
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import tty

LIMIT = 60  # seconds, for everything that should happen at once; sanitizers are slow

# tsan holds a signal back that comes while its thread goes to sleep, until that wakes
SIGNALS_MAY_BE_HELD_BACK = b"__tsan_init" in pathlib.Path(sys.argv[1]).read_bytes()


class Program:
    def __init__(self, *args):
        self.process = subprocess.Popen([sys.argv[1], *args], text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.woken_by = None

    def ready(self):
        """Waits until it says so."""
        line = self.process.stdout.readline()
        assert line == "ready\n", (line, self.process.stderr.read())
        return self

    def signal(self, number):
        if self.woken_by:
            self.woken_by.cancel()
        self.process.send_signal(number)
        if SIGNALS_MAY_BE_HELD_BACK:
            self.woken_by = threading.Timer(5, self.wake)
            self.woken_by.daemon = True
            self.woken_by.start()
        return self

    def wake(self):
        """What was stopped looks for signals when it goes on."""
        self.process.send_signal(signal.SIGSTOP)
        self.process.send_signal(signal.SIGCONT)

    def stderr_until(self, part):
        said = ""
        while part not in said:
            line = self.process.stderr.readline()
            assert line, f"{part!r} was not said: {said}"
            said += line
        return said

    def ends(self, code):
        out, err = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == code, (self.process.returncode, out, err)
        return out, err


def has(text, *parts):
    for part in parts:
        assert part in text, f"{part!r} is missing in:\n{text}"


def exit_code_is_0_at_the_end():
    out, err = Program("nothing").ends(0)
    assert out == err == "", (out, err)


def exit_code_is_the_value_of_the_root():
    Program("arguments", "x", "y").ends(4)  # with the program's name


def exit_code_is_1_after_a_failure_which_is_written():
    out, err = Program("fail").ends(1)
    has(err, "no luck", "runtime_error")


def several_failures_are_written_as_a_tree():
    out, err = Program("two_failures").ends(1)
    has(err, "failed in 2 tasks", "|-- 'left' failed: out of paper", "`-- 'right' failed: out of ink")


def bad_arguments_exit_with_2():
    for args in (["--loops"], ["--loops", "0"], ["--loops", "x"], ["--loops=3x"], ["--loops=-1"],
                 ["--loops", "1025"], ["--shutdown-limit"], ["--shutdown-limit", "soon"],
                 ["--shutdown-limit=0"], ["--shutdown-limit=-1"], ["--shutdown-limit=nan"]):
        out, err = Program("arguments", *args).ends(2)
        has(err, args[0].split("=")[0])
        assert out == "", out


def arguments_of_the_runtime_are_taken_out():
    out, _ = Program("arguments", "--loops", "1", "a", "--debug", "--shutdown-limit=none", "--loops=2",
                     "--", "--debug", "b").ends(5)
    assert out.splitlines()[2:] == ["argument a", "argument --debug", "argument b"], out


def as_many_loops_as_asked_for():
    for n in (1, 3):
        out, _ = Program("loops", "--loops", str(n)).ends(0)
        assert out == f"loops: {n}\n", out


def debug_names_the_task_that_holds_its_loop():
    _, err = Program("slow_step", "--debug").ends(0)
    has(err, "task 'hog' held its loop for ")
    assert err.count("'hog' held its loop") == 1, err
    assert err.count("'hog' has held its loop") <= 1, err  # the watchdog may be late
    _, err = Program("slow_step").ends(0)
    assert err == "", err


def debug_names_the_task_that_never_lets_go_of_its_loop():
    p = Program("holds_the_first_loop", "--debug")
    p.stderr_until("' has held its loop for ")
    p.process.kill()
    p.process.communicate()


def p09_a_signal_cancels_the_root_and_waits_for_its_clean_up():
    for number, code, name in ((signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM")):
        out, err = Program("tidy").ready().signal(number).ends(code)
        assert out == f"cleaned up, signal: {name}\n", out
        assert err == "", err


def a_root_that_ends_well_after_a_signal_has_the_code_of_the_signal():
    Program("unimpressed").ready().signal(signal.SIGTERM).ends(143)


def a_second_signal_exits_at_once():
    p = Program("stubborn").ready().signal(signal.SIGINT)
    # two of a kind that are pending at once are one: ask for something in between
    p.signal(signal.SIGQUIT).stderr_until("refuses")
    p.signal(signal.SIGINT).ends(130)
    p = Program("stubborn").ready().signal(signal.SIGINT)
    p.signal(signal.SIGQUIT).stderr_until("refuses")
    p.signal(signal.SIGTERM).ends(143)


def p21_a_task_that_refuses_to_end_is_named_and_the_exit_code_is_1():
    for args in (["stubborn", "--shutdown-limit", "0.2"], ["short_limit"]):
        _, err = Program(*args).ready().signal(signal.SIGTERM).ends(1)
        has(err, "SIGTERM has not ended the program within its limit", "refuses: waiting for sleep",
            "cancelled: signal: SIGTERM")


def p21_a_task_that_holds_its_loop_cannot_keep_the_program_from_ending():
    _, err = Program("holds_the_first_loop", "--loops=2", "--shutdown-limit", "0.2").ready().signal(
        signal.SIGTERM).ends(1)
    has(err, "SIGTERM has not ended the program", "loop 0: busy, no answer", "loop 1")
    p = Program("holds_the_first_loop").ready().signal(signal.SIGTERM)
    p.signal(signal.SIGQUIT).stderr_until("busy")
    p.signal(signal.SIGTERM).ends(143)


def p27_sigquit_writes_the_task_tree_and_the_program_goes_on():
    p = Program("family").ready()
    for _ in range(2):
        said = p.signal(signal.SIGQUIT).stderr_until("listener")
        has(said, "loop 0", "sleeper: waiting for sleep (3")
    p.signal(signal.SIGTERM).ends(143)

def standard_streams_may_be_pipes():
    much = b"x" * 3_000_000 + b"end"
    done = subprocess.run([sys.argv[1], "cat"], input=much, capture_output=True, timeout=LIMIT)
    assert done.returncode == 0 and done.stdout == much and done.stderr == b"", done.stderr


def standard_streams_may_be_files():
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as sink:
        source.write(b"before" + b"y" * 100_000)
        sink.write(b"kept ")
        source.seek(6)
        sink.flush()
        done = subprocess.run([sys.argv[1], "cat"], stdin=source, stdout=sink, timeout=LIMIT)
        assert done.returncode == 0
        sink.seek(0)
        assert sink.read() == b"kept " + b"y" * 100_000


def standard_streams_may_be_sockets():
    ours, theirs = socket.socketpair()
    with subprocess.Popen([sys.argv[1], "cat"], stdin=theirs, stdout=theirs) as p:
        theirs.close()
        ours.sendall(b"hello")
        assert ours.recv(100) == b"hello"
        ours.shutdown(socket.SHUT_WR)
        assert p.wait(LIMIT) == 0


def standard_streams_may_be_a_terminal():
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with subprocess.Popen([sys.argv[1], "cat"], stdin=theirs, stdout=theirs) as p:
        # others share the terminal: it stays as it was
        os.write(ours, b"hello")
        assert os.read(ours, 100) == b"hello"
        assert not fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK
        os.close(theirs)
        os.close(ours)
        assert p.wait(LIMIT) in (0, 1, -signal.SIGHUP)


def reader_that_has_gone_is_an_error_and_no_signal():
    p = subprocess.Popen([sys.argv[1], "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    p.stdout.close()
    try:
        p.stdin.write(b"x" * 1_000_000)
        p.stdin.close()
    except BrokenPipeError:
        pass
    assert p.wait(LIMIT) == 1
    has(p.stderr.read().decode(), "cannot write to standard output: Broken pipe")


def sockets_that_were_opened_before_are_served():
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

    def hand_over():  # as systemd does
        for number, s in enumerate(listening):
            os.dup2(s.fileno(), 10 + number)
        for number in range(2):
            os.dup2(10 + number, 3 + number)

    environment = {**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin"}
    # the pid is only known in the child: sh sets it
    command = ["sh", "-c", 'LISTEN_PID=$$ exec "$0" activated', sys.argv[1]]
    with subprocess.Popen(command, env=environment, close_fds=False, preexec_fn=hand_over) as p:
        for s, name in zip(listening, ("web", "admin")):
            with socket.create_connection(s.getsockname(), timeout=LIMIT) as client:
                assert client.makefile().readline() == name + "\n"
        assert p.wait(LIMIT) == 0


globals()[sys.argv[2]]()
