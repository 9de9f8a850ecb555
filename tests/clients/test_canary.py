"""Tokens, values and literals are nowhere but where they belong: in the database's files. Not in logs, audit entries, command lines,
environments, messages, other files, or core dumps."""
import base64
import json
import pathlib
import re
import time

import plain
import setting

VALUE, LITERAL, PARAMETER, KEY = "canary-value-7f3a91", "canary-literal-52cc08", "canary-parameter-e9d1b4", "canary-key-0a66f2"
CANARIES = (VALUE, LITERAL, PARAMETER, KEY)
JOB = """import os, sys, time, urllib.request
ask = urllib.request.Request("http://" + os.environ.get("GCE_METADATA_HOST", "169.254.169.254") +
                             "/computeMetadata/v1/instance/service-accounts/default/token", headers={"Metadata-Flavor": "Google"})
assert b"access_token" in urllib.request.urlopen(ask, timeout=10).read()
print("the job has its token", flush=True)
time.sleep(60)
"""


def secret_parts(token):
    """The token, its signature alone, and its claims: a cut or decoded copy is one too. Not its header: all tokens share that."""
    _, claims, signature = token.split(".")
    return [token, signature, claims, base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")]


def exchange(site, subject):
    """Our own token for it, at our STS, and one of a service account with that."""
    import requests
    trust = {"verify": str(site.ca), "timeout": 20}
    made = requests.post(f"{site.url}/v1/token", data={
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": subject,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "scope": setting.CLOUD_PLATFORM,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/linkspan/providers/cloud"}, **trust)
    assert made.status_code == 200, made.text
    own = made.json()["access_token"]
    made = requests.post(f"{site.url}/v1/projects/-/serviceAccounts/{setting.WORKER}:generateAccessToken", **trust,
                         headers={"Authorization": f"Bearer {own}"}, json={"scope": [setting.CLOUD_PLATFORM]})
    assert made.status_code == 200, made.text
    return [own, made.json()["accessToken"]]


def errors_of(client, session):
    """Messages of requests that fail while they hold canaries."""
    texts = []

    def fail(verb, path, body=None):
        try:
            client.ask(verb, path, body)
        except plain.Refused as refused:
            texts.append(refused.text)

    sql = f"{session}:executeSql"
    for text in (f"SELECT Nix FROM Singers WHERE Name = '{LITERAL}'", f"SELECT CAST(Name AS INT64), '{LITERAL}' FROM Singers WHERE SingerId = 1",
                 f"SELECT '{LITERAL}' FROM", f"SELECT '{LITERAL}", f"SELECT DATE '{LITERAL}'", f"SELECT CAST('{LITERAL}' AS INT64)",
                 f"UPDATE Singers SET Name = '{LITERAL}' WHERE TRUE", f"SELECT PARSE_DATE('%Y', '{LITERAL}')",
                 f"SELECT REGEXP_CONTAINS(Name, '({LITERAL}') FROM Singers", f"SELECT TIMESTAMP '{LITERAL}'", f"SELECT NUMERIC '{LITERAL}'",
                 f"SELECT ERROR('{LITERAL}')", f"SELECT Name FROM Singers LIMIT '{LITERAL}'", f"SELECT SAFE_CAST('{LITERAL}' AS DATE)"):
        fail("POST", sql, {"sql": text})
    for kind in ("INT64", "DATE", "TIMESTAMP", "BYTES", "BOOL", "FLOAT64"):
        fail("POST", sql, {"sql": "SELECT @v", "params": {"v": PARAMETER}, "paramTypes": {"v": {"code": kind}}})
    fail("POST", sql, {"sql": "SELECT CAST(@v AS INT64)", "params": {"v": PARAMETER}, "paramTypes": {"v": {"code": "STRING"}}})
    for column, value in (("SingerId", VALUE), ("Salary", VALUE), ("Born", VALUE), ("Updated", VALUE), ("Active", VALUE), ("Picture", VALUE + "!"),
                          ("Score", VALUE)):
        fail("POST", f"{session}:commit", {"singleUseTransaction": {"readWrite": {}}, "mutations": [
            {"insertOrUpdate": {"table": "Singers", "columns": ["SingerId", column][column == "SingerId":],
                                "values": [["7", value][column == "SingerId":]]}}]})
    for kind in ("insert", "update"):
        fail("POST", f"{session}:commit", {"singleUseTransaction": {"readWrite": {}}, "mutations": [
            {kind: {"table": "Notes", "columns": ["Owner", "Id", "Text"], "values": [[KEY, "1" if kind == "insert" else "2", VALUE]]}}]})
    fail("POST", f"{session}:read", {"table": "Notes", "columns": ["Nix"], "keySet": {"keys": [[KEY, "1"]]}})
    fail("POST", f"{session}:read", {"table": "Notes", "columns": ["Text"], "keySet": {"keys": [["1", KEY]]}})
    return texts


def other_files(site):
    """All below the site but the files of Spanner databases, the jobs' own database included."""
    for path in site.folder.rglob("*"):
        if path.is_file() and site.data / "spanner" not in path.parents:
            yield str(path), path.read_bytes()


def spanner_files(site):
    """Values and keys belong here; tokens, literals and parameters do not."""
    return ((str(path), path.read_bytes()) for path in (site.data / "spanner").rglob("*") if path.is_file())


def processes(pid):
    """The server's and its jobs', by their parents."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            pass
    found, before = {pid}, set()
    while found != before:
        before = set(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found


def shown(pid):
    for name in ("cmdline", "environ"):
        try:
            yield f"{name} of {pid}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
        except OSError:
            pass  # gone, or not ours to read: then nobody else's of our user either


def run_a_job(site, token):
    """A job that runs, has fetched its own token, and waits."""
    (site.code / "waits.py").write_text(JOB)
    admin, caller = plain.Plain(site), plain.Plain(site, bearer=token)
    admin.ask("POST", "v1/projects/demo/regions/local/clusters", {"projectId": "demo", "clusterName": "batch"})
    job = caller.ask("POST", "v1/projects/demo/regions/local/jobs:submit", {"job": {
        "placement": {"clusterName": "batch"}, "labels": {"linkspan-account": "worker"},
        "pysparkJob": {"mainPythonFileUri": f"file://{site.code}/waits.py"}}})["reference"]["jobId"]
    path, end = f"v1/projects/demo/regions/local/jobs/{job}", time.monotonic() + 90
    while True:
        status = caller.ask("GET", path)
        output = b"".join(data for name, data in other_files(site) if b"the job has its token" in data and name.endswith(("output", ".log", ".txt")) or
                          "driver" in name)
        if b"the job has its token" in output:
            return caller, path
        state = status["status"]["state"]
        assert state in ("PENDING", "SETUP_DONE", "RUNNING") and time.monotonic() < end, f"{status['status']}\n{output[-3000:]!r}"
        time.sleep(0.3)


def look(places, secrets):
    for name, data in places:
        for secret in secrets:
            assert secret.encode() not in data, f"{secret[:24]}… is in {name}"


def test_canaries_are_nowhere(own_site):
    site = own_site
    site.start()
    subject = plain.token(site, "caller")
    client = plain.Plain(site)
    tokens = [subject, client.token, *exchange(site, subject)]
    secrets = [part for token in tokens for part in secret_parts(token)] + list(CANARIES)
    client.create("secret")
    session = client.session("secret")
    client.commit(session, ("insert", "Singers", ["SingerId", "Name"], [["1", VALUE]]),
                  ("insert", "Notes", ["Owner", "Id", "Text"], [[KEY, "1", VALUE]]))
    worker = plain.Plain(site, bearer=tokens[-1])
    found = worker.sql(worker.session("secret"), f"SELECT Name, '{LITERAL}', @p FROM Singers", params={"p": PARAMETER}, paramTypes={"p": {"code": "STRING"}})
    assert found == [[VALUE, LITERAL, PARAMETER]]
    texts = errors_of(client, session)
    assert len(texts) > 25
    look(((text, text.encode()) for text in texts), secrets)
    caller, job = run_a_job(site, tokens[0])
    pids = processes(site.server.pid)
    assert len(pids) > 2, "the job's processes were not found"
    for pid in pids:
        look(shown(pid), secrets)
        for name, data in shown(pid):
            assert not re.search(rb"eyJ[A-Za-z0-9_-]{20}", data), f"something like a token is in the {name}"
    look(other_files(site), secrets)
    look(spanner_files(site), [secret for secret in secrets if secret not in (VALUE, KEY)])
    limits = pathlib.Path(f"/proc/{site.server.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits), limits
    assert pathlib.Path(f"/proc/{site.server.pid}/environ").stat().st_uid == 0, "the server is dumpable"
    caller.ask("POST", f"{job}:cancel")
    log = site.run("audit", "show", "--config", site.config, "--json", "--limit", 100000).stdout
    assert any(json.loads(line)["kind"] == "intent" for line in log.splitlines())
    look([("the audit log", log.encode())], secrets)
    site.stop_server()
    look(other_files(site), secrets)
    look(spanner_files(site), [secret for secret in secrets if secret not in (VALUE, KEY)])
    for name, data in other_files(site):
        assert name.endswith(".json") or not re.search(rb"eyJ[A-Za-z0-9_-]{20,}\.eyJ", data), f"something like a token is in {name}"
    database = [path for path in site.data.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]
    assert database and all("secret" in str(path) for path in database), "the canary must be found where it belongs, or this test finds nothing"
    assert not list(site.folder.rglob("core*")), "a core dump"
