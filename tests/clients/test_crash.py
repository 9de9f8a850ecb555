"""kill -9, fifty times, at any moment of a server that several writers keep busy, and of one that starts. What was acknowledged
stays, whole; what was not is there whole or not at all; and the audit log tells both apart."""
import itertools
import json
import random
import threading
import time

import requests

import plain

KILLS, WRITERS, ROUND = 50, 4, 100000
COMMIT = "google.spanner.v1.Spanner.Commit"


class Writer(threading.Thread):
    """One commit after the other until the server is gone. Commit n writes two singers, two notes, and how far it came."""

    def __init__(self, site, token, round_number, number):
        super().__init__()
        self.client, self.number = plain.Plain(site, bearer=token), number
        self.first = round_number * ROUND + number * (ROUND // WRITERS)
        self.tried, self.acknowledged = self.first, {}  # number → commit timestamp

    def run(self):
        try:
            session = self.client.session("durable")
            while True:
                n, self.tried = self.tried, self.tried + 1
                self.acknowledged[n] = self.client.commit(
                    session,
                    ("insert", "Singers", ["SingerId", "Name"], [[str(2 * n), f"first {n}"], [str(2 * n + 1), f"second {n}"]]),
                    ("insert", "Notes", ["Owner", "Id", "Text"], [[f"owner {n % 7}", str(n), "x" * (n % 900)], ["all", str(n), f"all {n}"]]),
                    ("insertOrUpdate", "Singers", ["SingerId", "Salary"], [[str(-1 - self.number), str(n)]]))
        except requests.RequestException:
            pass  # the server is gone


class Maker(threading.Thread):
    """Makes a database and changes it: requests whose intention is written down before their effect."""

    def __init__(self, site, token, round_number):
        super().__init__()
        self.client, self.name, self.made = plain.Plain(site, bearer=token), f"made_{round_number}", False

    def run(self):
        try:
            self.client.create(self.name)
            self.made = True
            for n in itertools.count():
                table = f"CREATE TABLE T{n} (Id INT64) PRIMARY KEY (Id)"
                self.client.ask("PATCH", f"{plain.INSTANCE}/databases/{self.name}/ddl", {"statements": [table]})
        except requests.RequestException:
            pass  # the server is gone


def databases(client):
    return {one["name"].rpartition("/")[2] for one in client.ask("GET", f"{plain.INSTANCE}/databases?pageSize=1000").get("databases", [])}


def found_since(client, first):
    """Numbers of the commits of which every part is there; any commit of which only a part is there is a failure."""
    session = client.session("durable")
    singers = [int(row[0]) for row in client.sql(session, f"SELECT SingerId FROM Singers WHERE SingerId >= {2 * first}")]
    notes = [(row[0], int(row[1])) for row in client.sql(session, f"SELECT Owner, Id FROM Notes WHERE Id >= {first}")]
    whole = {n // 2 for n in singers}
    assert sorted(singers) == sorted(m for n in whole for m in (2 * n, 2 * n + 1)), "half of a commit: one of two singers"
    assert sorted(notes) == sorted(pair for n in whole for pair in ((f"owner {n % 7}", n), ("all", n))), "half of a commit: notes"
    last = {-1 - int(row[0]): int(row[1]) for row in client.sql(session, "SELECT SingerId, Salary FROM Singers WHERE SingerId < 0")}
    return whole, last


def check_round(client, round_number, writers):
    first = round_number * ROUND
    found, last = found_since(client, first)
    tried = {n for writer in writers for n in range(writer.first, writer.tried)}
    acknowledged = {n for writer in writers for n in writer.acknowledged}
    assert acknowledged <= found, f"lost: {sorted(acknowledged - found)[:5]}"
    assert found <= tried
    for writer in writers:
        mine = [n for n in found if writer.first <= n < writer.tried]
        assert mine == [] or last[writer.number] == max(mine), "the row that each commit updates is another commit's"
    return found


def die_while_starting(site, chance):
    """The recovery may be cut short too, again and again."""
    for _ in range(chance.randrange(3)):
        server = site.spawn("server", "serve", "--config", site.config)
        time.sleep(0.15 * chance.random())
        site.stop_process(server, hard=True)


def one_kill(site, token, round_number, chance):
    writers = [Writer(site, token, round_number, number) for number in range(WRITERS)]
    maker = Maker(site, token, round_number)
    for thread in (*writers, maker):
        thread.start()
    time.sleep(0.05 + 0.3 * chance.random())
    site.stop_server(hard=True)
    for thread in (*writers, maker):
        thread.join(60)
        assert not thread.is_alive()
    if chance.random() < 0.3:
        die_while_starting(site, chance)
    site.start_server()
    return writers, maker


def entries(site):
    shown = site.run("audit", "show", "--config", site.config, "--json", "--limit", 1000000).stdout
    return [json.loads(line) for line in shown.splitlines() if line.strip()]


def check_audit(log, acknowledged, found):
    """One outcome for each intention; one OK for each commit whose rows are there; what did not come to be is not said to be."""
    intents = {entry["insertId"] for entry in log if entry["kind"] == "intent"}
    ends = [entry for entry in log if entry["kind"] in ("outcome", "refusal") and entry["insertId"] in intents]
    assert len({entry["insertId"] for entry in ends}) == len(ends), "two outcomes of one request"
    assert {entry["insertId"] for entry in ends} == intents, "intentions without an outcome"
    commits = [entry for entry in log if entry["kind"] == "outcome" and entry["protoPayload"].get("methodName") == COMMIT]
    assert len({entry["insertId"] for entry in commits}) == len(commits), "two outcomes of one commit"
    done = [entry for entry in commits if entry["protoPayload"]["status"]["code"] == 0]
    unknown = [entry for entry in ends if entry["protoPayload"]["status"]["code"] == 2]
    stamps = [entry["outcome"]["commitTimestamp"] for entry in done]
    assert len(set(stamps)) == len(stamps) == len(found)
    assert set(acknowledged) <= set(stamps)
    assert unknown, "in fifty kills no database was being made: nothing was tested"
    assert all("unknown" in entry["protoPayload"]["status"]["message"] for entry in unknown), unknown[0]


def test_fifty_kills(own_site):
    site, chance = own_site, random.Random(50)
    site.start()
    plain.Plain(site).create("durable")
    token, acknowledged, found = plain.token(site), [], set()
    for round_number in range(1, KILLS + 1):
        writers, maker = one_kill(site, token, round_number, chance)
        client = plain.Plain(site, bearer=token)
        found |= check_round(client, round_number, writers)
        assert not maker.made or maker.name in databases(client)
        acknowledged += [stamp for writer in writers for stamp in writer.acknowledged.values()]
        if round_number % 10 == 0:
            assert site.run("audit", "verify", "--config", site.config).returncode == 0
    assert len(acknowledged) > 2 * KILLS, "hardly anything was written between the kills"
    whole, _ = found_since(plain.Plain(site, bearer=token), 0)
    assert whole == found, "a commit of an earlier round came or went"
    site.stop_server()
    assert site.run("audit", "verify", "--config", site.config).returncode == 0
    check_audit(entries(site), acknowledged, found)
