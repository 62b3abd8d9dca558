#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs a program that uses troupe::main: program_test.py PROGRAM CASE."""
import signal
import subprocess
import sys

LIMIT = 60  # seconds, for everything that should happen at once; sanitizers are slow


class Program:
    def __init__(self, *args):
        self.process = subprocess.Popen([sys.argv[1], *args], text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def ready(self):
        """Waits until it says so."""
        line = self.process.stdout.readline()
        assert line == "ready\n", (line, self.process.stderr.read())
        return self

    def signal(self, number):
        self.process.send_signal(number)
        return self

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


globals()[sys.argv[2]]()
