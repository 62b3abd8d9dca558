#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""http_client.py PEER SERVER [ARGS...]: starts the server, which prints its port, keeps it busy by
wrk with 50 connections for three seconds, and prints wall ns and the server's CPU ns a request: the
user part (8), and all of it (8t). Instead of a server, "nginx" is one that returns a fixed text."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

SECONDS = 3
CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
  server {
    listen 127.0.0.1:PORT;
    location / { default_type "text/plain; charset=utf-8"; return 200 "Hello, World!"; }
  }
}
"""


def nginx(where):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    (pathlib.Path(where) / "nginx.conf").write_text(CONFIG.replace("PORT", str(port)))
    return port, subprocess.Popen([shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-p", where,
                                   "-c", "nginx.conf"], stderr=subprocess.DEVNULL)


def used(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK"), int(fields[12]) / os.sysconf("SC_CLK_TCK")


def wrk(port, seconds):
    text = subprocess.run(["wrk", "-t1", "-c50", f"-d{seconds}s", f"http://127.0.0.1:{port}/"], check=True,
                          capture_output=True, text=True).stdout
    requests, spent = re.search(r"(\d+) requests in ([\d.]+)s", text).groups()
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    return int(requests), float(spent)


name, *command = sys.argv[1:]
with tempfile.TemporaryDirectory() as tmp:
    if command == ["nginx"]:
        port, server = nginx(tmp)
    else:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        port = int(server.stdout.readline())
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert server.poll() is None, f"{name} has ended"
        wrk(port, 1)
        before = used(server.pid)
        requests, spent = wrk(port, SECONDS)
        after = used(server.pid)
    finally:
        server.kill()
        server.wait()
user, system = (1e9 * (a - b) / requests for a, b in zip(after, before))
wall = 1e9 * spent / requests
print(f"8\t{name}\t{wall:.1f}\t{user:.1f}\n8t\t{name}\t{wall:.1f}\t{user + system:.1f}")
