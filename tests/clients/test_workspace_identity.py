"""The identity of an embedded Synapse workspace as others see it: keys over TLS, and what its tokens open. No method hands such a
token out, so these tests sign their own with the workspace's key; tokens for Synapse's audience come from the development issuer."""
import base64
import json
import stat
import sys
import time

import google.auth.transport.requests
import pytest
import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from google.auth import exceptions, identity_pool

import linkspan_site
import plain
import setting

AZURE_TENANT, OID, APPID = (f"{digit * 8}-0000-4000-8000-00000000de0e" for digit in "123")
SYNAPSE = "https://dev.azuresynapse.net"
CONFIG = setting.CONFIG.replace("  demo:\n", f"""  demo:
    synapse: {{ back: embedded, workspace: flights, tenant: {AZURE_TENANT}, principal: {OID}, client: {APPID},
               audiences: ["api://linkspan"] }}
""", 1)
POLICY = setting.POLICY + f"""
identity synapse is oidc workspaces where oid = "{OID}"
list: allow synapse to read Singers(SingerId) in spanner demo/* owner team until @UNTIL@
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory, linkspan):
    folder = tmp_path_factory.mktemp("workspace")
    place = linkspan_site.Site(linkspan, folder / "site")
    (folder / "jobs").mkdir()
    place.make(CONFIG, {"tests": POLICY}, {"CODE": folder / "jobs", "PYTHON": sys.executable})
    try:
        place.start()
        yield place
    finally:
        place.stop()
    assert "ERROR: AddressSanitizer" not in place.log() and "runtime error:" not in place.log(), place.log()


def issuer(place):
    return f"{place.url}/azure/{AZURE_TENANT}/"


def key_file(place):
    return place.data / "keys" / "workspace.key"


def ask(place, path, **more):
    return requests.get(f"{place.url}{path}", verify=str(place.ca), timeout=30, **more)


def keys(place):
    found = ask(place, f"/azure/{AZURE_TENANT}/.well-known/openid-configuration").json()
    assert found["issuer"] == issuer(place) and found["jwks_uri"] == issuer(place) + "discovery/keys"
    return requests.get(found["jwks_uri"], verify=str(place.ca), timeout=30).json()["keys"]


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(part):
    return base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).rstrip(b"=").decode()


def public_key(jwk):
    number = {name: int.from_bytes(decoded(jwk[name]), "big") for name in ("n", "e")}
    return rsa.RSAPublicNumbers(number["e"], number["n"]).public_key()


def minted(place, audience, **claims):
    """As the server makes them: tests/unit/identity holds it to these claims."""
    private = serialization.load_pem_private_key(key_file(place).read_bytes(), None)
    now = int(time.time())
    body = {"aud": audience, "iss": issuer(place), "iat": now, "nbf": now, "exp": now + 3600, "appid": APPID, "appidacr": "2",
            "idtyp": "app", "oid": OID, "sub": OID, "tid": AZURE_TENANT, "uti": "a", "ver": "1.0", **claims}
    text = f"{encoded({'alg': 'RS256', 'typ': 'JWT', 'kid': keys(place)[0]['kid']})}.{encoded(body)}"
    return f"{text}.{encoded(private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def list_databases(place, token):
    return ask(place, "/v1/projects/demo/instances/flights/databases", headers={"Authorization": f"Bearer {token}"})


def exchanged(place, tmp_path, token, provider="workspaces"):
    """By google-auth, from a file, as a workload of another cloud does."""
    subject = tmp_path / "token"
    subject.write_text(token)
    credentials = identity_pool.Credentials.from_info(
        {"type": "external_account", "audience": linkspan_site.PROVIDER.format(provider), "token_url": f"{place.url}/v1/token",
         "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": {"file": str(subject)}},
        scopes=[setting.CLOUD_PLATFORM])
    session = requests.Session()
    session.trust_env, session.verify = False, str(place.ca)
    credentials.refresh(google.auth.transport.requests.Request(session))
    return credentials.token


def test_the_published_key_verifies_what_the_workspace_signs(place):
    jwk, = keys(place)
    assert jwk["kty"] == "RSA" and jwk["use"] == "sig" and set(jwk) == {"kty", "use", "kid", "n", "e"}, "no private member"
    text, _, signature = minted(place, "https://elsewhere.example").rpartition(".")
    public_key(jwk).verify(decoded(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        public_key(jwk).verify(decoded(signature), text.encode() + b"x", padding.PKCS1v15(), hashes.SHA256())


def test_another_tenant_is_not_found_and_nobody_gets_a_token(place):
    for path in ("/.well-known/openid-configuration", "/discovery/keys"):
        assert ask(place, f"/azure/{OID}{path}").status_code == 404
    for path in ("oauth2/token", "oauth2/v2.0/token", "token"):
        answer = requests.post(f"{issuer(place)}{path}", data={"resource": "api://linkspan"}, verify=str(place.ca), timeout=30)
        assert answer.status_code in (404, 501) and "access_token" not in answer.text


def test_an_exchange_looks_at_the_audience(place, tmp_path):
    own = exchanged(place, tmp_path, minted(place, "api://linkspan"))
    claims = json.loads(decoded(own.split(".")[1]))
    assert (claims["via"], claims["sub"], claims["claims"]["oid"]) == ("workspaces", OID, OID)
    assert list_databases(place, own).status_code == 200
    for audience in (place.url, "https://vault.azure.net", SYNAPSE, "api://linkspan/", ["api://linkspan", "api://other"], ""):
        with pytest.raises(exceptions.OAuthError) as refused:
            exchanged(place, tmp_path, minted(place, audience))
        assert "invalid_grant" in str(refused.value), audience
    with pytest.raises(exceptions.OAuthError):  # one issuer's token is not another's
        exchanged(place, tmp_path, minted(place, "api://linkspan"), provider="cloud")


def test_its_tokens_at_our_door(place):
    assert list_databases(place, minted(place, "api://linkspan")).status_code == 200
    for wrong in ({"tid": OID}, {"iss": issuer(place)[:-1]}, {"iss": place.url}, {"exp": int(time.time()) + 7200},
                  {"iss": f"https://sts.windows.net/{AZURE_TENANT}/"}, {"aud": SYNAPSE}, {"aud": place.url}):
        assert list_databases(place, minted(place, "api://linkspan", **wrong)).status_code == 401, wrong


def test_tokens_for_all_workspaces_open_no_other_row(place, tmp_path):
    """Shaped like those that azure-identity gets for Synapse's SDKs."""
    for audience in (SYNAPSE, SYNAPSE + "/"):
        token = plain.token(place, "admin", shape="entra-v1", aud=audience, life="600")
        claims = json.loads(decoded(token.split(".")[1]))
        assert claims["aud"] == audience and claims["ver"] == "1.0" and claims["exp"] - claims["iat"] == 600
        assert list_databases(place, token).status_code == 401
        with pytest.raises(exceptions.OAuthError):
            exchanged(place, tmp_path, token, provider="cloud")
    assert list_databases(place, plain.token(place, "admin", shape="entra-v1")).status_code == 200


def test_the_key_stays_until_it_is_taken_away(place):
    before = keys(place)[0]["kid"]
    assert stat.S_IMODE(key_file(place).stat().st_mode) == 0o600
    token = minted(place, "api://linkspan")
    place.stop_server()
    place.start_server()
    assert keys(place)[0]["kid"] == before and list_databases(place, token).status_code == 200
    place.stop_server()
    key_file(place).unlink()  # as a data directory of an older version, or to roll it
    place.start_server()
    assert keys(place)[0]["kid"] != before and stat.S_IMODE(key_file(place).stat().st_mode) == 0o600
    assert list_databases(place, token).status_code == 401
    secret = key_file(place).read_text().splitlines()[1]
    assert secret not in place.log() and token not in place.log()
    place.stop_server()
    key_file(place).chmod(0o644)
    refused = place.run("serve", "--config", place.config, check=False, timeout=30)
    key_file(place).chmod(0o600)
    assert refused.returncode != 0 and "workspace.key" in refused.stderr and "0600" in refused.stderr
    place.start_server()
