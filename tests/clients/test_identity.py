"""Unmodified google-auth against our STS and IAM Credentials; what must be refused is refused without a hint."""
import base64
import json
import signal
import time

import grpc
import pytest
import requests

import linkspan_site
import setting

EXCHANGE = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "scope": setting.CLOUD_PLATFORM,
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "audience": linkspan_site.PROVIDER.format("cloud")}
PARENT = b"projects/demo/instances/flights"


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def foreign_token(site, **query):
    asked = {"shape": "entra", "tenant": linkspan_site.TENANT, "sub": "admin", "aud": linkspan_site.AUDIENCE, "format": "text", **query}
    return requests.get(f"{site.issuer_url}/token", params=asked, timeout=10).text.strip()


def exchange(site, **form):
    return requests.post(f"{site.url}/v1/token", data={**EXCHANGE, **form}, verify=str(site.ca), timeout=30)


def list_databases(site, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    return requests.get(f"{site.url}/v1/projects/demo/instances/flights/databases", headers=headers, verify=str(site.ca), timeout=30)


def test_exchange_and_use(site, as_user):
    token = as_user.token("admin")
    found = claims(token)
    assert found["sub"] == "admin" and found["via"] == "cloud" and 0 < found["exp"] - time.time() <= 3600
    assert list_databases(site, f"Bearer {token}").status_code == 200


def test_impersonation_keeps_the_chain(site, as_user):
    found = claims(as_user.token("caller", account=setting.WORKER))
    assert found["sub"] == setting.WORKER and found["act"]["sub"] == "caller"
    assert setting.audit_entry(site, lambda e: "generateAccessToken" in e.get("protoPayload", {}).get("methodName", "")
                               and e["protoPayload"]["authenticationInfo"].get("principalSubject") == "caller")


def test_impersonation_of_an_account_that_the_policy_does_not_give(site, as_user):
    from google.auth import exceptions
    with pytest.raises(exceptions.RefreshError) as refused:
        as_user.token("reader", account=setting.WORKER)
    assert "403" in str(refused.value) or "PERMISSION_DENIED" in str(refused.value)
    with pytest.raises(exceptions.RefreshError):
        as_user.token("caller", account=setting.OTHER)


SCOPES = {"cloud-platform": (200, 200), "spanner.data": (200, 403), "iam": (403, 200), "devstorage.read_only": (403, 403),
          "devstorage.read_only spanner.admin": (200, 403), "cloud-platform.read-only": (403, 403)}


@pytest.mark.parametrize("scope", SCOPES)
def test_scopes_reach_their_services_only(site, scope):
    """Whoever narrows a token before handing it on has narrowed it for every service, and for the tokens that are had for it."""
    words = " ".join(f"https://www.googleapis.com/auth/{word}" for word in scope.split())
    token = exchange(site, subject_token=foreign_token(site, sub="caller"), scope=words).json()["access_token"]
    become = requests.post(f"{site.url}/v1/projects/-/serviceAccounts/{setting.WORKER}:generateAccessToken", json={"scope": [setting.CLOUD_PLATFORM]},
                           headers={"Authorization": f"Bearer {token}"}, verify=str(site.ca), timeout=30)
    assert (list_databases(site, f"Bearer {token}").status_code, become.status_code) == SCOPES[scope]
    if become.status_code == 403:
        assert "CLAIM_MISSING" in become.text and "scopes" in become.text


def test_an_exchange_only_narrows(site, as_user):
    """Our own token may be exchanged again, but it gains neither life nor a new subject."""
    short = exchange(site, subject_token=foreign_token(site, life="300")).json()["access_token"]
    assert claims(short)["exp"] <= time.time() + 301
    again = exchange(site, subject_token=short, subject_token_type="urn:ietf:params:oauth:token-type:access_token",
                     audience=site.url)
    assert again.status_code in (200, 400)
    if again.status_code == 200:
        assert claims(again.json()["access_token"])["exp"] <= claims(short)["exp"]


def tampered(token):
    head, body, signature = token.split(".")
    changed = base64.urlsafe_b64encode(json.dumps({**claims(token), "sub": "admin", "oid": "admin"}).encode()).rstrip(b"=").decode()
    return f"{head}.{changed}.{signature}"


def without_signature(token):
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


def refused_headers(site):
    good = foreign_token(site, sub="reader")
    return {"nothing": None, "an empty header": "", "another scheme": "Basic YTpi", "no token": "Bearer ", "nonsense": "Bearer abc",
            "a changed body": f"Bearer {tampered(good)}", "no signature": f"Bearer {without_signature(good)}",
            "for somebody else": f"Bearer {foreign_token(site, aud='api://other')}",
            "of another tenant": f"Bearer {foreign_token(site, tenant='11111111-2222-4333-8444-555555555555')}",
            "of an issuer that is unknown": f"Bearer {foreign_token(site, shape='google', tenant='')}",
            "sixty-four kibibytes": "Bearer " + "e" * 16384}


def test_wrong_tokens_are_401_and_all_alike(site):
    texts = set()
    for name, header in refused_headers(site).items():
        answer = list_databases(site, header)
        assert answer.status_code == 401, f"{name}: {answer.status_code} {answer.text}"
        error = answer.json()["error"]
        reason = error["details"][0]["reason"]
        assert reason in ("NO_PROOF", "TOKEN_REJECTED"), name
        if reason == "TOKEN_REJECTED":
            texts.add(error["message"].replace(error["details"][0]["metadata"]["id"], "ID"))
    assert len(texts) == 1, "the texts must not tell the causes apart"


def test_an_expired_token(site):
    token = foreign_token(site, life="1")
    time.sleep(1.2)
    accepted_with_skew = list_databases(site, f"Bearer {token}").status_code
    assert accepted_with_skew in (200, 401)  # 60 s of skew are allowed
    own = exchange(site, subject_token=foreign_token(site, life="1"))
    if own.status_code == 200:
        assert claims(own.json()["access_token"])["exp"] <= time.time() + 1


def test_sts_refuses_by_name(site):
    token = foreign_token(site)
    for form, word in (({"subject_token": token, "grant_type": "password"}, "grant_type"),
                       ({"subject_token": token, "audience": linkspan_site.PROVIDER.format("other")}, ""),
                       ({"subject_token": token, "subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "subject_token_type"),
                       ({"subject_token": token, "actor_token": token}, "actor_token"),
                       ({"subject_token": tampered(token)}, ""), ({}, "subject_token")):
        answer = exchange(site, **form)
        assert answer.status_code in (400, 401), answer.text
        assert word in answer.json()["error_description"] and token not in answer.text


def test_a_crowd_at_a_fresh_start(own_site):
    """The first callers of all wait for the issuer's keys together, however many they are."""
    own_site.start()
    bearer = (("authorization", f"Bearer {foreign_token(own_site)}"),)
    trust = grpc.ssl_channel_credentials(own_site.ca.read_bytes())
    channels = [grpc.secure_channel(f"127.0.0.1:{own_site.port}", trust, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(8)]
    ask = "/google.spanner.admin.database.v1.DatabaseAdmin/ListDatabases"
    parent = b"\x0a" + bytes([len(PARENT)]) + PARENT
    own_site.issuer.send_signal(signal.SIGSTOP)
    try:
        answers = [channels[n % 8].unary_unary(ask).future(parent, timeout=60, metadata=bearer) for n in range(800)]
        time.sleep(1)
    finally:
        own_site.issuer.send_signal(signal.SIGCONT)
    assert {answer.code() for answer in answers} == {grpc.StatusCode.OK}
    for channel in channels:
        channel.close()


def test_our_keys_are_published_and_verify_our_tokens(site, as_user):
    from google.auth import jwt
    keys = requests.get(f"{site.url}/v1/jwks", verify=str(site.ca), timeout=10).json()["keys"]
    discovery = requests.get(f"{site.url}/.well-known/openid-configuration", verify=str(site.ca), timeout=10).json()
    assert discovery["issuer"] == site.url and discovery["jwks_uri"].startswith(site.url)
    token = as_user.token("admin")
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert head["alg"] == "ES256" and head["kid"] in [key["kid"] for key in keys]
    assert jwt.decode_header(token)["kid"] == head["kid"]
    assert all("d" not in key for key in keys)
