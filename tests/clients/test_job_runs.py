"""What ends with a run: its tokens die with it, whatever the server can still write and however it ends."""
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

    def use(self, token):
        return self.get(f"{plain.INSTANCE}/databases", token).status_code


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
