"""What goes wrong says what, where and what to do; and nothing is answered wrongly."""
import pytest
from google.api_core import exceptions
from google.cloud.spanner_v1 import KeySet

import setting

ALL = KeySet(all_=True)


def sql(database, statement):
    with database.snapshot() as snapshot:
        return list(snapshot.execute_sql(statement))


STATEMENTS = [
    ("no such table", "SELECT * FROM Nothing", exceptions.InvalidArgument, "Nothing"),
    ("no such column", "SELECT Nix FROM Singers", exceptions.InvalidArgument, "Nix"),
    ("a syntax error has its place", "SELECT 1 +\nFROM Singers", exceptions.InvalidArgument, "2:1"),
    ("types that do not fit", "SELECT 1 + 'a'", exceptions.InvalidArgument, ""),
    ("division by zero", "SELECT 1 / 0", (exceptions.OutOfRange, exceptions.InvalidArgument), ""),
    ("overflow is an error, not a float", "SELECT 9223372036854775807 + 1", exceptions.OutOfRange, ""),
    ("two statements", "SELECT 1; SELECT 2", exceptions.InvalidArgument, ""),
    ("what is not supported is named", "SELECT [1, 2]", exceptions.MethodNotImplemented, "[at 1:8]"),
    ("a window function is named", "SELECT RANK() OVER (ORDER BY SingerId) FROM Singers", exceptions.MethodNotImplemented, "OVER"),
]


@pytest.fixture(scope="module")
def some(site, as_user):
    database = setting.create_database(site, as_user("admin"), "errors", setting.DDL)
    setting.put_singers(database, [(1, "a", 1)])
    return database


@pytest.mark.parametrize("name, statement, kind, words", STATEMENTS, ids=[row[0] for row in STATEMENTS])
def test_statements(some, name, statement, kind, words):
    with pytest.raises(kind) as refused:
        sql(some, statement)
    assert words in refused.value.message
    assert sql(some, "SELECT SingerId FROM Singers") == [[1]], "the next request is fine"


def test_mutations(some):
    for work, kind, words in (
            (lambda batch: batch.insert("Singers", ("SingerId",), [(1,)]), exceptions.AlreadyExists, "Singers"),
            (lambda batch: batch.update("Singers", ("SingerId", "Name"), [(77, "x")]), exceptions.NotFound, "Singers"),
            (lambda batch: batch.insert("Nothing", ("A",), [(1,)]), exceptions.NotFound, "Nothing"),
            (lambda batch: batch.insert("Singers", ("SingerId", "Nix"), [(2, "x")]), exceptions.NotFound, "Nix"),
            (lambda batch: batch.insert("Singers", ("Name",), [("no key",)]), (exceptions.FailedPrecondition, exceptions.InvalidArgument), ""),
            (lambda batch: batch.insert("Singers", ("SingerId", "Salary"), [(3, "no number")]),
             (exceptions.FailedPrecondition, exceptions.InvalidArgument), "")):
        with pytest.raises(kind) as refused:
            with some.batch() as batch:
                work(batch)
        assert words in refused.value.message
    assert sql(some, "SELECT COUNT(*) FROM Singers") == [[1]]


def test_too_many_mutations_are_counted(some):
    with pytest.raises(exceptions.InvalidArgument) as refused:
        with some.batch() as batch:
            batch.insert("Singers", ("SingerId", "Name", "Salary"), [(n, "x", n) for n in range(100, 100 + 26668)])
    assert "80004" in refused.value.message.replace(",", "") and "80000" in refused.value.message.replace(",", "")
    assert sql(some, "SELECT COUNT(*) FROM Singers") == [[1]]


def test_exactly_as_many_mutations_as_are_allowed(site, as_user):
    database = setting.create_database(site, as_user("admin"), "limits", setting.DDL)
    with database.batch() as batch:
        batch.insert("Singers", ("SingerId", "Name"), [(n, "x") for n in range(40000)])
    assert sql(database, "SELECT COUNT(*) FROM Singers") == [[40000]]


def test_databases_and_instances_that_are_not_there(site, as_user):
    with pytest.raises((exceptions.NotFound, exceptions.PermissionDenied)):
        sql(setting.open_database(site, as_user("admin"), "no-such-database"), "SELECT 1")
    with pytest.raises(exceptions.AlreadyExists):
        setting.create_database(site, as_user("admin"), "errors")


def test_unsupported_methods_are_refused_by_name(site, as_user, some):
    from google.cloud.spanner_admin_database_v1 import DatabaseAdminClient
    admin = DatabaseAdminClient(credentials=as_user("admin"), client_options={"api_endpoint": f"127.0.0.1:{site.port}"})
    with pytest.raises(exceptions.GoogleAPICallError) as refused:
        list(admin.list_backups(parent="projects/demo/instances/flights"))
    assert refused.value.grpc_status_code.name in ("UNIMPLEMENTED", "PERMISSION_DENIED")


def test_ddl_that_is_not_supported_changes_nothing(some):
    some.reload()
    before = list(some.ddl_statements)
    assert before
    with pytest.raises(exceptions.GoogleAPICallError):
        some.update_ddl(["CREATE TABLE Extra (A INT64) PRIMARY KEY (A)", "CREATE CHANGE STREAM S FOR ALL"]).result(timeout=60)
    some.reload()
    assert list(some.ddl_statements) == before
