"""Batches in Livy's terms: the unmodified azure-synapse-spark against Synapse's API, Airflow's hook and operator against Apache Livy's.
Every batch is a job like those of Dataproc's API."""
import json
import os
import pathlib
import subprocess
import time
import uuid

import azure.core.exceptions
import pytest
import requests
from azure.core.credentials import AccessToken
from azure.synapse.spark import SparkClient
from azure.synapse.spark import models

import conftest
import plain
import setting

SYNAPSE = "https://dev.azuresynapse.net"
CONFIG = """    livy: { cluster: batch }
    synapse:
      back: embedded
      workspace: flights
      tenant: 8f1f0e5a-52d5-4d5b-9d0e-6f5b1c3b7a10
      principal: 1f6a6c5e-8d7b-4a68-8a3e-2b9f6f0d4c21
      client: 3c9f1d2e-0b4a-4f0c-9f57-7d5e8a6b1c32
      pools: { small: { cluster: batch }, empty: { cluster: nowhere } }
"""
REGION = "v1/projects/demo/regions/local"


@pytest.fixture(scope="module")
def livy_site(tmp_path_factory, linkspan):
    site = conftest.make_site(tmp_path_factory.mktemp("livy"), linkspan, more_config=CONFIG)
    try:
        site.start()
        plain.Plain(site, "admin").ask("POST", f"{REGION}/clusters", {"projectId": "demo", "clusterName": "batch"})
        yield site
    finally:
        site.stop()
    assert "ERROR: AddressSanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


class Token:
    """A credential as azure-identity's are: asked for the scope that the client wants."""

    def __init__(self, site, who):
        self.site, self.who = site, who

    def get_token(self, *scopes, **more):
        assert scopes == (f"{SYNAPSE}/.default",)
        return AccessToken(plain.token(self.site, self.who, aud=SYNAPSE), int(time.time()) + 600)


def spark(site, who="caller", pool="small"):
    return SparkClient(Token(site, who), site.url, pool, connection_verify=str(site.ca), retry_total=0)


def options(site, name, **more):
    return models.SparkBatchJobOptions(name=f"test {name}", file=f"file://{site.code}/{name}", **more)


def wait(client, batch_id, seconds=180):
    end = time.monotonic() + seconds
    while (batch := client.spark_batch.get_spark_batch_job(batch_id, detailed=True)).result == "Uncertain":
        assert time.monotonic() < end, batch
        time.sleep(0.3)
    return batch


def test_synapse_spark_from_create_to_the_end(livy_site):
    site, client, word = livy_site, spark(livy_site), uuid.uuid4().hex
    made = client.spark_batch.create_spark_batch_job(options(
        site, "says.py", arguments=[word], tags={"team": "data"}, configuration={"spark.sql.shuffle.partitions": "2"}, driver_memory="512m",
        driver_cores=1, executor_memory="512m", executor_cores=1, executor_count=1), detailed=True)
    assert made.state == "not_started" and made.workspace_name == "flights" and made.spark_pool_name == "small" and made.tags == {"team": "data"}
    assert made.livy_info.job_creation_request.arguments == [word] and made.livy_info.not_started_at
    done = wait(client, made.id)
    assert (done.result, done.state, done.errors) == ("Succeeded", "success", [])
    assert done.log_lines[-1] == f"{word} 100" and done.app_id.startswith("local-") and done.submitter_id == "caller"
    info = done.livy_info
    assert info.not_started_at <= info.starting_at <= info.running_at <= info.success_at and not info.dead_at
    assert done.scheduler.current_state == done.plugin.current_state == "Ended"
    listed = client.spark_batch.get_spark_batch_jobs(from_parameter=0, size=20)
    assert made.id in [batch.id for batch in listed.sessions] and listed.total == len(listed.sessions)
    # the same job, by Dataproc's API, as the account that policy gives; and whom the audit names
    jobs = plain.Plain(site, "caller").ask("GET", f"{REGION}/jobs")["jobs"]
    job = next(job for job in jobs if word in job["pysparkJob"].get("args", []))
    assert job["status"]["state"] == "DONE" and job["labels"] == {"team": "data"}
    entry = setting.audit_entry(site, lambda e: e["protoPayload"].get("resourceName", "").endswith(job["reference"]["jobId"])
                                and e["protoPayload"]["methodName"].startswith("/livyApi"))
    assert entry["protoPayload"]["authenticationInfo"]["principalSubject"] == "caller"


def test_synapse_spark_cancel_and_failure(livy_site):
    site, client = livy_site, spark(livy_site)
    sleeping = client.spark_batch.create_spark_batch_job(options(site, "sleeps.py"))
    failing = client.spark_batch.create_spark_batch_job(options(site, "fails.py"))
    assert failing.id == sleeping.id + 1
    client.spark_batch.cancel_spark_batch_job(sleeping.id)
    killed = wait(client, sleeping.id)
    assert (killed.result, killed.state) == ("Cancelled", "killed") and killed.livy_info.terminated_at
    dead = wait(client, failing.id)
    assert (dead.result, dead.state) == ("Failed", "dead") and "ValueError: the cause of it all" in dead.errors[0].message


REFUSED = [
    ("somebody who may not", dict(who="reader"), {}, 403, "run job"),
    ("a pool that is not there", dict(pool="huge"), {}, 404, "huge"),
    ("a pool whose cluster is not there", dict(pool="empty"), {}, 404, "nowhere"),
    ("a class", {}, dict(class_name="org.example.Main"), 501, "className"),
    ("a definition", {}, dict(artifact_id="x"), 501, "artifactId"),
    ("a property that moves identity", {}, dict(configuration={"spark.hadoop.fs.gs.auth.type": "USER"}), 400, "spark.hadoop.fs.gs.auth"),
    ("a jar from elsewhere", {}, dict(file_="abfss://container@account.dfs.core.windows.net/x.py"), 501, "abfss://"),
    ("too much memory", {}, dict(driver_memory="28g"), 400, "spark.driver.memory"),
]


@pytest.mark.parametrize("name, client, change, status, word", REFUSED, ids=[row[0] for row in REFUSED])
def test_what_synapse_spark_is_refused(livy_site, name, client, change, status, word):
    file = change.pop("file_", None)
    asked = options(livy_site, "says.py", **change)
    asked.file = file or asked.file
    with pytest.raises(azure.core.exceptions.HttpResponseError) as refused:
        spark(livy_site, **client).spark_batch.create_spark_batch_job(asked)
    assert refused.value.status_code == status and word in str(refused.value)
    assert refused.value.error.code, "an error in Azure's form"


def test_synapse_sessions_are_refused_by_name(livy_site):
    with pytest.raises(azure.core.exceptions.HttpResponseError) as refused:
        spark(livy_site).spark_session.create_spark_session(models.SparkSessionOptions(name="x"))
    assert refused.value.status_code == 501 and "sessions" in str(refused.value)


def ask(site, verb, path, token, body=None):
    return requests.request(verb, f"{site.url}{path}", json=body, verify=str(site.ca), timeout=60, headers={"Authorization": f"Bearer {token}"})


def test_a_token_for_synapse_opens_synapses_rows_only(livy_site):
    site, synapses, ours = livy_site, plain.token(livy_site, "caller", aud=SYNAPSE), plain.token(livy_site, "caller")
    pool = "/livyApi/versions/2019-11-01-preview/sparkPools/small/batches"
    assert ask(site, "GET", pool, synapses).status_code == ask(site, "GET", pool, ours).status_code == 200
    assert ask(site, "GET", "/batches", ours).status_code == 200
    refused = ask(site, "GET", "/batches", synapses)
    assert refused.status_code == 401 and refused.json().keys() == {"msg"}
    assert ask(site, "GET", pool, plain.token(site, "caller", aud="https://elsewhere.example")).json()["error"]["code"] == "Unauthorized"


def test_apache_livy_refuses_impersonation_and_hides(livy_site):
    site, token = livy_site, plain.token(livy_site, "caller")
    body = {"file": f"file://{site.code}/says.py"}
    for path, more in (("/batches", {"proxyUser": "admin"}), ("/batches?doAs=admin", {})):
        answer = ask(site, "POST", path, token, {**body, **more})
        assert answer.status_code == 403 and ("proxyUser" in answer.json()["msg"] or "doAs" in answer.json()["msg"])
    assert ask(site, "POST", "/batches", token, {**body, "kind": "pyspark"}).status_code == 400
    assert ask(site, "POST", "/sessions", token, {"kind": "pyspark"}).status_code == 501
    assert ask(site, "GET", "/batches/99999", token).status_code == 404
    assert ask(site, "GET", "/batches", plain.token(site, "reader")).json() == {"from": 0, "total": 0, "sessions": []}


def test_airflows_hook_and_operator(livy_site, request, tmp_path):
    python = pathlib.Path(request.config.getoption("--cache")) / "airflow/bin/python"
    assert python.exists(), f"there is no {python}: ./dev setup makes it"
    site, word = livy_site, uuid.uuid4().hex
    (tmp_path / "token").write_text(plain.token(site, "caller"))
    connection = {"conn_type": "livy", "host": "127.0.0.1", "port": site.port, "schema": "https"}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path), "AIRFLOW_CONN_LIVY": json.dumps(connection),
                   "REQUESTS_CA_BUNDLE": str(site.ca), "NO_PROXY": "127.0.0.1"}
    ran = subprocess.run([python, pathlib.Path(__file__).parent / "airflow_livy.py", f"file://{site.code}", word, tmp_path / "token"],
                         env=environment, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-4000:]
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["state"] == "success" and said["batch"]["name"] == word and said["batch"]["owner"] == "caller"
    assert said["pushed"]["app_id"] == said["batch"]["appId"] and said["pushed"]["app_id"].startswith("local-")
    assert said["end"]["log"] == ["line 249", f"{word} 100"] and said["end"]["total"] == said["end"]["from"] + 2
    assert len(said["page"]["log"]) == 3 and said["page"]["from"] == 100
    assert "line 123" in ran.stderr + ran.stdout, "the operator shows the log, page by page"
    assert "did not succeed" in said["failed"] and said["deleted"] == {"msg": "deleted"} and said["killed"]


def test_ids_grow_over_a_restart(livy_site):
    site, token = livy_site, plain.token(livy_site, "caller")
    before = ask(site, "GET", "/batches", token).json()
    site.stop_server()
    site.start_server()
    assert ask(site, "GET", "/batches", token).json() == before
    made = ask(site, "POST", "/batches", token, {"file": f"file://{site.code}/fails.py"})
    assert made.status_code == 201 and made.headers["Location"] == f"/batches/{made.json()['id']}"
    assert made.json()["id"] > max(batch["id"] for batch in before["sessions"])
    assert ask(site, "DELETE", made.headers["Location"], token).json() == {"msg": "deleted"}
