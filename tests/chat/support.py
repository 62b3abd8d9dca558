# SPDX-License-Identifier: BSD-3-Clause
"""A chat server as a process, and people who talk to it by lines of text."""
import re
import signal
import socket
import subprocess

LIMIT = 30  # seconds, for what should happen at once


class Server:
    def __init__(self, program, history, web_port=0):
        self.process = subprocess.Popen([program, history, str(web_port)], text=True,
                                        stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        self.tcp, self.web = map(int, re.fullmatch(r"tcp (\d+) web (\d+)\n", line).groups())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(LIMIT) == 130, self.process.returncode


class Person:
    def __init__(self, port, nick):
        self.nick = nick
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.file = self.socket.makefile("r", encoding="utf-8", newline="\n")
        self.say(nick)
        self.hear("you are in lobby")

    def say(self, line):
        self.socket.sendall((line + "\n").encode())

    def hear(self, part):
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError(f"{part!r} was not heard")
            if part in line:
                return line.rstrip("\n")
