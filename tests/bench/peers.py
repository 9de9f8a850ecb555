"""What is measured: Linkspan's server on a fresh folder, and Google's Spanner emulator where it is installed."""
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

TENANT = "00000000-0000-4000-8000-00000000de0e"  # of `linkspan init --development`
POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/linkspan/providers/dev"
EMULATORS = ("/usr/lib/google-cloud-sdk/bin/cloud_spanner_emulator/emulator_main",
             "/usr/lib/google-cloud-sdk/platform/bundledpythonunix/cloud_spanner_emulator/emulator_main")


class BenchError(Exception):
    """Says in one line what stops the bench."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise BenchError(f"{what} ended at once with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BenchError(f"{what} does not listen on port {port} after {seconds} s")


def pinned(core):
    """taskset's prefix, where there are two cores and taskset."""
    return ["taskset", "-c", str(core)] if os.cpu_count() > 1 and shutil.which("taskset") else []


def stop(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Linkspan:
    """A release server with TLS, tokens, policy and audit: nothing is switched off."""
    name = "linkspan"

    def __init__(self, binary, folder, edit=None, all_cores=False):
        self.binary, self.folder = str(binary), pathlib.Path(folder) / "site"
        self.issuer = self.server = None
        self.prefix = [] if all_cores else pinned(0)  # a server's jobs run where it may run
        self.port, self.issuer_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        subprocess.run([self.binary, "init", str(self.folder), "--development", "--listen", f"127.0.0.1:{self.port}",
                        "--url", self.url], check=True, stdout=subprocess.DEVNULL)
        for name in ("linkspan.yaml", "developer.json"):
            path = self.folder / name
            path.write_text(path.read_text().replace("127.0.0.1:8444", f"127.0.0.1:{self.issuer_port}"))
        if edit:
            edit(self.folder)

    def start(self):
        config = ["--config", str(self.folder / "linkspan.yaml")]
        log = open(self.folder / "log", "ab")
        self.issuer = subprocess.Popen([self.binary, "dev-issuer", "serve", *config, "--listen",
                                        f"127.0.0.1:{self.issuer_port}"], stdout=log, stderr=log)
        wait_for(self.issuer_port, self.issuer, "the development issuer")
        self.server = subprocess.Popen([*self.prefix, self.binary, "serve", *config], stdout=log, stderr=log)
        try:
            wait_for(self.port, self.server, "the server")
        except BenchError as e:
            raise BenchError(f"{e}: {(self.folder / 'log').read_text()[-500:]}") from None
        return self

    @property
    def pid(self):
        return self.server.pid

    def token(self):
        """From another cloud's token to one of ours, as any client does it (RFC 8693)."""
        query = urllib.parse.urlencode({"shape": "entra", "tenant": TENANT, "sub": "developer", "aud": "api://linkspan"})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.issuer_port}/token?{query}", timeout=10) as answer:
            subject = json.load(answer)["access_token"]
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": POOL,
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "subject_token": subject,
                "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "scope": "https://www.googleapis.com/auth/cloud-platform"}
        return self.ask("/v1/token", urllib.parse.urlencode(form).encode(), {})["access_token"]

    def post(self, path, body):
        return self.ask(path, json.dumps(body).encode(), {"authorization": f"Bearer {self.token()}",
                                                          "content-type": "application/json"})

    def ask(self, path, body, headers):
        trust = ssl.create_default_context(cafile=str(self.folder / "tls/ca.pem"))
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body, headers), timeout=10,
                                        context=trust) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise BenchError(f"{path}: {e.code} {e.read().decode(errors='replace')[:300]}") from None

    def client_options(self):
        return ["--url", self.url, "--ca", str(self.folder / "tls/ca.pem"), "--token-stdin"], self.token()

    def database(self, number):
        return f"projects/demo/instances/demo/databases/bench{number}"

    def stop(self):
        stop(self.server)
        stop(self.issuer)


class Emulator:
    """Plaintext, no identity, no policy, no audit; keeps everything in memory and nothing on disk."""
    name = "emulator"

    def __init__(self, binary):
        self.binary, self.process, self.port = binary, None, free_port()

    def start(self):
        self.process = subprocess.Popen([*pinned(0), self.binary, "--host_port", f"127.0.0.1:{self.port}"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.port, self.process, "the Spanner emulator")
        return self

    @property
    def pid(self):
        return self.process.pid

    def client_options(self):
        return ["--url", f"http://127.0.0.1:{self.port}"], ""

    def database(self, number):
        return f"projects/bench/instances/bench/databases/bench{number}"

    def stop(self):
        stop(self.process)


def find_emulator():
    """Its program, or None. SPANNER_EMULATOR names it where it lies elsewhere."""
    named = os.environ.get("SPANNER_EMULATOR")
    for path in ([named] if named else []) + list(EMULATORS) + [shutil.which("emulator_main")]:
        if path and os.access(path, os.X_OK):
            return path
    return None


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    release = pathlib.Path("/etc/os-release").read_text()
    system = re.search(r'PRETTY_NAME="([^"]*)"', release)
    return f"{os.cpu_count()} × {model.group(1) if model else 'unknown CPU'}, {system.group(1) if system else 'Linux'}, " \
           f"kernel {os.uname().release}"
