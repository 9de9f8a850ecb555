"""The same statements to Google's Spanner emulator and to us: equal rows, or the same kind of error. Where no emulator is
installed this is skipped, and ./dev test says so at its end."""
import os
import pathlib
import shutil
import subprocess
import time

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import spanner

import linkspan_site
import setting
import test_rows

PLACES = ("/usr/lib/google-cloud-sdk/bin/cloud_spanner_emulator/emulator_main",
          "/usr/lib/google-cloud-sdk/platform/bundledpythonunix/cloud_spanner_emulator/emulator_main")
STATEMENTS = [row[1] for row in test_rows.QUERIES] + [
    "SELECT 1 / 0", "SELECT 9223372036854775807 + 1", "SELECT CAST('x' AS INT64)", "SELECT CAST(1.5 AS INT64), CAST(2.5 AS INT64)",
    "SELECT CAST(NULL AS INT64) = CAST(NULL AS INT64), NULL IS NULL", "SELECT 'a' < 'B', 'é' > 'z'", "SELECT SUBSTR('hello', -3, 2)", "SELECT CAST(1e20 AS STRING)",
    "SELECT Name, COUNT(*) FROM Singers GROUP BY Name ORDER BY Name DESC NULLS FIRST", "SELECT SAFE_CAST('x' AS INT64)",
    "SELECT Nix FROM Singers", "SELECT * FROM Nothing", "SELECT MOD(5, -3), MOD(-5, 3), DIV(-7, 2), ABS(-9223372036854775807)",
    "SELECT IEEE_DIVIDE(0, 0), IEEE_DIVIDE(1, 0)", "SELECT ROUND(-2.5), TRUNC(-2.7), CEIL(-0.5)"]


def find():
    places = [os.environ.get("SPANNER_EMULATOR"), *PLACES, shutil.which("emulator_main")]
    return next((path for path in places if path and pathlib.Path(path).exists()), None)


@pytest.fixture(scope="module")
def both(site, as_user):
    program = find()
    if not program:
        pytest.skip("Google's Spanner emulator is not installed (SPANNER_EMULATOR names its emulator_main)")
    port = linkspan_site.free_port()
    emulator = subprocess.Popen([program, f"--host_port=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        client = spanner.Client(project="demo", credentials=AnonymousCredentials(), client_options={"api_endpoint": f"127.0.0.1:{port}"},
                                disable_builtin_metrics=True)
        theirs = make_theirs(client)
        ours = setting.create_database(site, as_user("admin"), "differential", setting.DDL)
        for database in (theirs, ours):
            setting.put_singers(database, [(n, f"n{n}", n * 10) for n in range(1, 6)])
            with database.batch() as batch:
                batch.insert("Notes", ("Owner", "Id", "Text"), [("n1", 1, "x"), ("n1", 2, "y"), ("nobody", 1, "z")])
        yield ours, theirs
    finally:
        emulator.kill()
        emulator.wait()


def make_theirs(client):
    end = time.monotonic() + 30
    while True:
        try:
            client.instance("flights", configuration_name="projects/demo/instanceConfigs/emulator-config", node_count=1).create().result(30)
            break
        except exceptions.ServiceUnavailable:
            assert time.monotonic() < end, "the emulator does not start"
            time.sleep(0.2)
    database = client.instance("flights").database("differential", ddl_statements=setting.DDL)
    database.create().result(30)
    return database


def outcome(database, statement):
    try:
        return repr(test_rows.sql(database, statement))
    except exceptions.GoogleAPICallError as error:
        return error.grpc_status_code.name


@pytest.mark.parametrize("statement", STATEMENTS)
def test_as_the_emulator(both, statement):
    ours, theirs = both
    mine = outcome(ours, statement)
    assert mine == "UNIMPLEMENTED" or mine == outcome(theirs, statement)


GRANTS = ["CREATE ROLE fresh", "DROP ROLE fresh", "CREATE ROLE `hr`", "GRANT SELECT ON TABLE Singers TO ROLE hr",
          "GRANT SELECT, INSERT, DELETE ON TABLE Singers TO ROLE hr",  # columns, as Spanner has them, are not in its grammar
          "GRANT DELETE(Name) ON TABLE Singers TO ROLE hr",
          "GRANT SELECT ON Singers TO ROLE hr", "GRANT SELECT ON TABLE Singers TO hr", "GRANT ON TABLE Singers TO ROLE hr",
          "GRANT SELECT() ON TABLE Singers TO ROLE hr", "CREATE ROLE a b", "REVOKE SELECT ON TABLE Singers TO ROLE hr"]


@pytest.mark.parametrize("statement", GRANTS)
def test_the_emulator_takes_the_same_statements_of_roles(both, statement):
    """It reads them and then, by version, does nothing or says that it cannot: so only whether they can be read is compared."""
    def taken(database):
        try:
            database.update_ddl([statement]).result(30)
            return True
        except exceptions.InvalidArgument:
            return False
        except exceptions.InternalServerError as error:
            return "Unsupported ddl statement" in str(error)
    ours, theirs = both
    assert taken(ours) == taken(theirs)
