"""What google-auth sends for an external_account file is what tests/vectors/outbound_exchange.json holds; the unit test of
identity/exchange_wire.c compares our requests with the same file. `python test_outbound_exchange.py` records it anew."""
import http.server
import json
import pathlib
import threading

import google.auth.transport.requests
from google.auth import identity_pool

VECTORS = pathlib.Path(__file__).parents[1] / "vectors" / "outbound_exchange.json"
FEDERATED, ACCESS = "federated-token", "access-token"
BASE = {"type": "external_account",
        "audience": "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/pool/providers/linkspan",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "{base}/v1/token",
        "credential_source": {"file": "{file}"}}
IMPERSONATE = {"service_account_impersonation_url":
               "{base}/v1/projects/-/serviceAccounts/reader@acme.iam.gserviceaccount.com:generateAccessToken"}
DATA = "https://www.googleapis.com/auth/spanner.data"
ADMIN = "https://www.googleapis.com/auth/spanner.admin"
CASES = [
    ("the federated token itself", {}, [DATA], "eyJhbGciOi.J9.c2ln_-~"),
    ("several scopes, in the asker's order", {}, [DATA, ADMIN], "a.b.c"),
    ("a service account", IMPERSONATE, [DATA], "a.b.c"),
    ("a service account, several scopes", IMPERSONATE, [ADMIN, DATA], "a.b.c"),
    ("a service account for half an hour", {**IMPERSONATE, "service_account_impersonation": {"token_lifetime_seconds": 1800}},
     [DATA], "a.b.c"),
    ("a lifetime without a service account", {"service_account_impersonation": {"token_lifetime_seconds": 7200}}, [DATA], "a.b.c"),
    ("another service's audience", {"audience": "https://sts.corp.example/aud with blank?a=b&c=d+e%/ü"}, [DATA], "a.b.c"),
    ("a subject token with everything in it", {}, [DATA], "a+b/c=d&e f%20.~-_*'()!"),
    ("a client with a secret", {"client_id": "linkspan", "client_secret": "s:é&+ "}, [DATA], "a.b.c"),
    ("a client without a secret", {**IMPERSONATE, "client_id": "linkspan"}, [DATA], "a.b.c"),
]


class Recorder(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        # the library names itself and Python in this header; what follows is said of the exchange
        words = [w for w in self.headers["x-goog-api-client"].split() if not w.startswith(("gl-python/", "auth/"))]
        request = {"url": "{base}" + self.path, "content-type": self.headers["content-type"],
                   "authorization": self.headers["authorization"] or "", "x-goog-api-client": " ".join(words), "body": body}
        self.server.seen.append(request)
        sts = self.path == "/v1/token"
        answer = json.dumps({"access_token": FEDERATED, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                             "token_type": "Bearer", "expires_in": 3600} if sts else
                            {"accessToken": ACCESS, "expireTime": "2099-01-01T00:00:00Z"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


def filled(value, base, file):
    return json.loads(json.dumps(value).replace("{base}", base).replace("{file}", str(file)))


def sent_by_google_auth(case, folder):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.seen = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file = folder / "subject"
        file.write_text(case["subject_token"], encoding="utf-8")
        info = filled(case["file"], f"http://127.0.0.1:{server.server_address[1]}", file)
        credentials = identity_pool.Credentials.from_info(info, scopes=case["scopes"])
        credentials.refresh(google.auth.transport.requests.Request())
        server.shutdown()
        assert credentials.token == (ACCESS if "service_account_impersonation_url" in info else FEDERATED)
        return server.seen


def recorded(folder):
    cases = [{"name": name, "file": {**BASE, **more}, "scopes": scopes, "subject_token": subject}
             for name, more, scopes, subject in CASES]
    return [{**case, "requests": sent_by_google_auth(case, folder)} for case in cases]


def test_google_auth_sends_what_is_recorded(tmp_path):
    assert recorded(tmp_path) == json.loads(VECTORS.read_text(encoding="utf-8"))


if __name__ == "__main__":
    import tempfile
    with tempfile.TemporaryDirectory() as scratch:
        VECTORS.write_text(json.dumps(recorded(pathlib.Path(scratch)), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
