"""`linkspan doctor RUN`: each cause made by a real fault with names made up for it; the doctor names them. Pipelines are saved and started by
Azure's client, jobs by Google's API over REST and by the pipelines' Web activities; nothing is written into the log by hand."""
import base64
import http.server
import json
import re
import signal
import sys
import threading
import time
import types
import uuid

import pytest
from azure.synapse.artifacts import models
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

import conftest
import linkspan_site
import plain
import setting
import synapse_setting
from synapse_setting import PRINCIPAL, finish, fresh, put, resource, wait

WORKSPACE = "flights@demo.synapse"
PLACE = "v1/projects/demo/regions/local"
CONFIG = setting.CONFIG.replace("  demo:\n", f"""  demo:
    synapse: {{ back: embedded, workspace: flights, tenant: {linkspan_site.TENANT}, principal: {PRINCIPAL},
               client: 1b2c8d77-42a7-4b1f-8f0e-6f1f3a1d2e22, audiences: ["api://linkspan"] }}
""", 1) + "      max_jobs: 2\n"

POLICY = """
domain tests covers spanner demo/*, dataproc demo/*, synapse demo/* owner team

identity admin   is oidc cloud where tid = "@TENANT@" and oid = "admin"
identity author  is oidc cloud where tid = "@TENANT@" and oid = "author"
identity caller  is oidc cloud where tid = "@TENANT@" and oid = "caller"
identity synapse is oidc workspaces where oid = "@PRINCIPAL@"
account workspace is "flights@demo.synapse"
account worker is "worker@demo.iam.gserviceaccount.com"

setup:  allow admin to administer spanner demo/* and administer dataproc demo/* owner team until @UNTIL@
tables: allow admin to change schema every table in spanner demo/* owner team until @UNTIL@
author: allow author to administer synapse demo/* owner team until @UNTIL@
start:  allow author to run jobs on synapse demo/* as workspace owner team until @UNTIL@
bridge: allow workspace to call "@URL@/bridge/*" with audience "api://linkspan" and call "@URL@/bridge/*" with audience ""
    owner team until @UNTIL@
run:    allow caller to run jobs on dataproc demo/* as worker owner team until @UNTIL@
open:   allow synapse to run jobs on dataproc demo/open as worker owner team until @UNTIL@
look:   allow worker to read Known(Id) in spanner demo/* owner team until @UNTIL@
"""


def word(prefix="x"):
    return prefix + uuid.uuid4().hex[:10]


class Elsewhere:
    """Answers what its path says: /401/… with 401."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                status = self.path.split("/")[1]
                self.send_response(int(status) if status.isdigit() else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def elsewhere():
    server = Elsewhere()
    yield server
    server.server.shutdown()


@pytest.fixture(scope="module")
def place(tmp_path_factory, linkspan):
    """The site, and what was made there once: a database whose table and column have names of this run only."""
    folder = tmp_path_factory.mktemp("doctor")
    site = linkspan_site.Site(linkspan, folder / "site")
    code = folder / "jobs"
    conftest.shutil.copytree(setting.JOBS, code)
    site.make(CONFIG, {"tests": POLICY}, {"CODE": code, "PYTHON": sys.executable, "PRINCIPAL": PRINCIPAL})
    site.code = code
    names = types.SimpleNamespace(site=site, database=word("db"), table=word("T"), column=word("c"), closed=word("closed-"))
    try:
        site.start()
        admin = plain.Plain(site, "admin")
        for cluster in ("open", names.closed):
            admin.ask("POST", f"{PLACE}/clusters", {"projectId": "demo", "clusterName": cluster})
        admin.create(names.database, ["CREATE TABLE Known (Id INT64 NOT NULL) PRIMARY KEY (Id)",
                                      f"CREATE TABLE {names.table} (Id INT64 NOT NULL, {names.column} INT64) PRIMARY KEY (Id)"])
        names.author = synapse_setting.client(site)
        yield names
        assert site.server.poll() is None, f"the server died:\n{site.log()}"
    finally:
        site.stop()
    assert "ERROR: AddressSanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


# --- starting, asking --------------------------------------------------------------------------------------------------------------


def allow(place, rule):
    """As an operator does: the text into the file, SIGHUP; returns when the new policy is in force."""
    path = place.site.policies / "tests.policy"
    path.write_text(path.read_text() + "\n" + linkspan_site.fill(rule, {"UNTIL": place.site.days_ahead(30)}) + "\n")
    place.site.run("policy", "check", "--config", place.site.config)
    place.site.server.send_signal(signal.SIGHUP)
    time.sleep(1)


def web(url, method="GET", name="call", audience=None, **more):
    proof = models.WebActivityAuthentication(type="MSI", resource=audience) if audience else None
    return models.WebActivity(name=name, method=method, url=url, authentication=proof, **more)


def job(place, name, *args, cluster="open", **more):
    return {"placement": {"clusterName": cluster},
            "pysparkJob": {"mainPythonFileUri": f"file://{place.site.code}/{name}", "args": list(args)}, **more}


def bridge(place, body, name="bridge", audience="api://linkspan"):
    return web(f"{place.site.url}/bridge/dataproc/demo/local/jobs", "POST", name, audience, body=body, headers={"Content-Type": "application/json"})


def start(place, *steps):
    name = fresh()
    put(place.author, name, resource(*steps))
    return place.author.pipeline.create_pipeline_run(name).run_id


def run(place, *steps, status="Failed"):
    run_id = start(place, *steps)
    ended = finish(place.author, run_id, 180)
    assert ended.status == status, ended.message
    return run_id


def submit(place, body, bearer=None):
    answer = plain.Plain(place.site, "caller", bearer).ask("POST", f"{PLACE}/jobs:submit", {"job": body})
    return answer["reference"]["jobId"]


def state(place, job_id):
    return plain.Plain(place.site, "caller").ask("GET", f"{PLACE}/jobs/{job_id}")["status"]["state"]


def until(place, job_id, *states, seconds=180):
    end = time.monotonic() + seconds
    while (now := state(place, job_id)) not in states:
        assert time.monotonic() < end and now not in ("DONE", "ERROR", "CANCELLED"), (now, job_id)
        time.sleep(0.3)
    return job_id


def cancel(place, *jobs):
    for job_id in jobs:
        plain.Plain(place.site, "caller").ask("POST", f"{PLACE}/jobs/{job_id}:cancel", {})


def doctor(place, asked, status, ready=None):
    """Both ways of saying it, once the log has all of it: refused tokens are there a second later, all else within 100 ms."""
    ready = ready or (lambda found: status == 0 or found["health"] == "failed")

    def ask():
        result = place.site.run("doctor", asked, "--config", place.site.config, "--json", check=False)
        found = json.loads(result.stdout) if result.stdout else None
        return found if result.returncode == status and found and ready(found) else None

    def settled():
        """The run's end may be known before what refused it is published: two looks see the same."""
        first = ask()
        time.sleep(0.5)
        again = ask()
        return again if first and again and first["causes"] == again["causes"] else None

    found = setting.eventually(settled, 20)
    said = place.site.run("doctor", asked, "--config", place.site.config, check=False)
    assert found, f"exit status {said.returncode}, not {status}, or not ready: {said.stdout}{said.stderr}"
    assert found["run"] == asked
    return types.SimpleNamespace(text=said.stdout, causes=[cause for cause in found["causes"] if not cause["byTheWay"]],
                                 by_the_way=[cause for cause in found["causes"] if cause["byTheWay"]], **{key: found[key] for key in found if key != "causes"})


def only(found, kind):
    """The one cause that there is."""
    assert [cause["kind"] for cause in found.causes] == [kind], found.text
    return found.causes[0]


def is_time(text):
    return bool(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text))


# --- a permission ------------------------------------------------------------------------------------------------------------------


def test_a_call_without_a_rule_and_then_with_the_rule_that_it_names(place, elsewhere):
    url, activity = f"{elsewhere.url}/{word()}", word("ask ")
    run_id = run(place, web(url, name=activity))
    cause = only(found := doctor(place, run_id, 1), "permission")
    assert cause["who"] == WORKSPACE and url in cause["what"] and cause["reason"] == "NO_RULE" and cause["activity"] == activity
    assert found.health == "failed" and found.startedBy == "author of cloud" and is_time(cause["since"])
    rule, = [addition["rule"] for addition in cause["additions"]]
    assert url in rule and rule.splitlines()[0] in found.text and f"{WORKSPACE} may not" in found.text and cause["id"] in found.text
    allow(place, rule)
    run(place, web(url, name=activity), status="Succeeded")
    later, = doctor(place, run_id, 1).causes
    assert later["additions"] == [] and later["whyNoAddition"] == "the policy in force allows it"


def closed_job(place):
    """On a cluster on which no rule lets the workspace run anything."""
    return job(place, "says.py", cluster=place.closed, labels={"linkspan-account": "worker"})


def test_the_bridge_refuses_the_workspace(place):
    run_id = run(place, bridge(place, closed_job(place)))
    cause = only(found := doctor(place, run_id, 1), "permission")
    assert cause["who"] == f"{PRINCIPAL} of workspaces" and "run job" in cause["what"] and f"dataproc demo/{place.closed}" in cause["what"]
    assert place.closed in cause["additions"][0]["rule"] and found.jobs == []
    assert place.closed in found.text
    run_id = run(place, bridge(place, job(place, "says.py", cluster=place.closed)))
    cause = only(found := doctor(place, run_id, 1), "permission")
    assert cause["additions"] == [] and "linkspan-account" in cause["whyNoAddition"] and cause["whyNoAddition"] in found.text


def test_a_job_lacks_a_table(place):
    """Asked by the pipeline's run, by the job, and by the job's run: the same cause."""
    sql = f"SELECT {place.column} FROM {place.table}"
    run_id = run(place, bridge(place, job(place, "reads.py", place.database, "SELECT Id FROM Known", sql)))
    whole = doctor(place, run_id, 1)
    one, = whole.jobs
    assert (one["state"], one["account"], one["activity"]) == ("ERROR", setting.WORKER, "bridge") and is_time(one["lastHeard"])
    for asked in (run_id, one["id"], one["run"]):
        cause = only(doctor(place, asked, 1), "permission")
        assert cause["who"] == setting.WORKER and f"{place.table}({place.column})" in cause["what"] and place.database in cause["what"]
        assert place.table in cause["additions"][0]["rule"] and place.column in cause["additions"][0]["rule"]


# --- a token -----------------------------------------------------------------------------------------------------------------------


def test_a_token_for_another_audience(place):
    audience = f"api://{word()}"
    allow(place, f'{word("r")}: allow workspace to call "{place.site.url}/bridge/*" with audience "{audience}" owner team until @UNTIL@')
    run_id = run(place, bridge(place, job(place, "says.py"), audience=audience))
    cause = only(found := doctor(place, run_id, 1, lambda found: found["causes"][0]["reason"] != "401"), "token")
    assert cause["who"] == f"{PRINCIPAL} of workspaces" and cause["reason"] == "AUDIENCE_WRONG" and audience in cause["what"] and is_time(cause["since"])
    assert f"that of {PRINCIPAL} of workspaces is not accepted: AUDIENCE_WRONG, since" in found.text


def test_a_token_that_somebody_else_refuses(place, elsewhere):
    audience = f"api://{word()}"
    url = f"{elsewhere.url}/401/{word()}"
    allow(place, f'{word("r")}: allow workspace to call "{url}" with audience "{audience}" owner team until @UNTIL@')
    cause = only(doctor(place, run(place, web(url, audience=audience)), 1), "token")
    assert cause["who"] == WORKSPACE and cause["reason"] == "401" and url in cause["what"] and audience in cause["what"]


def short_lived(site, who, seconds):
    """A token of the development issuer that is refused as expired in so many seconds: a minute of clock skew is granted."""
    head, body, _ = plain.token(site, who).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    now = int(time.time())
    claims.update(iat=now - 600, nbf=now - 600, exp=now - 60 + seconds)
    key = serialization.load_pem_private_key((site.data / "keys" / "dev-issuer.key").read_bytes(), None)
    text = f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}"
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_token_that_expires_while_its_owner_follows(place):
    bearer = short_lived(place.site, "caller", 8)
    began = time.time()
    job_id = submit(place, job(place, "sleeps.py", reference={"jobId": word("slow-")}), bearer)
    until(place, job_id, "RUNNING")
    assert doctor(place, job_id, 0).causes == []
    time.sleep(max(0, began + 10 - time.time()))
    with pytest.raises(plain.Refused) as refused:
        plain.Plain(place.site, bearer=bearer).ask("GET", f"{PLACE}/jobs/{job_id}")
    assert refused.value.http == 401
    cause = only(found := doctor(place, job_id, 1, lambda found: found["causes"]), "token")
    assert cause["who"] == "caller of cloud" and cause["reason"] == "TOKEN_EXPIRED" and is_time(cause["since"]) and found.health == "going on"
    cancel(place, job_id)
    until(place, job_id, "CANCELLED")
    found = doctor(place, job_id, 0, lambda found: found["cancelledBy"])
    assert found.health == "cancelled" and found.cancelledBy == "caller of cloud" and [cause["reason"] for cause in found.by_the_way] == ["TOKEN_EXPIRED"]


def test_a_token_that_expires_while_its_owner_follows_a_pipeline(place):
    bearer = short_lived(place.site, "author", 6)
    began = time.time()
    author = synapse_setting.client(place.site)
    name = fresh()
    put(author, name, resource(wait(seconds=600)))
    run_id = plain.requests.post(f"{place.site.url}/pipelines/{name}/createRun?api-version=2020-12-01", headers={"Authorization": f"Bearer {bearer}"},
                                 json={}, verify=str(place.site.ca), timeout=30).json()["runId"]
    time.sleep(max(0, began + 8 - time.time()))
    answer = plain.requests.get(f"{place.site.url}/pipelineruns/{run_id}?api-version=2020-12-01", headers={"Authorization": f"Bearer {bearer}"},
                                verify=str(place.site.ca), timeout=30)
    assert answer.status_code == 401
    cause = only(doctor(place, run_id, 1, lambda found: found["causes"]), "token")
    assert (cause["who"], cause["reason"]) == ("author of cloud", "TOKEN_EXPIRED")
    author.pipeline_run.cancel_pipeline_run(run_id)
    finish(author, run_id)
    found = doctor(place, run_id, 0, lambda found: found["cancelledBy"])
    assert found.health == "cancelled" and found.cancelledBy == "author of cloud"


# --- no answer ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["CONNECT", "NAME"])
def test_a_service_that_does_not_answer(place, reason):
    url = f"http://127.0.0.1:{linkspan_site.free_port()}/{word()}" if reason == "CONNECT" else f"http://{word()}.invalid/{word()}"
    allow(place, f'{word("r")}: allow workspace to call "{url}" with audience "" owner team until @UNTIL@')
    cause = only(found := doctor(place, run(place, web(url)), 1), "unreachable")
    assert url in cause["what"] and cause["reason"] == reason and cause["text"] and is_time(cause["since"])
    assert f"a service that does not answer: call {url}" in found.text


def test_a_service_that_a_job_does_not_reach(place):
    job_id = submit(place, job(place, "calls.py", f"http://127.0.0.1:{linkspan_site.free_port()}/{word()}"))
    until(place, job_id, "ERROR")
    cause = only(doctor(place, job_id, 1), "unreachable")
    assert "Connection refused" in cause["text"] and cause["what"] == job_id and cause["who"] == setting.WORKER


# --- Spark -------------------------------------------------------------------------------------------------------------------------


def test_spark_fails(place):
    table = word("missing_")
    run_id = run(place, bridge(place, job(place, "selects.py", table)))
    cause = only(found := doctor(place, run_id, 1), "spark")
    assert "AnalysisException" in cause["text"] and table in cause["text"] and cause["what"] == found.jobs[0]["id"] and is_time(cause["since"])
    assert table in found.text


def test_an_activity_fails_by_itself(place, elsewhere):
    """Not the doctor's four causes, and told apart from them: what the pipeline itself says, and a server's own error."""
    code = word("E")
    cause = only(doctor(place, run(place, models.FailActivity(name="stop", message="no", error_code=code)), 1), "activity")
    assert cause["reason"] == code and cause["activity"] == "stop"
    url = f"{elsewhere.url}/500/{word()}"
    allow(place, f'{word("r")}: allow workspace to call "{url}" with audience "" owner team until @UNTIL@')
    cause = only(doctor(place, run(place, web(url)), 1), "activity")
    assert cause["reason"] == "500" and url in cause["what"]


# --- what it waits for -------------------------------------------------------------------------------------------------------------


def test_a_run_waits(place):
    activity = word("sleep ")
    run_id = start(place, wait(activity, 600))
    found = doctor(place, run_id, 0, lambda found: found["activities"])
    step, = found.activities
    assert found.health == "going on" and (step["name"], step["type"]) == (activity, "Wait") and is_time(step["since"])
    assert f"waits for activity {activity} (Wait), since {step['since']}" in found.text
    place.author.pipeline_run.cancel_pipeline_run(run_id)
    finish(place.author, run_id)


def test_a_run_polls_while_its_job_runs_and_others_queue(place):
    activity = word("start ")
    run_id = start(place, bridge(place, job(place, "sleeps.py"), activity))
    job_id = doctor(place, run_id, 0, lambda found: found["jobs"] and found["jobs"][0]["state"] == "RUNNING").jobs[0]["id"]
    second = until(place, submit(place, job(place, "sleeps.py")), "RUNNING")
    queued = submit(place, job(place, "sleeps.py"))
    found = doctor(place, run_id, 0)
    assert [step["name"] for step in found.activities] == [activity] and job_id in found.text
    found = doctor(place, queued, 0)
    assert found.jobs[0]["state"] == "PENDING" and f"waits for its turn: job {queued}, since {found.jobs[0]['since']}; 2 jobs run at once" in found.text
    cancel(place, queued, second)
    place.author.pipeline_run.cancel_pipeline_run(run_id)
    finish(place.author, run_id)


# --- nothing ails it ---------------------------------------------------------------------------------------------------------------


def test_a_healthy_run_and_what_was_refused_by_the_way(place):
    job_id = submit(place, job(place, "reads.py", place.database, f"?SELECT {place.column} FROM {place.table}", "SELECT Id FROM Known"))
    until(place, job_id, "DONE")
    found = doctor(place, job_id, 0)
    seen, = found.by_the_way
    assert found.health == "well" and found.causes == [] and seen["kind"] == "permission" and place.table in seen["what"]
    assert found.text.index("seen by the way") < found.text.index(place.table)
    run_id = run(place, wait(), status="Succeeded")
    assert "nothing was refused, and nothing failed" in doctor(place, run_id, 0).text


def test_what_the_log_does_not_know(place):
    for asked in (str(uuid.uuid4()), word(), ""):
        unknown = place.site.run("doctor", asked, "--config", place.site.config, check=False)
        assert unknown.returncode == 66 and "jobs list" in unknown.stderr and unknown.stdout == "", unknown.stderr


SHAPE = {"run", "health", "pipeline", "state", "startedBy", "started", "ended", "cancelledBy", "jobs", "activities", "causes"}
CAUSE = {"kind", "who", "what", "reason", "since", "times", "activity", "id", "text", "additions", "whyNoAddition", "byTheWay"}


def test_the_shape_of_its_json(place):
    run_id = run(place, bridge(place, closed_job(place)))
    doctor(place, run_id, 1)  # the log has all of it now
    told = json.loads(place.site.run("doctor", run_id, "--config", place.site.config, "--json", check=False).stdout)
    assert set(told) == SHAPE and set(told["causes"][0]) == CAUSE and set(told["causes"][0]["additions"][0]) == {"file", "owner", "rule"}


def test_without_a_server_and_with_a_policy_that_does_not_load(place):
    run_id = run(place, bridge(place, closed_job(place)))
    place.site.stop_server()
    cause = only(doctor(place, run_id, 1), "permission")
    assert cause["additions"]
    path = place.site.policies / "tests.policy"
    whole = path.read_text()
    path.write_text(whole + "\nallow nobody to")
    cause = only(doctor(place, run_id, 1), "permission")
    assert cause["additions"] == [] and cause["whyNoAddition"] == "the policy does not load" and place.closed in cause["what"]
    path.write_text(whole)
    place.site.start_server()
