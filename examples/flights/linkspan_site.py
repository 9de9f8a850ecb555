"""A Linkspan server of one's own, for the length of a program: a folder made by `linkspan init`, a configuration, a policy, the
development issuer, the server, and credential files that hold no secret. The demo and the tests in tests/clients use it.

Whatever happens, `stop` leaves no process; both processes also end when this program dies, unless `detached`."""
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

TENANT = "5a0c1d8e-3f1b-4c57-9a53-0d7c7f2d9e10"
AUDIENCE = "api://linkspan"
PROVIDER = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/linkspan/providers/{}"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
START_SECONDS, STOP_SECONDS = 60, 30


class CommandFailed(Exception):
    """A linkspan command that exited with another status than 0."""

    def __init__(self, command, result):
        super().__init__(f"{' '.join(command)}: exit status {result.returncode}\n{result.stderr.strip()}")
        self.result = result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fill(text, values):
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


# Sends SIGTERM when this program dies. A program and no preexec_fn: Python code between fork and exec runs gRPC's fork handlers,
# which sometimes abort.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM", "--"]


def clean_environment(**more):
    """Without what would lead clients to other identities or around our own authority."""
    unwanted = ("GOOGLE_", "GCE_", "CLOUDSDK_", "SPANNER_", "LINKSPAN_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", **more}


class Site:
    def __init__(self, linkspan, folder, detached=False):
        self.linkspan, self.folder, self.detached = str(pathlib.Path(linkspan).resolve()), pathlib.Path(folder), detached
        self.port, self.issuer_port = free_port(), free_port()
        self.url, self.issuer_url = f"https://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.issuer_port}"
        self.config, self.policies = self.folder / "linkspan.yaml", self.folder / "policy"
        self.ca, self.data = self.folder / "tls" / "ca.pem", self.folder / "data"
        self.server = self.issuer = None

    # --- making ----------------------------------------------------------------------------------------------------------

    def make(self, config, policies, values):
        """Runs `linkspan init`, then puts the given configuration and policies (name → text) in place of the first ones."""
        self.run("init", "--development", "--url", self.url, "--listen", f"127.0.0.1:{self.port}", self.folder)
        values = {"DATA": self.data, "POLICY": self.policies, "LISTEN": f"127.0.0.1:{self.port}", "URL": self.url,
                  "ISSUER": self.issuer_url, "TENANT": TENANT, "UNTIL": self.days_ahead(30), **values}
        self.config.write_text(fill(config, values))
        for old in self.policies.glob("*.policy"):
            old.unlink()
        for name, text in policies.items():
            (self.policies / f"{name}.policy").write_text(fill(text, values))

    @staticmethod
    def days_ahead(days):
        return (datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=days)).isoformat()

    def credentials(self, name, subject, groups="", account=None, life=3600):
        """Writes an external_account file: where to fetch a token of the other cloud, where to exchange it, and as which service
        account to act. It holds no secret. Returns its path."""
        file = {"type": "external_account", "audience": PROVIDER.format("cloud"),
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": f"{self.url}/v1/token",
                "credential_source": {"url": self.token_url(subject, AUDIENCE, groups, life),
                                      "format": {"type": "json", "subject_token_field_name": "access_token"}}}
        if account:
            file["service_account_impersonation_url"] = \
                f"{self.url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(file, indent=2) + "\n")
        return path

    def token_url(self, subject, audience, groups="", life=3600):
        """Where the development issuer gives out a token of the other cloud."""
        query = {"shape": "entra", "tenant": TENANT, "sub": subject, "aud": audience, "life": life}
        if groups:
            query["groups"] = groups
        return f"{self.issuer_url}/token?{urllib.parse.urlencode(query)}"

    def trust(self):
        """For clients in this process: our authority only. Call it before google's libraries make a connection."""
        for key in [key for key in os.environ if key not in clean_environment()]:
            del os.environ[key]
        os.environ.update(NO_PROXY="127.0.0.1,localhost", GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=str(self.ca),
                          REQUESTS_CA_BUNDLE=str(self.ca), GOOGLE_CLOUD_PROJECT="demo")

    # --- running ---------------------------------------------------------------------------------------------------------

    def start(self):
        self.issuer = self.spawn("issuer", "dev-issuer", "serve", "--config", self.config, "--listen",
                                 f"127.0.0.1:{self.issuer_port}")
        self.wait_for(self.issuer, f"{self.issuer_url}/keys", "issuer")
        self.start_server()

    def start_server(self):
        self.server = self.spawn("server", "serve", "--config", self.config)
        self.wait_for(self.server, f"{self.url}/healthz", "server")

    def spawn(self, name, *args):
        log = open(self.folder / f"{name}.log", "ab")
        with log:
            command = [*([] if self.detached else DIE_WITH_PARENT), self.linkspan, *map(str, args)]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment(),
                                    start_new_session=True)

    def wait_for(self, process, url, name):
        trust = ssl.create_default_context(cafile=self.ca)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return opener.open(url, timeout=5).read()
            except (urllib.error.URLError, OSError) as error:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the {name} did not start ({error}; exit status {process.poll()}):\n{self.log(name)}") from None
                time.sleep(0.05)

    def log(self, name="server"):
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def run(self, *args, check=True, **more):
        """One linkspan command to its end."""
        command = [self.linkspan, *map(str, args)]
        more = {"input": "", **more}
        result = subprocess.run([*DIE_WITH_PARENT, *command], capture_output=True, text=True, env=clean_environment(), **more)
        if check and result.returncode != 0:
            raise CommandFailed(command, result)
        return result

    def client(self, *args, credentials, check=True, **more):
        """A command that talks to the server, as any client would."""
        return self.run(*args, "--server", self.url, "--ca", self.ca, "--credentials", credentials, check=check, **more)

    def stop_process(self, process, hard=False):
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def stop_server(self, hard=False):
        self.stop_process(self.server, hard)
        self.server = None

    def stop(self, remove=False):
        self.stop_server()
        self.stop_process(self.issuer)
        self.issuer = None
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
