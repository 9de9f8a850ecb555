"""What an attack on the public door is made of: raw HTTP/1 and HTTP/2 by sockets, a server of one's own, and what must hold meanwhile."""
import contextlib
import os
import socket
import ssl
import struct
import threading
import time

import pytest

import plain

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
SERVED_SECONDS = 8


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


def field(tag, data):
    """A length-delimited field of a protobuf message."""
    return number(tag << 3 | 2) + number(len(data)) + data


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
