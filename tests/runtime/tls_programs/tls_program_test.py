#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Has `openssl s_client`, `openssl s_server` and `curl` talk to ours: tls_program_test.py PROGRAM CASE."""
import contextlib
import faulthandler
import os
import re
import signal
import subprocess
import sys
import tempfile

LIMIT = 55  # seconds, for everything that should happen at once; sanitizers are slow
program = os.path.abspath(sys.argv[1])
folder = tempfile.TemporaryDirectory()


def file(name):
    return os.path.join(folder.name, name)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, cwd=folder.name, capture_output=True)


EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def certificates():
    """ca, server (for localhost) and client."""
    openssl("req", "-x509", *EC, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=authority")
    for name in ("server", "client"):
        openssl("req", "-new", *EC, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        with open(file("ext"), "w", encoding="utf-8") as f:
            f.write("subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "30", "-extfile", "ext", "-out", f"{name}.crt")


class Process:
    def __init__(self, *args):
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, bufsize=0, cwd=folder.name)
        self.said = ""

    def until(self, part, times=1):
        while self.said.count(part) < times:
            data = os.read(self.process.stdout.fileno(), 65536).decode()
            assert data, f"{part!r} was not said: {self.said}"
            self.said += data
        return self

    def say(self, text):
        self.process.stdin.write(text.encode())
        return self

    def ends(self):
        text, _ = self.process.communicate(timeout=LIMIT)
        self.said += text.decode()
        return self.process.returncode


class Server(Process):
    def __init__(self, *args):
        super().__init__(program, *args)
        self.until("\n")
        self.port = int(self.said)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        assert self.ends() == 130, self.said
        assert "Sanitizer" not in self.said, self.said


def echo_server(*args):
    certificates()
    return Server("echo", "server.crt", "server.key", *args)


def s_client(server, *args):
    return Process("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", "ca.crt",
                   "-verify_return_error", "-servername", "localhost", "-verify_hostname", "localhost", *args)


def s_client_shakes_hands_and_hears_an_echo():
    server = echo_server()
    for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        client = s_client(server, version).until("Verify return code: 0 (ok)").say("some text\n")
        client.until("some text\n").say("Q\n")
        assert client.ends() == 0
        server.until(f"hello {name} alpn= reused=0 name=localhost from=nobody")
    server.until("clean end", 2)
    server.end()


def s_client_resumes():
    server = echo_server()
    for version in ("-tls1_2", "-tls1_3"):
        client = s_client(server, version, "-sess_out", "session").until("Verify return code")
        client.say("some text\n").until("some text\n").say("Q\n")
        assert client.ends() == 0
        client = s_client(server, version, "-sess_in", "session").until("Reused, ")
        client.say("some text\n").until("some text\n").say("Q\n")
        assert client.ends() == 0
    server.until("reused=1", 2)
    server.end()


def s_client_updates_keys():
    """TLS 1.3's KeyUpdate, alone and with a request for ours."""
    server = echo_server()
    client = s_client(server, "-tls1_3").until("Verify return code")
    for i in range(3):
        client.say("K\n").until("KEYUPDATE", 2 * i + 1).say(f"asked for {i}\n").until(f"asked for {i}\n")
        client.say("k\n").until("KEYUPDATE", 2 * i + 2).say(f"told {i}\n").until(f"told {i}\n")
    client.say("Q\n")
    assert client.ends() == 0
    server.until("clean end").end()


def s_client_cannot_renegotiate():
    server = echo_server()
    client = s_client(server, "-tls1_2").until("Verify return code")
    client.say("before\n").until("before\n").say("R\n").until("RENEGOTIATING")
    with contextlib.suppress(BrokenPipeError):  # it may have heard of it and ended
        client.say("after\n")
    client.ends()
    assert "no renegotiation" in client.said, client.said
    client = s_client(server).until("Verify return code").say("alive\n").until("alive\n").say("Q\n")
    assert client.ends() == 0
    server.end()


def s_client_shows_its_certificate():
    server = echo_server("ca.crt")
    client = s_client(server, "-cert", "client.crt", "-key", "client.key").until("Verify return code")
    client.say("some text\n").until("some text\n").say("Q\n")
    assert client.ends() == 0
    server.until("from=CN=client")
    client = s_client(server).until("certificate required")
    assert client.ends() != 0, client.said
    server.until("failure: cannot do the TLS handshake with 127.0.0.1:").until("has shown no certificate")
    server.end()


def s_client_agrees_on_a_protocol():
    server = echo_server("", "h2", "http/1.1")
    client = s_client(server, "-alpn", "http/1.1,h2").until("ALPN protocol: h2").until("Verify return code")
    client.say("Q\n")
    assert client.ends() == 0
    client = s_client(server, "-alpn", "smtp")
    assert client.ends() != 0 and "no application protocol" in client.said, client.said
    server.until("no application protocol that both sides speak")
    server.end()


def s_client_is_refused_what_is_old_or_weak():
    server = echo_server()
    for args in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                 ("-tls1_2", "-cipher", "AES128-SHA"), ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"),
                 ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0")):
        client = s_client(server, *args)
        assert client.ends() != 0, client.said
    server.until("failure: ", 5).end()


def curl_fetches():
    certificates()
    server = Server("http", "server.crt", "server.key", "", "http/1.1")
    url = f"https://localhost:{server.port}/"
    curl = ["curl", "-sS", "--noproxy", "*", "--max-time", str(LIMIT), "--cacert", file("ca.crt")]
    for args in ([], ["--tls-max", "1.2"], ["--tlsv1.3"], ["--http1.1"]):
        for size in (0, 5, 3_000_000):
            out = subprocess.run([*curl, *args, url + str(size)], capture_output=True, timeout=LIMIT, check=False)
            assert out.returncode == 0 and out.stdout == b"x" * size, (args, size, out.stderr)
    # many on one connection
    out = subprocess.run([*curl, "-w", "%{num_connects} ", url + "10", url + "20", url + "30"],
                         capture_output=True, timeout=LIMIT, check=False)
    assert re.sub(b"x", b"", out.stdout) == b"1 0 0 ", out
    # who does not know our authority, or takes us for somebody else
    out = subprocess.run(["curl", "-sS", "--noproxy", "*", url], capture_output=True, timeout=LIMIT, check=False)
    assert out.returncode == 60, out
    out = subprocess.run([*curl, "--connect-to", "::127.0.0.1:", f"https://other.example:{server.port}/1"],
                         capture_output=True, timeout=LIMIT, check=False)
    assert out.returncode == 60, out
    server.end()


class OpensslServer(Process):
    """openssl s_server."""

    def __init__(self, *args):
        certificates()
        super().__init__("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "server.crt", "-key",
                         "server.key", *args)
        self.until("ACCEPT")
        self.port = int(re.search(r"ACCEPT 127\.0\.0\.1:(\d+)", self.said).group(1))

    def kill(self):
        self.process.kill()
        self.process.wait()


def client(port, host, times, *more):
    p = Process(program, "client", str(port), "ca.crt", host, str(times), *more)
    code = p.ends()
    assert "Sanitizer" not in p.said, p.said
    return code, p.said


def client_talks_to_s_server_and_resumes():
    for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        server = OpensslServer(version, "-rev", "-alpn", "h2,smtp")
        code, said = client(server.port, "localhost", 3, "", "", "http/1.1", "h2")
        assert code == 0, said
        assert said == (f"hello {name} alpn=h2 reused=0 verified=1\nheard gnip\n"
                        + 2 * f"hello {name} alpn=h2 reused=1 verified=1\nheard gnip\n"), said
        server.kill()


def client_shows_its_certificate_to_s_server():
    server = OpensslServer("-rev", "-Verify", "1", "-CAfile", "ca.crt", "-verify_return_error")
    code, said = client(server.port, "localhost", 1, "client.crt", "client.key")
    assert code == 0 and "heard gnip" in said, said
    code, said = client(server.port, "localhost", 1)
    assert code == 1 and "the other side wants a certificate" in said, said
    server.kill()


def client_refuses_the_wrong_host():
    server = OpensslServer("-rev")
    code, said = client(server.port, "other.example", 1)
    assert code == 1 and "its certificate is for localhost, 127.0.0.1, not other.example" in said, said
    server.kill()


def client_follows_the_server_s_key_updates():
    server = OpensslServer("-tls1_3", "-msg")
    ours = Process(program, "client", str(server.port), "ca.crt", "localhost", "1")
    server.until("ping")
    sent = ">>> TLS 1.3, Handshake [length 0005], KeyUpdate"
    for i in range(3):
        server.say("K\n").until(sent, 2 * i + 1).say(f"asked for {i}\n")
        ours.until(f"heard asked for {i}\n")
        server.say("k\n").until(sent, 2 * i + 2).say(f"told {i}\n")
        ours.until(f"heard told {i}\n")
    server.say("Q\n")  # closes its socket without a goodbye
    assert ours.ends() == 1 and "the connection was cut" in ours.said, ours.said
    server.kill()


def p20_client_sees_that_s_server_was_killed():
    server = OpensslServer("-tls1_3")
    ours = Process(program, "client", str(server.port), "ca.crt", "localhost", "1")
    server.until("ping").say("half of it\n")
    ours.until("heard half of it\n")
    server.kill()
    assert ours.ends() == 1, ours.said
    assert re.search("the connection was cut|Connection reset", ours.said), ours.said


# a wait in vain says where
faulthandler.dump_traceback_later(LIMIT, exit=True)
globals()[sys.argv[2]]()
