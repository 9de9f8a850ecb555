"""Pipelines that run Spark jobs: Azure's unmodified clients, the workspace's managed identity, the bridge, and a real job behind it.
What becomes of both when the server is killed or stopped meanwhile."""
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time
import uuid

import pytest
import requests
from azure.synapse.artifacts import models

import linkspan_site
import pipeline_site
import plain
import setting
from synapse_setting import AUDIENCE, activities, client, finish, fresh

NODE = pathlib.Path(__file__).parent / "node" / "pipeline_jobs.cjs"
JOBS = "v1/projects/demo/regions/local/jobs"


class Relay:
    """Stands between a Web activity and the bridge, and keeps the answer back: so that the POST is under way for as long as a test wants."""

    def __init__(self):
        relay = self
        self.forward, self.arrived, self.release, self.answers = None, threading.Event(), threading.Event(), []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if relay.forward:
                    relay.answers.append(relay.forward(body, self.headers["Authorization"]))
                relay.arrived.set()
                relay.release.wait(120)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hold(self, forward):
        self.forward, self.answers = forward, []
        self.arrived.clear()
        self.release.clear()


@pytest.fixture(scope="module")
def relay():
    relay = Relay()
    yield relay
    relay.release.set()
    relay.server.shutdown()


@pytest.fixture(scope="module")
def place(tmp_path_factory, linkspan, relay):
    place = pipeline_site.make(tmp_path_factory.mktemp("pipelines"), linkspan, f"""
relay: allow workspace to call "http://127.0.0.1:{relay.port}/*" with audience "api://linkspan" owner team until @UNTIL@
other: allow workspace to call "@URL@/bridge/*" with audience "https://vault.azure.net" owner team until @UNTIL@
""")
    place.child = f"child-{uuid.uuid4().hex}"
    sleeps = (setting.JOBS / "sleeps.py").read_text()
    (place.code / "stays.py").write_text(sleeps.replace("linkspan-test-child", place.child))
    try:
        pipeline_site.start(place)
        yield place
        assert place.server.poll() is None, f"the server died:\n{place.log()}"
        place.run("audit", "verify", "--config", place.config)
    finally:
        place.stop()
    assert "ERROR: AddressSanitizer" not in place.log() and "runtime error:" not in place.log(), place.log()


def create(place, file, change=None, word=None, **more):
    author, name = client(place), fresh()
    properties = pipeline_site.document(place, file, **more)["properties"]
    if change:
        change(properties["activities"][0]["typeProperties"])
    author.pipeline.begin_create_or_update_pipeline(name, json.dumps({"properties": properties}).encode()).wait()
    return author, author.pipeline.create_pipeline_run(name, parameters={"word": word or uuid.uuid4().hex}).run_id


def logs(place, job_id):
    return place.client("jobs", "logs", job_id, "--project", "demo", "--region", "local", credentials=place.credentials("caller", "caller")).stdout


def jobs_of(place):
    return {job["reference"]["jobId"]: job for job in plain.Plain(place, "caller").ask("GET", JOBS).get("jobs", [])}


def processes(*words):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(word in text for word in words):
            found.append(text)
    return found


# --- both clients --------------------------------------------------------------------------------------------------------------------


def check_job(place, word, output):
    assert (output["state"], output["account"], output["cluster"]) == ("DONE", setting.WORKER, pipeline_site.CLUSTER)
    assert output["output"].endswith(f"{word} 100\n"), "the job's last words, with what Spark counted"
    assert f"{word} 100" in logs(place, output["jobId"]).splitlines()


def test_the_python_client(place):
    author, name, word = client(place), fresh("python"), uuid.uuid4().hex
    document = models.PipelineResource.deserialize(pipeline_site.document(place, "says.py"))
    author.pipeline.begin_create_or_update_pipeline(name, document).wait()
    run = finish(author, author.pipeline.create_pipeline_run(name, parameters={"word": word}).run_id, 300)
    assert (run.status, run.parameters) == ("Succeeded", {"word": word}), run.message
    found = activities(author, run)
    assert {key: item.status for key, item in found.items()} == {"job": "Succeeded", "keep": "Succeeded"}
    check_job(place, word, found["job"].output)
    assert found["keep"].output["value"] == f"{found['job'].output['jobId']} DONE"


def test_the_node_client(request, place):
    cache = pathlib.Path(request.config.getoption("--cache"))
    if not (cache / "node" / "node_modules").is_dir():
        pytest.fail(f"there are no Node clients in {cache}/node: ./dev setup fetches them")
    name, word = fresh("node"), uuid.uuid4().hex
    document = pipeline_site.document(place, "says.py")["properties"]
    for activity in document["activities"]:
        activity.update(activity.pop("typeProperties"))  # as Node's models have it
    ask = {"url": place.url, "token": plain.token(place, "author", aud=AUDIENCE), "name": name, "document": document, "parameters": {"word": word}}
    environment = linkspan_site.clean_environment(NODE_PATH=str(cache / "node" / "node_modules"), NODE_EXTRA_CA_CERTS=str(place.ca),
                                                  PATH=f"{cache / 'venv' / 'bin'}:{os.environ['PATH']}")
    done = subprocess.run(["node", NODE], input=json.dumps(ask), capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["run"]["status"], told["run"]["parameters"]) == ("Succeeded", {"word": word}), told["run"]["message"]
    found = {item["activityName"]: item for item in told["activities"]}
    assert {key: item["status"] for key, item in found.items()} == {"job": "Succeeded", "keep": "Succeeded"}
    check_job(place, word, found["job"]["output"])
    assert found["keep"]["output"]["value"] == f"{found['job']['output']['jobId']} DONE"


# --- what fails ----------------------------------------------------------------------------------------------------------------------


def check_failed(author, run_id, code, words):
    run = finish(author, run_id, 120)
    found = activities(author, run)
    assert run.status == "Failed" and {key: item.status for key, item in found.items()} == {"job": "Failed", "keep": "Skipped"}
    assert found["job"].error["errorCode"] == code and words in found["job"].error["message"], found["job"].error
    assert words in run.message, "the run says why, too"


def merge(**more):
    return lambda properties: properties.update(more)


def many(times):
    return f"@concat({', '.join(['pipeline().parameters.word'] * times)})"


FAILURES = [
    ("a token for another audience", merge(authentication={"type": "MSI", "resource": "https://vault.azure.net"}), "TokenRejected", "401"),
    ("no token", lambda properties: properties.pop("authentication"), "PolicyDenied", "NO_RULE"),
    ("a cluster that is not there", lambda properties: properties["body"]["placement"].update(clusterName="nowhere"), "404", "nowhere"),
    ("an account that is not granted", lambda properties: properties["body"].update(labels={"linkspan-account": "other"}), "403", "other"),
    ("a key that a job does not have", lambda properties: properties["body"].update(colour="red"), "400", "colour"),
    ("a text over 4 MiB", merge(body=many(22)), "InvalidTemplate", "longer than 4194304 bytes"),
    ("a body over 4 MiB", merge(body={"a": many(15), "b": many(15)}), "InvalidTemplate", "larger than 4194304 bytes"),
    ("a job that fails", lambda properties: None, "400", "ValueError: the cause of it all"),
]


@pytest.mark.parametrize("name, change, code, words", FAILURES, ids=[row[0] for row in FAILURES])
def test_what_fails_says_why(place, name, change, code, words):
    before = jobs_of(place).keys()
    author, run_id = create(place, "fails.py", change, "x" * 200000 if "4 MiB" in name else None)
    check_failed(author, run_id, code, words)
    assert len(jobs_of(place).keys() - before) == (name == "a job that fails")


# --- the server ends in mid-run ------------------------------------------------------------------------------------------------------

ENDS = pytest.mark.parametrize("hard", [True, False], ids=["killed", "stopped"])


def restart(place, hard):
    place.stop_server(hard=hard)
    assert setting.eventually(lambda: None if processes(str(place.code), place.child) else True, 5), \
        f"the jobs end with the server: {processes(str(place.code), place.child)}"
    place.start_server()


def check_no_job_is_left(place):
    assert not [job for job in jobs_of(place).values() if job["status"]["state"] not in ("DONE", "ERROR", "CANCELLED")]
    assert not processes(str(place.code), place.child)


def sleeping_job(place, before):
    def look():
        new = jobs_of(place).keys() - before
        return next((job_id for job_id in new if "sleeping" in logs(place, job_id)), None)
    found = setting.eventually(look, 120)
    assert found, "the job does not begin"
    return found


@ENDS
def test_the_server_ends_while_the_job_runs(place, hard):
    before = jobs_of(place).keys()
    author, run_id = create(place, "stays.py")
    job_id = sleeping_job(place, before)
    assert processes(place.child) and author.pipeline_run.get_pipeline_run(run_id).status == "InProgress"
    restart(place, hard)
    check_failed(author, run_id, "400", "the server stopped")
    job = jobs_of(place)[job_id]
    assert job["status"]["state"] == "ERROR" and "the server stopped" in job["status"]["details"]
    check_no_job_is_left(place)


@pytest.mark.parametrize("delivered", [True, False], ids=["delivered", "on its way"])
@ENDS
def test_the_server_ends_while_the_post_is_under_way(place, relay, hard, delivered):
    def forward(body, token):
        return requests.post(f"{place.url}/bridge/dataproc/demo/local/jobs", data=body, verify=str(place.ca), timeout=60, headers={
            "Authorization": token, "Content-Type": "application/json"})

    before = jobs_of(place).keys()
    relay.hold(forward if delivered else None)
    author, run_id = create(place, "stays.py", url=f"http://127.0.0.1:{relay.port}/jobs")
    assert relay.arrived.wait(60)
    if delivered:
        assert [answer.status_code for answer in relay.answers] == [202], relay.answers[0].text
        sleeping_job(place, before)
    restart(place, hard)
    relay.release.set()
    check_failed(author, run_id, "Interrupted", "not known")
    new = {job_id: job for job_id, job in jobs_of(place).items() if job_id not in before}
    assert len(new) == delivered, "it is not sent again"
    assert all(job["status"]["state"] == "ERROR" for job in new.values())
    check_no_job_is_left(place)
    entry = setting.audit_entry(place, lambda e: e["protoPayload"]["methodName"] == "pipeline.WebActivity" and run_id in json.dumps(e)
                                and e["kind"] != "intent")
    assert entry, "the intention is closed"
