"""The public door under attack, by raw sockets: while each goes on, another client is served in time, and memory stays bounded. Every
attack is a bounded loop on loopback."""
import contextlib
import os
import pathlib
import socket
import ssl
import struct
import threading
import time

import pytest
import requests

import plain

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
SERVED_SECONDS, GROWTH_MB = 8, 160


class Cut(Exception):
    """The server ended the connection: what an attack may expect."""


def connect(site, protocol="h2", tls=True):
    raw = socket.create_connection(("127.0.0.1", site.port), timeout=10)
    if not tls:
        return raw
    context = ssl.create_default_context(cafile=site.ca)
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(raw, server_hostname="localhost")


def send(sock, data):
    try:
        sock.sendall(data)
    except OSError as error:
        raise Cut from error


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    """An HPACK string without Huffman coding."""
    data = value if isinstance(value, bytes) else value.encode()
    return (bytes([len(data)]) if len(data) < 127 else b"\x7f" + number(len(data) - 127)) + data


def number(n):
    out = b""
    while n >= 128:
        out, n = out + bytes([n % 128 | 128]), n // 128
    return out + bytes([n])


def header(name, value, indexed=False):
    return (b"\x40" if indexed else b"\x00") + text(name) + text(value)


def request_head(method="POST", path="/google.spanner.v1.Spanner/CreateSession", more=()):
    return b"".join(header(name, value) for name, value in ((":method", method), (":scheme", "https"), (":path", path), (":authority", "localhost"), *more))


def h2(site):
    sock = connect(site)
    send(sock, PREFACE + frame(SETTINGS, 0, 0))
    return sock


def swallow(sock, seconds=0.0):
    """Reads what is there; Cut at the end of the stream."""
    sock.settimeout(max(seconds, 0.001))
    with contextlib.suppress(socket.timeout, ssl.SSLWantReadError):
        while True:
            try:
                if not sock.recv(65536):
                    raise Cut
            except (ConnectionError, ssl.SSLError) as error:
                if isinstance(error, ssl.SSLError) and "timed out" in str(error):
                    return
                raise Cut from error


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
    message = text_field(1, session) + text_field(3, "SELECT Name FROM Singers")
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


def text_field(tag, value):
    data = value.encode()
    return number(tag << 3 | 2) + number(len(data)) + data


ATTACKS = (slowloris, half_open_tls, hpack_bomb, continuation_flood, empty_continuations, rapid_reset, ping_and_settings_flood, huge_grpc_message,
           window_overflow, pipelined_garbage)


# --- what must hold meanwhile ------------------------------------------------------------------------------------------------------


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def open_sockets(pid):
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    return count


@contextlib.contextmanager
def open_door(tmp_path_factory, program):
    import conftest
    site = conftest.make_site(tmp_path_factory.mktemp("door"), program)
    try:
        with pytest.MonkeyPatch.context() as patch:  # what a sanitizer keeps of freed memory is not the server's
            patch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8:thread_local_quarantine_size_kb=64")
            site.start()
        client = plain.Plain(site)
        client.create("door")
        session = client.session("door")
        for n in range(20):
            client.commit(session, ("insert", "Singers", ["SingerId", "Name"], [[str(n * 50 + m), "x" * 4000] for m in range(50)]))
        yield site
    finally:
        site.stop()
    log = (site.folder / "server.log").read_text(errors="replace")
    assert "Sanitizer" not in log and "runtime error:" not in log, log[-4000:]


@pytest.fixture(scope="module")
def door(tmp_path_factory, linkspan):
    with open_door(tmp_path_factory, linkspan) as site:
        yield site


def be_served(site):
    """A whole request of a stranger to this server: a new connection, a handshake, an authenticated query."""
    client = plain.Plain(site)
    began = time.monotonic()
    session = client.session("door")
    assert client.sql(session, "SELECT COUNT(*) FROM Singers") == [["1000"]]
    client.ask("DELETE", session)
    return time.monotonic() - began


def besiege(door, attack):
    """Other clients are served meanwhile, and the connections go. Returns by how many MB the server grew."""
    be_served(door)
    before, sockets, most, slowest, ended = resident_mb(door.server.pid), open_sockets(door.server.pid), 0, 0, threading.Event()
    failures = []

    def run():
        try:
            attack(door, time.monotonic() + 4)
        except Cut:
            pass
        except Exception as error:  # shown below
            failures.append(error)
        finally:
            ended.set()

    attackers = [threading.Thread(target=run) for _ in range(2)]
    for one in attackers:
        one.start()
    end = time.monotonic() + 30
    while any(one.is_alive() for one in attackers) and time.monotonic() < end:
        slowest = max(slowest, be_served(door))
        most = max(most, resident_mb(door.server.pid))
        time.sleep(0.05)
    for one in attackers:
        one.join(30)
        assert not one.is_alive(), "the attack did not end"
    assert not failures, failures
    assert door.server.poll() is None, door.log()
    be_served(door)
    assert slowest < SERVED_SECONDS, f"another client waited for {slowest:.1f} s"
    end = time.monotonic() + 20
    while open_sockets(door.server.pid) > sockets + 8:
        assert time.monotonic() < end, "connections of the attack stay open"
        time.sleep(0.2)
    print(f"{attack.__name__}: slowest {slowest:.2f} s, memory {before:.0f} → {most:.0f} MB")
    return most - before


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.__name__ for attack in ATTACKS])
def test_others_are_served_meanwhile(door, attack):
    assert besiege(door, attack) < GROWTH_MB


def test_others_are_served_while_answers_are_not_read(door):
    besiege(door, never_reads)


def test_answers_that_are_not_read_have_a_bound(tmp_path_factory):
    """Measured on the program that ships: the sanitizers' own share of many large answers would hide it."""
    program = pathlib.Path(__file__).resolve().parents[2] / "build/release/src/cli/linkspan"
    assert program.exists(), "./dev build makes it"
    with open_door(tmp_path_factory, program) as door:
        assert besiege(door, never_reads) < GROWTH_MB


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
