"""The relay with an exchange: what reaches the service is a token of its own cloud, fetched for the caller; the caller's own ends here.
The service is another Linkspan, which takes nothing else (two_sites.py)."""
import json
import socket

import grpc
import pytest

import certificates
import conftest
import linkspan_site
import plain
import setting
import two_sites
from test_relay import Behind

CONNECTION = """  cloud:
    service: { back: upstream, hosts: [cloud.internal], endpoint: "@FAR@", exchange: far }
  bare:
    service: { back: upstream, hosts: [bare.internal], endpoint: "@FAR@" }
  echo:
    service: { back: upstream, hosts: [echo.internal], endpoint: "http://127.0.0.1:@ECHO@", exchange: far }
  web:
    service: { back: upstream, hosts: [web.internal], endpoint: "http://127.0.0.1:@WEB@", exchange: far }
  liar:
    service: { back: upstream, hosts: [liar.internal], endpoint: "http://127.0.0.1:@LIAR@", exchange: far }
  stuck:
    service: { back: upstream, hosts: [stuck.internal], endpoint: "http://127.0.0.1:@ECHO@", exchange: mute }
"""
MUTE = "  mute: { file: mute.json }\n"
POLICY = """
cloud: allow caller, watcher to call "@FAR@/*" with audience "" owner team until @UNTIL@
plain: allow caller, writer, watcher to call "http://127.0.0.1:@ECHO@/*" with audience "" and call "http://127.0.0.1:@WEB@/*" with audience ""
    and call "http://127.0.0.1:@LIAR@/*" with audience "" owner team until @UNTIL@
"""
LIST = "/v1/projects/demo/instances/flights/databases"
RPC = "/google.spanner.admin.database.v1.DatabaseAdmin/ListDatabases"


@pytest.fixture(scope="module")
def mute():
    """A token endpoint that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def pair(tmp_path_factory, linkspan, mute):
    folder = tmp_path_factory.mktemp("pair")
    ports = {name: linkspan_site.free_port() for name in ("ECHO", "WEB", "LIAR")}
    near = conftest.make_site(folder, linkspan, linkspan_site.fill(POLICY, ports), linkspan_site.fill(CONNECTION, ports))
    near.config.write_text(near.config.read_text().replace("connections:\n", two_sites.EXCHANGES + MUTE + "connections:\n", 1))
    certificates.sign_for(near, ["cloud", "bare", "echo", "web", "liar", "stuck"])
    far = two_sites.make_far(folder / "far", near)
    file = two_sites.exchange_file(far, two_sites.GATEWAY)
    (near.folder / "mute.json").write_text(json.dumps({**file, "token_url": f"https://127.0.0.1:{mute}/v1/token"}))
    policy = near.policies / "tests.policy"
    policy.write_text(policy.read_text().replace("@FAR@", far.url))
    pair = two_sites.Pair(near, far)
    services = [Behind(folder, kind, ports[name]) for kind, name in (("grpc", "ECHO"), ("http", "WEB"), ("liar", "LIAR"))]
    try:
        pair.start()
        yield pair
    finally:
        for service in services:
            service.stop()
        pair.stop()
    for site in (near, far):
        assert "Sanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


def ask(pair, verb, path, host="cloud", who="caller", body=None, **more):
    client = plain.Plain(pair.near, bearer=plain.token(pair.near, who, **more))
    client.http.headers["Host"] = f"{host}.internal"
    return client.http.request(verb, f"{pair.near.url}{path}", json=body, verify=str(pair.near.ca), timeout=30)


def test_http_with_the_gateways_account(pair):
    made = ask(pair, "POST", LIST, body={"createStatement": "CREATE DATABASE relayed"})
    assert made.status_code == 200, made.text
    assert "databases/relayed" in ask(pair, "GET", LIST).text
    entry = setting.audit_entry(pair.far, lambda e: "GetDatabase" in str(e) or "CreateDatabase" in str(e))
    assert two_sites.GATEWAY in str(entry["protoPayload"]["authenticationInfo"])


def dial(pair, host):
    options = [("grpc.default_authority", f"{host}.internal"), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.secure_channel(f"127.0.0.1:{pair.near.port}", grpc.ssl_channel_credentials(pair.near.ca.read_bytes()), options)


def proof(pair, who):
    return (("authorization", f"Bearer {plain.token(pair.near, who)}"),)


def test_grpc_with_the_gateways_account(pair):
    bearer = proof(pair, "caller")
    parent = b"projects/demo/instances/flights"
    with dial(pair, "cloud") as channel:
        answers = [channel.unary_unary(RPC).future(b"\x0a" + bytes([len(parent)]) + parent, timeout=20, metadata=bearer) for _ in range(20)]
        assert {answer.code() for answer in answers} == {grpc.StatusCode.OK}
        unknown = channel.unary_unary(RPC + "Twice").future(b"", timeout=20, metadata=bearer)
        assert unknown.code() == grpc.StatusCode.UNIMPLEMENTED and "METHOD_UNKNOWN" in unknown.details()


def far_exchanges(pair):
    return [e["protoPayload"]["methodName"] for e in setting.audit(pair.far).entries
            if e["kind"] == "outcome" and ("/v1/token" in e["protoPayload"]["methodName"] or "generateAccessToken" in e["protoPayload"]["methodName"])]


def test_cold_callers_make_one_exchange(pair):
    before = len(far_exchanges(pair))
    with dial(pair, "echo") as channel:
        bearer = proof(pair, "writer")
        answers = [channel.unary_unary("/echo.Echo/Say").future(b"x", timeout=60, metadata=bearer) for _ in range(200)]
        assert {answer.code() for answer in answers} == {grpc.StatusCode.OK}
    made = far_exchanges(pair)[before:]
    assert len(made) == len(set(made)) == 2, f"a token of the far side, and with it one of the account: {made}"


def test_a_token_that_the_service_does_not_take(pair):
    """The caller can do nothing about it: he hears UNAVAILABLE and not the service's words. A token that is younger than 30 s is not
    replaced (unit `gate_relay` has the clock), so he hears it again; others have tokens of their own."""
    for _ in range(2):
        refused = ask(pair, "GET", "/choosy", host="web")
        assert refused.status_code == 503 and "does not take the token" in refused.text and "not that one" not in refused.text, refused.text
    assert ask(pair, "GET", "/choosy", host="web", who="writer").text == "taken"
    entry = setting.audit_entry(pair.near, lambda e: e["protoPayload"]["methodName"] == "GET /choosy" and e["protoPayload"]["status"]["code"] == 14)
    assert entry and "401" in entry["protoPayload"]["status"]["message"]
    with dial(pair, "echo") as channel:
        choosy = channel.unary_unary("/echo.Echo/Choosy")
        with pytest.raises(grpc.RpcError) as caught:
            choosy(b"x", timeout=20, metadata=proof(pair, "caller"))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE and "does not take the token" in caught.value.details()
        assert choosy(b"x", timeout=20, metadata=proof(pair, "writer")) == b"x"


def test_a_token_that_a_proxy_does_not_take(pair):
    """It stands before a gRPC service, and refuses as HTTP does: with 401 and a page."""
    with dial(pair, "liar") as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/stranger")(b"x", timeout=20, metadata=proof(pair, "caller"))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE and "does not take the token" in caught.value.details(), caught.value
    entry = setting.audit_entry(pair.near, lambda e: "stranger" in e["protoPayload"]["methodName"] and e["protoPayload"]["status"]["code"] == 14)
    assert entry and "HTTP 401" in entry["protoPayload"]["status"]["message"]


def test_without_an_exchange_no_token_goes(pair):
    """The far side then sees a stranger: what it says of that is its own."""
    answer = ask(pair, "GET", LIST, host="bare")
    assert answer.status_code == 401 and "NO_PROOF" in answer.text, answer.text


def test_the_service_refuses_in_its_own_words(pair):
    answer = ask(pair, "GET", f"{LIST}/none/ddl")
    assert answer.status_code == 404 and "databases/none" in answer.text, answer.text


def test_who_may_not_call_gets_no_token(pair):
    assert ask(pair, "GET", LIST, who="reader").status_code == 403


def test_an_endpoint_that_hangs_keeps_nobody_from_another(pair):
    """More callers want a token of it than one dialer has places: 256 wait, the others hear so, and who wants another's token gets it."""
    callers = [(("authorization", f"Bearer {plain.token(pair.near, f'watcher{n}', groups='watchers')}"),) for n in range(300)]
    channels = [dial(pair, "stuck") for _ in range(4)]
    answers = [channels[n % 4].unary_unary("/echo.Echo/Say").future(b"x", timeout=60, metadata=caller) for n, caller in enumerate(callers)]

    def told():
        return [answer.details() for answer in answers if answer.done()]

    setting.eventually(lambda: len(told()) >= 300 - 256 or None)
    assert ask(pair, "GET", LIST, who="fresh", groups="watchers").status_code == 200
    assert len(told()) == 300 - 256 and all("no room for another token exchange" in why for why in told()), told()
    for channel in channels:
        channel.close()


def test_the_sts_is_down(pair):
    """Whoever has no token yet hears at once; nothing of the request goes on."""
    pair.far.stop_server()
    try:
        answer = ask(pair, "GET", LIST, who="watcher", groups="watchers")
        assert answer.status_code == 503, answer.text
    finally:
        pair.far.start_server()
