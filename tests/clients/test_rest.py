"""The same methods over REST, from the same table: plain HTTP requests with a token."""
import base64
import itertools
import uuid

import pytest
import requests

import setting

ROOT = "/v1/projects/demo/instances/flights"


@pytest.fixture(scope="module")
def rest(site, as_user):
    setting.create_database(site, as_user("admin"), "rest", setting.DDL)
    token = as_user.token("admin")

    def ask(verb, path, body=None, expect=200, headers=None, **more):
        answer = requests.request(verb, site.url + path, json=body, headers={"Authorization": f"Bearer {token}", **(headers or {})},
                                  verify=str(site.ca), timeout=60, **more)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.text else {}

    return ask


@pytest.fixture
def session(rest):
    name = rest("POST", f"{ROOT}/databases/rest/sessions", {})["name"]
    yield name
    rest("DELETE", f"/v1/{name}")


def test_commit_read_and_query(rest, session):
    picture = base64.b64encode(b"\x00\x01\xfe").decode()
    committed = rest("POST", f"/v1/{session}:commit", {
        "singleUseTransaction": {"readWrite": {}},
        "mutations": [{"insertOrUpdate": {"table": "Singers", "columns": ["SingerId", "Name", "Score", "Active", "Picture"],
                                          "values": [["1", "é\"\\", 0.5, True, picture], ["2", None, "NaN", False, None]]}}]})
    assert committed["commitTimestamp"].endswith("Z")
    found = rest("POST", f"/v1/{session}:read", {"table": "Singers", "columns": ["SingerId", "Name", "Score", "Active", "Picture"],
                                                 "keySet": {"all": True}})
    assert found["rows"] == [["1", "é\"\\", 0.5, True, picture], ["2", None, "NaN", False, None]]
    found = rest("POST", f"/v1/{session}:executeSql", {"sql": "SELECT Name FROM Singers WHERE SingerId = @id", "params": {"id": "1"},
                                                       "paramTypes": {"id": {"code": "INT64"}}})
    assert found["rows"] == [["é\"\\"]] and found["metadata"]["rowType"]["fields"] == [{"name": "Name", "type": {"code": "STRING"}}]


def test_a_stream_is_an_array(rest, session):
    found = rest("POST", f"/v1/{session}:executeStreamingSql", {"sql": "SELECT 1 AS one"})
    assert isinstance(found, list) and found[0]["values"] == ["1"] and "resumeToken" in found[0]


def test_transactions(rest, session):
    begun = rest("POST", f"/v1/{session}:beginTransaction", {"options": {"readWrite": {}}})
    rest("POST", f"/v1/{session}:rollback", {"transactionId": begun["id"]})
    rest("POST", f"/v1/{session}:commit", {"transactionId": begun["id"], "mutations": []}, expect=400)


@pytest.fixture
def commit_told(rest, session, site):
    """commit_told(mutations) → the audit entry of their commit."""
    def commit(mutations, expect=200):
        trace = uuid.uuid4().hex
        answer = rest("POST", f"/v1/{session}:commit", {"singleUseTransaction": {"readWrite": {}}, "mutations": mutations}, expect,
                      headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        return answer, setting.audit_entry(site, lambda e: e.get("trace") == trace and e["kind"] == "outcome")
    return commit


COLUMNS = ["SingerId", "Name", "Score", "Born", "Updated", "Active", "Picture", "Salary"]
NOTE = {"insertOrUpdate": {"table": "Notes", "columns": ["Owner", "Id"], "values": [["hidden", "1"]]}}


def test_mutations_of_a_kind_are_told_once(commit_told):
    mutations = [{"insertOrUpdate": {"table": "Singers", "columns": ["SingerId"], "values": [[str(id)]]}} for id in range(2000)]
    _, entry = commit_told([*mutations[:1500], NOTE, *mutations[1500:]])
    assert "atomsTotal" not in entry and "further" not in entry
    assert [(atom["verb"], atom["object"], atom["columns"]) for atom in entry["atoms"]] == [
        ("insert", "Singers", ["SingerId"]), ("update", "Singers", ["SingerId"]),
        ("insert", "Notes", ["Owner", "Id"]), ("update", "Notes", ["Owner", "Id"])]


def test_nothing_hides_behind_its_like(commit_told):
    """2,000 mutations, each of a kind of its own (the columns' order), are more than an entry holds: told is each table once, with
    all columns, and the table that comes after them."""
    orders = list(itertools.islice(itertools.permutations(COLUMNS), 2000))
    mutations = [{"insertOrUpdate": {"table": "Singers", "columns": order, "values": [[str(id) if name == "SingerId" else None for name in order]]}}
                 for id, order in enumerate(orders)]
    _, entry = commit_told([*mutations, NOTE])
    assert [(atom["verb"], atom["object"], atom["columns"]) for atom in entry["atoms"]] == [
        ("insert", "Singers", COLUMNS), ("update", "Singers", COLUMNS), ("insert", "Notes", ["Owner", "Id"]), ("update", "Notes", ["Owner", "Id"])]
    assert "atomsTotal" not in entry and "further" not in entry


def test_more_tables_than_an_entry_can_name(commit_told, site):
    if site.far:
        pytest.skip("of an upstream a table that it has not ends the request before this")
    mutations = [{"delete": {"table": f"NoSuchTableOfALongName{number:08}", "keySet": {"all": True}}} for number in range(2000)]
    answer, entry = commit_told(mutations, expect=400)
    assert answer["error"]["status"] == "INVALID_ARGUMENT" and "too many tables to be recorded" in answer["error"]["message"]
    assert entry["atomsTotal"] == 2000 and entry["furtherCut"]
    explained = site.run("policy", "explain", entry["insertId"], "--config", site.config).stdout
    assert f"{len(entry['atoms'])} of 2000" in explained, explained


def test_databases_and_ddl(rest):
    assert any(row["name"].endswith("/databases/rest") for row in rest("GET", f"{ROOT}/databases")["databases"])
    assert any("Singers" in text for text in rest("GET", f"{ROOT}/databases/rest/ddl")["statements"])
    operation = rest("PATCH", f"{ROOT}/databases/rest/ddl", {"statements": ["CREATE TABLE Small (A INT64) PRIMARY KEY (A)"]})
    while not operation.get("done"):
        operation = rest("GET", f"/v1/{operation['name']}")
    assert "error" not in operation


def test_what_is_not_there(rest, session):
    error = rest("GET", "/v1/nothing/here", expect=501)["error"]
    assert error["status"] == "UNIMPLEMENTED" and error["details"][0]["reason"] == "METHOD_UNKNOWN"
    rest("POST", f"/v1/{session}:noSuchMethod", {}, expect=501)
    rest("POST", f"/v1/{session}:executeSql", {"sql": "SELECT 1", "surprise": 1}, expect=400)
    rest("POST", f"/v1/{session}:executeSql", {"sql": 7}, expect=400)
    error = rest("POST", f"/v1/{session}:executeSql", {"sql": "SELECT Nix FROM Singers"}, expect=400)["error"]
    assert error["status"] == "INVALID_ARGUMENT" and "Nix" in error["message"]
