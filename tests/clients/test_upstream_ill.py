"""Upstreams that are not well: each way of being ill, behind each kind of connection, asked in each protocol. The caller hears which
connection it was and never an address; the code is the right one; the audit says why; who is served elsewhere notices nothing.
What is here is one real server, and sick services on sockets of this process."""
import contextlib
import json
import os
import socket
import ssl
import threading

import grpc
import pytest
import requests
from google.cloud.dataproc_v1 import ListJobsRequest
from google.cloud.spanner_v1 import CreateSessionRequest, ExecuteSqlRequest

import certificates
import conftest
import linkspan_site
import plain
import relay_service
import setting
import two_sites
from test_relay import Untrusted

SPANNER, DATAPROC, RELAY = ["Spanner", "Spanner REST"], ["Dataproc", "Dataproc REST"], ["relay", "relay HTTP"]
BOTH, GRPC, ALL = SPANNER + DATAPROC, SPANNER + DATAPROC + ["relay"], SPANNER + DATAPROC + RELAY
# What is wrong → where the connection leads; gRPC's code, HTTP's status; what the caller hears; what the audit says; of what kinds of
# connections that is so. (To a relay of HTTP a page is an answer, and it does not open gRPC's messages.)
ILL = {
    "down": ("http://127.0.0.1:@NOBODY@", "UNAVAILABLE", 503, "the upstream of down.", "Connection refused", ALL),
    "slow": ("http://127.0.0.1:@SLOW@", "DEADLINE_EXCEEDED", 504, "took too long", "", BOTH + ["relay HTTP"]),
    "certificate": ("https://127.0.0.1:@UNTRUSTED@", "UNAVAILABLE", 503, "does not prove by its certificate", "self-signed certificate", ALL),
    "html": ("http://127.0.0.1:@HTML@", "INTERNAL", 500, "the upstream of html.", "text/html", GRPC),
    "web": ("https://127.0.0.1:@WEB@", "INTERNAL", 500, "does not answer in gRPC", "text/html", GRPC),
    "length": ("http://127.0.0.1:@LENGTH@", "INTERNAL", 500, "no lawful HTTP", "reset the stream", GRPC),
    "half": ("http://127.0.0.1:@HALF@", "INTERNAL", 500, "ends in the midst of a message", "", BOTH),
    "huge": ("http://127.0.0.1:@HUGE@", "RESOURCE_EXHAUSTED", 429, "too long a one", "1073741824", BOTH),
    "cut": ("http://127.0.0.1:@CUT@", "UNAVAILABLE", 503, "before its answer was whole", "the peer", BOTH),
    "tokenless": ("http://127.0.0.1:@HTML@", "UNAVAILABLE", 503, "no token for the upstream: the token service does not answer", "", ALL),
    "short": ("http://127.0.0.1:@SHORT@", "UNAVAILABLE", 503, "", "", []),
}
CODES = {"DEADLINE_EXCEEDED": 4, "RESOURCE_EXHAUSTED": 8, "INTERNAL": 13, "UNAVAILABLE": 14}
LIES = {"HTML": "html", "LENGTH": "length", "HALF": "half", "HUGE": "huge", "CUT": "cut", "SLOW": "silence"}

CONNECTION = """  @NAME@:
    spanner: { back: upstream, project: p-@NAME@, instance: main, endpoint: "@AT@", timeout: 1s@PROOF@ }
    dataproc: { back: upstream, project: p-@NAME@, region: far, endpoint: "@AT@", timeout: 1s@PROOF@,
                accounts: { batch: worker@demo.iam.gserviceaccount.com } }
    service: { back: upstream, hosts: [@NAME@.internal], endpoint: "@AT@", timeout: 1s@PROOF@ }
"""
RULES = """
@NAME@-spanner:  allow admin to read every table in spanner @NAME@/* owner ill until @UNTIL@
@NAME@-dataproc: allow admin to see jobs on dataproc @NAME@/* owner ill until @UNTIL@
@NAME@-service:  allow admin to call "@AT@/*" with audience "" owner ill until @UNTIL@
"""
DATABASE = "projects/p-{}/instances/main/databases/d"
CREATE, LIST = "/google.spanner.v1.Spanner/CreateSession", "/google.cloud.dataproc.v1.JobController/ListJobs"
NEIGHBOUR = "SELECT a.Text FROM Notes AS a CROSS JOIN Notes AS b CROSS JOIN Notes AS c"
NEIGHBOUR_ROWS = 20


def accept(port, serve):
    """Whoever comes is served by a thread of its own."""
    listener = socket.create_server(("127.0.0.1", port))

    def quietly(sock):
        with contextlib.suppress(OSError), sock:
            serve(sock)

    def run():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=quietly, args=(listener.accept()[0],), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    return listener


def silence(sock):
    while sock.recv(65536):
        pass


def liar(word):
    return silence if word == "silence" else lambda sock: relay_service.lie_to(sock, word)


def web_page(site):
    """HTTP/1.1 alone, and a page for everything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.folder / "tls" / "server.pem", site.folder / "tls" / "server.key")
    context.set_alpn_protocols(["http/1.1"])

    def serve(raw):
        with context.wrap_socket(raw, server_side=True) as sock:
            while sock.recv(65536):
                sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>")
    return serve


def short(sock):
    """HTTP/1.1 that promises ten bytes, and goes after three."""
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")


@pytest.fixture(scope="module")
def site(tmp_path_factory, linkspan):
    folder = tmp_path_factory.mktemp("ill")
    ports = {name: linkspan_site.free_port() for name in ("NOBODY", "UNTRUSTED", "WEB", "SHORT", *LIES)}
    values = [{"NAME": name, "AT": linkspan_site.fill(what[0], ports), "PROOF": ", exchange: dead" if name == "tokenless" else ""}
              for name, what in ILL.items()]
    exchange = "exchanges:\n  dead: { file: dead.json }\n"
    config = setting.CONFIG.replace("connections:\n", exchange + "connections:\n", 1)
    site = conftest.make_site(folder, linkspan, config=config + "".join(linkspan_site.fill(CONNECTION, one) for one in values))
    (site.folder / "dead.json").write_text(json.dumps({
        "type": "external_account", "audience": two_sites.NEAR, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"https://127.0.0.1:{ports['NOBODY']}/v1/token"}))
    covers = ", ".join(f"spanner {name}/*, dataproc {name}/*" for name in ILL)
    rules = "".join(linkspan_site.fill(RULES, {**one, "UNTIL": site.days_ahead(30)}) for one in values)
    (site.policies / "ill.policy").write_text(f"domain ill covers {covers} owner ill\n{rules}")
    certificates.sign_for(site, list(ILL))
    site.trust()
    untrusted = Untrusted(folder, ports["UNTRUSTED"])
    behind = [untrusted.listener, accept(ports["WEB"], web_page(site)), accept(ports["SHORT"], short),
              *(accept(ports[name], liar(word)) for name, word in LIES.items())]
    try:
        site.start()
        site.bearer = plain.token(site, "admin")
        yield site
        assert site.server.poll() is None, site.log()
    finally:
        for listener in behind:
            listener.close()
        site.stop()
    assert "Sanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


class Asker:
    """One connection for all gRPC, and a stream on it that goes on while others fail: what is served elsewhere."""

    def __init__(self, site):
        self.site, self.http = site, requests.Session()
        trust = grpc.ssl_channel_credentials(site.ca.read_bytes())
        self.channels = {}
        self.dial = lambda name: self.channels.setdefault(name, grpc.secure_channel(
            f"127.0.0.1:{site.port}", trust, [("grpc.default_authority", f"{name}.internal")] if name else []))
        admin = plain.Plain(site)
        admin.create("well")
        self.session = admin.session("well")
        admin.commit(self.session, ("insert", "Notes", ["Owner", "Id", "Text"], [["a", str(n), "x" * 40_000] for n in range(NEIGHBOUR_ROWS)]))
        request = ExecuteSqlRequest.serialize(ExecuteSqlRequest(session=self.session.removeprefix("v1/"), sql=NEIGHBOUR))
        self.neighbour = self.dial("").unary_stream("/google.spanner.v1.Spanner/ExecuteStreamingSql")(request, timeout=300, metadata=self.head())

    def head(self, trace=None):
        return (("authorization", f"Bearer {self.site.bearer}"), *([("traceparent", f"00-{trace}-00f067aa0ba902b7-01")] if trace else []))

    def grpc(self, path, message, trace, name=""):
        """Code and words. No deadline: what ends it is ours."""
        with pytest.raises(grpc.RpcError) as caught:
            self.dial(name).unary_unary(path)(message, metadata=self.head(trace))
        return caught.value.code().name, caught.value.details()

    def rest(self, verb, path, trace, name=""):
        headers = {**dict(self.head(trace)), **({"Host": f"{name}.internal"} if name else {})}
        answer = self.http.request(verb, f"{self.site.url}/{path}", headers=headers, json={} if verb == "POST" else None, verify=str(self.site.ca),
                                   timeout=20)
        return answer.status_code, answer.text


@pytest.fixture(scope="module")
def ask(site):
    asker = Asker(site)
    next(asker.neighbour)
    yield asker
    asker.neighbour.cancel()


WAYS = {
    "Spanner": lambda ask, name, trace: ask.grpc(CREATE, CreateSessionRequest.serialize(CreateSessionRequest(database=DATABASE.format(name))), trace),
    "Spanner REST": lambda ask, name, trace: ask.rest("POST", f"v1/{DATABASE.format(name)}/sessions", trace),
    "Dataproc": lambda ask, name, trace: ask.grpc(LIST, ListJobsRequest.serialize(ListJobsRequest(project_id=f"p-{name}", region="far")), trace),
    "Dataproc REST": lambda ask, name, trace: ask.rest("GET", f"v1/projects/p-{name}/regions/far/jobs", trace),
    "relay": lambda ask, name, trace: ask.grpc("/a.B/C", b"", trace, name),
    "relay HTTP": lambda ask, name, trace: ask.rest("GET", "a", trace, name),
}


def recorded(site, traces):
    """The outcomes of the requests with these traces, once all are in the log."""
    def ask():
        found = {trace: entry for entry in setting.audit(site).entries for trace in traces if entry["kind"] == "outcome" and entry.get("trace") == trace}
        return found if len(found) == len(traces) else None
    return setting.eventually(ask)


@pytest.mark.parametrize("name", [name for name in ILL if ILL[name][-1]])
def test_a_clear_error_and_who_is_served_elsewhere(site, ask, name):
    _, code, status, words, why, ways = ILL[name]
    traces = {way: os.urandom(16).hex() for way in ways}
    for way in ways:
        heard, text = WAYS[way](ask, name, traces[way])
        assert heard in (code, status), (way, heard, text)
        assert words in text and "127.0.0.1" not in text, (way, text)
        next(ask.neighbour)
    entries = recorded(site, traces.values())
    assert entries, "no entry of a request that failed"
    for way in ways:
        told = entries[traces[way]]["protoPayload"]["status"]
        assert told["code"] == CODES[code] and why in told.get("message", ""), (way, told)


@pytest.mark.parametrize("name", ["half", "cut"])
def test_half_a_message_is_out(site, ask, name):
    """What a relay has passed on cannot be taken back: the stream is reset, and the audit says what happened."""
    trace = os.urandom(16).hex()
    assert WAYS["relay"](ask, name, trace)[0] == "INTERNAL"
    next(ask.neighbour)
    assert recorded(site, [trace])[trace]["protoPayload"]["status"]["code"] == CODES[ILL[name][1]]


def test_half_a_body_is_out(site, ask):
    """The same in HTTP/1.1: the connection ends, and no client takes it for the whole."""
    trace = os.urandom(16).hex()
    with pytest.raises(requests.RequestException):
        ask.rest("GET", "a", trace, "short")
    next(ask.neighbour)
    assert recorded(site, [trace])[trace]["protoPayload"]["status"]["code"] == CODES["UNAVAILABLE"]
