"""Rows in and out with the unmodified Python client: TLS, private authority, a token from our STS."""
import datetime
import math

import pytest
from google.api_core import exceptions
from google.cloud import spanner
from google.cloud.spanner_v1 import KeyRange, KeySet, param_types

import setting

ALL = KeySet(all_=True)
UTC = datetime.timezone.utc


def read(database, table, columns, keyset=ALL, **more):
    with database.snapshot(**more) as snapshot:
        return [tuple(row) for row in snapshot.read(table, columns, keyset)]


def sql(database, statement, params=None, types=None):
    with database.snapshot() as snapshot:
        return [tuple(row) for row in snapshot.execute_sql(statement, params=params, param_types=types)]


def test_every_type_comes_back_as_it_went_in(database):
    rows = [(1, "Ünïcode \U0001f600", 1.5, datetime.date(1969, 12, 31), datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), True, b"\x00\xff"),
            (2, "", -0.0, datetime.date(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), False, b""),
            (3, None, None, None, None, None, None), (-2 ** 63, "least", float("-inf"), None, None, None, None),
            (2 ** 63 - 1, "most", float("nan"), None, None, None, None)]
    columns = ("SingerId", "Name", "Score", "Born", "Updated", "Active", "Picture")
    import base64
    with database.batch() as batch:
        batch.insert("Singers", columns, [[*row[:6], None if row[6] is None else base64.b64encode(row[6])] for row in rows])
    found = {row[0]: row for row in read(database, "Singers", columns)}
    assert [row[0] for row in read(database, "Singers", ("SingerId",))] == sorted(row[0] for row in rows)
    for row in rows:
        got = found[row[0]]
        assert got[:2] == row[:2] and got[3] == row[3] and got[5] == row[5]
        assert got[2] == row[2] or (math.isnan(got[2]) and math.isnan(row[2]))
        assert (got[4] is None) == (row[4] is None) and (row[4] is None or got[4] == row[4])
        assert got[6] in (row[6], None if row[6] is None else base64.b64encode(row[6]))


def test_five_kinds_of_mutations(database):
    columns = ("SingerId", "Name", "Score")
    with database.batch() as batch:
        batch.insert("Singers", columns, [(1, "a", 1.0), (2, "b", 2.0), (3, "c", 3.0), (4, "d", 4.0)])
    with database.batch() as batch:
        batch.update("Singers", ("SingerId", "Name"), [(1, "A")])
        batch.insert_or_update("Singers", ("SingerId", "Name"), [(2, "B"), (5, "E")])
        batch.replace("Singers", ("SingerId", "Name"), [(3, "C")])
        batch.delete("Singers", KeySet(keys=[[4]]))
    assert read(database, "Singers", columns) == [(1, "A", 1.0), (2, "B", 2.0), (3, "C", None), (5, "E", None)]


def test_deletes_by_range_and_all(database):
    with database.batch() as batch:
        batch.insert("Singers", ("SingerId",), [(n,) for n in range(10)])
    with database.batch() as batch:
        batch.delete("Singers", KeySet(ranges=[KeyRange(start_closed=[2], end_open=[5])]))
    assert [row[0] for row in read(database, "Singers", ("SingerId",))] == [0, 1, 5, 6, 7, 8, 9]
    with database.batch() as batch:
        batch.delete("Singers", ALL)
    assert read(database, "Singers", ("SingerId",)) == []


def test_a_commit_is_all_or_nothing(database):
    with pytest.raises(exceptions.AlreadyExists):
        with database.batch() as batch:
            batch.insert("Singers", ("SingerId",), [(1,), (2,)])
            batch.insert("Singers", ("SingerId",), [(2,)])
    assert read(database, "Singers", ("SingerId",)) == []


def test_keys_ranges_prefixes_and_descending_parts(database):
    with database.batch() as batch:
        batch.insert("Notes", ("Owner", "Id", "Text"), [(owner, n, f"{owner}{n}") for owner in ("ann", "bob", "cyd") for n in range(4)])
    keys = KeySet(keys=[["bob", 2], ["ann", 0], ["zoe", 1]])
    assert sorted(read(database, "Notes", ("Text",), keys)) == [("ann0",), ("bob2",)]
    assert read(database, "Notes", ("Text",), KeySet(ranges=[KeyRange(start_closed=["bob"], end_closed=["bob"])])) \
        == [("bob3",), ("bob2",), ("bob1",), ("bob0",)]
    assert read(database, "Notes", ("Text",), KeySet(ranges=[KeyRange(start_open=["ann", 2], end_open=["bob", 2])])) \
        == [("ann1",), ("ann0",), ("bob3",)]
    with database.snapshot() as snapshot:
        assert len(list(snapshot.read("Notes", ("Text",), ALL, limit=5))) == 5


def test_a_read_at_a_timestamp_sees_exactly_what_had_committed_by_then(database):
    with database.batch() as batch:
        batch.insert("Singers", ("SingerId", "Name"), [(1, "first")])
    first = batch.committed
    with database.batch() as batch:
        batch.update("Singers", ("SingerId", "Name"), [(1, "second")])
        batch.insert("Singers", ("SingerId", "Name"), [(2, "new")])
    second = batch.committed
    assert first < second
    assert read(database, "Singers", ("SingerId", "Name"), read_timestamp=first) == [(1, "first")]
    assert read(database, "Singers", ("SingerId", "Name"), read_timestamp=second) == [(1, "second"), (2, "new")]
    just_before = second - datetime.timedelta(microseconds=1)
    assert read(database, "Singers", ("SingerId", "Name"), read_timestamp=just_before) == [(1, "first")]


def test_a_snapshot_of_many_reads_stands_still(database):
    setting.put_singers(database, [(1, "one", 0)])
    with database.snapshot(multi_use=True) as snapshot:
        assert [row[0] for row in snapshot.read("Singers", ("Name",), ALL)] == ["one"]
        with database.batch() as batch:
            batch.update("Singers", ("SingerId", "Name"), [(1, "two")])
        assert [row[0] for row in snapshot.execute_sql("SELECT Name FROM Singers")] == ["one"]
    assert sql(database, "SELECT Name FROM Singers") == [("two",)]


def test_partitions_of_a_large_table_are_disjoint_and_whole(database):
    for begin in range(0, 20000, 5000):
        with database.batch() as batch:
            batch.insert("Singers", ("SingerId", "Name"), [(n, f"name of {n} " * 4) for n in range(begin, begin + 5000)])
    with_read, with_query = database.batch_snapshot(), database.batch_snapshot()
    for batches in (list(with_read.generate_read_batches("Singers", ("SingerId",), ALL)),
                    list(with_query.generate_query_batches("SELECT SingerId FROM Singers"))):
        owner = with_read if "read" in batches[0] else with_query
        parts = [[row[0] for row in owner.process(batch)] for batch in batches]
        assert len([part for part in parts if part]) >= 2
        assert sorted(n for part in parts for n in part) == list(range(20000))


QUERIES = [
    ("where and order", "SELECT SingerId FROM Singers WHERE Salary > 20 ORDER BY SingerId DESC", [(5,), (4,), (3,)]),
    ("limit and offset", "SELECT SingerId FROM Singers ORDER BY SingerId LIMIT 2 OFFSET 1", [(2,), (3,)]),
    ("group and having", "SELECT MOD(SingerId, 2) AS odd, COUNT(*) AS n, SUM(Salary) AS s FROM Singers GROUP BY odd HAVING n > 1 ORDER BY odd",
     [(0, 2, 60), (1, 3, 90)]),
    ("join", "SELECT s.Name, n.Text FROM Singers AS s JOIN Notes AS n ON n.Owner = s.Name ORDER BY n.Id", [("n1", "x"), ("n1", "y")]),
    ("left join", "SELECT COUNT(*) FROM Singers AS s LEFT JOIN Notes AS n ON n.Owner = s.Name WHERE n.Text IS NULL", [(4,)]),
    ("subquery", "SELECT Name FROM Singers WHERE Salary = (SELECT MAX(Salary) FROM Singers)", [("n5",)]),
    ("in subquery", "SELECT Name FROM Singers WHERE Name IN (SELECT Owner FROM Notes)", [("n1",)]),
    ("exists", "SELECT EXISTS(SELECT 1 FROM Singers WHERE SingerId = 9)", [(False,)]),
    ("case and coalesce", "SELECT COALESCE(NULL, CASE WHEN SingerId = 1 THEN 'one' ELSE 'other' END) FROM Singers WHERE SingerId < 3 ORDER BY SingerId",
     [("one",), ("other",)]),
    ("text functions", "SELECT UPPER(Name) || '-' || CAST(LENGTH(Name) AS STRING) FROM Singers WHERE Name LIKE 'n1%'", [("N1-2",)]),
    ("averages", "SELECT AVG(Salary), MIN(Name), MAX(Name) FROM Singers", [(30.0, "n1", "n5")]),
    ("float division", "SELECT 7 / 2, DIV(7, 2), MOD(-7, 3)", [(3.5, 3, -1)]),
    ("distinct", "SELECT COUNT(DISTINCT MOD(Salary, 20)) FROM Singers", [(2,)]),
    ("dates", "SELECT EXTRACT(YEAR FROM DATE '2026-11-21'), DATE_ADD(DATE '2024-02-28', INTERVAL 1 DAY)",
     [(2026, datetime.date(2024, 2, 29))]),
]


@pytest.fixture(scope="module")
def queried(site, as_user):
    database = setting.create_database(site, as_user("admin"), "queried", setting.DDL)
    setting.put_singers(database, [(n, f"n{n}", n * 10) for n in range(1, 6)])
    with database.batch() as batch:
        batch.insert("Notes", ("Owner", "Id", "Text"), [("n1", 1, "x"), ("n1", 2, "y"), ("nobody", 1, "z")])
    return database


@pytest.mark.parametrize("name, statement, expected", QUERIES, ids=[row[0] for row in QUERIES])
def test_queries(queried, name, statement, expected):
    assert sql(queried, statement) == expected


def test_parameters_are_values_and_never_text(queried):
    hostile = "n1' OR 'a'='a"
    assert sql(queried, "SELECT SingerId FROM Singers WHERE Name = @n", {"n": hostile}, {"n": param_types.STRING}) == []
    assert sql(queried, "SELECT SingerId FROM Singers WHERE Salary >= @s AND Name != @n ORDER BY 1", {"s": 40, "n": "n5"},
               {"s": param_types.INT64, "n": param_types.STRING}) == [(4,)]


def test_the_schema_as_clients_ask_for_it(queried):
    assert sorted(table.table_id for table in queried.list_tables()) == ["Notes", "Singers"]
    table = queried.table("Singers")
    assert table.exists() and not queried.table("Nothing").exists()
    assert [field.name for field in table.schema][:2] == ["SingerId", "Name"]
    assert any("CREATE TABLE Notes" in statement for statement in queried.ddl_statements)


def test_ddl_changes_what_is_there(database):
    setting.put_singers(database, [(1, "a", 1)])
    database.update_ddl(["ALTER TABLE Singers ADD COLUMN Extra STRING(10)"]).result(timeout=60)
    with database.batch() as batch:
        batch.update("Singers", ("SingerId", "Extra"), [(1, "more")])
    assert read(database, "Singers", ("Extra", "Name")) == [("more", "a")]
    database.update_ddl(["ALTER TABLE Singers DROP COLUMN Extra", "DROP TABLE Notes"]).result(timeout=60)
    assert "Extra" not in [field.name for field in database.table("Singers").schema]
    assert not database.table("Notes").exists()


def test_sessions_of_a_pool(site, as_user, database):
    pool = spanner.FixedSizePool(size=3)
    pooled = spanner.Client(project="demo", credentials=as_user("admin"), client_options={"api_endpoint": f"127.0.0.1:{site.port}"},
                            disable_builtin_metrics=True).instance("flights").database(database.database_id, pool=pool)
    assert sql(pooled, "SELECT 1") == [(1,)]
    session = pool.get()
    assert session.exists()
    session.delete()
    assert not session.exists()
    pool.clear()


@pytest.mark.parametrize("ask", ["read", "query"])
def test_the_log_says_what_went_out(site, database, ask):
    """Rows and bytes of a stream of several parts, whoever made it: the server itself or another one behind it."""
    with database.batch() as batch:
        batch.insert("Notes", ("Owner", "Id", "Text"), [("a", n, "x" * 1000) for n in range(300)])
    client, session = database.spanner_api, database.session()
    session.create()
    ask, method = {"read": (lambda: client.streaming_read({"session": session.name, "table": "Notes", "columns": ["Id", "Text"], "key_set": {"all_": True}}),
                            "StreamingRead"),
                   "query": (lambda: client.execute_streaming_sql({"session": session.name, "sql": "SELECT Id, Text FROM Notes"}), "ExecuteStreamingSql")}[ask]
    parts = list(ask())
    assert len(parts) > 3
    told = setting.eventually(lambda: next((e["outcome"] for e in reversed(setting.audit(site).outcomes())
                                            if e["protoPayload"].get("methodName", "").endswith(method)
                                            and e["protoPayload"].get("resourceName") == database.name), None))
    assert told["rows"] == 300 and told["bytesOut"] == sum(5 + type(part).pb(part).ByteSize() for part in parts)
