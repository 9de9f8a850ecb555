"""Dataproc through a gateway: the unmodified client talks to a near Linkspan, whose jobs run at a far one, which trusts the near one's
issuer alone. Both decide; the job is real."""
import shutil
import sys
import time
import uuid

import pytest
from google.api_core import exceptions

import conftest
import linkspan_site
import setting
import two_sites

PLACE = {"project_id": "acme", "region": "far"}
ENDED = ("DONE", "ERROR", "CANCELLED")

FAR_CONFIG = two_sites.FAR_CONFIG.replace("connections:\n", """  cloud: { preset: entra, tenant: @TENANT@, audiences: ["api://linkspan"], jwks_uri: "@PEOPLE@/keys" }
connections:
""") + """    dataproc: { back: embedded, project: acme, region: far, master: "local[1]", code: [@CODE@], python: @PYTHON@, memory: 1GiB }
"""
FAR_POLICY = """domain far covers dataproc demo/* owner cloud

identity admin   is oidc cloud where tid = "@TENANT@" and oid = "admin"
identity callers is oidc near where sub = "cloud/caller"
identity lookers is oidc near where sub = "cloud/reader"
identity namers is oidc near where sub = "cloud/hasty"
account gateway is "gateway@far.iam.gserviceaccount.com"
account worker  is "worker@demo.iam.gserviceaccount.com"

home:  allow admin to administer dataproc demo/* owner cloud until @UNTIL@
enter: allow callers, lookers, namers to act as gateway owner cloud until @UNTIL@
jobs:  allow gateway to run jobs on dataproc demo/batch as worker owner cloud until @UNTIL@
seen:  allow gateway to see jobs on dataproc demo/* and cancel jobs on dataproc demo/* owner cloud until @UNTIL@
"""
NEAR_CONNECTION = """  prod:
    dataproc: { back: upstream, project: acme, region: far, endpoint: "@FAR@", exchange: far,
                accounts: { batch: worker@demo.iam.gserviceaccount.com }, code: ["file://@FARCODE@/"] }
"""
NEAR_POLICY = """domain prod covers dataproc prod/* owner prod

job nightly/says is pyspark "file://@FARCODE@/says.py"

far-name: allow hasty to run job nightly/says on dataproc prod/batch as worker and see jobs on dataproc prod/batch owner prod until @UNTIL@
far-run:  allow caller, writer to run jobs on dataproc prod/batch as worker owner prod until @UNTIL@
far-look: allow caller, writer, reader to see jobs on dataproc prod/batch owner prod until @UNTIL@
far-stop: allow caller to cancel jobs on dataproc prod/batch owner prod until @UNTIL@
"""


def make_pair(folder, linkspan):
    code = folder / "far-jobs"
    shutil.copytree(setting.JOBS, code)
    config = setting.CONFIG.replace("connections:\n", two_sites.EXCHANGES + "connections:\n", 1)
    config += NEAR_CONNECTION.replace("@FARCODE@", str(code))
    near = conftest.make_site(folder, linkspan, config=config)
    (near.policies / "prod.policy").write_text(linkspan_site.fill(NEAR_POLICY, {"UNTIL": near.days_ahead(30), "FARCODE": code}))
    values = {"CODE": code, "PYTHON": sys.executable, "PEOPLE": near.issuer_url}
    far = two_sites.make_far(folder / "far", near, linkspan_site.fill(FAR_CONFIG, values), FAR_POLICY)
    far.issuer_url, far.code = near.issuer_url, code
    return two_sites.Pair(near, far)


@pytest.fixture(scope="module")
def pair(tmp_path_factory, linkspan, site):
    pair = make_pair(tmp_path_factory.mktemp("upstream"), linkspan)
    try:
        pair.start()
        home = setting.dataproc_client(pair.far, setting.Credentials(pair.far)("admin"), "ClusterControllerClient")
        home.create_cluster(**PLACE, cluster={"project_id": "acme", "cluster_name": "batch"}).result(timeout=60)
        yield pair
    finally:
        pair.stop()
    for server in (pair.near, pair.far):
        assert "ERROR: AddressSanitizer" not in server.log() and "runtime error:" not in server.log(), server.log()


@pytest.fixture(scope="module")
def caller(pair):
    return client(pair, "caller")


def client(pair, who, kind="JobControllerClient"):
    return setting.dataproc_client(pair.near, setting.Credentials(pair.near)(who), kind)


def request(pair, name, *args, **more):
    job = {"placement": {"cluster_name": "batch"},
           "pyspark_job": {"main_python_file_uri": f"file://{pair.far.code}/{name}", "args": list(args)}, **more}
    return {**PLACE, "job": job, "request_id": str(uuid.uuid4())}


def wait(jobs, job_id, states=ENDED, seconds=120):
    end = time.monotonic() + seconds
    while (job := jobs.get_job(**PLACE, job_id=job_id)).status.state.name not in states:
        assert time.monotonic() < end, job.status
        time.sleep(0.2)
    return job


def test_a_real_job_from_submit_to_delete(pair, caller):
    asked = request(pair, "says.py")
    made = caller.submit_job(request=asked)
    assert caller.submit_job(request=asked).reference.job_id == made.reference.job_id, "the same requestId again"
    done = wait(caller, made.reference.job_id)
    assert done.status.state.name == "DONE", done.status.details
    assert done.job_uuid and done.driver_output_resource_uri.endswith(f"/jobs/{made.reference.job_id}/driveroutput")
    assert made.reference.job_id in [job.reference.job_id for job in caller.list_jobs(**PLACE)]
    changed = caller.update_job(request={**PLACE, "job_id": made.reference.job_id, "job": {"labels": {"team": "a"}},
                                         "update_mask": {"paths": ["labels"]}})
    assert dict(changed.labels) == {"team": "a"}
    caller.delete_job(**PLACE, job_id=made.reference.job_id)
    with pytest.raises(exceptions.NotFound, match="job not found"):
        caller.get_job(**PLACE, job_id=made.reference.job_id)
    entry = setting.audit_entry(pair.far, lambda e: e["protoPayload"]["methodName"].endswith("SubmitJob"))
    who = entry["protoPayload"]["authenticationInfo"]
    assert who["principalEmail"] == two_sites.GATEWAY, "the far side saw an exchanged token, and whose"
    assert who["serviceAccountDelegationInfo"][0]["principalSubject"] == "cloud/caller"


def test_a_named_job_is_its_code_and_no_other(pair):
    named = client(pair, "hasty")
    asked = request(pair, "says.py")
    spark = asked["job"]["pyspark_job"]
    spark["python_file_uris"] = [f"file://{pair.far.code}/fails.py"]
    assert wait(named, named.submit_job(request=asked).reference.job_id).status.state.name == "DONE"
    for key in ("python_file_uris", "jar_file_uris", "file_uris", "archive_uris"):
        with pytest.raises(exceptions.PermissionDenied, match="may not run"):  # the far side would have said that gs:// is not there
            named.submit_job(request={**asked, "job": {**asked["job"], "pyspark_job": {**spark, key: ["gs://attacker/evil.jar"]}},
                                      "request_id": str(uuid.uuid4())})
    entry = setting.audit_entry(pair.near, lambda e: e["protoPayload"]["methodName"].endswith("SubmitJob")
                                and e["protoPayload"].get("status", {}).get("code") == 7)
    assert "free code by gs://attacker/evil.jar" in entry["protoPayload"]["status"]["message"]
    spark["properties"] = {"spark.sql.extensions": "evil.Extensions"}
    with pytest.raises(exceptions.InvalidArgument, match="spark.sql.extensions is refused"):
        named.submit_job(request=asked)


def test_a_cause_comes_back(pair, caller):
    made = caller.submit_job(request=request(pair, "fails.py"))
    ended = wait(caller, made.reference.job_id)
    assert ended.status.state.name == "ERROR" and "ValueError: the cause of it all" in ended.status.details


def test_cancel(pair, caller):
    made = caller.submit_job(request=request(pair, "sleeps.py"))
    wait(caller, made.reference.job_id, ("RUNNING",))
    with pytest.raises(exceptions.PermissionDenied):
        client(pair, "reader").cancel_job(**PLACE, job_id=made.reference.job_id)
    caller.cancel_job(**PLACE, job_id=made.reference.job_id)
    assert wait(caller, made.reference.job_id).status.state.name == "CANCELLED"


def test_an_operation_is_its_owners(pair, caller):
    operation = caller.submit_job_as_operation(request=request(pair, "says.py"))
    assert operation.result(timeout=120).status.state.name == "DONE"
    name = operation.operation.name
    assert name.startswith("projects/acme/regions/far/operations/")
    with pytest.raises(exceptions.NotFound):
        client(pair, "reader").transport.operations_client.get_operation(name)


def test_clusters_are_seen(pair, caller):
    clusters = client(pair, "caller", "ClusterControllerClient")
    assert clusters.get_cluster(**PLACE, cluster_name="batch").status.state.name == "RUNNING"
    assert [cluster.cluster_name for cluster in clusters.list_clusters(**PLACE)] == ["batch"]
    with pytest.raises(exceptions.NotFound, match="cluster not found: other"):
        clusters.get_cluster(**PLACE, cluster_name="other")


def test_both_sides_decide(pair):
    with pytest.raises(exceptions.PermissionDenied, match="may not run job"):
        client(pair, "reader").submit_job(request=request(pair, "says.py"))
    with pytest.raises(exceptions.PermissionDenied):  # the near side allows it; the far one takes no token for writer
        client(pair, "writer").submit_job(request=request(pair, "says.py"))
    assert setting.audit_entry(pair.near, lambda e: e["protoPayload"]["methodName"].endswith("SubmitJob")
                               and e["protoPayload"]["authenticationInfo"].get("principalSubject") == "writer"
                               and e["protoPayload"].get("status", {}).get("code") == 7)
    assert client(pair, "admin").list_jobs(**PLACE).jobs == [], "whoever holds nothing here sees nothing"


def test_a_far_side_that_is_down(pair, caller):
    pair.far.stop_server()
    try:
        with pytest.raises(exceptions.ServiceUnavailable, match="prod.dataproc"):
            caller.submit_job(request=request(pair, "says.py"), retry=None, timeout=20)
    finally:
        pair.far.start_server()
    assert caller.get_job(**PLACE, job_id=caller.submit_job(request=request(pair, "says.py")).reference.job_id)
