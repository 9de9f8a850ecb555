"""What ends with a run, and what ends with the rule that allowed it: its tokens die with it, whatever the server can still write and
however it ends; and the end of the rule stops new starts and renewals."""
import os
import signal
import time

import pytest
import requests

import conftest
import plain
import setting
import test_disk
import test_jobs

REGION = "v1/projects/demo/regions/local"


@pytest.fixture
def place(tmp_path, linkspan):
    site = conftest.make_site(tmp_path, linkspan)
    try:
        site.start()
        plain.Plain(site, "admin").ask("POST", f"{REGION}/clusters", {"projectId": "demo", "clusterName": "batch"})
        yield Place(site)
    finally:
        site.stop()
    assert "ERROR: AddressSanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


class Place:
    def __init__(self, site):
        self.site = site
        self.policy = site.policies / "tests.policy"
        self.rules = self.policy.read_text()
        self.token = plain.token(site, "caller")

    def caller(self):
        return plain.Plain(self.site, "caller", self.token)

    def get(self, path, token):
        return requests.get(f"{self.site.url}/{path}", headers={"Authorization": f"Bearer {token}"}, verify=str(self.site.ca), timeout=30)

    def submit(self, name):
        job = {"placement": {"clusterName": "batch"}, "pysparkJob": {"mainPythonFileUri": f"file://{self.site.code}/{name}"}}
        return self.caller().ask("POST", f"{REGION}/jobs:submit", {"job": job})["reference"]["jobId"]

    def status(self, job):
        return self.caller().ask("GET", f"{REGION}/jobs/{job}")["status"]

    def until_said(self, job, word, seconds=120):
        """The rest of the line that begins with it."""
        end = time.monotonic() + seconds
        while True:
            said = self.get(f"{REGION}/jobs/{job}/driveroutput", self.token).text
            found = [line for line in said.splitlines(keepends=True) if line.startswith(word) and line.endswith("\n")]
            if found:
                return found[-1][len(word):].strip()
            assert time.monotonic() < end and self.status(job)["state"] not in test_jobs.ENDED, (said, self.status(job))
            time.sleep(0.2)

    def until_ended(self, job, seconds=60):
        assert setting.eventually(lambda: self.status(job)["state"] in test_jobs.ENDED or None, seconds), self.status(job)
        return self.status(job)

    def use(self, token):
        return self.get(f"{plain.INSTANCE}/databases", token).status_code

    def rule(self, present):
        """With or without the rule by which the caller runs jobs."""
        self.policy.write_text("".join(line for line in self.rules.splitlines(keepends=True) if present or not line.startswith("run:")))
        self.site.server.send_signal(signal.SIGHUP)


def test_a_run_ends_with_its_tokens_when_nothing_can_be_written(place):
    job = place.submit("tokens.py")
    token = place.until_said(job, "first: ")
    assert place.use(token) == 200
    disk = test_disk.SizeLimit(place.site.data)
    disk.full(place.site.server)
    for path in test_jobs.processes("tokens.py"):
        os.kill(int(path.parent.name), signal.SIGKILL)
    assert setting.eventually(lambda: place.use(token) == 401 or None), "the job ended, its token did not"
    disk.roomy(place.site.server)
    assert place.use(token) == 401


def test_a_run_that_a_crash_ended_leaves_no_token(place):
    job = place.submit("tokens.py")
    token = place.until_said(job, "first: ")
    assert place.use(token) == 200
    place.site.stop_server(hard=True)
    place.site.start_server()
    assert place.use(token) == 401
    assert place.status(job)["state"] == "ERROR"
    again = place.submit("tokens.py")  # a run of this server has tokens at once
    assert place.use(place.until_said(again, "first: ")) == 200
    assert place.use(token) == 401


def test_the_end_of_the_rule_stops_renewals(place):
    job = place.submit("tokens.py")
    token = place.until_said(job, "first: ")
    place.until_said(job, "identity: 200")
    place.rule(False)
    for kind in "access", "identity":
        said = place.until_said(job, f"{kind}: 403")
        assert "NO_RULE" in said and "caller may not run job in dataproc demo/batch as worker@" in said
    assert place.use(token) == 200, "what it has holds until it ends: only revocation kills"
    entry = setting.audit_entry(place.site, lambda e: e.get("jobRun") and e.get("verdict", {}).get("reason") == "NO_RULE")
    assert entry["kind"] == "refusal" and entry["protoPayload"]["authenticationInfo"]["principalSubject"] == "caller"
    explained = setting.explain(place.site, entry["insertId"])
    assert any("allow caller to run jobs on dataproc demo/batch as worker" in addition["rule"] for addition in explained["additions"]), explained
    place.rule(True)
    place.until_said(job, "access: 200")
    place.caller().ask("POST", f"{REGION}/jobs/{job}:cancel", {})
    assert place.until_ended(job)["state"] == "CANCELLED"


def test_the_end_of_the_rule_stops_a_run_that_waits(place):
    first = place.submit("tokens.py")
    place.until_said(first, "first: ")
    second = place.submit("says.py")
    assert place.status(second)["state"] == "PENDING"
    place.rule(False)
    place.until_said(first, "access: 403")
    place.caller().ask("POST", f"{REGION}/jobs/{first}:cancel", {})
    ended = place.until_ended(second)
    assert ended["state"] == "ERROR"
    assert "NO_RULE" in ended["details"] and "caller may not run job in dataproc demo/batch as worker@" in ended["details"]
