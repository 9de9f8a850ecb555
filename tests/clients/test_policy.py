"""Decided on every path, explained to the operator, changed without losing a request."""
import json
import threading
import time

import pytest
from google.api_core import exceptions
from google.cloud.spanner_v1 import KeySet

import setting

ALL = KeySet(all_=True)


@pytest.fixture(scope="module")
def shared(site, as_user):
    database = setting.create_database(site, as_user("admin"), "guarded", setting.DDL)
    setting.put_singers(database, [(1, "a", 100), (2, "b", 200)])
    return database


def as_reader(site, as_user):
    return setting.open_database(site, as_user("reader"), "guarded")


def in_snapshot(database, work):
    with database.snapshot() as snapshot:
        return list(work(snapshot))


PATHS = [
    ("a column", lambda s: s.execute_sql("SELECT Salary FROM Singers")),
    ("every column", lambda s: s.execute_sql("SELECT * FROM Singers")),
    ("a predicate", lambda s: s.execute_sql("SELECT Name FROM Singers WHERE Salary > 1")),
    ("an order", lambda s: s.execute_sql("SELECT Name FROM Singers ORDER BY Salary")),
    ("an aggregate", lambda s: s.execute_sql("SELECT MAX(Salary) FROM Singers")),
    ("a join", lambda s: s.execute_sql("SELECT a.Name FROM Singers AS a JOIN Singers AS b ON a.SingerId = b.Salary")),
    ("a subquery", lambda s: s.execute_sql("SELECT Name FROM Singers WHERE SingerId IN (SELECT Salary FROM Singers)")),
    ("another spelling", lambda s: s.execute_sql("SELECT `sAlArY` FROM sInGeRs")),
    ("a read", lambda s: s.read("Singers", ("SingerId", "Salary"), ALL)),
    ("another table", lambda s: s.read("Notes", ("Text",), ALL)),
]


@pytest.mark.parametrize("name, work", PATHS, ids=[row[0] for row in PATHS])
def test_every_path_to_a_column_is_refused(site, as_user, shared, name, work):
    database = as_reader(site, as_user)
    with pytest.raises(exceptions.PermissionDenied) as refused:
        in_snapshot(database, work)
    assert refused.value.reason in ("NO_RULE_FOR_COLUMN", "NO_RULE") and refused.value.domain == "linkspan"
    assert len(refused.value.metadata["id"]) == 26
    said = refused.value.message.partition(", request_id = ")[0].replace(refused.value.metadata["id"], "")  # both ids are random
    assert "100" not in said and "200" not in said
    assert in_snapshot(database, lambda s: s.execute_sql("SELECT Name FROM Singers ORDER BY SingerId")) == [["a"], ["b"]]


def test_partitions_and_writes_are_refused_too(site, as_user, shared):
    database = as_reader(site, as_user)
    with pytest.raises(exceptions.PermissionDenied):
        list(database.batch_snapshot().generate_read_batches("Singers", ("Salary",), ALL))
    for work in (lambda b: b.insert("Singers", ("SingerId",), [(9,)]), lambda b: b.delete("Singers", ALL)):
        with pytest.raises(exceptions.PermissionDenied):
            with database.batch() as batch:
                work(batch)
    with pytest.raises(exceptions.PermissionDenied):
        database.update_ddl(["DROP TABLE Singers"]).result(timeout=30)
    assert in_snapshot(shared, lambda s: s.execute_sql("SELECT COUNT(*) FROM Singers")) == [[2]]


def test_an_insert_does_not_allow_an_update(site, as_user, shared):
    database = setting.open_database(site, as_user("writer"), "guarded")
    with pytest.raises(exceptions.PermissionDenied):
        with database.batch() as batch:
            batch.insert_or_update("Singers", ("SingerId", "Name"), [(1, "changed")])
    with database.batch() as batch:
        batch.insert("Singers", ("SingerId", "Name"), [(3, "c")])
    with shared.batch() as batch:
        batch.delete("Singers", KeySet(keys=[[3]]))


def test_the_schema_shows_only_what_one_may_use(site, as_user, shared):
    names = in_snapshot(as_reader(site, as_user), lambda s: s.execute_sql(
        "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = ''"))
    assert names == [["Singers"]]


def test_someone_whom_the_policy_does_not_name(site, as_user, shared):
    with pytest.raises(exceptions.PermissionDenied) as refused:
        in_snapshot(setting.open_database(site, as_user("stranger", groups="visitors"), "guarded"), lambda s: s.execute_sql("SELECT 1"))
    assert refused.value.reason == "NO_IDENTITY"


def reload(site, text, wait_for):
    """Writes the policy, sends SIGHUP, waits until the log says what became of it."""
    before = len(site.log())
    (site.policies / "tests.policy").write_text(text)
    site.server.send_signal(1)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if wait_for in site.log()[-4000:] and (len(site.log()) != before or before >= 4000):
            return site.log()
        time.sleep(0.05)
    raise AssertionError(f"no {wait_for!r} in the log:\n{site.log()}")


def test_the_rule_that_explain_proposes_lets_exactly_that_request_pass(own_site, as_user):
    site = own_site
    site.start()
    users = setting.Credentials(site)
    site.trust()
    try:
        with_isolated_trust(site, users)
    finally:
        as_user.site.trust()


def who(site, table):
    return json.loads(site.run("policy", "who", "spanner demo/guarded", "read", table, "--config", site.config, "--json").stdout)


def with_isolated_trust(site, users):
    import requests
    token = users.token("admin")
    rest(site, requests, token, "POST", "/v1/projects/demo/instances/flights/databases", {"createStatement": "CREATE DATABASE guarded", "extraStatements": setting.DDL})
    reader = users.token("reader")
    session = rest(site, requests, reader, "POST", "/v1/projects/demo/instances/flights/databases/guarded/sessions", {}).json()["name"]

    def ask(column):
        return requests.post(f"{site.url}/v1/{session}:executeSql", json={"sql": f"SELECT {column} FROM Singers"},
                             headers={"Authorization": f"Bearer {reader}"}, verify=str(site.ca), timeout=30)

    refused = ask("Salary")
    assert refused.status_code == 403
    request = refused.json()["error"]["details"][0]["metadata"]["id"]
    explained = setting.explain(site, request)
    assert "Singers" in explained["rule"] and "Salary" in explained["rule"]
    assert explained["additions"] == [{"file": explained["file"], "owner": explained["additions"][0]["owner"], "rule": explained["rule"]}]
    assert [near["lacks"] for near in explained["near"]] == ["does not cover the column"]
    before = {holder["name"] for holder in who(site, "Singers(Salary)")}
    old = (site.policies / "tests.policy").read_text()

    reload(site, old + "\nthis is no statement\n", "policy")
    assert ask("Salary").status_code == 403 and ask("Name").status_code == 200, "a bad reload keeps the old policy"
    outcomes = []
    stop = threading.Event()

    def keep_asking():
        while not stop.is_set():
            outcomes.append(ask("Name").status_code)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    reload(site, old + "\n" + explained["rule"] + "\n", "policy")
    end = time.monotonic() + 20
    while ask("Salary").status_code != 200 and time.monotonic() < end:
        time.sleep(0.1)
    stop.set()
    asking.join()
    assert ask("Salary").status_code == 200 and ask("Score").status_code == 403
    added = {holder["name"] for holder in who(site, "Singers(Salary)")} - before
    assert len(added) == 1 and f"allow {added.pop()} to " in explained["rule"], "who is told of the rule as of any other"
    assert outcomes and set(outcomes) == {200}, "a reload loses no request"


def rest(site, requests, token, verb, path, body=None):
    answer = requests.request(verb, site.url + path, json=body, headers={"Authorization": f"Bearer {token}"},
                              verify=str(site.ca), timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


FAULTS = [
    ("undefined name", "x: allow nobody to read Singers in spanner demo/guarded owner team until 2099-01-01\n", "nobody"),
    ("no end", "x: allow reader to read Singers in spanner demo/guarded owner team\n", "until"),
    ("outside of the domain", "x: allow reader to read T in spanner prod/x owner team until 2099-01-01\n", "prod"),
    ("not enforced yet", "mask Singers(Name) as null for anyone in spanner demo/guarded owner team\n", "mask"),
]


def test_check_prints_all_faults_with_their_places(own_site):
    site = own_site
    path = site.policies / "tests.policy"
    lines = len(path.read_text().splitlines())
    path.write_text(path.read_text() + "".join(text for _, text, _ in FAULTS))
    checked = site.run("check", "--config", site.config, check=False)
    assert checked.returncode != 0
    for number, (_, _, word) in enumerate(FAULTS, lines + 1):
        assert any(f"tests.policy:{number}:" in line and word in line for line in checked.stderr.splitlines()), checked.stderr




def test_a_table_that_a_known_schema_lacks_is_a_warning(own_site):
    site = own_site
    site.start()
    site.client("sql", "demo/flights/known", "--create", "-e", setting.DDL[0], credentials=site.credentials("admin", "admin"))
    site.stop()
    path = site.policies / "tests.policy"
    lines = len(path.read_text().splitlines())
    path.write_text(path.read_text() + "typo: allow reader to read Singer in spanner demo/known owner team until 2099-01-01\n")
    checked = site.run("check", "--config", site.config)
    assert f"tests.policy:{lines + 1}:" in checked.stderr and "warning" in checked.stderr and "Singer" in checked.stderr
