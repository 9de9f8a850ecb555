"""PySpark jobs with the unmodified Dataproc client: each runs in a world of its own, as the account that policy gives it."""
import json
import pathlib
import time
import uuid

import pytest
import requests
from google.api_core import exceptions

import setting

PLACE = {"project_id": "demo", "region": "local"}
ENDED = ("DONE", "ERROR", "CANCELLED")


@pytest.fixture(scope="module")
def jobs(site, as_user):
    clusters = setting.dataproc_client(site, as_user("admin"), "ClusterControllerClient")
    clusters.create_cluster(**PLACE, cluster={"project_id": "demo", "cluster_name": "batch"}).result(timeout=60)
    setting.create_database(site, as_user("admin"), "jobs", setting.DDL)
    return Jobs(site, as_user)


class Jobs:
    def __init__(self, site, as_user):
        self.site, self.as_user = site, as_user
        self.client = setting.dataproc_client(site, as_user("caller"))

    def description(self, name, *args, **more):
        return {"placement": {"cluster_name": "batch"}, "pyspark_job": {
            "main_python_file_uri": f"file://{self.site.code}/{name}", "args": list(args), **more}}

    def submit(self, name, *args, request_id=None, **more):
        request = {**PLACE, "job": self.description(name, *args, **more), "request_id": request_id or str(uuid.uuid4())}
        return self.client.submit_job(request=request).reference.job_id

    def get(self, job_id):
        return self.client.get_job(**PLACE, job_id=job_id)

    def state(self, job_id):
        return self.get(job_id).status.state.name

    def wait(self, job_id, seconds=120):
        end = time.monotonic() + seconds
        while self.state(job_id) not in ENDED:
            assert time.monotonic() < end, f"{job_id} does not end: {self.output(job_id)}"
            time.sleep(0.2)
        return self.get(job_id)

    def output(self, job_id):
        answer = requests.get(f"{self.site.url}/v1/projects/demo/regions/local/jobs/{job_id}/driveroutput", verify=str(self.site.ca), timeout=30,
                              headers={"Authorization": f"Bearer {self.as_user.token('caller')}"})
        return answer.json().get("content", answer.text) if answer.headers.get("content-type", "").startswith("application/json") else answer.text

    def until_said(self, job_id, word, seconds=60):
        end = time.monotonic() + seconds
        while word not in self.output(job_id):
            assert time.monotonic() < end and self.state(job_id) not in ENDED, self.output(job_id)
            time.sleep(0.2)
        return self.output(job_id)


def said(output):
    return json.loads(next(line for line in output.splitlines() if line.startswith("who: "))[5:])


def test_a_job_runs_as_its_account_and_its_token_dies_with_it(site, as_user, jobs):
    job_id = jobs.submit("who.py", "jobs", "4")
    who = said(jobs.until_said(job_id, "who: "))
    assert who["email"] == setting.WORKER and who["project"] == "demo" and who["rows"] == [["written by a job"]]

    def use(token):
        return requests.get(f"{site.url}/v1/projects/demo/instances/flights/databases", headers={"Authorization": f"Bearer {token}"},
                            verify=str(site.ca), timeout=30).status_code

    assert use(who["token"]) == 200
    done = jobs.wait(job_id)
    assert use(who["token"]) == 401, "the job ended: its last token must be revoked"
    assert done.status.state.name == "DONE"
    assert [status.state.name for status in done.status_history][:1] == ["PENDING"]
    host, port = who["endpoint"].rsplit(":", 1)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{host}:{port}/", timeout=5)
    entry = setting.audit_entry(site, lambda e: e.get("jobRun") and e["protoPayload"]["methodName"].endswith("Spanner.Commit"))
    assert entry["protoPayload"]["authenticationInfo"]["principalEmail"] == setting.WORKER
    assert entry["protoPayload"]["authenticationInfo"]["serviceAccountDelegationInfo"][0]["principalSubject"] == "caller"


def test_submitting_again_with_the_same_request_id_is_the_same_job(jobs):
    request_id = str(uuid.uuid4())
    first = jobs.submit("fails.py", request_id=request_id)
    assert jobs.submit("fails.py", request_id=request_id) == first
    listed = [job.reference.job_id for job in jobs.client.list_jobs(**PLACE)]
    assert listed.count(first) == 1
    ended = jobs.wait(first)
    assert ended.status.state.name == "ERROR"
    assert "ValueError: the cause of it all" in ended.status.details
    assert "about to fail" in jobs.output(first)
    jobs.client.delete_job(**PLACE, job_id=first)
    with pytest.raises(exceptions.NotFound):
        jobs.get(first)


def processes(word):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes():
                found.append(path)
        except OSError:
            pass
    return found


def test_cancel_ends_the_whole_tree(jobs):
    job_id = jobs.submit("sleeps.py")
    jobs.until_said(job_id, "sleeping")
    assert processes("linkspan-test-child")
    jobs.client.cancel_job(**PLACE, job_id=job_id)
    assert jobs.wait(job_id, 30).status.state.name == "CANCELLED"
    assert not processes("linkspan-test-child") and not processes("sleeps.py")


def test_a_hostile_job_gets_nowhere(site, jobs):
    """The server's files, environment and listeners, and another job's: tests/clients/hostile_job.py tries them all."""
    other = jobs.submit("who.py", "jobs", "60")
    endpoint = said(jobs.until_said(other, "who: "))["endpoint"]
    job_id = jobs.submit("hostile_job.py", "--path", str(site.data), "--path", str(site.folder), "--tcp", f"127.0.0.1:{site.port}", "--tcp",
                         f"127.0.0.1:{site.issuer_port}", "--tcp", endpoint, "--pid", str(site.server.pid))
    ended = jobs.wait(job_id)
    output = jobs.output(job_id)
    jobs.client.cancel_job(**PLACE, job_id=other)
    assert ended.status.state.name == "DONE" and "0 broken" in output, "\n".join(line for line in output.splitlines() if "BROKEN" in line or "broken" in line)
    assert output.count("HELD") > 80
    jobs.wait(other)


REFUSED = [
    ("a property that moves identity", dict(properties={"spark.hadoop.fs.gs.auth.type": "USER"}), exceptions.InvalidArgument, "spark.hadoop.fs.gs.auth"),
    ("a property of no list", dict(properties={"spark.what": "1"}), exceptions.InvalidArgument, "spark.what"),
    ("Java options", dict(properties={"spark.driver.extraJavaOptions": "-javaagent:x"}), exceptions.InvalidArgument, "extraJavaOptions"),
    ("a jar from elsewhere", dict(jar_file_uris=["file:///etc/passwd"]), exceptions.PermissionDenied, "/etc/passwd"),
    ("a bucket", dict(main_python_file_uri="gs://bucket/x.py"), exceptions.MethodNotImplemented, "gs://"),
    ("a main file outside of the folders", dict(main_python_file_uri="file:///etc/hosts"), exceptions.PermissionDenied, "/etc/hosts"),
    ("a file that is not there", dict(main_python_file_uri=None), exceptions.NotFound, "nothing.py"),
]


@pytest.mark.parametrize("name, change, kind, word", REFUSED, ids=[row[0] for row in REFUSED])
def test_what_a_job_may_not_bring(jobs, name, change, kind, word):
    if change.get("main_python_file_uri", "") is None:
        change = dict(main_python_file_uri=f"file://{jobs.site.code}/nothing.py")
    try:
        ended = jobs.wait(jobs.submit("who.py", **change))  # what is only seen when files are staged
    except kind as refused:
        assert word in refused.message
        return
    assert ended.status.state.name == "ERROR" and word in ended.status.details and "who:" not in jobs.output(ended.reference.job_id)


def test_who_may_not_run_may_not_see(site, as_user, jobs):
    mine = jobs.submit("fails.py")
    others = setting.dataproc_client(site, as_user("reader"))
    with pytest.raises(exceptions.PermissionDenied):
        others.submit_job(**PLACE, job=jobs.description("who.py"))
    with pytest.raises((exceptions.PermissionDenied, exceptions.NotFound)):
        others.get_job(**PLACE, job_id=mine)
    assert list(others.list_jobs(**PLACE)) == []
    watcher = setting.dataproc_client(site, as_user("somebody", groups="watchers"))
    assert watcher.get_job(**PLACE, job_id=mine).reference.job_id == mine
    with pytest.raises(exceptions.PermissionDenied):
        watcher.cancel_job(**PLACE, job_id=mine)
    jobs.wait(mine)


def test_a_job_kind_that_is_not_supported_is_named(jobs):
    with pytest.raises(exceptions.MethodNotImplemented) as refused:
        jobs.client.submit_job(**PLACE, job={"placement": {"cluster_name": "batch"}, "hive_job": {"query_list": {"queries": ["SELECT 1"]}}})
    assert "hive" in refused.value.message.lower()


def test_clusters(site, as_user, jobs):
    clusters = setting.dataproc_client(site, as_user("admin"), "ClusterControllerClient")
    clusters.create_cluster(**PLACE, cluster={"project_id": "demo", "cluster_name": "second"}).result(timeout=60)
    assert {"batch", "second"} <= {cluster.cluster_name for cluster in clusters.list_clusters(**PLACE)}  # others have theirs here too
    assert clusters.get_cluster(**PLACE, cluster_name="second").status.state.name == "RUNNING"
    clusters.delete_cluster(**PLACE, cluster_name="second").result(timeout=60)
    with pytest.raises(exceptions.NotFound):
        clusters.get_cluster(**PLACE, cluster_name="second")
    assert "second" not in {cluster.cluster_name for cluster in clusters.list_clusters(**PLACE)}
    with pytest.raises(exceptions.PermissionDenied):
        setting.dataproc_client(site, as_user("caller"), "ClusterControllerClient").create_cluster(
            **PLACE, cluster={"project_id": "demo", "cluster_name": "mine"}).result(timeout=60)
