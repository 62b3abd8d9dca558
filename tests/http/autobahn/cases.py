#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Autobahn's cases against an echo: groups 1 to 7, 9, 10, 12 and 13, after the
Autobahn|Testsuite's numbers, with Autobahn's own WebSockets as the peer.

    cases.py SERVER [GROUP ...]
    cases.py --client CLIENT [GROUP ...]

SERVER is a program that writes its port to stdout; CLIENT one that is given a URL and a number, and
connects so many times, one after the other. Each case is what is sent, and what has to come
back: messages, pongs, and the code the other side closes with.
"""
import asyncio
import signal
import struct
import subprocess
import sys

from autobahn.asyncio.websocket import (
    WebSocketClientFactory, WebSocketClientProtocol, WebSocketServerFactory, WebSocketServerProtocol)
from autobahn.websocket.compress import (
    PerMessageDeflateOffer, PerMessageDeflateOfferAccept, PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept)

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
ORDINARY = None  # the client closes, and is answered


def frame(opcode, payload=b"", fin=True, rsv=0, chop=None):
    return lambda c: c.sendFrame(opcode=opcode, payload=payload, fin=fin, rsv=rsv, chopsize=chop,
                                 sync=chop is not None)


def message(payload, binary=False, fragment=None):
    return lambda c: c.sendMessage(payload, isBinary=binary, fragmentSize=fragment)


def raw(first, length, data):
    """A frame by hand: its first byte, its length as it is written, and what is in it; a client
    masks it, with zeros."""
    def send(c):
        mask = b"" if c.factory.isServer else b"\x00" * 4
        c.sendData(bytes([first, length[0] | (0x80 if mask else 0)]) + length[1:] + mask + data)
    return send


def close_frame(code=None, reason=b""):
    return frame(CLOSE, (b"" if code is None else struct.pack("!H", code)) + reason)


class Case:
    """`send`: what to do; `expect`: the events; `closed`: codes the server may close with."""

    def __init__(self, number, send, expect=(), closed=ORDINARY, offer=None):
        self.number, self.send, self.expect = number, send, list(expect)
        self.closed, self.offer = closed, offer


def text(t):
    return ("message", t if isinstance(t, bytes) else t.encode(), False)


def binary(b):
    return ("message", b, True)


def pong(p=b""):
    return ("pong", p)


def group_1():
    for sub, is_binary in ((1, False), (2, True)):
        for i, size in enumerate((0, 125, 126, 127, 128, 65535, 65536, 65536)):
            data = (b"\xfe" if is_binary else b"*") * size
            send = frame(BINARY if is_binary else TEXT, data, chop=997 if i == 7 else None)
            yield Case(f"1.{sub}.{i + 1}", [send], [("message", data, is_binary)])


def group_2():
    yield Case("2.1", [frame(PING)], [pong()])
    yield Case("2.2", [frame(PING, b"Hello, world!")], [pong(b"Hello, world!")])
    yield Case("2.3", [frame(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")],
               [pong(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")])
    yield Case("2.4", [frame(PING, b"\xfe" * 125)], [pong(b"\xfe" * 125)])
    yield Case("2.5", [raw(0x89, b"\x7e\x00\x7e", b"\xfe" * 126)], closed={1002})
    yield Case("2.6", [frame(PING, b"\xfe" * 125, chop=1)], [pong(b"\xfe" * 125)])
    yield Case("2.7", [frame(PONG)])
    yield Case("2.8", [frame(PONG, b"unsolicited pong payload")])
    yield Case("2.9", [frame(PONG, b"unsolicited"), frame(PING, b"ping payload")],
               [pong(b"ping payload")])
    many = [b"payload-%d" % i for i in range(10)]
    yield Case("2.10", [frame(PING, p) for p in many], [pong(p) for p in many])
    yield Case("2.11", [frame(PING, p, chop=1) for p in many], [pong(p) for p in many])


def group_3():
    hello = frame(TEXT, b"Hello, world!")
    said = text("Hello, world!")
    # 4 is compression where that was agreed on: these cases do without
    yield Case("3.1", [frame(TEXT, b"Hello", rsv=1)], closed={1002})
    yield Case("3.2", [hello, frame(TEXT, b"Hello", rsv=2), frame(PING)], [said], {1002})
    yield Case("3.3", [hello, frame(TEXT, b"Hello", rsv=3), frame(PING)], [said], {1002})
    yield Case("3.4", [frame(TEXT, b"Hello", rsv=4, chop=1), frame(PING)], closed={1002})
    yield Case("3.5", [frame(BINARY, b"\xfe" * 8, rsv=5)], closed={1002})
    yield Case("3.6", [frame(PING, b"Hello", rsv=6)], closed={1002})
    yield Case("3.7", [frame(CLOSE, b"", rsv=7)], closed={1002})


def group_4():
    hello = frame(TEXT, b"Hello, world!")
    said = text("Hello, world!")
    for sub, opcodes in ((1, (3, 4, 5, 6, 7)), (2, (11, 12, 13, 14, 15))):
        for i, opcode in enumerate(opcodes):
            bad = frame(opcode, b"" if i in (0, 2) else b"reserved", chop=1 if i > 2 else None)
            if i < 2:
                yield Case(f"4.{sub}.{i + 1}", [bad], closed={1002})
            else:
                yield Case(f"4.{sub}.{i + 1}", [hello, bad, frame(PING)], [said], {1002})


def group_5():
    one, two = b"fragment1", b"fragment2"
    both = text(one + two)
    first, last = frame(TEXT, one, fin=False), frame(CONTINUATION, two)
    yield Case("5.1", [frame(PING, one, fin=False), last], closed={1002})
    yield Case("5.2", [frame(PONG, one, fin=False), last], closed={1002})
    yield Case("5.3", [first, last], [both])
    yield Case("5.4", [frame(TEXT, one, fin=False, chop=1), frame(CONTINUATION, two, chop=1)],
               [both])
    yield Case("5.5", [frame(TEXT, one, fin=False, chop=1), frame(CONTINUATION, two, chop=1)],
               [both])
    p = frame(PING, b"ping payload")
    yield Case("5.6", [first, p, last], [pong(b"ping payload"), both])
    yield Case("5.7", [first, p, last], [pong(b"ping payload"), both])
    yield Case("5.8", [frame(TEXT, one, fin=False, chop=1), frame(PING, b"ping payload", chop=1),
                       frame(CONTINUATION, two, chop=1)], [pong(b"ping payload"), both])
    nothing = b"non-continuation payload"
    hello = frame(TEXT, b"Hello, world!")
    yield Case("5.9", [frame(CONTINUATION, nothing), hello], closed={1002})
    yield Case("5.10", [frame(CONTINUATION, nothing), hello], closed={1002})
    yield Case("5.11", [frame(CONTINUATION, nothing, chop=1), hello], closed={1002})
    yield Case("5.12", [frame(CONTINUATION, nothing, fin=False), hello], closed={1002})
    yield Case("5.13", [frame(CONTINUATION, nothing, fin=False), hello], closed={1002})
    yield Case("5.14", [frame(CONTINUATION, nothing, fin=False, chop=1), hello], closed={1002})
    yield Case("5.15", [first, last, frame(CONTINUATION, b"fragment3", fin=False),
                        frame(TEXT, b"fragment4")], [both], {1002})
    yield Case("5.16", [frame(CONTINUATION, one, fin=False), frame(TEXT, two, fin=False),
                        frame(CONTINUATION, b"3")] * 2, closed={1002})
    yield Case("5.17", [frame(CONTINUATION, one), frame(TEXT, two, fin=False),
                        frame(CONTINUATION, b"3")] * 2, closed={1002})
    yield Case("5.18", [first, frame(TEXT, two)], closed={1002})
    parts = [b"fragment%d" % i for i in range(1, 6)]
    f = [frame(TEXT if i == 0 else CONTINUATION, x, fin=i == 4) for i, x in enumerate(parts)]
    pings = [frame(PING, b"pongme %d!" % i) for i in (1, 2)]
    expect = [pong(b"pongme 1!"), pong(b"pongme 2!"), text(b"".join(parts))]
    yield Case("5.19", f[:2] + pings[:1] + f[2:4] + pings[1:] + f[4:], expect)
    yield Case("5.20", f[:2] + pings[:1] + f[2:4] + pings[1:] + f[4:], expect)


def is_utf8(b):
    try:
        b.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def group_6():
    hello = "Hello-µ@ßöäüàá-UTF-8!!".encode()
    yield Case("6.1.1", [frame(TEXT)], [text("")])
    yield Case("6.1.2", [frame(TEXT, fin=False), frame(CONTINUATION, fin=False),
                         frame(CONTINUATION)], [text("")])
    yield Case("6.1.3", [frame(TEXT, fin=False), frame(CONTINUATION, b"middle", fin=False),
                         frame(CONTINUATION)], [text("middle")])
    yield Case("6.2.1", [frame(TEXT, hello)], [text(hello)])
    yield Case("6.2.2", [frame(TEXT, hello[:12], fin=False), frame(CONTINUATION, hello[12:])],
               [text(hello)])
    bytewise = lambda t: ([frame(TEXT if i == 0 else CONTINUATION, t[i:i + 1], fin=False)
                           for i in range(len(t))] + [frame(CONTINUATION)])
    yield Case("6.2.3", bytewise(hello), [text(hello)])
    yield Case("6.2.4", bytewise("κόσμε".encode()), [text("κόσμε")])
    bad = "κόσμε".encode() + b"\xed\xa0\x80edited"
    yield Case("6.3.1", [frame(TEXT, bad)], closed={1007})
    yield Case("6.3.2", bytewise(bad), closed={1007})
    # fails as soon as it can be known: the end of the message never comes
    for i, (a, b) in enumerate(((b"\xf4", b"\x90\x80\x80"), (b"\xed\xa0\x80", b"edited"))):
        k = "κόσμε".encode()
        yield Case(f"6.4.{2 * i + 1}", [frame(TEXT, k + a, fin=False),
                                        frame(CONTINUATION, b, fin=False)], closed={1007})
        yield Case(f"6.4.{2 * i + 2}",
                   [raw(0x01, b"\x7f" + struct.pack("!Q", 1 << 20), k + a + b)],
                   closed={1007})
    sequences = {
        "6.5": ["κόσμε".encode(), b"\xce", b"\xce\xba\xe1", b"\xce\xba\xe1\xbd",
                "κό".encode() + b"\xcf"],
        "6.6": ["κόσμε".encode()[:i] for i in range(1, 12)],
        "6.7": [b"\x00", "\u0080".encode(), "\u0800".encode(), "\U00010000".encode()],
        "6.8": [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
        "6.9": [b"\x7f", "\u07ff".encode(), "\uffff".encode(), "\U0010ffff".encode()],
        "6.10": [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
        "6.11": ["\ud7ff".encode(), "\ue000".encode(), "\ufffd".encode(), "\U0010ffff".encode(),
                 b"\xf4\x90\x80\x80"],
        "6.12": [b"\x80", b"\xbf"] + [b"\x80\xbf" * i for i in (1, 2, 3)]
                + [b"\x80\xbf\x80", b"\x80\xbf\x80\xbf\x80", bytes(range(0x80, 0xc0))],
        "6.13": [b"".join(bytes((b, 0x20)) for b in r) for r in
                 (range(0xc0, 0xe0), range(0xe0, 0xf0), range(0xf0, 0xf8), range(0xf8, 0xfc),
                  range(0xfc, 0xfe))],
        "6.14": [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80",
                 b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf",
                 b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"],
        "6.15": [b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf"],
        "6.16": [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
        "6.17": [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf",
                 b"\xfc\x80\x80\x80\x80\xaf"],
        "6.18": [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf",
                 b"\xfc\x83\xbf\xbf\xbf\xbf"],
        "6.19": [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80",
                 b"\xfc\x80\x80\x80\x80\x80"],
        "6.20": [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf",
                 b"\xed\xb0\x80", b"\xed\xbe\x80", b"\xed\xbf\xbf"],
        "6.21": [a + b for a in (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80",
                                 b"\xed\xaf\xbf") for b in (b"\xed\xb0\x80", b"\xed\xbf\xbf")],
        "6.22": [chr(plane << 16 | low).encode() for plane in range(17)
                 for low in (0xfffe, 0xffff)],
        "6.23": [chr(c).encode() for c in range(0xfff9, 0x10000)],
    }
    for group, all_of_it in sequences.items():
        for i, s in enumerate(all_of_it):
            good = is_utf8(s)
            yield Case(f"{group}.{i + 1}", [frame(TEXT, s)], [text(s)] if good else [],
                       ORDINARY if good else {1007})


def group_7():
    hello = frame(TEXT, b"Hello World!")
    yield Case("7.1.1", [hello, close_frame(1000)], [text("Hello World!")], {1000})
    yield Case("7.1.2", [close_frame(1000), close_frame(1000)], closed={1000})
    yield Case("7.1.3", [close_frame(1000), frame(PING)], closed={1000})
    yield Case("7.1.4", [close_frame(1000), hello], closed={1000})
    yield Case("7.1.5", [frame(TEXT, b"fragment1", fin=False), close_frame(1000),
                         frame(CONTINUATION, b"fragment2")], closed={1000})
    # the close comes behind a message that is still being sent back
    big = b"BAsd7&jh23" * 26 * 1024
    yield Case("7.1.6", [frame(TEXT, big), hello, close_frame(1000), frame(PING)],
               [text(big), text("Hello World!")], {1000})
    yield Case("7.3.1", [close_frame()], closed={None})
    yield Case("7.3.2", [frame(CLOSE, b"a")], closed={1002})
    yield Case("7.3.3", [close_frame(1000)], closed={1000})
    yield Case("7.3.4", [close_frame(1000, b"Hello World!")], closed={1000})
    yield Case("7.3.5", [close_frame(1000, b"*" * 123)], closed={1000})
    yield Case("7.3.6", [raw(0x88, b"\x7e\x00\x7e", b"\x03\xe8" + b"*" * 124)],
               closed={1002})
    yield Case("7.5.1", [close_frame(1000, "κόσμε".encode() + b"\xed\xa0\x80edited")],
               closed={1007})
    for i, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999,
                              4000, 4999)):
        yield Case(f"7.7.{i + 1}", [close_frame(code)], closed={code})
    for i, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)):
        yield Case(f"7.9.{i + 1}", [close_frame(code)], closed={1002})
    yield Case("7.13.1", [close_frame(5000)], closed={1002})
    yield Case("7.13.2", [close_frame(65535)], closed={1002})


def group_9():
    kib = 1024
    for sub, is_binary in ((1, False), (2, True)):
        for i, size in enumerate((64 * kib, 256 * kib, 1024 * kib, 4096 * kib)):
            data = (b"\xfe" if is_binary else b"*") * size
            yield Case(f"9.{sub}.{i + 1}", [message(data, is_binary)],
                       [("message", data, is_binary)])
    for sub, is_binary in ((3, False), (4, True)):
        data = (b"\xfe" if is_binary else b"*") * (1024 * kib)
        for i, piece in enumerate((64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib,
                                   1024 * kib)):
            yield Case(f"9.{sub}.{i + 1}", [message(data, is_binary, fragment=piece)],
                       [("message", data, is_binary)])
    for sub, is_binary in ((5, False), (6, True)):
        data = (b"\xfe" if is_binary else b"*") * (64 * kib)
        for i, chop in enumerate((64, 128, 256, 512, kib, 2 * kib)):
            yield Case(f"9.{sub}.{i + 1}", [frame(BINARY if is_binary else TEXT, data, chop=chop)],
                       [("message", data, is_binary)])
    for sub, is_binary in ((7, False), (8, True)):
        for i, size in enumerate((0, 16, 64, 256, kib, 4 * kib)):
            data = (b"\xfe" if is_binary else b"*") * size
            yield Case(f"9.{sub}.{i + 1}", [message(data, is_binary)] * 1000,
                       [("message", data, is_binary)] * 1000)


def group_10():
    data = b"*" * 65536
    yield Case("10.1.1", [message(data, fragment=1300)], [text(data)])


OFFERS = [  # as the Testsuite's group 13: (no takeover, window bits) asked of the server
    (False, 0), (True, 0), (False, 9), (False, 15), (True, 9), (True, 15), (True, 12)]


def group_12():
    words = [b"the", b"quick", b"brown", b"fox", b"\xc3\xbcber", b"dog", b"lazy"]
    for sub, offer in enumerate([None] + OFFERS):
        for i, size in enumerate((16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072)):
            data = b" ".join(words[(k * k) % 7] + b"%d" % (k * k) for k in range(size // 4))[:size]
            data = data.decode("utf-8", "ignore").encode()
            count = 100 if size <= 8192 else 10
            number = f"12.1.{i + 1}" if sub == 0 else f"13.{sub}.{i + 1}"
            fragment = size // 4 if i % 2 else None
            yield Case(number, [message(data, fragment=fragment)] * count, [text(data)] * count,
                       offer=offer or (False, 0))


class Peer:
    def onOpen(self):
        case = self.factory.case
        self.events, self.wanted = [], len(case.expect)
        for step in case.send:
            step(self)
        if case.closed is ORDINARY and not case.expect:
            self.sendClose(1000)

    def seen(self, event):
        self.events.append(event)
        if self.factory.case.closed is ORDINARY and len(self.events) == self.wanted:
            self.sendClose(1000)

    def onMessage(self, payload, isBinary):
        self.seen(("message", payload, isBinary))

    def onPong(self, payload):
        self.seen(("pong", payload))

    def onClose(self, wasClean, code, reason):
        if not self.factory.done.done():
            dropped = getattr(self, "wasServerConnectionDropTimeout", False)
            self.factory.done.set_result((getattr(self, "events", None), wasClean,
                                          self.remoteCloseCode, reason, dropped))


class Client(Peer, WebSocketClientProtocol):
    pass


class Server(Peer, WebSocketServerProtocol):
    pass


def problem_of(case, factory, outcome):
    events, clean, code, reason, dropped = outcome
    problems = []
    if events is None:
        return f"no connection: {reason}"
    if events != case.expect:
        short = [(e[0], len(e[1]), e[1][:20]) for e in events[:3]]
        problems.append(f"{len(events)} of {len(case.expect)} came: {short}")
    if dropped:
        problems.append("the server did not close the connection")
    expected = {1000} if case.closed is ORDINARY else case.closed
    if code not in expected:
        problems.append(f"closed with {code}, not {expected}: {reason}")
    if case.closed is ORDINARY and not clean:
        problems.append(f"not closed cleanly: {reason}")
    if case.offer and not getattr(factory, "deflates", False):
        problems.append("not compressed")
    return "; ".join(problems)


async def run_case(case, port):
    loop = asyncio.get_running_loop()
    factory = WebSocketClientFactory(f"ws://127.0.0.1:{port}/", protocols=["echo"])
    factory.protocol, factory.case, factory.done = Client, case, loop.create_future()
    factory.setProtocolOptions(failByDrop=False, openHandshakeTimeout=10, closeHandshakeTimeout=10,
                               serverConnectionDropTimeout=10)
    if case.offer:
        no_takeover, bits = case.offer
        offers = [PerMessageDeflateOffer(accept_no_context_takeover=True,
                                         accept_max_window_bits=True,
                                         request_no_context_takeover=no_takeover,
                                         request_max_window_bits=bits)]

        def accept(response):
            if isinstance(response, PerMessageDeflateResponse):
                factory.deflates = True
                return PerMessageDeflateResponseAccept(response)
        factory.setProtocolOptions(perMessageCompressionOffers=offers,
                                   perMessageCompressionAccept=accept)
    await loop.create_connection(factory, "127.0.0.1", port)
    return problem_of(case, factory, await asyncio.wait_for(factory.done, 60))


def accept_offers(factory, case):
    """What a server chooses of what the client offers: as `case.offer` says, if it may."""
    def accept(offers):
        for offer in offers:
            factory.deflates = True
            no_takeover, bits = case.offer or (False, 0)
            return PerMessageDeflateOfferAccept(
                offer, request_no_context_takeover=no_takeover,
                request_max_window_bits=bits if offer.accept_max_window_bits else 0)
    return accept


def cases_of(groups):
    return [case for name in groups for case in globals()[f"group_{name}"]()]


def summary(problems):
    """Of `(case, problem)`; whether all is well."""
    failed, count = 0, {}
    for case, problem in problems:
        group = case.number.split(".")[0]
        count[group] = count.get(group, 0) + 1
        if problem:
            failed += 1
            print(f"case {case.number}: {problem}", flush=True)
    per_group = ", ".join(f"{g}: {n}" for g, n in count.items())
    print(f"{sum(count.values())} cases ({per_group}), {failed} failed")
    return failed == 0 and bool(count)


async def ask_server(port, groups):
    return summary([(case, await run_case(case, port)) for case in cases_of(groups)])


async def serve_client(program, groups):
    loop = asyncio.get_running_loop()
    cases = cases_of(groups)
    factory = WebSocketServerFactory(protocols=["echo"])
    factory.protocol = Server
    factory.setProtocolOptions(failByDrop=False, openHandshakeTimeout=10, closeHandshakeTimeout=10)
    listener = await loop.create_server(factory, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    factory.setSessionParameters(url=f"ws://127.0.0.1:{port}", protocols=["echo"])
    problems = []

    def begin(case):
        factory.case, factory.done, factory.deflates = case, loop.create_future(), False
        accept = accept_offers(factory, case) if case.offer else lambda offers: None
        factory.setProtocolOptions(perMessageCompressionAccept=accept)

    begin(cases[0])
    client = await asyncio.create_subprocess_exec(program, f"ws://127.0.0.1:{port}/",
                                                  str(len(cases)))
    for i, case in enumerate(cases):
        outcome = await asyncio.wait_for(factory.done, 60)
        problems.append((case, problem_of(case, factory, outcome)))
        if i + 1 < len(cases):
            begin(cases[i + 1])
    good = summary(problems)
    ended = await asyncio.wait_for(client.wait(), 30)
    if ended != 0:
        print(f"the client has ended with {ended}")
    return good and ended == 0


def main():
    as_server = sys.argv[1] == "--client"
    groups = sys.argv[3 if as_server else 2:]
    groups = groups or ["1", "2", "3", "4", "5", "6", "7", "9", "10", "12"]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)  # Autobahn asks for it
    if as_server:
        sys.exit(0 if loop.run_until_complete(serve_client(sys.argv[2], groups)) else 1)
    server = subprocess.Popen([sys.argv[1]], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        good = loop.run_until_complete(ask_server(port, groups))
    finally:
        server.terminate()
        ended = server.wait(30)
    if ended != 128 + signal.SIGTERM:
        good = False
        print(f"the server has ended with {ended}")
    sys.exit(0 if good else 1)


main()
