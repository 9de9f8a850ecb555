"""Our server as a user starts it: TLS, tokens, policy and audit; nothing is switched off."""
import json
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import machine

TENANT = "00000000-0000-4000-8000-00000000de0e"  # of `linkspan init --development`
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/linkspan/providers/"
EXCHANGE = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "scope": "https://www.googleapis.com/auth/cloud-platform"}


def make_site(binary, folder, port, issuer_port):
    subprocess.run([binary, "init", folder, "--development", "--listen", f"127.0.0.1:{port}", "--url",
                    f"https://127.0.0.1:{port}"], check=True, stdout=subprocess.DEVNULL)
    for name in ("linkspan.yaml", "developer.json"):
        path = folder / name
        path.write_text(path.read_text().replace("127.0.0.1:8444", f"127.0.0.1:{issuer_port}"))


class Linkspan:
    """The release build, on a folder of its own, with the development issuer beside it."""
    name = "linkspan"

    def __init__(self, binary, folder, edit=None, core=0):
        self.folder = pathlib.Path(folder) / "site"
        self.issuer = None
        self.port, issuer_port = machine.free_port(), machine.free_port()
        self.url, self.issuer_url = f"https://127.0.0.1:{self.port}", f"http://127.0.0.1:{issuer_port}"
        make_site(binary, self.folder, self.port, issuer_port)
        if edit:
            edit(self.folder)
        config, log = ["--config", self.folder / "linkspan.yaml"], self.folder / "log"
        self.issuer = machine.Process("the development issuer", [binary, "dev-issuer", "serve", *config, "--listen",
                                                                 f"127.0.0.1:{issuer_port}"], issuer_port, log, core=None)
        try:
            self.server = machine.Process("the server", [binary, "serve", *config], self.port, log, core=core)
        except machine.BenchError:
            self.issuer.stop()
            raise

    @property
    def pid(self):
        return self.server.pid

    @property
    def ca(self):
        return self.folder / "tls/ca.pem"

    def token(self):
        """From another cloud's token to one of ours, as any client does it (RFC 8693)."""
        query = urllib.parse.urlencode({"shape": "entra", "tenant": TENANT, "sub": "developer", "aud": "api://linkspan"})
        with urllib.request.urlopen(f"{self.issuer_url}/token?{query}", timeout=10) as answer:
            subject = json.load(answer)["access_token"]
        form = EXCHANGE | {"audience": POOL + "dev", "subject_token": subject}
        return self.ask("/v1/token", urllib.parse.urlencode(form).encode(), {})["access_token"]

    def post(self, path, body):
        return self.ask(path, json.dumps(body).encode(), {"authorization": f"Bearer {self.token()}",
                                                          "content-type": "application/json"})

    def ask(self, path, body, headers):
        trust = ssl.create_default_context(cafile=str(self.ca))
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body, headers), timeout=10,
                                        context=trust) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise machine.BenchError(f"{path}: {e.code} {e.read().decode(errors='replace')[:300]}") from None

    def stop(self):
        self.server.stop()
        self.issuer.stop()
