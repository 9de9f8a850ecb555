"""The relay with an exchange: what reaches the service is a token of its own cloud, fetched for the caller; the caller's own ends here.
The service is another Linkspan, which takes nothing else (two_sites.py)."""
import grpc
import pytest

import certificates
import conftest
import linkspan_site
import plain
import setting
import two_sites

CONNECTION = """  cloud:
    service: { back: upstream, hosts: [cloud.internal], endpoint: "@FAR@", exchange: far }
  bare:
    service: { back: upstream, hosts: [bare.internal], endpoint: "@FAR@" }
"""
POLICY = """
cloud: allow caller, watcher to call "@FAR@/*" with audience "" owner team until @UNTIL@
"""
LIST = "/v1/projects/demo/instances/flights/databases"
RPC = "/google.spanner.admin.database.v1.DatabaseAdmin/ListDatabases"


@pytest.fixture(scope="module")
def pair(tmp_path_factory, linkspan):
    folder = tmp_path_factory.mktemp("pair")
    near = conftest.make_site(folder, linkspan, POLICY, CONNECTION)
    near.config.write_text(near.config.read_text().replace("connections:\n", two_sites.EXCHANGES + "connections:\n", 1))
    certificates.sign_for(near, ["cloud", "bare"])
    far = two_sites.make_far(folder / "far", near)
    policy = near.policies / "tests.policy"
    policy.write_text(policy.read_text().replace("@FAR@", far.url))
    pair = two_sites.Pair(near, far)
    try:
        pair.start()
        yield pair
    finally:
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


def test_grpc_with_the_gateways_account(pair):
    trust = grpc.ssl_channel_credentials(pair.near.ca.read_bytes())
    options = [("grpc.default_authority", "cloud.internal")]
    bearer = (("authorization", f"Bearer {plain.token(pair.near, 'caller')}"),)
    parent = b"projects/demo/instances/flights"
    with grpc.secure_channel(f"127.0.0.1:{pair.near.port}", trust, options) as channel:
        answers = [channel.unary_unary(RPC).future(b"\x0a" + bytes([len(parent)]) + parent, timeout=20, metadata=bearer) for _ in range(20)]
        assert {answer.code() for answer in answers} == {grpc.StatusCode.OK}
        unknown = channel.unary_unary(RPC + "Twice").future(b"", timeout=20, metadata=bearer)
        assert unknown.code() == grpc.StatusCode.UNIMPLEMENTED and "METHOD_UNKNOWN" in unknown.details()


def test_without_an_exchange_no_token_goes(pair):
    """The far side then sees a stranger: what it says of that is its own."""
    answer = ask(pair, "GET", LIST, host="bare")
    assert answer.status_code == 401 and "NO_PROOF" in answer.text, answer.text


def test_the_service_refuses_in_its_own_words(pair):
    answer = ask(pair, "GET", f"{LIST}/none/ddl")
    assert answer.status_code == 404 and "databases/none" in answer.text, answer.text


def test_who_may_not_call_gets_no_token(pair):
    assert ask(pair, "GET", LIST, who="reader").status_code == 403


def test_the_sts_is_down(pair):
    """Whoever has no token yet hears at once; nothing of the request goes on."""
    pair.far.stop_server()
    try:
        answer = ask(pair, "GET", LIST, who="watcher", groups="watchers")
        assert answer.status_code == 503, answer.text
    finally:
        pair.far.start_server()
