"""Web activities of pipelines that Azure's unmodified client saves and starts: where they go, as whom, and what comes back. The other
side is a server of the test's own on loopback, which only rules that write its port may reach."""
import base64
import http.server
import json
import threading
import time
import uuid

import pytest
from azure.core import exceptions
from azure.synapse.artifacts import models

import linkspan_site
import plain
import setting
from synapse_setting import CONFIG, PRINCIPAL, activities, client, finish, fresh, keep, make_site, put, resource, wait

RESOURCE = "api://elsewhere"

RULES = """
call:  allow workspace to call "http://127.0.0.1:@PORT@/*" with audience "" and call "http://127.0.0.1:@PORT@/*" with audience "api://elsewhere"
    owner team until @UNTIL@
meta:  allow workspace to call "http://169.254.169.254/*" with audience "" owner team until @UNTIL@
"""


class Elsewhere:
    """Keeps what it was asked; its paths say how it answers."""

    def __init__(self):
        other = self
        self.asked, self.polls, self.slow = [], {}, threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                asked = {"method": self.command, "path": self.path, "headers": {key.lower(): value for key, value in self.headers.items()}, "body": body}
                other.asked.append(asked)
                status, answer, headers = other.answer(asked)
                text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for key, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, asked):
        kind, _, rest = asked["path"].partition("?")[0].removeprefix("/").partition("/")
        if kind == "status":
            return int(rest), {"error": {"message": "elsewhere says no"}}, {}
        if kind == "text":
            return 200, b"no JSON", {}
        if kind == "list":
            return 200, [1, 2], {}
        if kind == "large":
            return 200, {"x": "y" * (5 << 20)}, {}
        if kind == "redirect":
            return 302, {}, {"Location": f"{self.url}/echo/redirected"}
        if kind == "async":
            return 202, {}, {"Location": f"{self.url}/poll/{rest}", "Retry-After": "1"}
        if kind == "poll":
            self.polls[rest] = self.polls.get(rest, 0) + 1
            return (200, {"result": rest}, {}) if self.polls[rest] > 2 else (202, {}, {"Location": f"{self.url}/poll/{rest}"})
        if kind == "v1":  # a token service
            return 200, {"access_token": "taken", "token_type": "Bearer", "expires_in": 3600}, {}
        if kind == "slow":
            self.slow.wait(30)
        return 200, {"method": asked["method"], "body": asked["body"]}, {}

    def of(self, path):
        return [asked for asked in self.asked if asked["path"].startswith(path)]


@pytest.fixture(scope="module")
def elsewhere():
    server = Elsewhere()
    yield server
    server.slow.set()
    server.server.shutdown()


@pytest.fixture(scope="module")
def site(tmp_path_factory, linkspan, elsewhere):
    site = make_site(tmp_path_factory.mktemp("web"), linkspan, RULES.replace("@PORT@", str(elsewhere.port)))
    try:
        site.start()
        yield site
        assert site.server.poll() is None, f"the server died:\n{site.log()}"
    finally:
        site.stop()
    assert "ERROR: AddressSanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


@pytest.fixture(scope="module")
def author(site):
    return client(site)


def web(url, method="GET", name="call", **more):
    return models.WebActivity(name=name, method=method, url=url, **more)


def msi(audience=RESOURCE):
    return models.WebActivityAuthentication(type="MSI", resource=audience)


def run(author, *steps, parameters=None, values=None, **more):
    name = fresh()
    put(author, name, resource(*steps, parameters=parameters, **more))
    return finish(author, author.pipeline.create_pipeline_run(name, parameters=values).run_id)


def claims(asked):
    part = asked["headers"]["authorization"].removeprefix("Bearer ").split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_what_is_sent_and_what_comes_back(author, elsewhere):
    word = uuid.uuid4().hex
    done = run(author, web(f"{elsewhere.url}/echo/@{{pipeline().parameters.word}}?q=1", "POST", headers={"X-Word": "@pipeline().parameters.word"},
                           body={"word": "@pipeline().parameters.word", "n": 1}),
               keep("v", "@activity('call').output.body", after=["call"]), parameters={"word": "String"}, values={"word": word}, variables={"v": "String"})
    assert done.status == "Succeeded", done.message
    asked, = elsewhere.of(f"/echo/{word}")
    assert asked["method"] == "POST" and json.loads(asked["body"]) == {"word": word, "n": 1}
    assert asked["headers"]["x-word"] == word and "authorization" not in asked["headers"] and asked["path"].endswith("?q=1")
    found = activities(author, done)
    assert json.loads(found["call"].output["body"])["word"] == word and word in json.dumps(found["keep"].output)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_methods(author, elsewhere, method):
    path = f"/echo/{uuid.uuid4().hex}"
    done = run(author, web(elsewhere.url + path, method, **({"body": "plain"} if method in ("POST", "PUT", "PATCH") else {})))
    assert done.status == "Succeeded", done.message
    assert [asked["method"] for asked in elsewhere.of(path)] == [method]


def test_the_workspace_proves_itself_to_whom_the_rule_names(site, author, elsewhere):
    path = f"/echo/{uuid.uuid4().hex}"
    done = run(author, web(elsewhere.url + path, authentication=msi()))
    assert done.status == "Succeeded", done.message
    told = claims(elsewhere.of(path)[0])
    assert (told["aud"], told["oid"], told["tid"], told["idtyp"]) == (RESOURCE, PRINCIPAL, linkspan_site.TENANT, "app")
    assert "/workspaces/flights" in told["xms_mirid"] and told["iss"].startswith(f"{site.url}/azure/")
    entry = setting.audit_entry(site, lambda e: e["protoPayload"]["methodName"] == "pipeline.WebActivity" and done.run_id in json.dumps(e))
    who = entry["protoPayload"]["authenticationInfo"]
    assert who["principalEmail"] == "flights@demo.synapse" and "author" in json.dumps(who), "the person is in the chain"
    assert elsewhere.of(path)[0]["headers"]["authorization"].split(".")[2] not in json.dumps(setting.audit(site).entries), "no token in the log"
    other = run(author, web(elsewhere.url + path + "/2", authentication=msi("api://another")))
    assert other.status == "Failed" and activities(author, other)["call"].error["errorCode"] == "PolicyDenied"
    assert not elsewhere.of(path + "/2")


def test_202_is_polled_without_a_token(author, elsewhere):
    word = uuid.uuid4().hex
    done = run(author, web(f"{elsewhere.url}/async/{word}", "POST", body={}, authentication=msi()),
               keep("v", "@activity('call').output.result", after=["call"]), variables={"v": "String"})
    assert done.status == "Succeeded", done.message
    assert word in json.dumps(activities(author, done)["keep"].output)
    polls = elsewhere.of(f"/poll/{word}")
    assert len(polls) == 3 and {poll["method"] for poll in polls} == {"GET"} and not any("authorization" in poll["headers"] for poll in polls)
    assert "authorization" in elsewhere.of(f"/async/{word}")[0]["headers"]


def free_url():
    return f"http://127.0.0.1:{linkspan_site.free_port()}/"


FAILURES = [
    ("a status that says no", "/status/503", "503", "elsewhere says no"),
    ("no JSON", "/text", "InvalidResponse", "no JSON object"),
    ("JSON, but a list", "/list", "InvalidResponse", "no JSON object"),
    ("a reply over 4 MiB", "/large", "ResponseTooLarge", ""),
    ("a redirect, which is not followed", "/redirect", "302", "redirects are not followed"),
]


@pytest.mark.parametrize("name, path, code, words", FAILURES, ids=[row[0] for row in FAILURES])
def test_replies_that_fail_the_activity(author, elsewhere, name, path, code, words):
    done = run(author, web(elsewhere.url + path, authentication=msi()), keep("v", "after", after=["call"]), variables={"v": "String"})
    found = activities(author, done)
    assert done.status == "Failed" and found["keep"].status == "Skipped"
    assert found["call"].error["errorCode"] == code and words in found["call"].error["message"], found["call"].error
    assert not elsewhere.of("/echo/redirected")


PLACES = [
    ("a port that no rule writes", free_url, "PolicyDenied"),
    ("the metadata service, though a rule names it", lambda: "http://169.254.169.254/latest/meta-data", "PolicyDenied"),
    ("loopback, otherwise spelled", lambda: "http://127.1/", "InvalidRequest"),
    ("loopback, as a number", lambda: "http://2130706433/", "InvalidRequest"),
    ("loopback, as IPv6", lambda: "http://[::1]/", "PolicyDenied"),
    ("another host", lambda: "https://elsewhere.example/", "PolicyDenied"),
]


@pytest.mark.parametrize("name, url, code", PLACES, ids=[row[0] for row in PLACES])
def test_places_that_are_not_allowed(site, author, name, url, code):
    done = run(author, web(url(), policy=models.ActivityPolicy(retry=3, retry_interval_in_seconds=30)))
    error = activities(author, done)["call"].error
    assert done.status == "Failed" and error["errorCode"] == code, error
    entry = setting.audit_entry(site, lambda e: e["protoPayload"]["methodName"] == "pipeline.WebActivity" and done.run_id in json.dumps(e))
    assert entry and error["requestId"] in json.dumps(entry)


def test_slow_calls_keep_nobody_from_a_token(tmp_path, linkspan):
    """As many as there are connections for: the token of an upstream is fetched beside them."""
    elsewhere, slow = Elsewhere(), fresh("slow")
    config = CONFIG.replace("connections:\n", f"""exchanges:
  far: {{ file: far.json }}
connections:
  echo:
    service: {{ back: upstream, hosts: [echo.internal], endpoint: "{elsewhere.url}", exchange: far }}
""", 1)
    site = make_site(tmp_path, linkspan, (RULES + """
echo: allow author to call "http://127.0.0.1:@PORT@/*" with audience "" owner team until @UNTIL@
""").replace("@PORT@", str(elsewhere.port)), config)
    (site.folder / "far.json").write_text(json.dumps({
        "type": "external_account", "audience": "//far", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{elsewhere.url}/v1/token"}))
    try:
        site.start()
        author = client(site)
        put(author, slow, resource(models.ForEachActivity(
            name="all", items=models.Expression(type="Expression", value="@range(0, 50)"), batch_count=50,
            activities=[web(f"{elsewhere.url}/slow/@{{item()}}", "POST", body={})])))
        for _ in range(2):
            author.pipeline.create_pipeline_run(slow)
        assert setting.eventually(lambda: len(elsewhere.of("/slow/")) >= 64 or None), len(elsewhere.of("/slow/"))
        caller = plain.Plain(site, bearer=plain.token(site, "author"))
        answer = caller.http.get(f"{site.url}/fast", headers={"Host": "echo.internal"}, timeout=25, verify=str(site.ca))
        assert answer.status_code == 200, answer.text
        asked, = elsewhere.of("/fast")
        assert asked["headers"]["authorization"] == "Bearer taken"
    finally:
        elsewhere.slow.set()
        site.stop()
        elsewhere.server.shutdown()


def test_what_was_on_its_way_when_the_server_was_killed(tmp_path, linkspan):
    """A POST may have arrived: the run says so. A poll goes on where it was."""
    elsewhere = Elsewhere()
    site = make_site(tmp_path, linkspan, RULES.replace("@PORT@", str(elsewhere.port)))
    try:
        site.start()
        author, slow, polled, word = client(site), fresh("slow"), fresh("polled"), uuid.uuid4().hex
        put(author, slow, resource(web(f"{elsewhere.url}/slow/1", "POST", body={})))
        put(author, polled, resource(web(f"{elsewhere.url}/async/{word}", "POST", body={}, name="call")))
        runs = [author.pipeline.create_pipeline_run(name).run_id for name in (slow, polled)]
        assert setting.eventually(lambda: elsewhere.of("/slow/") and elsewhere.of(f"/async/{word}") or None), "both are on their way"
        time.sleep(0.3)
        site.stop_server(hard=True)
        elsewhere.slow.set()
        site.start_server()
        interrupted, done = (finish(author, run_id) for run_id in runs)
        error = activities(author, interrupted)["call"].error
        assert (interrupted.status, error["errorCode"]) == ("Failed", "Interrupted") and "not known" in error["message"], error
        assert len(elsewhere.of("/slow/")) == 1, "it is not sent again"
        assert done.status == "Succeeded" and len(elsewhere.of(f"/async/{word}")) == 1, done.message
        site.run("audit", "verify", "--config", site.config)
    finally:
        site.stop()
        elsewhere.slow.set()
        elsewhere.server.shutdown()


def test_a_normal_stop_interrupts_no_run(tmp_path, linkspan):
    elsewhere, word = Elsewhere(), uuid.uuid4().hex
    site = make_site(tmp_path, linkspan, RULES.replace("@PORT@", str(elsewhere.port)))
    try:
        site.start()
        author, waits, polled = client(site), fresh("waits"), fresh("polled")
        put(author, waits, resource(wait(seconds=3), keep("v", "x", after=["wait"]), variables={"v": "String"}))
        put(author, polled, resource(web(f"{elsewhere.url}/async/{word}", "POST", body={})))
        runs = [author.pipeline.create_pipeline_run(name).run_id for name in (waits, polled)]
        assert setting.eventually(lambda: elsewhere.of(f"/async/{word}") or None)
        time.sleep(0.3)
        began = time.monotonic()
        site.stop_server()
        assert time.monotonic() - began < 10, "nothing is waited for"
        site.start_server()
        for run_id in runs:
            done = finish(author, run_id)
            assert done.status == "Succeeded", done.message
        assert len(elsewhere.of(f"/async/{word}")) == 1
    finally:
        site.stop()
        elsewhere.server.shutdown()


def test_calls_and_runs_while_the_server_stops(tmp_path, linkspan):
    """Whoever asks during the stop gets an answer of the API or no connection; the server ends, and all runs are there afterwards."""
    site = make_site(tmp_path, linkspan)
    try:
        site.start()
        author, name, begun, stop = client(site), fresh(), [], threading.Event()
        put(author, name, resource(wait(seconds=1)))

        def ask():
            other = client(site)
            while not stop.is_set():
                try:
                    begun.append(other.pipeline.create_pipeline_run(name).run_id)
                    other.pipeline_run.get_pipeline_run(begun[-1])
                except exceptions.AzureError as error:
                    assert getattr(error, "status_code", None) in (None, 503), error

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert setting.eventually(lambda: len(begun) > 20 or None)
        server = site.server
        site.stop_server()
        stop.set()
        for thread in threads:
            thread.join()
        assert server.returncode == 0 and "AddressSanitizer" not in site.log(), site.log()
        site.start_server()
        assert {finish(author, run_id).status for run_id in begun} == {"Succeeded"}
    finally:
        site.stop()
