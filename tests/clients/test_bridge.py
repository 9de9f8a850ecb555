"""The bridge as a Synapse Web activity uses it: a POST with a managed identity's token, then polls of the Location without one."""
import base64
import os
import struct
import time
import uuid

import pytest
import requests
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import plain
import setting

CLUSTER = "bridged"


class Bridge:
    def __init__(self, site):
        self.site, self.url, self.token = site, f"{site.url}/bridge/dataproc/demo/local/jobs", plain.token(site, "caller")

    def body(self, name, *args, **more):
        return {"placement": {"clusterName": CLUSTER},
                "pysparkJob": {"mainPythonFileUri": f"file://{self.site.code}/{name}", "args": list(args)}, **more}

    def post(self, body, token=None, query=""):
        headers = {"Authorization": f"Bearer {token or self.token}"} if token != "" else {}
        return requests.post(self.url + query, json=body, headers=headers, verify=str(self.site.ca), timeout=60)

    def start(self, name, *args, **more):
        answer = self.post(self.body(name, *args, **more))
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"].startswith(f"{self.site.url}/bridge/jobs/") and int(answer.headers["Retry-After"]) > 0
        return answer

    def poll(self, location):
        return requests.get(location, verify=str(self.site.ca), timeout=60, allow_redirects=False)

    def wait(self, location, seconds=180):
        end = time.monotonic() + seconds
        while (answer := self.poll(location)).status_code == 202:
            assert time.monotonic() < end, answer.text
            assert answer.json()["jobId"] and int(answer.headers["Retry-After"]) > 0
            time.sleep(0.3)
        return answer

    def cancel(self, job_id):
        return plain.Plain(self.site, "caller").ask("POST", f"v1/projects/demo/regions/local/jobs/{job_id}:cancel", {})


@pytest.fixture(scope="module")
def bridge(site):
    plain.Plain(site, "admin").ask("POST", "v1/projects/demo/regions/local/clusters", {"projectId": "demo", "clusterName": CLUSTER})
    return Bridge(site)


def test_a_job_from_post_to_result(site, bridge):
    word = uuid.uuid4().hex
    started = bridge.start("says.py", word, reference={"jobId": f"says-{word}"})
    assert started.json()["jobId"] == f"says-{word}" and started.json()["state"] == "PENDING"
    assert word not in started.headers["Location"], "a Location tells nothing"
    done = bridge.wait(started.headers["Location"])
    assert done.status_code == 200, done.text
    result = done.json()
    assert result["state"] == "DONE" and result["account"] == setting.WORKER and result["cluster"] == CLUSTER
    assert result["output"].endswith(f"{word} 100\n") and len(result["output"]) <= 8192
    assert result["startTime"] < result["endTime"]
    # both sides in the audit: who posted with which token; the polls, which had none
    posted = setting.audit_entry(site, lambda e: e["protoPayload"].get("resourceName", "").endswith(f"says-{word}")
                                 and e["protoPayload"]["methodName"].startswith("/bridge/dataproc"))
    assert posted["protoPayload"]["authenticationInfo"]["principalSubject"] == "caller"
    assert f"run {result['jobUuid']}" in str(posted), "what the job does is recorded under its run"
    polled = setting.audit_entry(site, lambda e: e["protoPayload"].get("resourceName", "").endswith(f"says-{word}")
                                 and e["protoPayload"]["methodName"].startswith("/bridge/jobs"))
    assert polled and "principalSubject" not in polled["protoPayload"].get("authenticationInfo", {})
    assert started.headers["Location"].rsplit("/", 1)[1] not in str(setting.audit(site).entries)


def test_a_failing_job_is_an_error_with_its_cause(bridge):
    ended = bridge.wait(bridge.start("fails.py").headers["Location"])
    error = ended.json()["error"]
    assert ended.status_code == error["code"] == 400 and error["status"] == "FAILED_PRECONDITION"
    assert "ValueError: the cause of it all" in error["message"]
    assert error["details"][0]["reason"] == "JOB_FAILED" and error["details"][0]["metadata"]["state"] == "ERROR"


def test_identical_posts_are_two_jobs_unless_they_are_named(bridge):
    first, second = bridge.start("sleeps.py"), bridge.start("sleeps.py")
    assert first.json()["jobId"] != second.json()["jobId"]
    named = bridge.body("sleeps.py", reference={"jobId": f"named-{uuid.uuid4().hex}"})
    query = f"?requestId={uuid.uuid4().hex}"
    assert bridge.post(named, query=query).status_code == 202
    assert bridge.post(named, query=query).json()["jobId"] == named["reference"]["jobId"], "the first one's answer was lost"
    again = bridge.post(named)
    assert again.status_code == 409 and again.json()["error"]["status"] == "ALREADY_EXISTS"
    for job_id in (first.json()["jobId"], second.json()["jobId"], named["reference"]["jobId"]):
        bridge.cancel(job_id)
    for started in (first, second):
        ended = bridge.wait(started.headers["Location"])
        assert ended.status_code == 499 and ended.json()["error"]["details"][0]["reason"] == "JOB_CANCELLED"


def test_bad_locations_are_all_alike(bridge):
    started = bridge.start("sleeps.py")
    location, job_id = started.headers["Location"], started.json()["jobId"]
    sealed = location.rsplit("/", 1)[1]
    bad = [sealed[:-1], sealed + "A", "x", job_id, sealed[::-1], "A" * len(sealed), sealed.swapcase()]
    bad += [sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1:] for at in (0, 17, 40, 100, len(sealed) - 3)]
    answers = {(answer.status_code, answer.text, answer.headers["Content-Type"]) for answer in map(bridge.poll, [location[:-len(sealed)] + one for one in bad])}
    assert len(answers) == 1, answers
    assert next(iter(answers))[0] == 404
    bridge.cancel(job_id)
    bridge.wait(location)
    plain.Plain(bridge.site, "caller").ask("DELETE", f"v1/projects/demo/regions/local/jobs/{job_id}")
    gone = bridge.poll(location)
    assert (gone.status_code, gone.text, gone.headers["Content-Type"]) in answers, "a job that is gone was never there"


def sealed(site, job_id, uuid_text, expires_s, connection="demo"):
    """A Location as src/dataproc/bridge_location.c seals them, by the key of the connection."""
    key = (site.data / "jobs" / "demo" / "bridge.key").read_bytes()
    plain_text = struct.pack(">Q36sB100s", int(expires_s * 1e6), uuid_text.encode(), len(job_id), job_id.encode())
    nonce = os.urandom(12)
    whole = nonce + AESGCM(key).encrypt(nonce, plain_text, f"linkspan bridge location 1 {connection}".encode())
    return f"{site.url}/bridge/jobs/{base64.urlsafe_b64encode(whole).rstrip(b'=').decode()}"


def test_locations_that_are_not_for_this_job_now(site, bridge):
    """Genuine but for one thing: what nobody can make without the key, and who had one a week ago has."""
    jobs = [bridge.start("sleeps.py").json() for _ in range(2)]
    (mine, uuid_text), (other, others_uuid) = [(job["jobId"], job["jobUuid"]) for job in jobs]
    now = time.time()
    assert bridge.poll(sealed(site, mine, uuid_text, now + 60)).json()["jobId"] == mine, "the seal is right"
    bad = {"expired": sealed(site, mine, uuid_text, now - 1), "long ago": sealed(site, mine, uuid_text, 1),
           "another job's": sealed(site, mine, others_uuid, now + 60), "no job's": sealed(site, mine, str(uuid.uuid4()), now + 60),
           "no such job": sealed(site, "nobody", uuid_text, now + 60), "another connection's": sealed(site, mine, uuid_text, now + 60, "prod")}
    answers = {name: bridge.poll(location) for name, location in bad.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == {name: 404 for name in bad}
    assert len({answer.text for answer in answers.values()} | {bridge.poll(f"{site.url}/bridge/jobs/x").text}) == 1, "all alike"
    lapses = sealed(site, mine, uuid_text, time.time() + 1.5)
    assert bridge.poll(lapses).status_code == 202
    time.sleep(1.6)
    assert bridge.poll(lapses).status_code == 404, "while the job runs"
    for job_id in (mine, other):
        bridge.cancel(job_id)


def test_a_name_that_another_job_has_got(bridge):
    name = f"again-{uuid.uuid4().hex}"
    first = bridge.start("sleeps.py", reference={"jobId": name}).headers["Location"]
    bridge.cancel(name)
    assert bridge.wait(first).status_code == 499
    plain.Plain(bridge.site, "caller").ask("DELETE", f"v1/projects/demo/regions/local/jobs/{name}")
    second = bridge.start("sleeps.py", reference={"jobId": name}).headers["Location"]
    assert bridge.poll(first).status_code == 404 and bridge.poll(second).status_code == 202
    bridge.cancel(name)


REFUSED = [
    ("an unknown key", dict(colour="red"), 400, "colour"),
    ("an unknown key below", dict(pysparkJob={"main": "x"}), 400, "main"),
    ("another kind", dict(pysparkJob=None, hiveJob={"queryList": {"queries": ["SELECT 1"]}}), 501, "hiveJob"),
    ("a property that moves identity", dict(pysparkJob={"mainPythonFileUri": "file:///x.py", "properties": {"spark.master": "yarn"}}), 400, "spark.master"),
    ("no cluster", dict(placement=None), 400, "clusterName"),
    ("a cluster that is not there", dict(placement={"clusterName": "nowhere"}), 404, "nowhere"),
]


@pytest.mark.parametrize("name, change, status, word", REFUSED, ids=[row[0] for row in REFUSED])
def test_what_a_post_may_not_say(bridge, name, change, status, word):
    answer = bridge.post({**bridge.body("says.py"), **change})
    assert answer.status_code == status and word in answer.json()["error"]["message"], answer.text
    assert "Location" not in answer.headers


def test_who_may_not_post(site, bridge):
    body = bridge.body("says.py")
    synapses = plain.token(site, "caller", aud="https://dev.azuresynapse.net")
    assert bridge.post(body, token=synapses).status_code == 401, "a token that any Synapse workspace may be shown"
    assert bridge.post(body, token="").status_code == 401
    assert bridge.post(body, token=plain.token(site, "reader")).status_code == 403
    elsewhere = requests.post(f"{site.url}/bridge/dataproc/demo/elsewhere/jobs", json=body, verify=str(site.ca), timeout=60,
                              headers={"Authorization": f"Bearer {bridge.token}"})
    assert elsewhere.status_code == 404
    large = requests.post(bridge.url, data=b'{"labels":{"x":"' + b"y" * (2 << 20) + b'"}}', verify=str(site.ca), timeout=60,
                          headers={"Authorization": f"Bearer {bridge.token}"})
    assert large.status_code == 400 and "TOO_LARGE" in large.json()["error"]["message"], large.text
