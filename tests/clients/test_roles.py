"""Database roles with the real client: sessions that act as one, what they may, and how they end."""
import pytest
from google.api_core import exceptions
from google.cloud import spanner_admin_database_v1 as admin_v1
from google.cloud.spanner_v1 import KeySet

import setting

ALL = KeySet(all_=True)
ROLES = ["CREATE ROLE Clerk", "GRANT SELECT(SingerId, Name), INSERT(SingerId, Name), UPDATE(SingerId, Name) ON TABLE Singers TO ROLE Clerk",
         "CREATE ROLE Eraser", "GRANT DELETE ON TABLE Singers, Notes TO ROLE Eraser", "GRANT SELECT ON TABLE Notes TO ROLE Eraser"]
SAID = "Role Clerk does not have required privileges on table Singers."


@pytest.fixture(scope="module")
def shared(site, as_user):
    database = setting.create_database(site, as_user("admin"), "roles", [*setting.DDL, *ROLES])
    setting.put_singers(database, [(1, "a", 100), (2, "b", 200)])
    return database


def as_role(site, as_user, role, who="admin", name="roles"):
    return setting.spanner_client(site, as_user(who)).instance("flights").database(name, database_role=role)


def query(database, sql):
    with database.snapshot() as snapshot:
        return list(snapshot.execute_sql(sql))


def write(database, work):
    with database.batch() as batch:
        work(batch)


MAY = [
    ("columns", lambda d: query(d, "SELECT SingerId, Name FROM Singers ORDER BY SingerId")),
    ("another spelling", lambda d: query(d, "SELECT nAmE FROM singers ORDER BY 1")),
    ("a count", lambda d: query(d, "SELECT COUNT(*) FROM Singers")),
    ("nothing of a table", lambda d: query(d, "SELECT 1")),
    ("an upsert", lambda d: write(d, lambda b: b.insert_or_update("Singers", ("SingerId", "Name"), [(3, "c")]))),
]
MAY_NOT = [
    ("a column", lambda d: query(d, "SELECT Salary FROM Singers")),
    ("every column", lambda d: query(d, "SELECT * FROM Singers")),
    ("a predicate", lambda d: query(d, "SELECT Name FROM Singers WHERE Salary > 1")),
    ("a written column", lambda d: write(d, lambda b: b.insert("Singers", ("SingerId", "Salary"), [(9, 1)]))),
    ("a delete", lambda d: write(d, lambda b: b.delete("Singers", KeySet(keys=[[1]])))),
    ("a replace", lambda d: write(d, lambda b: b.replace("Singers", ("SingerId", "Name"), [(1, "z")]))),
]


@pytest.mark.parametrize("name, work", MAY, ids=[row[0] for row in MAY])
def test_a_role_may_what_it_was_granted(site, as_user, shared, name, work):
    work(as_role(site, as_user, "clerk"))


@pytest.mark.parametrize("name, work", MAY_NOT, ids=[row[0] for row in MAY_NOT])
def test_and_nothing_else_though_the_policy_allows_it(site, as_user, shared, name, work):
    with pytest.raises(exceptions.PermissionDenied) as refused:
        work(as_role(site, as_user, "clerk"))
    assert SAID in refused.value.message and refused.value.reason == "DENIED"
    entry = setting.audit_entry(site, lambda e: e.get("id") == refused.value.metadata["id"] or refused.value.metadata["id"] in str(e))
    assert entry and "DENIED" in str(entry)


def test_another_role_may_other_things(site, as_user, shared):
    eraser = as_role(site, as_user, "Eraser")
    assert query(eraser, "SELECT * FROM Notes") == []
    with pytest.raises(exceptions.PermissionDenied):
        query(eraser, "SELECT Name FROM Singers")
    write(eraser, lambda b: b.delete("Singers", KeySet(keys=[[77]])))


def test_reads_and_partitions_too(site, as_user, shared):
    clerk = as_role(site, as_user, "clerk")
    with clerk.snapshot() as snapshot:
        assert len(list(snapshot.read("Singers", ("SingerId", "Name"), ALL))) >= 2
    with pytest.raises(exceptions.PermissionDenied), clerk.snapshot() as snapshot:
        list(snapshot.read("Singers", ("Salary",), ALL))
    with pytest.raises(exceptions.PermissionDenied):
        list(clerk.batch_snapshot().generate_read_batches("Singers", ("Salary",), ALL))


def test_a_role_gives_nothing_that_the_policy_does_not(site, as_user, shared):
    """`reader` may read two columns: a role that may more does not help."""
    notes = as_role(site, as_user, "Eraser", who="reader")
    with pytest.raises(exceptions.PermissionDenied) as refused:
        query(notes, "SELECT Text FROM Notes")
    assert refused.value.reason == "NO_RULE"
    assert query(as_role(site, as_user, "clerk", who="reader"), "SELECT COUNT(Name) FROM Singers")[0][0] >= 2


def test_an_unknown_role_is_not_found(site, as_user, shared):
    with pytest.raises(exceptions.NotFound, match="Role not found: nobody"):
        query(as_role(site, as_user, "nobody"), "SELECT 1")
    with pytest.raises(exceptions.PermissionDenied) as refused:  # who holds nothing does not learn which roles there are
        query(as_role(site, as_user, "nobody", who="stranger"), "SELECT 1")
    assert "Role" not in refused.value.message


def test_a_dropped_role_ends_its_sessions(site, as_user):
    database = setting.create_database(site, as_user("admin"), "rolesend", [*setting.DDL, "CREATE ROLE Short"])
    short = as_role(site, as_user, "Short", name="rolesend")
    assert query(short, "SELECT 1") == [[1]]
    database.update_ddl(["DROP ROLE Short", "CREATE ROLE Short", "GRANT SELECT ON TABLE Singers TO ROLE Short"]).result(60)
    with pytest.raises(exceptions.PermissionDenied, match="role was dropped"):
        query(short, "SELECT 1")
    assert query(as_role(site, as_user, "Short", name="rolesend"), "SELECT Name FROM Singers") == []


def test_the_schema_tells_of_roles(site, as_user, shared):
    shared.reload()
    statements = list(shared.ddl_statements)
    assert "CREATE ROLE Clerk" in statements and "GRANT SELECT(SingerId, Name) ON TABLE Singers TO ROLE Clerk" in statements
    assert sorted(row[0] for row in query(shared, "SELECT ROLE_NAME FROM INFORMATION_SCHEMA.ROLES")) == ["Clerk", "Eraser"]
    granted = "SELECT TABLE_NAME, PRIVILEGE_TYPE FROM INFORMATION_SCHEMA.TABLE_PRIVILEGES WHERE GRANTEE = 'Eraser' ORDER BY 1, 2"
    assert query(shared, granted) == [["Notes", "DELETE"], ["Notes", "SELECT"], ["Singers", "DELETE"]]
    columns = "SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMN_PRIVILEGES WHERE GRANTEE = 'Clerk' AND PRIVILEGE_TYPE = 'UPDATE' ORDER BY 1"
    assert query(shared, columns) == [["Name"], ["SingerId"]]
    clerk = as_role(site, as_user, "clerk")
    assert query(clerk, "SELECT ROLE_NAME FROM INFORMATION_SCHEMA.ROLES") == [["Clerk"]]
    assert query(clerk, "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES") == [["Singers"]]


def test_roles_are_listed(site, as_user, shared):
    def names(who):
        client = admin_v1.DatabaseAdminClient(credentials=as_user(who), client_options={"api_endpoint": f"127.0.0.1:{site.port}"})
        return [role.name.rpartition("/")[2] for role in client.list_database_roles(parent=shared.name)]
    assert names("admin") == ["Clerk", "Eraser"]
    with pytest.raises(exceptions.PermissionDenied):
        names("reader")


@pytest.mark.parametrize("statement", ["CREATE ROLE Mine", "GRANT SELECT ON TABLE Singers TO ROLE Clerk", "REVOKE DELETE ON TABLE Notes FROM ROLE Eraser"])
def test_grants_need_a_right_of_their_own(site, as_user, shared, statement):
    database = setting.open_database(site, as_user("reader"), "roles")
    with pytest.raises(exceptions.PermissionDenied):
        database.update_ddl([statement]).result(30)


def test_what_is_granted_cannot_be_dropped(shared):
    with pytest.raises(exceptions.FailedPrecondition, match="revoke"):
        shared.update_ddl(["DROP TABLE Notes"]).result(30)
    with pytest.raises(exceptions.FailedPrecondition, match="revoke"):
        shared.update_ddl(["DROP ROLE Clerk"]).result(30)


def test_generated_roles_let_pass_what_the_policy_allows(site, as_user, shared):
    """What `policy roles` prints is run as it stands; then the reader works as its generated role, and has no more than that."""
    schema = site.folder / "roles.sql"
    schema.write_text(";\n".join(shared.ddl_statements))
    def plan():
        import json
        result = site.run("policy", "roles", "spanner demo/roles", "--schema", schema, "--config", site.config, "--json")
        return json.loads(result.stdout)["roles"]
    planned = plan()
    shared.update_ddl([statement for role in planned for statement in role["statements"]]).result(60)
    shared.reload()
    schema.write_text(";\n".join(shared.ddl_statements))
    assert all(not role["statements"] for role in plan())
    name = next(role["role"] for role in planned if "reader" in role["for"])
    reader = as_role(site, as_user, name, who="reader")
    assert query(reader, "SELECT SingerId, Name FROM Singers ORDER BY 1")[0] == [1, "a"]
    with pytest.raises(exceptions.PermissionDenied, match="required privileges"):  # the fence alone: admin's policy allows it
        query(as_role(site, as_user, name), "SELECT Salary FROM Singers")
