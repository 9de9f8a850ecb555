"""gcloud spanner, as people type it: databases, DDL, rows, and what they may not. Skipped where gcloud is not installed."""
import pytest

import gcloud_command
import setting

INSTANCE = "--instance=flights"


@pytest.fixture(scope="module")
def gcloud(site, as_user, tmp_path_factory):
    return gcloud_command.Gcloud(site, tmp_path_factory.mktemp("gcloud"), as_user)


@pytest.fixture(scope="module")
def music(site, as_user, gcloud):
    database = setting.create_database(site, as_user("admin"), "gcloud", setting.DDL)
    setting.put_singers(database, [(1, "ann", 10), (2, "bob", 20)])
    return "gcloud"


def rows(gcloud, statement, who="admin"):
    return gcloud.json("spanner", "databases", "execute-sql", "gcloud", INSTANCE, f"--sql={statement}", who=who).get("rows", [])


def test_a_database_from_create_to_delete(gcloud):
    fresh = ("fresh", INSTANCE)
    made = gcloud.run("spanner", "databases", "create", *fresh, "--ddl=CREATE TABLE T (A INT64 NOT NULL) PRIMARY KEY (A)")
    assert made.returncode == 0, made.stderr
    changed = gcloud.run("spanner", "databases", "ddl", "update", *fresh,
                         "--ddl=ALTER TABLE T ADD COLUMN B BOOL; CREATE TABLE U (A INT64) PRIMARY KEY (A)")
    assert changed.returncode == 0, changed.stderr
    described = gcloud.run("spanner", "databases", "ddl", "describe", *fresh)
    assert "B BOOL" in described.stdout and "CREATE TABLE U" in described.stdout, described.stderr
    names = {row["name"].rpartition("/")[2] for row in gcloud.json("spanner", "databases", "list", INSTANCE)}
    assert "fresh" in names
    types = [row["metadata"]["@type"].rpartition(".")[2] for row in gcloud.json("spanner", "operations", "list", INSTANCE, "--database=fresh")]
    assert sorted(types) == ["CreateDatabaseMetadata", "UpdateDatabaseDdlMetadata"]
    assert gcloud.run("spanner", "databases", "delete", *fresh).returncode == 0
    gone = gcloud.run("spanner", "databases", "describe", *fresh)
    assert gone.returncode == 1 and "NOT_FOUND" in gone.stderr


def test_rows(gcloud, music):
    table = (f"--database={music}", INSTANCE, "--table=Singers")
    for words in (("insert", *table, "--data=SingerId=3,Name=cy,Active=true,Score=1.5,Born=1970-01-02"),
                  ("update", *table, "--data=SingerId=3,Name=di")):
        done = gcloud.run("spanner", "rows", *words)
        assert done.returncode == 0, done.stderr
    assert rows(gcloud, "SELECT Name, Active, Score, Born FROM Singers WHERE SingerId = 3") == [["di", True, 1.5, "1970-01-02"]]
    assert gcloud.run("spanner", "rows", "delete", *table, "--keys=3").returncode == 0
    assert rows(gcloud, "SELECT SingerId, Name, Salary FROM Singers ORDER BY SingerId") == [["1", "ann", "10"], ["2", "bob", "20"]]
    printed = gcloud.run("spanner", "databases", "execute-sql", music, INSTANCE, "--sql=SELECT SingerId, Name FROM Singers ORDER BY SingerId")
    assert [line.split() for line in printed.stdout.splitlines()] == [["SingerId", "Name"], ["1", "ann"], ["2", "bob"]]


def test_a_plan(gcloud, music):
    """It prints the tree of operators without looking whether there is one."""
    printed = gcloud.run("spanner", "databases", "execute-sql", music, INSTANCE, "--sql=SELECT Name FROM Singers", "--query-mode=PLAN")
    assert printed.returncode == 0 and "RELATIONAL Query" in printed.stdout, (printed.stdout, printed.stderr)


def test_who_may_what(gcloud, music):
    assert rows(gcloud, "SELECT Name FROM Singers WHERE SingerId = 1", who="reader") == [["ann"]]
    refused = gcloud.run("spanner", "databases", "execute-sql", music, INSTANCE, "--sql=SELECT Salary FROM Singers", who="reader")
    assert refused.returncode == 1 and "may not read Singers(Salary)" in refused.stderr and "reason: NO_RULE_FOR_COLUMN" in refused.stderr
    refused = gcloud.run("spanner", "databases", "ddl", "describe", music, INSTANCE, who="reader")
    assert refused.returncode == 1 and "may not read schema" in refused.stderr


def test_what_is_wrong_is_told(gcloud, music):
    wrong = gcloud.run("spanner", "databases", "execute-sql", music, INSTANCE, "--sql=SELECT Nix FROM Singers")
    assert wrong.returncode == 1 and "INVALID_ARGUMENT: Unrecognized name: Nix [at 1:8]" in wrong.stderr
    wrong = gcloud.run("spanner", "databases", "execute-sql", music, INSTANCE, "--sql=DELETE FROM Singers WHERE true")
    assert wrong.returncode == 1 and "UNIMPLEMENTED: DML statements are not supported" in wrong.stderr


def test_credentials_from_a_file_without_a_secret(gcloud, music, as_user):
    file = {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(as_user.file("caller", setting.WORKER))}
    done = gcloud.run("spanner", "databases", "execute-sql", music, INSTANCE, "--sql=SELECT Name FROM Singers WHERE SingerId = 2", proof=file)
    assert done.returncode == 0 and done.stdout.split() == ["Name", "bob"], done.stderr
