"""gcloud dataproc, as people type it: a job is submitted, its output followed where driverOutputResourceUri says, and it is waited for.
Skipped where gcloud is not installed."""
import urllib.parse

import pytest
import requests

import gcloud_command
import setting

REGION = "--region=local"


@pytest.fixture(scope="module")
def gcloud(site, as_user, tmp_path_factory):
    return gcloud_command.Gcloud(site, tmp_path_factory.mktemp("gcloud"), as_user)


@pytest.fixture(scope="module")
def batch(site, as_user, gcloud):
    clusters = setting.dataproc_client(site, as_user("admin"), "ClusterControllerClient")
    clusters.create_cluster(project_id="demo", region="local", cluster={"project_id": "demo", "cluster_name": "gcloud"}).result(timeout=60)
    return lambda name, *more: gcloud.run("dataproc", "jobs", "submit", "pyspark", f"file://{site.code}/{name}", "--cluster=gcloud", REGION,
                                          *more, who="caller")


@pytest.fixture(scope="module")
def followed(batch):
    return batch("speaks.py", "--id=followed", "--labels=team=a", "--", "hello", "you")


def test_a_job_is_followed_to_its_end(gcloud, followed):
    done = followed
    assert done.returncode == 0 and "Job [followed] finished successfully." in done.stderr, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("line ")]
    assert said == [f"line {n}: hello you" for n in range(3)], "all of its output, once"
    again = gcloud.run("dataproc", "jobs", "wait", "followed", REGION, who="caller")
    assert again.returncode == 0 and again.stderr.count(": hello you\n") == 3, again.stderr
    job = gcloud.json("dataproc", "jobs", "describe", "followed", REGION, who="caller")
    assert job["status"]["state"] == "DONE" and job["labels"] == {"team": "a"} and job["pysparkJob"]["args"] == ["hello", "you"]


def test_what_the_reading_of_its_output_asks(site, as_user, gcloud, followed):
    uri = gcloud.json("dataproc", "jobs", "describe", "followed", REGION, who="caller")["driverOutputResourceUri"]
    bucket, _, name = uri.removeprefix("gs://").partition("/")

    def ask(query="", number="000000000", who="caller", bucket=bucket, name=name, **headers):
        url = f"{site.url}/storage/v1/b/{bucket}/o/{urllib.parse.quote(f'{name}.{number}', safe='')}{query}"
        token = {"Authorization": f"Bearer {as_user.token(who)}"} if who else {}
        return requests.get(url, headers={**token, **headers}, verify=str(site.ca), timeout=30)

    about, whole = ask("?alt=json").json(), ask("?alt=media")
    assert (about["bucket"], about["name"], int(about["size"])) == (bucket, f"{name}.000000000", len(whole.content))
    assert whole.status_code == 200 and "line 2: hello you\n" in whole.text
    size = len(whole.content)
    for wanted, told, part in ((f"bytes={size - 4}-{size - 1}", f"bytes {size - 4}-{size - 1}/{size}", whole.text[-4:]),
                               (f"bytes={size - 2}-", f"bytes {size - 2}-{size - 1}/{size}", whole.text[-2:]),
                               ("bytes=0-0", f"bytes 0-0/{size}", whole.text[0])):
        answer = ask("?alt=media", Range=wanted)
        assert (answer.status_code, answer.headers["content-range"], answer.text) == (206, told, part)
    past = ask("?alt=media", Range=f"bytes={size}-")
    assert (past.status_code, past.headers["content-range"]) == (416, f"bytes */{size}")
    assert ask("?alt=media", Range="bytes=-5").text == whole.text, "a form of range that is not served is ignored"
    assert ask(number="000000001").json()["size"] == "0" and ask("?alt=media", "000000001").content == b""
    assert ask("?generation=7").status_code == 400
    for more in ({"number": "000000002"}, {"bucket": "linkspan-other"}, {"bucket": "anybodys"}, {"name": name.replace("/followed/", "/no/")},
                 {"name": "google-cloud-dataproc-metainfo/another/jobs/followed/driveroutput"}, {"name": name + "/more"}):
        assert ask(**more).status_code == 404, more
    assert ask(who="reader").status_code == 403 and ask(who=None).status_code == 401


def test_a_cause_is_told(gcloud, batch):
    failed = batch("fails.py", "--id=failing")
    assert failed.returncode == 1 and "Job [failing] failed with error" in failed.stderr
    assert failed.stderr.count("ValueError: the cause of it all") == 2, "once in the output, and once as the reason"


def test_a_job_is_killed(gcloud, batch):
    begun = batch("sleeps.py", "--id=sleeping", "--async")
    assert begun.returncode == 0, begun.stderr
    killed = gcloud.run("dataproc", "jobs", "kill", "sleeping", REGION, who="caller")
    assert killed.returncode == 0 and "state: CANCELLED" in killed.stdout, killed.stderr
    listed = gcloud.json("dataproc", "jobs", "list", REGION, "--state-filter=inactive", who="caller")
    assert {row["reference"]["jobId"]: row["status"]["state"] for row in listed}["sleeping"] == "CANCELLED"
