"""The public door under attack, by raw sockets: while each goes on, another client is served in time, and memory stays bounded. Every
attack is a bounded loop on loopback."""
import contextlib
import pathlib
import ssl
import struct
import time

import pytest
import requests

import plain
from siege import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, RST, SETTINGS, WINDOW, Cut, besiege, connect, field, frame, h2,
                   header, open_door, request_head, send, swallow)

GROWTH_MB = 160

# --- the attacks: each takes a site, and does its worst for some seconds at most ------------------------------------------------


def slowloris(site, until):
    """Many connections, each sending its headers a byte at a time."""
    socks = [connect(site, "http/1.1") for _ in range(60)]
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 1000
    for at in range(len(head)):
        for sock in socks:
            send(sock, head[at:at + 1])
        if time.monotonic() > until:
            return
        time.sleep(0.05)


def half_open_tls(site, until):
    """Connections that never finish, or never begin, their handshake."""
    socks = [connect(site, tls=False) for _ in range(200)]
    for n, sock in enumerate(socks):
        if n % 2:
            send(sock, bytes.fromhex("160301020001"))
    while time.monotonic() < until:
        time.sleep(0.1)


def hpack_bomb(site, until):
    """One large header in the table, then 100,000 references to it in a byte each."""
    for _ in range(20):
        sock = h2(site)
        block = request_head() + header("x-large", "v" * 3900, indexed=True) + b"\xbe" * 100_000
        send(sock, frame(HEADERS, END_STREAM, 1, block[:16000]))
        for at in range(16000, len(block), 16000):
            send(sock, frame(CONTINUATION, END_HEADERS if at + 16000 >= len(block) else 0, 1, block[at:at + 16000]))
        with contextlib.suppress(Cut):
            swallow(sock, 0.1)
        if time.monotonic() > until:
            return


def continuation_flood(site, until):
    """Headers that never end."""
    for _ in range(5):
        sock = h2(site)
        send(sock, frame(HEADERS, 0, 1, request_head()))
        with contextlib.suppress(Cut):
            for _ in range(4000):
                send(sock, frame(CONTINUATION, 0, 1, header("x", "y" * 4000)))
                if time.monotonic() > until:
                    return
            swallow(sock, 0.2)


def empty_continuations(site, until):
    sock = h2(site)
    send(sock, frame(HEADERS, 0, 1, request_head()))
    for _ in range(300):
        send(sock, frame(CONTINUATION, 0, 1) * 1000)
        if time.monotonic() > until:
            return


def rapid_reset(site, until):
    """CVE-2023-44487: streams that are opened and reset at once."""
    token = plain.token(site)
    head = request_head(more=(("content-type", "application/grpc"), ("te", "trailers"), ("authorization", f"Bearer {token}")))
    for _ in range(10):
        sock = h2(site)
        with contextlib.suppress(Cut):
            for stream in range(1, 20001, 2):
                send(sock, frame(HEADERS, END_HEADERS, stream, head) + frame(RST, 0, stream, struct.pack(">I", 8)))
                if stream % 200 == 1:
                    swallow(sock)
                if time.monotonic() > until:
                    return


def ping_and_settings_flood(site, until):
    """Frames that ask for answers which nobody reads."""
    sock = h2(site)
    for _ in range(400):
        send(sock, frame(PING, 0, 0, b"12345678") * 250 + frame(SETTINGS, 0, 0) * 250)
        if time.monotonic() > until:
            return


def huge_grpc_message(site, until):
    """A prefix that announces 4 GiB, then some of it, on many streams; and a body without an end."""
    token = plain.token(site)
    head = request_head(more=(("content-type", "application/grpc"), ("te", "trailers"), ("authorization", f"Bearer {token}")))
    for _ in range(8):
        sock = h2(site)
        for stream in range(1, 101, 2):
            send(sock, frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, 0, stream, b"\0\xff\xff\xff\xff" + b"x" * 1000))
        with contextlib.suppress(Cut):
            for _ in range(200):  # more than any window gives
                for stream in range(1, 101, 2):
                    send(sock, frame(DATA, 0, stream, b"x" * 16000))
                swallow(sock)
                if time.monotonic() > until:
                    return


def window_overflow(site, until):
    for _ in range(50):
        sock = h2(site)
        send(sock, frame(WINDOW, 0, 0, struct.pack(">I", 0x7fffffff)) * 2)
        with contextlib.suppress(Cut):
            swallow(sock, 0.05)
        if time.monotonic() > until:
            return


def pipelined_garbage(site, until):
    """HTTP/1: thousands of requests in one go, nonsense, smuggling, endless chunks and headers."""
    good = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    smuggled = (b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                b"GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for data in (good * 5000, b"\x00\xff\x16\x03" * 20000, smuggled, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 100_000,
                 b"GET /" + b"a" * 3_000_000 + b" HTTP/1.1\r\n", b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" +
                 b"1;" + b"e" * 1_000_000, b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", good * 3 + b"BROKEN\r\n\r\n" + good):
        for _ in range(3):
            sock = connect(site, "http/1.1")
            with contextlib.suppress(Cut):
                send(sock, data)
                swallow(sock, 0.1)
            if time.monotonic() > until:
                return


def never_reads(site, until):
    """Asks for many large answers and takes no byte of any: the window is as large as can be, the socket's buffer is full."""
    client = plain.Plain(site)
    session = client.session("door").removeprefix("v1/")
    message = field(1, session.encode()) + field(3, b"SELECT Name FROM Singers")
    body = b"\0" + struct.pack(">I", len(message)) + message
    head = request_head(path="/google.spanner.v1.Spanner/ExecuteStreamingSql", more=(
        ("content-type", "application/grpc"), ("te", "trailers"), ("authorization", f"Bearer {client.token}")))
    socks = []
    for _ in range(4):
        sock = h2(site)
        send(sock, frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0x7fffffff)) + frame(WINDOW, 0, 0, struct.pack(">I", 0x7fff0000 - 65535)))
        for stream in range(1, 61, 2):
            send(sock, frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, END_STREAM, stream, body))
        socks.append(sock)
    while time.monotonic() < until:
        time.sleep(0.1)


def unread_refusals(site, until):
    """Strangers who let no answer out: the refusals wait, and are none of what is under way for others."""
    head = request_head(method="GET", path="/v1/projects/demo/instances/flights/databases")
    socks = []
    while len(socks) < 240 and time.monotonic() < until:
        sock = h2(site)
        send(sock, frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + b"".join(
            frame(HEADERS, END_HEADERS | END_STREAM, stream, head) for stream in range(1, 201, 2)))
        socks.append(sock)
    while time.monotonic() < until:
        time.sleep(0.1)


ATTACKS = (slowloris, half_open_tls, hpack_bomb, continuation_flood, empty_continuations, rapid_reset, ping_and_settings_flood, huge_grpc_message,
           window_overflow, pipelined_garbage)


@pytest.fixture(scope="module")
def door(tmp_path_factory, linkspan):
    with open_door(tmp_path_factory, linkspan) as site:
        yield site


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.__name__ for attack in ATTACKS])
def test_others_are_served_meanwhile(door, attack):
    assert besiege(door, attack) < GROWTH_MB


@pytest.mark.parametrize("attack", (never_reads, unread_refusals), ids=lambda attack: attack.__name__)
def test_others_are_served_while_answers_are_not_read(door, attack):
    besiege(door, attack)


def test_answers_that_are_not_read_have_a_bound(tmp_path_factory):
    """Measured on the program that ships: the sanitizers' own share of many large answers would hide it."""
    program = pathlib.Path(__file__).resolve().parents[2] / "build/release/src/cli/linkspan"
    assert program.exists(), "./dev build makes it"
    with open_door(tmp_path_factory, program) as door:
        assert besiege(door, never_reads) < GROWTH_MB


def test_the_server_speaks_first(door):
    """Its SETTINGS do not wait for the client's: with Nagle's algorithm there, the first request would wait 40 ms for an acknowledgement."""
    sock = connect(door)
    sock.settimeout(10)
    head = sock.recv(9)
    assert len(head) == 9 and head[3:] == bytes([SETTINGS, 0, 0, 0, 0, 0])


def test_a_strangers_body_is_not_awaited(door):
    """More than a small one is read of whoever is known only; who is not hears just that, and who is hears the bound."""
    http = requests.Session()
    ask = lambda size, bearer: http.post(f"{door.url}/v1/projects/demo/instances/flights/databases", data=bytes(size), verify=str(door.ca),  # noqa: E731
                                         headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}, timeout=20)
    assert ask(200_000, "none").status_code == 401
    known = ask(200_000, plain.token(door))
    assert known.status_code == 400 and "TOO_LARGE" not in known.text, known.text
    large = ask(11 << 20, plain.token(door))
    assert large.status_code == 400 and "TOO_LARGE" in large.text, large.text


def test_a_smuggled_request_is_not_answered(door):
    """Two lengths: one answer, a refusal, and the connection's end."""
    sock = connect(door, "http/1.1")
    send(sock, b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
               b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    sock.settimeout(10)
    answer = b""
    with contextlib.suppress(OSError):
        while part := sock.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1 ") == 1


def test_unauthenticated_floods_write_little(door):
    """2,000 refusals of strangers are a handful of audit entries."""
    before = len(door.run("audit", "show", "--config", door.config, "--json", "--limit", 1000000).stdout.splitlines())
    http = requests.Session()
    for n in range(2000):
        assert http.get(f"{door.url}/v1/projects/demo/instances/flights/databases", headers={"Authorization": f"Bearer x{n}"},
                        verify=str(door.ca), timeout=10).status_code == 401
    time.sleep(2.5)
    after = len(door.run("audit", "show", "--config", door.config, "--json", "--limit", 1000000).stdout.splitlines())
    assert 1 <= after - before <= 120
