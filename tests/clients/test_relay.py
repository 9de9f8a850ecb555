"""Generic services behind the relay (docs/relay.md): a gRPC service and an HTTP one, none of them ours, each in a process of its own,
and clients that are grpcio and requests."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import grpc
import pytest
import requests
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import certificates
import conftest
import linkspan_site
import plain
import records
import setting
from siege import resident_mb

HERE = pathlib.Path(__file__).parent
CONNECTIONS = """  echo:
    service: { back: upstream, hosts: [echo.internal], endpoint: "http://127.0.0.1:@ECHO@", headers: [x-passed, x-raw-bin] }
  strict:
    service: { back: upstream, hosts: [strict.internal], endpoint: "http://127.0.0.1:@ECHO@", audience: "api://echo", record: enforced }
  web:
    service: { back: upstream, hosts: [web.internal, www.internal], endpoint: "http://127.0.0.1:@WEB@" }
  slow:
    service: { back: upstream, hosts: [slow.internal], endpoint: "http://127.0.0.1:@WEB@", timeout: 1s }
  untrusted:
    service: { back: upstream, hosts: [untrusted.internal], endpoint: "https://127.0.0.1:@UNTRUSTED@" }
  nobody:
    service: { back: upstream, hosts: [nobody.internal], endpoint: "http://127.0.0.1:@NOBODY@" }
  liar:
    service: { back: upstream, hosts: [liar.internal], endpoint: "http://127.0.0.1:@LIAR@" }
"""
POLICY = """
echo:     allow caller to call "http://127.0.0.1:@ECHO@/echo.Echo/*" with audience "" owner team until @UNTIL@
strictly: allow caller to call "http://127.0.0.1:@ECHO@/echo.Echo/Say" with audience "api://echo"
    and call "http://127.0.0.1:@ECHO@/echo.Echo/Collect" with audience "api://echo"
    and call "http://127.0.0.1:@ECHO@/echo.Echo/Hang" with audience "api://echo" owner team until @UNTIL@
no_echo:  deny anyone to call "http://127.0.0.1:@ECHO@/echo.Echo/Denied" with audience "" owner team
web:      allow caller to call "http://127.0.0.1:@WEB@/*" with audience "" and call "https://127.0.0.1:@UNTRUSTED@/*" with audience ""
    and call "http://127.0.0.1:@NOBODY@/*" with audience "" and call "http://127.0.0.1:@LIAR@/*" with audience "" owner team until @UNTIL@
no_web:   deny anyone to call "http://127.0.0.1:@WEB@/secret/*" with audience "" owner team
"""
HOSTS = ["echo", "strict", "web", "www", "untrusted", "nobody", "liar", "slow"]
GROWTH_MB = 16


class Behind:
    """A service process, restarted at will on its port."""

    def __init__(self, folder, kind, port):
        self.kind, self.port, self.log = kind, port, folder / f"{kind}.log"
        self.start()

    def start(self):
        environment = {**os.environ, "GRPC_VERBOSITY": "NONE"}
        self.process = subprocess.Popen([sys.executable, HERE / "relay_service.py", self.kind, str(self.port), self.log], env=environment)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, self.kind
                time.sleep(0.05)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def told(self, words):
        return setting.eventually(lambda: True if words in self.log.read_text() else None)


class Untrusted:
    """TLS with a certificate of its own making."""

    def __init__(self, folder, port):
        import ssl
        key, cert = folder / "other.key", folder / "other.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert, "-days", "2"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.listener = context.wrap_socket(socket.create_server(("127.0.0.1", port)), server_side=True)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            with contextlib.suppress(OSError):
                self.listener.accept()[0].close()
            if self.listener.fileno() < 0:
                return


@pytest.fixture(scope="module")
def relay(tmp_path_factory, linkspan):
    folder = tmp_path_factory.mktemp("relay")
    ports = {name: linkspan_site.free_port() for name in ("ECHO", "WEB", "UNTRUSTED", "NOBODY", "LIAR")}
    fill = lambda text: linkspan_site.fill(text, ports)  # noqa: E731
    site = conftest.make_site(folder, linkspan, fill(POLICY), fill(CONNECTIONS))
    certificates.sign_for(site, HOSTS)
    site.echo, site.web, site.liar = (Behind(folder, kind, ports[name]) for kind, name in (("grpc", "ECHO"), ("http", "WEB"), ("liar", "LIAR")))
    untrusted = Untrusted(folder, ports["UNTRUSTED"])
    site.ports = ports
    try:
        with pytest.MonkeyPatch.context() as patch:  # what a sanitizer keeps of freed memory is not the server's
            patch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=16")
            site.start()
        site.bearer = plain.token(site, "caller")
        yield site
        assert site.server.poll() is None, f"the server died:\n{site.log()}"
    finally:
        untrusted.listener.close()
        for behind in (site.echo, site.web, site.liar):
            behind.stop()
        site.stop()
    assert "Sanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


def dial(site, host="echo", more=()):
    trust = grpc.ssl_channel_credentials(site.ca.read_bytes())
    options = [("grpc.default_authority", f"{host}.internal"), ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0),
               ("grpc.max_receive_message_length", -1), *more]
    return grpc.secure_channel(f"127.0.0.1:{site.port}", trust, options)


@pytest.fixture
def echo(relay):
    with dial(relay) as channel:
        yield Echo(relay, channel)


class Echo:
    def __init__(self, site, channel):
        self.site, self.channel = site, channel

    def auth(self, more=()):
        return (("authorization", f"Bearer {self.site.bearer}"), *more)

    def unary(self, name, message=b"hello", timeout=20, more=(), **rest):
        return self.channel.unary_unary(f"/echo.Echo/{name}").with_call(message, timeout=timeout, metadata=self.auth(more), **rest)

    def future(self, name, message=b"", timeout=20):
        return self.channel.unary_unary(f"/echo.Echo/{name}").future(message, timeout=timeout, metadata=self.auth())

    def list(self, count, size, pause=0, timeout=60):
        return self.channel.unary_stream("/echo.Echo/List")(json.dumps([count, size, pause]).encode(), timeout=timeout, metadata=self.auth())

    def collect(self, messages, timeout=60):
        return self.channel.stream_unary("/echo.Echo/Collect")(messages, timeout=timeout, metadata=self.auth())

    def chat(self, messages, timeout=60):
        return self.channel.stream_stream("/echo.Echo/Chat")(messages, timeout=timeout, metadata=self.auth())

    def refused(self, name, *args, **more):
        with pytest.raises(grpc.RpcError) as caught:
            self.unary(name, *args, **more)
        return caught.value


# --- gRPC, as it came ---------------------------------------------------------------------------------------------------------------


def test_unary_with_metadata_both_ways(echo):
    answer, call = echo.unary("Say", b"\x00payload")
    assert answer == b"\x00payload"
    assert dict(call.initial_metadata())["x-initial"] == "i"
    assert dict(call.trailing_metadata())["x-trailer"] == "t"
    assert dict(call.trailing_metadata())["x-bytes-bin"] == b"\x00\xff"


def test_a_large_message(echo):
    message = os.urandom(12 << 20)
    assert echo.unary("Say", message)[0] == message


def test_three_kinds_of_streams(echo):
    messages = list(echo.list(200, 5000))
    assert [int.from_bytes(m[:4], "big") for m in messages] == list(range(200)) and {len(m) for m in messages} == {5000}
    assert echo.collect(b"y" * 10_000 for _ in range(500)) == b"5000000"
    assert list(echo.chat(bytes([n]) * n for n in range(100))) == [bytes([n]) * n for n in range(100)]


def test_a_conversation_turn_by_turn(echo):
    """Each answer is awaited before the next message: nothing on the way waits for more."""
    turn, told = threading.Semaphore(1), []

    def messages():
        for n in range(20):
            assert turn.acquire(timeout=10)
            yield str(n).encode()

    for answer in echo.chat(messages()):
        told.append(int(answer))
        turn.release()
    assert told == list(range(20))


def test_error_details_arrive(echo):
    error = echo.refused("Fail")
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION and error.details() == "none left: ü %"
    info = error_details_pb2.ErrorInfo()
    assert rpc_status.from_call(error).details[0].Unpack(info) and info.reason == "OUT_OF_STOCK" and info.metadata["item"] == "7"


def test_trailers_only(echo):
    error = echo.refused("Only")
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "nothing of that name")
    assert echo.refused("Unheard").code() == grpc.StatusCode.UNIMPLEMENTED


def test_without_a_token_of_ours_the_services_refusal_is_its_own(echo):
    assert echo.refused("Unauthenticated").details() == "who are you"


def test_compression_end_to_end(relay):
    with dial(relay) as channel:
        answer, call = Echo(relay, channel).unary("Say", b"z" * 100_000, compression=grpc.Compression.Gzip)
        assert answer == b"z" * 100_000
    entry = setting.audit_entry(relay, lambda e: records.Records.method(e) == "echo.Echo.Say" and 0 < e["outcome"].get("bytesIn", 0) < 5000)
    assert entry, "no entry tells of a small body"


def test_only_listed_metadata_passes(echo):
    more = (("x-passed", "yes"), ("x-raw-bin", b"\x01\x02"), ("x-other", "no"), ("cookie", "a=b"), ("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=x"))
    seen = json.loads(echo.unary("Metadata", more=more)[0])
    assert seen["x-passed"] == "yes" and seen["x-raw-bin"] == "0102"
    assert not {"authorization", "cookie", "x-other", "x-forwarded-for", "forwarded", "via"} & set(seen)
    assert "grpc-python" in seen["user-agent"]


def test_the_trace_goes_on_in_its_one_form(echo):
    """With a span of our own; what breaks the grammar is not the service's to judge."""
    mine = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    seen = json.loads(echo.unary("Metadata", more=(("traceparent", mine), ("tracestate", "congo=t61rcWkgMzE")))[0])
    assert seen["traceparent"][:36] == mine[:36] and seen["traceparent"][36:52] != mine[36:52] and seen["tracestate"] == "congo=t61rcWkgMzE"
    for bad in ("00-nonsense", mine.upper()):
        seen = json.loads(echo.unary("Metadata", more=(("traceparent", bad), ("tracestate", "no grammar")))[0])
        assert len(seen["traceparent"]) == 55 and mine[3:35] not in seen["traceparent"].lower() and "tracestate" not in seen


def test_the_deadline_goes_on(relay, echo):
    assert 3 < json.loads(echo.unary("Metadata", timeout=5)[0])["remaining"] <= 5.1
    began = time.monotonic()
    assert echo.refused("Hang", timeout=0.5).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 3


def test_cancel_reaches_the_service(relay, echo):
    relay.echo.log.write_text("")
    call = echo.future("Hang")
    assert relay.echo.told("hang begins")
    call.cancel()
    assert relay.echo.told("hang is over False")


def test_a_denied_call_leaves_its_neighbours_alone(echo):
    """On one connection: a stream runs while calls beside it are denied, unknown and unproved."""
    stream, told = echo.list(60, 2000, 0.02), 0
    for n, _ in enumerate(stream):
        told += 1
        if n % 10 == 0:
            assert echo.refused("Denied").code() == grpc.StatusCode.PERMISSION_DENIED
            with pytest.raises(grpc.RpcError) as caught:
                echo.channel.unary_unary("/echo.Echo/Say")(b"", timeout=10)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.RpcError) as caught:  # a body that would go on and on is not waited for
                echo.channel.stream_unary("/echo.Echo/Denied")((b"x" * 100_000 for _ in range(1000)), timeout=10, metadata=echo.auth())
            assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert told == 60


def test_what_is_denied_is_recorded(relay, echo):
    echo.refused("Denied")
    entry = setting.audit_entry(relay, lambda e: records.Records.method(e) == "echo.Echo.Denied")
    text = json.dumps(entry)
    assert f"http://127.0.0.1:{relay.ports['ECHO']}/echo.Echo/Denied" in text and "DENIED" in text


def test_enforced_calls_have_an_intention(relay):
    with dial(relay, "strict") as channel:
        assert Echo(relay, channel).unary("Say")[0] == b"hello"
        assert Echo(relay, channel).refused("Metadata").code() == grpc.StatusCode.PERMISSION_DENIED
    assert setting.eventually(lambda: kinds_of(relay, "api://echo") == ["intent", "outcome", "refusal"] or None), kinds_of(relay, "api://echo")


def kinds_of(site, word):
    return [entry["kind"] for entry in setting.audit(site).entries if word in json.dumps(entry)]


# --- when the service is not well ----------------------------------------------------------------------------------------------------


def test_a_stream_without_a_message(relay):
    """Its end comes before the intention is durable, and so before the service is asked."""
    with dial(relay, "strict") as channel:
        assert Echo(relay, channel).collect(iter(()), timeout=15) == b"0"


def test_what_became_of_it_is_not_known(relay):
    """It had gone on when its caller went: the log does not say that it was not done."""
    with dial(relay, "strict") as channel:
        assert Echo(relay, channel).refused("Hang", timeout=1.5).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    entry = setting.audit_entry(relay, lambda e: e["kind"] == "outcome" and records.Records.method(e) == "echo.Echo.Hang"
                                and e["atoms"][0].get("account") == "api://echo")
    assert entry["protoPayload"]["status"]["code"] == 2 and "not known" in entry["protoPayload"]["status"]["message"], entry


def test_nobody_there(relay):
    with dial(relay, "nobody") as channel:
        assert Echo(relay, channel).refused("Say").code() == grpc.StatusCode.UNAVAILABLE
    assert web(relay, "GET", "/", host="nobody").status_code == 503


def test_wrong_certificate(relay):
    with dial(relay, "untrusted") as channel:
        error = Echo(relay, channel).refused("Say")
    assert error.code() == grpc.StatusCode.UNAVAILABLE and "certificate" in error.details()


@pytest.mark.parametrize("lie", ["html", "no-status", "half", "length", "early", "garbage"])
def test_answers_that_lie(relay, lie):
    with dial(relay, "liar") as channel:
        call = channel.unary_unary(f"/{lie}")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"x", timeout=10, metadata=Echo(relay, channel).auth())
    assert caught.value.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN), caught.value
    assert caught.value.code() != grpc.StatusCode.OK
    with dial(relay) as channel:
        assert Echo(relay, channel).unary("Say")[0] == b"hello"


def test_the_service_is_killed(relay, echo):
    """Its callers hear UNAVAILABLE, other services' notice nothing, and when it is back so are they."""
    stream = echo.list(1000, 2000, 0.01)
    next(stream)
    relay.echo.stop()
    try:
        with pytest.raises(grpc.RpcError) as caught:
            for _ in stream:
                pass
        assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL), caught.value
        assert echo.refused("Say").code() == grpc.StatusCode.UNAVAILABLE
        assert web(relay, "GET", "/").status_code == 200
    finally:
        relay.echo.start()
    assert setting.eventually(lambda: said(echo)) == b"hello"


def said(echo):
    with contextlib.suppress(grpc.RpcError):
        return echo.unary("Say")[0]
    return None


# --- HTTP ----------------------------------------------------------------------------------------------------------------------------


def web(site, verb, path, host="web", bearer=None, **more):
    headers = {"Host": f"{host}.internal", "Authorization": f"Bearer {bearer or site.bearer}", **more.pop("headers", {})}
    request = requests.Request(verb, f"{site.url}/", headers=headers, **more).prepare()
    request.url = f"{site.url}{path}"
    session = requests.Session()
    return session.send(request, verify=str(site.ca), timeout=30, allow_redirects=False, stream=True)


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_queries_and_bodies(relay, verb):
    body = b"b" * 100_000 if verb not in ("GET", "OPTIONS") else None
    seen = web(relay, verb, "/a/b%20c?x=1&y=%2F", data=body).json()
    assert (seen["method"], seen["path"], seen["body"]) == (verb, "/a/b%20c?x=1&y=%2F", len(body or b""))
    assert not {"authorization", "cookie", "via", "x-forwarded-for"} & set(seen["headers"])


def test_head_and_chunked_bodies(relay):
    assert web(relay, "HEAD", "/status/200").headers["content-length"] == "13"
    assert web(relay, "POST", "/sink", data=(b"c" * 7000 for _ in range(300))).text == "2100000"


def test_head_after_an_interim_answer(relay):
    """Neither answer has a body: the next request of the connection is served."""
    with requests.Session() as session:
        headers = {"Host": "web.internal", "Authorization": f"Bearer {relay.bearer}"}
        for verb, body in (("HEAD", ""), ("GET", "its own words"), ("HEAD", ""), ("GET", "its own words")):
            answer = session.request(verb, f"{relay.url}/hints", headers=headers, verify=str(relay.ca), timeout=10)
            assert (answer.status_code, answer.text, answer.headers["content-length"]) == (200, body, "13")


def test_an_answer_that_comes_early_is_heard(relay):
    """By a client that sends all before it reads: ours, and the service's."""
    body = bytes(64 << 20)
    assert web(relay, "POST", "/sink", bearer="none", data=body).status_code == 401
    assert web(relay, "POST", "/unread", data=body).status_code == 413


def test_an_upload_that_stops(relay):
    ask = f"POST /sink HTTP/1.1\r\nHost: slow.internal\r\nAuthorization: Bearer {relay.bearer}\r\nContent-Length: 10\r\n\r\nabc"
    with contextlib.closing(raw(relay, ask)) as sock:
        sock.settimeout(15)
        assert sock.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_answers_pass_as_they_are(relay):
    moved = web(relay, "GET", "/moved")
    assert (moved.status_code, moved.headers["location"]) == (302, "https://elsewhere.example/x")
    kept = web(relay, "GET", "/cookie")
    assert kept.headers["x-kept"] == "1" and kept.headers["etag"] == '"7"'
    assert "set-cookie" not in kept.headers and "alt-svc" not in kept.headers
    for status in (400, 404, 418, 500, 503):
        answer = web(relay, "GET", f"/status/{status}")
        assert (answer.status_code, answer.text) == (status, "its own words")


@pytest.mark.parametrize("kind", ["last", "until-close"])
def test_a_service_that_goes_after_its_answer(relay, kind):
    """What it said before it went is the client's, however late that one reads."""
    size = 16 << 20
    answer = web(relay, "GET", f"/{kind}/{size}")
    got = 0
    for n, piece in enumerate(answer.iter_content(1 << 20)):
        got += len(piece)
        if n % 2 == 0:
            time.sleep(0.2)
    assert got == size


def test_too_slow(relay):
    began = time.monotonic()
    assert web(relay, "GET", "/slow", host="slow").status_code == 504
    assert time.monotonic() - began < 2.8


@pytest.mark.parametrize("path", ["/../secret/x", "/a//b", "/%73ecret/x", "/a/%2e%2e/secret/x", "/secret%2Fx", "/a;/..;/secret"])
def test_other_spellings_do_not_pass(relay, path):
    with contextlib.closing(raw(relay, f"GET {path} HTTP/1.1\r\nHost: web.internal\r\nAuthorization: Bearer {relay.bearer}\r\n\r\n")) as sock:
        status = int(sock.makefile("rb").readline().split()[1])
    assert status in (400, 403), status


def raw(site, text):
    import ssl
    context = ssl.create_default_context(cafile=site.ca)
    context.set_alpn_protocols(["http/1.1"])
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", site.port), 10), server_hostname="127.0.0.1")
    sock.sendall(text.encode())
    return sock


def test_refusals(relay):
    assert web(relay, "GET", "/secret/x").status_code == 403
    assert web(relay, "GET", "/", bearer=plain.token(relay, "reader")).status_code == 403
    assert web(relay, "GET", "/", bearer="nonsense").status_code == 401
    assert web(relay, "GET", "/", host="elsewhere").status_code == 501
    assert web(relay, "TRACE", "/").status_code == 501


@pytest.mark.parametrize("sni, status", [("web.internal", 200), ("www.internal", 200), ("localhost", 421), ("echo.internal", 421)])
def test_tls_must_name_the_same_service(relay, sni, status):
    import ssl
    context = ssl.create_default_context(cafile=relay.ca)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", relay.port), 10), server_hostname=sni) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: WEB.internal:{relay.port}\r\nAuthorization: Bearer {relay.bearer}\r\n\r\n".encode())
        assert int(sock.makefile("rb").readline().split()[1]) == status


# --- memory --------------------------------------------------------------------------------------------------------------------------


def grown(site, before):
    return resident_mb(site.server.pid) - before


def download(site, count, pause=lambda: None):
    """By hand, as requests is slow at chunks: how many bytes came, framing included, and the last of them."""
    got, told, room, last = 0, 0, memoryview(bytearray(1 << 20)), b""
    with contextlib.closing(raw(site, f"GET /zeros/{count} HTTP/1.1\r\nHost: web.internal\r\nAuthorization: Bearer {site.bearer}\r\n\r\n")) as sock:
        while not last.endswith(b"\r\n\r\n") or got < count:
            size = sock.recv_into(room)
            assert size, got
            got, last = got + size, (last + bytes(room[max(size - 64, 0):size]))[-64:]
            if got // (256 << 20) > told:
                told += 1
                pause()
    return got, last


def test_a_stream_of_any_length_down(relay):
    """1 GiB through a client that stops now and then."""
    def pause():
        time.sleep(0.5)
        most.append(grown(relay, before))

    download(relay, 32 << 20)
    before, most = resident_mb(relay.server.pid), []
    got, last = download(relay, 1 << 30, pause)
    assert got > 1 << 30 and b"x-sum: 1073741824" in last, last
    assert len(most) == 4 and max(most) < GROWTH_MB, most


def test_a_stream_of_any_length_up(relay):
    def pieces():
        for n in range(256):
            if n % 64 == 0:
                time.sleep(0.3)
                most.append(grown(relay, before))
            yield bytes(1 << 20)

    before, most = resident_mb(relay.server.pid), []
    assert web(relay, "POST", "/sink", data=pieces()).text == str(256 << 20)
    assert max(most) < GROWTH_MB, most


def test_a_service_that_is_held_up_holds_up_itself_alone(relay):
    """Each service has connections of its own: whoever keeps all of one's busy does not keep others from theirs."""
    ask = f"GET /zeros/{1 << 30} HTTP/1.1\r\nHost: web.internal\r\nAuthorization: Bearer {relay.bearer}\r\n\r\n"
    with contextlib.ExitStack() as held:
        for _ in range(160):  # 64 a worker and service; two workers
            held.enter_context(contextlib.closing(raw(relay, ask)))
        began = time.monotonic()
        for _ in range(4):
            assert web(relay, "GET", "/", host="nobody").status_code == 503
        assert time.monotonic() - began < 10


def test_a_client_that_never_reads(relay, echo):
    """Its answer waits in bounded room, its neighbours are served, and when it goes the service hears of it."""
    relay.web.log.write_text("")
    before = resident_mb(relay.server.pid)
    silent = [web(relay, "GET", f"/zeros/{1 << 30}") for _ in range(4)]
    stream = echo.list(2000, 100_000)
    next(stream)
    time.sleep(2)
    assert grown(relay, before) < GROWTH_MB
    assert echo.unary("Say")[0] == b"hello" and web(relay, "GET", "/").status_code == 200
    for answer in silent:
        answer.raw._fp.fp.raw._sock.close() if hasattr(answer.raw, "_fp") else answer.close()
        answer.close()
    stream.cancel()
    assert relay.web.told("zeros cut after")
