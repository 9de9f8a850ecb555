"""Abuse that has one right answer: how the connection ends, with which error, how soon; and that a neighbour on a connection of its own
notices nothing. Attacks that only press are in test_door.py; deadlines of a minute and more are tested with shorter ones in
tests/unit/http."""
import contextlib
import os
import re
import struct
import threading
import time

import pytest

import plain
from siege import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST, SERVED_SECONDS, SETTINGS, WINDOW, Cut, be_served, connect, frame,
                   h2, header, open_door, request_head, resident_mb, send)

GOAWAY, PRIORITY = 7, 2
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, CANCEL, CALM = 1, 3, 5, 8, 11  # RFC 9113 §7
GROWTH_MB, CPU_SECONDS = 64, 8
ANSWERS = "/.well-known/openid-configuration"
RPC = "/google.spanner.v1.Spanner/CreateSession"


# --- the neighbour ---------------------------------------------------------------------------------------------------------------------


class Neighbour(threading.Thread):
    """One connection, kept: a request after the other, until told to stop."""

    def __init__(self, site):
        super().__init__()
        self.sock, self.over, self.served, self.slowest, self.failure = connect(site, "http/1.1"), threading.Event(), 0, 0, None
        self.sock.settimeout(SERVED_SECONDS)

    def ask(self):
        began = time.monotonic()
        send(self.sock, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"\r\n0\r\n\r\n"):
            answer += (part := self.sock.recv(4096))
            assert part, answer
        self.slowest, self.served = max(self.slowest, time.monotonic() - began), self.served + 1

    def run(self):
        try:
            while not self.over.is_set():
                self.ask()
                time.sleep(0.02)
            self.ask()
        except Exception as error:  # shown by the fixture
            self.failure = error


class Slow(threading.Thread):
    """Three who never come to the point, from the beginning on. `ended`: after how many seconds each was sent away."""

    def __init__(self, site):
        super().__init__()
        self.socks = {"silent": connect(site, tls=False), "half": connect(site, tls=False), "slow": connect(site, "http/1.1")}
        self.began, self.ended = time.monotonic(), {}
        send(self.socks["half"], bytes.fromhex("160301020001"))
        send(self.socks["slow"], b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")

    def run(self):
        while len(self.ended) < 3 and time.monotonic() < self.began + 26:
            with contextlib.suppress(Cut):
                send(self.socks["slow"], b"a")
            for name, sock in self.socks.items():
                sock.settimeout(0.1)
                try:
                    over = not sock.recv(100)
                except OSError as error:
                    over = "timed out" not in str(error)
                if over:
                    self.ended.setdefault(name, time.monotonic() - self.began)


@pytest.fixture(scope="module")
def door(tmp_path_factory, linkspan):
    with open_door(tmp_path_factory, linkspan) as site:
        site.slow = Slow(site)
        site.slow.start()
        yield site
        site.slow.join()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(autouse=True)
def neighbour(door):
    """Around every attack: another's connection is served all the time, and the server spends little."""
    memory, cpu, one = resident_mb(door.server.pid), cpu_seconds(door.server.pid), Neighbour(door)
    one.start()
    yield one
    one.over.set()
    one.join(SERVED_SECONDS)
    assert not one.is_alive() and not one.failure, one.failure
    assert one.served and one.slowest < SERVED_SECONDS
    be_served(door)
    assert resident_mb(door.server.pid) - memory < GROWTH_MB
    assert cpu_seconds(door.server.pid) - cpu < CPU_SECONDS


# --- HTTP/2: what ends the connection, and with which error ----------------------------------------------------------------------------


def frames(sock, seconds=10):
    """Every frame until the connection's end. Fails when it does not end."""
    sock.settimeout(seconds)
    data = b""
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        while part := sock.recv(65536):
            data += part
    while len(data) >= 9:
        length = int.from_bytes(data[:3], "big")
        yield data[3], data[4], struct.unpack(">I", data[5:9])[0], data[9:9 + length]
        data = data[9 + length:]


def ends_with(sock):
    """The error of the GOAWAY."""
    errors = [struct.unpack(">I", payload[4:8])[0] for kind, _, _, payload in frames(sock) if kind == GOAWAY]
    assert errors, "no GOAWAY"
    return errors[-1]


def pour(sock, pieces):
    """Sends until the server has had enough, without reading. Returns how many pieces went."""
    sent = 0
    with contextlib.suppress(Cut):
        for piece in pieces:
            send(sock, piece)
            sent += 1
    return sent


def opened(stream, path=RPC, end=False, more=()):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, request_head(path=path, more=more))


def resets(kind, payload):
    return [b"".join(opened(n) + frame(kind, 0, n, payload) for n in range(at, at + 40, 2)) for at in range(1, 20000, 40)]


FLOODS = {
    "rapid reset": (resets(RST, struct.pack(">I", CANCEL)), CALM),
    "resets that the client provokes": (resets(WINDOW, struct.pack(">I", 0x7fffffff)), CALM),
    "CONTINUATION without an end": ([frame(HEADERS, 0, 1, request_head())] + [frame(CONTINUATION, 0, 1, header("x", "y"))] * 2000, CALM),
    "empty CONTINUATION": ([frame(HEADERS, 0, 1, request_head())] + [frame(CONTINUATION, 0, 1)] * 2000, CALM),
    "header bytes": ([frame(HEADERS, 0, 1, request_head() + header("x-large", "v" * 3900, indexed=True) + b"\xbe" * 12000)] +
                     [frame(CONTINUATION, 0, 1, b"\xbe" * 16000)] * 7, CALM),
    "SETTINGS": ([frame(SETTINGS, 0, 0) * 100] * 200, CALM),
    "PING": ([frame(PING, 0, 0, b"12345678") * 900] * 200, CALM),
    "PRIORITY": ([frame(PRIORITY, 0, 1, struct.pack(">IB", 3, 0)) * 100] * 200, CALM),
    "empty DATA": ([opened(1)] + [frame(DATA, 0, 1) * 100] * 200, CALM),
    "the connection's window overflows": ([frame(WINDOW, 0, 0, struct.pack(">I", 0x7fffffff))], FLOW_CONTROL_ERROR),
    "a window of more than 2^31-1": ([frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0xffffffff))], FLOW_CONTROL_ERROR),
    "DATA after a reset": ([opened(1) + frame(RST, 0, 1, struct.pack(">I", CANCEL)) + frame(DATA, END_STREAM, 1, b"x")], STREAM_CLOSED),
    "a stream's number that was passed over": ([opened(5, ANSWERS, True) + opened(3, ANSWERS, True)], PROTOCOL_ERROR),
}


@pytest.mark.parametrize("name", FLOODS)
def test_http2_ends_with(door, name):
    pieces, error = FLOODS[name]
    sock = h2(door)
    pour(sock, pieces)
    assert ends_with(sock) == error


def test_rapid_reset_is_bounded(door):
    """How many streams were taken: some more than 1,000, whatever is sent."""
    sock = h2(door)
    pour(sock, resets(RST, struct.pack(">I", CANCEL)))
    last = [struct.unpack(">I", payload[:4])[0] for kind, _, _, payload in frames(sock) if kind == GOAWAY][-1]
    assert 1000 <= (last + 1) // 2 < 1500, last


@pytest.mark.parametrize("headers", [[("x", "")] * 500, [("x", "y" * 3900)] * 20], ids=["count", "bytes"])
def test_too_many_headers_are_refused_and_the_connection_goes_on(door, headers):
    sock = h2(door)
    block = request_head("GET", ANSWERS, headers)
    for at in range(0, len(block), 16000):
        flags = (END_STREAM if at == 0 else 0) | (END_HEADERS if at + 16000 >= len(block) else 0)
        send(sock, frame(CONTINUATION if at else HEADERS, flags, 1, block[at:at + 16000]))
    send(sock, frame(HEADERS, END_STREAM | END_HEADERS, 3, request_head("GET", ANSWERS)))
    time.sleep(0.5)
    send(sock, frame(GOAWAY, 0, 0, bytes(8)))
    found = list(frames(sock))
    assert [b"431" in payload for kind, _, stream, payload in found if kind == HEADERS and stream == 1] == [True]
    assert any(kind == DATA and flags & END_STREAM and stream == 3 for kind, flags, stream, _ in found)


def test_a_window_that_opens_by_the_byte(door):
    """Allowed, if odd: each byte of it is used, none before it is given, and the answer arrives whole."""
    sock = h2(door)
    send(sock, frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + frame(HEADERS, END_STREAM | END_HEADERS, 1, request_head("GET", ANSWERS)))
    for _ in range(200):
        send(sock, frame(WINDOW, 0, 1, struct.pack(">I", 1)))
    time.sleep(0.5)
    send(sock, frame(PING, 0, 0, b"boundary"))
    send(sock, frame(WINDOW, 0, 1, struct.pack(">I", 100000)))
    time.sleep(0.5)
    send(sock, frame(GOAWAY, 0, 0, bytes(8)))
    found = list(frames(sock))
    ping = next(at for at, (kind, *_) in enumerate(found) if kind == PING)
    assert sum(len(payload) for kind, _, _, payload in found[:ping] if kind == DATA) == 200
    assert [flags for kind, flags, *_ in found if kind == DATA][-1] & END_STREAM
    assert b"".join(payload for kind, _, _, payload in found if kind == DATA).endswith(b"}")


# --- HTTP/1: what two readers could read differently -------------------------------------------------------------------------------------

SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = b"POST /v1/token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(*fields, body=b""):
    return b"\r\n".join([b"POST /v1/token HTTP/1.1", b"Host: localhost", *fields, b"", body])


def get(line=b"GET /healthz HTTP/1.1", *fields):
    return b"\r\n".join([line, *fields, b"", b""])


HTTP1 = {
    "CL.TE": (post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    "TE.CL": (post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n"), 400),
    "two lengths": (post(b"Content-Length: 0", b"Content-Length: 43"), 400),
    "two lengths, the same": (post(b"Content-Length: 0", b"Content-Length: 0"), 400),
    "a list of lengths": (post(b"Content-Length: 0, 0"), 400),
    "a length with a sign": (post(b"Content-Length: +0"), 400),
    "a negative length": (post(b"Content-Length: -1"), 400),
    "a length in hex": (post(b"Content-Length: 0x0"), 400),
    "an empty length": (post(b"Content-Length: "), 400),
    "a length beyond 64 bits": (post(b"Content-Length: 18446744073709551616"), 400),
    "TE.TE: two fields": (post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n"), 400),
    "TE.TE: a list": (post(b"Transfer-Encoding: identity, chunked", body=b"0\r\n\r\n"), 501),
    "TE.TE: chunked twice": (post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"), 501),
    "an unknown coding": (post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 501),
    "a coding in quotes": (post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 501),
    "a coding after a vertical tab": (post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"), 400),
    "a coding on a folded line": (post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"), 400),
    "a coding in HTTP/1.0": (b"POST /v1/token HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "obs-fold": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", b"X: a", b"\tb"), 400),
    "a first header that is folded": (get(b"GET /healthz HTTP/1.1", b" Host: localhost"), 400),
    "bare LF at a line's end": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "bare LF in a header": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", b"X: a\nContent-Length: 5"), 400),
    "bare CR in a header": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", b"X: a\rContent-Length: 5"), 400),
    "bare LF ends the headers": (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n", 400),
    "NUL in a value": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", b"X: a\0b"), 400),
    "space before the colon": (post(b"Content-Length : 5"), 400),
    "tab before the colon": (post(b"Content-Length\t: 5"), 400),
    "no name": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", b": a"), 400),
    "no colon": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", b"Content-Length 5"), 400),
    "a chunk's size with 0x": (CHUNKED + b"0x0\r\n\r\n", 400),
    "a chunk's size with a sign": (CHUNKED + b"+0\r\n\r\n", 400),
    "a chunk's size after a space": (CHUNKED + b" 0\r\n\r\n", 400),
    "a chunk's size beyond 64 bits": (CHUNKED + b"10000000000000000\r\n", 400),
    "a chunk's line ends with bare LF": (CHUNKED + b"1\nx\r\n0\r\n\r\n", 400),
    "bare LF in a chunk's extension": (CHUNKED + b"1;a\nx\r\n0\r\n\r\n", 400),
    "bare CR in a chunk's extension": (CHUNKED + b"1;a\rx\r\nx\r\n0\r\n\r\n", 400),
    "a chunk's extension without an end": (CHUNKED + b"1;" + b"e" * 1000, 400),
    "a chunk longer than it says": (CHUNKED + b"1\r\nxx\r\n0\r\n\r\n", 400),
    "a folded trailer": (CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n", 400),
    "absolute form, another host": (get(b"GET http://elsewhere/healthz HTTP/1.1", b"Host: localhost"), 400),
    "absolute form, the same host": (get(b"GET https://localhost/healthz HTTP/1.1", b"Host: localhost"), 400),
    "authority form": (get(b"CONNECT localhost:443 HTTP/1.1", b"Host: localhost:443"), 400),
    "two hosts": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", b"Host: elsewhere"), 400),
    "no host": (get(b"GET /healthz HTTP/1.1", b"X: y"), 400),
    "an empty host": (get(b"GET /healthz HTTP/1.1", b"Host: "), 400),
    "a host with a path": (get(b"GET /healthz HTTP/1.1", b"Host: localhost/admin"), 400),
    "a host with a user": (get(b"GET /healthz HTTP/1.1", b"Host: localhost@elsewhere"), 400),
    "a space in the target": (get(b"GET /health z HTTP/1.1", b"Host: localhost"), 400),
    "two spaces in the first line": (get(b"GET  /healthz HTTP/1.1", b"Host: localhost"), 400),
    "a tab in the first line": (get(b"GET\t/healthz\tHTTP/1.1", b"Host: localhost"), 400),
    "an empty line before": (b"\r\n" + get(b"GET /healthz HTTP/1.1", b"Host: localhost"), 400),
    "HTTP/0.9": (b"GET /healthz\r\n", 400),
    "HTTP/1.2": (get(b"GET /healthz HTTP/1.2", b"Host: localhost"), 505),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "too many headers": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", *[b"X: y"] * 101), 431),
    "too many header bytes": (get(b"GET /healthz HTTP/1.1", b"Host: localhost", b"X: " + b"y" * 70000), 431),
    "too long a first line": (get(b"GET /" + b"a" * 9000 + b" HTTP/1.1", b"Host: localhost"), 414),
}


def ask(door, data):
    """All that the server answers until it ends the connection, which it must."""
    sock = connect(door, "http/1.1")
    send(sock, data)
    sock.settimeout(10)
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize("name", HTTP1)
def test_http1_refuses(door, name):
    data, status = HTTP1[name]
    answer = ask(door, data + SMUGGLED)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"%d" % status], answer


def test_http1_serves_what_can_be_read_in_one_way(door):
    """Or the table above would prove nothing: a chunked body with an extension and a trailer, and the request after it."""
    answer = ask(door, CHUNKED + b"1;name=value\r\nx\r\n0\r\nX: y\r\n\r\n" + SMUGGLED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert len(re.findall(rb"HTTP/1\.1 (\d+)", answer)) == 2 and b"\r\nok\n" in answer, answer


# --- gRPC: as HTTP/1 carries it, where its headers can be read -----------------------------------------------------------------------------


def grpc(door, body, *more, token=None):
    """The status that a call of this body gets."""
    fields = [f"POST {RPC} HTTP/1.1", "Host: localhost", "Content-Type: application/grpc", "TE: trailers", "Connection: close",
              f"Authorization: Bearer {token or plain.token(door)}", *more]
    if not any(field.startswith(("Content-Length", "Transfer-Encoding")) for field in more):
        fields.append(f"Content-Length: {len(body)}")
    answer = ask(door, "\r\n".join([*fields, "", ""]).encode() + body)
    status = re.search(rb"^grpc-status: (\d+)\r$", answer, re.M)
    assert status, answer
    return int(status.group(1)), answer


OK, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAUTHENTICATED = 0, 3, 8, 12, 13, 16
SESSION = b"\x0a" + bytes([len(path := b"projects/demo/instances/flights/databases/door")]) + path
WHOLE = b"\0" + struct.pack(">I", len(SESSION)) + SESSION
GRPC = {
    "a whole message": (WHOLE, (), OK),
    "a prefix of 4 GiB": (b"\0\xff\xff\xff\xff" + SESSION, (), RESOURCE_EXHAUSTED),
    "a prefix one byte over the row's bound": (b"\0" + struct.pack(">I", (10 << 20) + 1) + SESSION, (), RESOURCE_EXHAUSTED),
    "a length of 1 TiB, and nothing of it": (b"", ("Content-Length: 1099511627776",), INVALID_ARGUMENT),
    "compressed by what nobody named": (b"\1" + WHOLE[1:], (), INTERNAL),
    "compressed by nothing": (b"\1" + WHOLE[1:], ("grpc-encoding: identity",), INTERNAL),
    "compressed by gzip": (b"\1" + WHOLE[1:], ("grpc-encoding: gzip",), UNIMPLEMENTED),
    "a flag that is none": (b"\2" + WHOLE[1:], (), INTERNAL),
    "a message that is cut off": (WHOLE[:-1], (), INTERNAL),
    "half a prefix": (WHOLE[:3], (), INTERNAL),
    "two messages": (WHOLE + WHOLE, (), INTERNAL),
    "no message, only trailers": (b"0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n", ("Transfer-Encoding: chunked",), INTERNAL),
    "a status of the client's": (WHOLE, ("grpc-status: 7", "grpc-message: no"), OK),
}


@pytest.mark.parametrize("name", GRPC)
def test_grpc_answers(door, name):
    body, more, status = GRPC[name]
    found, answer = grpc(door, body, *more)
    assert found == status, answer
    if status == UNIMPLEMENTED:
        assert b"identity" in answer


def test_grpc_trailers_prove_nothing(door):
    """A token that comes after the body is not looked at."""
    chunk = b"%x\r\n%s\r\n0\r\n" % (len(WHOLE), WHOLE)
    late = chunk + b"Authorization: Bearer " + plain.token(door).encode() + b"\r\n\r\n"
    status, answer = grpc(door, late, "Transfer-Encoding: chunked", token="x")
    assert status == UNAUTHENTICATED, answer


# --- slow clients --------------------------------------------------------------------------------------------------------------------------


def test_slow_clients_are_sent_away(door):
    """No handshake within 10 s; no whole headers within 20 s, however they trickle. They came before all other tests."""
    door.slow.join()
    ended = door.slow.ended
    assert set(ended) == {"silent", "half", "slow"}, ended
    assert 9 < ended["silent"] < 15 and 9 < ended["half"] < 15 and 19 < ended["slow"] < 26, ended
