"""The server as a thing that runs: it keeps what it acknowledged, has one directory, says what is wrong, and leaks nothing."""
import concurrent.futures
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest
import requests

import linkspan_site
import setting

CANARY = "canary-value-7f3a91"


class Plain:
    """A REST client of an own site: its authority is not the one that gRPC in this process trusts."""

    def __init__(self, site, who="admin"):
        self.site, self.http = site, requests.Session()
        subject = requests.get(f"{site.issuer_url}/token", timeout=10, params={
            "shape": "entra", "tenant": linkspan_site.TENANT, "sub": who, "aud": linkspan_site.AUDIENCE, "format": "text"}).text.strip()
        self.http.verify = str(site.ca)
        self.http.headers["Authorization"] = f"Bearer {subject}"
        self.token = subject

    def ask(self, verb, path, body=None):
        answer = self.http.request(verb, self.site.url + path, json=body, timeout=60, verify=str(self.site.ca))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, name):
        self.ask("POST", "/v1/projects/demo/instances/flights/databases", {"createStatement": f"CREATE DATABASE {name}", "extraStatements": setting.DDL})

    def session(self, name):
        return self.ask("POST", f"/v1/projects/demo/instances/flights/databases/{name}/sessions", {})["name"]

    def insert(self, session, rows):
        return self.ask("POST", f"/v1/{session}:commit", {"singleUseTransaction": {"readWrite": {}}, "mutations": [
            {"insert": {"table": "Singers", "columns": ["SingerId", "Name"], "values": [[str(n), text] for n, text in rows]}}]})

    def rows(self, session):
        found = self.ask("POST", f"/v1/{session}:executeSql", {"sql": "SELECT SingerId, Name FROM Singers ORDER BY SingerId"})
        return {int(row[0]): row[1] for row in found.get("rows", [])}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_keeps_what_was_acknowledged(own_site, seed):
    """Each commit writes two rows; after the kill every acknowledged pair is there and no half of any other."""
    site, chance = own_site, random.Random(seed)
    site.start()
    client = Plain(site)
    client.create("durable")
    acknowledged = set()

    def write(begin):
        mine = Plain(site)
        session = mine.session("durable")
        for n in range(begin, begin + 2000, 2):
            try:
                mine.insert(session, [(n, f"pair {n}"), (n + 1, f"pair {n}")])
            except (requests.RequestException, AssertionError):
                return
            acknowledged.add(n)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        working = [pool.submit(write, begin) for begin in range(0, 8000, 2000)]
        time.sleep(0.5 + chance.random())
        site.stop_server(hard=True)
        for one in working:
            one.result()
    assert acknowledged, "nothing was written before the kill"
    site.start_server()
    found = Plain(site).rows(client_session := Plain(site).session("durable"))
    assert client_session
    assert {n for n in acknowledged} <= set(found)
    assert all((n ^ 1) in found for n in found), "half of a commit"
    site.stop_server()
    assert site.run("audit", "verify", "--config", site.config).returncode == 0


def test_a_second_server_on_the_same_directory_refuses(own_site):
    site = own_site
    site.start()
    text = site.config.read_text().replace(f"127.0.0.1:{site.port}", f"127.0.0.1:{linkspan_site.free_port()}")
    other = site.folder / "other.yaml"
    other.write_text(text)
    second = site.run("serve", "--config", other, check=False, timeout=30)
    assert second.returncode != 0 and str(site.data) in second.stderr
    assert requests.get(f"{site.url}/healthz", verify=str(site.ca), timeout=10).status_code == 200


def test_a_port_in_use_is_said(own_site):
    site = own_site
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", site.port))
        taken.listen()
        failed = site.run("serve", "--config", site.config, check=False, timeout=30)
    assert failed.returncode != 0 and f"127.0.0.1:{site.port}" in failed.stderr


def test_a_data_directory_of_a_newer_version(own_site):
    site = own_site
    version = next(path for path in (site.data / "version", site.data / "VERSION", site.data / "format") if path.exists())
    version.write_text("99\n")
    failed = site.run("serve", "--config", site.config, check=False, timeout=30)
    assert failed.returncode != 0 and "newer" in failed.stderr


def test_every_fault_of_a_configuration_with_its_place(own_site):
    site = own_site
    site.config.write_text("environment: develpment\ndatta: x\nlisten: { public: nowhere }\nurl: ftp://x\nworkers: many\n")
    for command in (("check",), ("serve",)):
        failed = site.run(*command, "--config", site.config, check=False, timeout=30)
        assert failed.returncode != 0
        for place, word in (("1:14", "environment"), ("2:1", "datta"), ("3:", "listen"), ("4:", "url"), ("5:", "workers")):
            assert any(f"linkspan.yaml:{place}" in line and word in line for line in failed.stderr.splitlines()), failed.stderr


def test_a_full_disk_fails_the_request_and_nothing_else(own_site):
    """The data directory on a file system of its own that is nearly full: commits fail, the server lives, and what was there stays."""
    site = own_site
    site.data.rename(site.folder / "kept")
    site.data.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "linkspan-test", site.data], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a file system of its own needs root: {mounted.stderr.strip()}")
    try:
        shutil.copytree(site.folder / "kept", site.data, dirs_exist_ok=True)
        site.start()
        client = Plain(site)
        client.create("narrow")
        session = client.session("narrow")
        client.insert(session, [(0, "before")])
        (site.data / "filler").write_bytes(b"x" * (free_bytes(site.data) - (6 << 20)))
        refused, written = 0, 0
        for n in range(1, 60):
            try:
                client.insert(session, [(n, "y" * 400000)])
                written = n
            except AssertionError:
                refused += 1
        assert refused, "the disk did not get full"
        assert site.server.poll() is None, site.log()
        (site.data / "filler").unlink()
        end = time.monotonic() + 20
        while True:
            try:
                client.insert(session, [(1000, "after")])
                break
            except AssertionError:
                assert time.monotonic() < end, "there is room again, but it does not go on"
                time.sleep(0.2)
        found = client.rows(session)
        assert found[0] == "before" and found[1000] == "after" and (not written or written in found)
        site.stop_server()
        assert site.run("audit", "verify", "--config", site.config, check=False).returncode == 0
    finally:
        site.stop()
        subprocess.run(["umount", "-l", site.data], check=True)


def free_bytes(folder):
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def test_a_reload_in_the_last_moments_kills_nobody(own_site):
    own_site.start()
    server = own_site.server
    server.send_signal(signal.SIGTERM)
    while server.poll() is None:
        server.send_signal(signal.SIGHUP)
        time.sleep(0.0005)
    assert server.returncode == 0


def test_sigterm_drains_and_a_restart_serves_the_same(own_site):
    site = own_site
    site.start()
    client = Plain(site)
    client.create("stays")
    client.insert(client.session("stays"), [(1, "kept")])
    site.stop_server()
    site.start_server()
    again = Plain(site)
    assert again.rows(again.session("stays")) == {1: "kept"}


def test_multiplexed_sessions_outlive_a_kill(own_site):
    """Go's client makes one, and never another because it is not found."""
    site = own_site
    site.start()
    client = Plain(site)
    client.create("stays")
    database = client.session("stays").rpartition("/sessions/")[0]
    session = client.ask("POST", f"/v1/{database}/sessions", {"session": {"multiplexed": True}})["name"]
    client.insert(session, [(1, "kept")])
    key = site.data / "keys" / "sessions.key"
    assert key.stat().st_mode & 0o777 == 0o600 and len(key.read_bytes()) == 32
    site.stop_server(hard=True)
    site.start_server()
    again = Plain(site)
    assert again.rows(session) == {1: "kept"}
    again.insert(session, [(2, "written after it")])
    again.ask("DELETE", f"/v1/{database}")
    again.create("stays")
    with pytest.raises(AssertionError, match="Session not found"):  # it was another database
        again.rows(session)


def test_revoked_and_expired_grants_end_with_a_reload(own_site):
    site = own_site
    site.start()
    client = Plain(site, "reader")
    Plain(site).create("grants")
    session = client.session("grants")
    client.ask("POST", f"/v1/{session}:executeSql", {"sql": "SELECT Name FROM Singers"})
    policy = site.policies / "tests.policy"
    policy.write_text("\n".join(line for line in policy.read_text().splitlines() if not line.startswith("look:")) + "\n")
    site.server.send_signal(1)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        answer = client.http.post(f"{site.url}/v1/{session}:executeSql", json={"sql": "SELECT Name FROM Singers"}, timeout=30, verify=str(site.ca))
        if answer.status_code == 403:
            return
        time.sleep(0.1)
    pytest.fail("the grant did not end")


def flip(path, chance):
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)
    return bytes(data), f"{path.name} byte {at}"


def test_tampering_with_the_audit_log_is_found(own_site):
    """200 seeded flips of one bit, each undone; then a dropped file."""
    site, chance = own_site, random.Random(7)
    site.start()
    client = Plain(site)
    client.create("logged")
    session = client.session("logged")
    for n in range(20):
        client.insert(session, [(n, "x")])
    site.stop_server()
    assert site.run("audit", "verify", "--config", site.config).returncode == 0
    files = sorted(path for path in (site.data / "audit").rglob("*") if path.is_file() and path.stat().st_size)
    for _ in range(200):
        path = chance.choice(files)
        before = path.read_bytes()
        after, what = flip(path, chance)
        path.write_bytes(after)
        verified = site.run("audit", "verify", "--config", site.config, check=False)
        path.write_bytes(before)
        assert verified.returncode != 0, f"{what} was not found"
    entries = next(path for path in files if "entries" in str(path))
    kept = entries.read_bytes()
    entries.unlink()
    assert site.run("audit", "verify", "--config", site.config, check=False).returncode != 0
    entries.write_bytes(kept)
    assert site.run("audit", "verify", "--config", site.config).returncode == 0


def test_values_and_tokens_are_in_no_log_entry_or_command_line(own_site):
    site = own_site
    site.start()
    client = Plain(site)
    client.create("secret")
    session = client.session("secret")
    client.insert(session, [(1, CANARY)])
    bodies = [{"sql": f"SELECT '{CANARY}' FROM Singers WHERE Name = '{CANARY}'"}, {"sql": f"SELECT Nix FROM Singers WHERE Name = '{CANARY}'"},
              {"sql": "SELECT Name FROM Singers WHERE Name = @v", "params": {"v": CANARY}, "paramTypes": {"v": {"code": "STRING"}}},
              {"sql": f"SELECT CAST(Name AS INT64), '{CANARY}' FROM Singers"}]
    texts = []
    for body in bodies:
        answer = client.http.post(f"{site.url}/v1/{session}:executeSql", json=body, timeout=30, verify=str(site.ca))
        if answer.status_code != 200:
            texts.append(answer.text)
    again = client.http.post(f"{site.url}/v1/{session}:commit", timeout=30, verify=str(site.ca), json={
        "singleUseTransaction": {"readWrite": {}},
        "mutations": [{"insert": {"table": "Singers", "columns": ["SingerId", "Name"], "values": [["1", CANARY]]}}]})
    assert again.status_code == 409
    texts.append(again.text)
    requests.get(f"{site.url}/v1/projects/demo/instances/flights/databases", params={"access_token": client.token}, verify=str(site.ca), timeout=10)
    command_line = open(f"/proc/{site.server.pid}/cmdline", "rb").read().decode()
    shown = setting.eventually(lambda: site.run("audit", "show", "--config", site.config, "--json").stdout or None)
    site.stop_server()
    stored = "".join(path.read_bytes().decode("latin-1") for path in (site.data / "audit").rglob("*") if path.is_file())
    log = (site.folder / "server.log").read_text(errors="replace")
    for name, text in (("log", log), ("audit", shown), ("audit files", stored), ("command line", command_line), ("errors", "".join(texts))):
        assert CANARY not in text, f"a row's value is in the {name}"
        assert client.token not in text and client.token.rpartition(".")[2] not in text, f"a token is in the {name}"
        assert "eyJ" not in text, f"something like a token is in the {name}"
    assert json.loads(shown.splitlines()[0])
