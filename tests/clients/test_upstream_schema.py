"""A Linkspan in front of Google's Spanner emulator: what a statement touches is decided by the schema that it reads from there. What
the schema does not say, what it says in words that we lack, and what goes by another name is refused, not guessed. Skipped where
there is no emulator. The last ones are between two Linkspans: a schema that changes under a statement."""
import subprocess
import time

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import spanner

import conftest
import linkspan_site
import plain
import setting
import test_differential
import two_sites

UPSTREAM = """{ back: upstream, project: demo, instance: flights, endpoint: "http://127.0.0.1:@EMULATOR@", schema_age: 60s }"""

POLICY = """domain tests covers spanner demo/* owner team

identity admin   is oidc cloud where tid = "@TENANT@" and oid = "admin"
identity analyst is oidc cloud where tid = "@TENANT@" and oid = "analyst"
identity seller  is oidc cloud where tid = "@TENANT@" and oid = "seller"

work:  allow admin, analyst to read, insert, update, delete every table and read schema in spanner demo/* owner team until @UNTIL@
sell:  allow seller to read sales.Orders(Id) and delete Singers in spanner demo/* owner team until @UNTIL@
phone: deny analyst to read Singers(Phone) in spanner demo/* owner team
keep:  deny analyst to delete Albums in spanner demo/* owner team
"""

DDL = [
    "CREATE SCHEMA sales",
    """CREATE TABLE Singers (SingerId INT64 NOT NULL, Name STRING(40), Phone STRING(MAX), Card STRING(MAX) AS (CONCAT(Name, Phone)) STORED,
       Loud STRING(MAX) AS (UPPER(Name)) STORED, Extra JSON) PRIMARY KEY (SingerId)""",
    "CREATE TABLE Albums (SingerId INT64 NOT NULL, AlbumId INT64 NOT NULL, Title STRING(MAX), Draft STRING(MAX) HIDDEN)"
    " PRIMARY KEY (SingerId, AlbumId DESC), INTERLEAVE IN PARENT Singers ON DELETE CASCADE",
    "CREATE TABLE sales.Orders (Id INT64 NOT NULL, Who INT64) PRIMARY KEY (Id)",
    "CREATE UNIQUE NULL_FILTERED INDEX ByTitle ON Albums(Title DESC, AlbumId) STORING (Draft)",
    "CREATE INDEX sales.ByWho ON sales.Orders(Who)",
    """CREATE TABLE Tours (Id INT64 NOT NULL, Who INT64, CONSTRAINT FK_Who FOREIGN KEY (Who) REFERENCES Singers (SingerId))
       PRIMARY KEY (Id)""",
    "CREATE VIEW Names SQL SECURITY INVOKER AS SELECT s.SingerId, s.Name FROM Singers AS s",
    "ALTER TABLE Singers ADD SYNONYM Artists",
]


@pytest.fixture(scope="module")
def emulator():
    program = test_differential.find()
    if not program:
        pytest.skip("Google's Spanner emulator is not installed (SPANNER_EMULATOR names its emulator_main)")
    port = linkspan_site.free_port()
    process = subprocess.Popen([program, f"--host_port=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def behind(emulator):
    """The emulator's own client: what somebody does who does not go through us."""
    client = spanner.Client(project="demo", credentials=AnonymousCredentials(),
                            client_options={"api_endpoint": f"127.0.0.1:{emulator}"}, disable_builtin_metrics=True)
    end = time.monotonic() + 30
    while True:
        try:
            client.instance("flights", configuration_name="projects/demo/instanceConfigs/emulator-config", node_count=1).create().result(30)
            break
        except exceptions.ServiceUnavailable:
            assert time.monotonic() < end, "the emulator does not start"
            time.sleep(0.2)
    database = client.instance("flights").database("music", ddl_statements=DDL)
    database.create().result(60)
    with database.batch() as batch:
        batch.insert("Singers", ("SingerId", "Name", "Phone"), [(1, "ann", "555"), (2, "bob", "556")])
        batch.insert("Albums", ("SingerId", "AlbumId", "Title", "Draft"), [(1, 1, "one", "d")])
        batch.insert("sales.Orders", ("Id", "Who"), [(7, 1)])
    return database


@pytest.fixture(scope="module")
def near(tmp_path_factory, linkspan, emulator, behind):
    embedded = "{ back: embedded, project: demo, instance: flights }"
    config = setting.CONFIG.partition("    dataproc:")[0].replace(embedded, UPSTREAM.replace("@EMULATOR@", str(emulator)))
    site = linkspan_site.Site(linkspan, tmp_path_factory.mktemp("near") / "site")
    site.make(config, {"tests": POLICY}, {})
    setting.one_authority(site)
    site.trust()
    try:
        site.start()
        yield site
        assert site.server.poll() is None, site.log()
    finally:
        site.stop()
    assert "ERROR: AddressSanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


@pytest.fixture(scope="module")
def music(near):
    credentials = setting.Credentials(near)
    return lambda who, name="music": setting.open_database(near, credentials(who), name)


def sql(database, statement):
    with database.snapshot() as snapshot:
        return [tuple(row) for row in snapshot.execute_sql(statement)]


def read(database, table, columns, keys=None):
    with database.snapshot() as snapshot:
        return [tuple(row) for row in snapshot.read(table, columns, keys or spanner.KeySet(all_=True))]


ALLOWED = [
    ("admin", "SELECT Name, Phone FROM Singers ORDER BY SingerId", [("ann", "555"), ("bob", "556")]),
    ("analyst", "SELECT Name, Loud FROM Singers ORDER BY SingerId", [("ann", "ANN"), ("bob", "BOB")]),
    ("analyst", "SELECT s.NAME, a.title FROM singers AS s JOIN ALBUMS AS a USING (SingerId)", [("ann", "one")]),
    ("analyst", "SELECT COUNT(*), 1 + 1, NULL FROM Singers", [(2, 2, None)]),
    ("analyst", "SELECT Draft FROM Albums", [("d",)]),
    ("seller", "SELECT Id FROM sales.Orders", [(7,)]),
    ("seller", "SELECT Orders.Id FROM Sales.orders", [(7,)]),
]


@pytest.mark.parametrize("who, statement, rows", ALLOWED)
def test_what_is_understood_is_decided_and_served(music, who, statement, rows):
    assert sql(music(who), statement) == rows


DENIED = [
    ("analyst", "SELECT Phone FROM Singers"),
    ("analyst", "SELECT Card FROM Singers"),  # is computed of Phone
    ("analyst", "SELECT 1 FROM Singers WHERE STARTS_WITH(Card, 'ann5')"),
    ("seller", "SELECT Who FROM sales.Orders"),
    ("seller", "SELECT Name FROM Singers"),
]


@pytest.mark.parametrize("who, statement", DENIED)
def test_what_is_denied_is_denied_by_each_of_its_names(music, who, statement):
    with pytest.raises(exceptions.PermissionDenied):
        sql(music(who), statement)


REFUSED = [
    ("SELECT Name FROM Names", exceptions.MethodNotImplemented, "Names is a view"),
    ("SELECT Phone FROM Artists", exceptions.GoogleAPICallError, "Artists"),  # a synonym of what he may not read
    ("SELECT Extra FROM Singers", exceptions.MethodNotImplemented, "Column Singers.Extra of type JSON"),
    ("SELECT * FROM Singers", exceptions.MethodNotImplemented, "Column Singers.Extra of type JSON"),
    ("SELECT * FROM Albums", exceptions.FailedPrecondition, "SCHEMA_CHANGED"),  # the schema does not say that Draft is hidden
    ("SELECT Nix FROM Singers", exceptions.InvalidArgument, "Nix"),
    ("SELECT 1 FROM Nowhere", exceptions.InvalidArgument, "Table not found: Nowhere"),
]


@pytest.mark.parametrize("statement, error, text", REFUSED)
def test_what_does_not_resolve_is_refused_by_name(music, statement, error, text):
    with pytest.raises(error, match=text):
        sql(music("analyst"), statement)


READS = [
    ("analyst", "Singers", ("Name", "Loud"), [("ann", "ANN"), ("bob", "BOB")]),
    ("admin", "Singers", ("Extra",), [(None,), (None,)]),  # a name is enough to decide it
    ("seller", "sales.Orders", ("Id",), [(7,)]),
    ("analyst", "Singers", ("Phone",), exceptions.PermissionDenied),
    ("analyst", "Singers", ("Card",), exceptions.PermissionDenied),
    ("analyst", "Artists", ("Phone",), exceptions.GoogleAPICallError),
    ("analyst", "Names", ("Name",), exceptions.MethodNotImplemented),
    ("analyst", "Singers", ("Nix",), exceptions.NotFound),
    ("analyst", "Nowhere", ("Nix",), exceptions.NotFound),
]


@pytest.mark.parametrize("who, table, columns, outcome", READS)
def test_reads_by_name(music, who, table, columns, outcome):
    if isinstance(outcome, list):
        assert read(music(who), table, columns) == outcome
    else:
        with pytest.raises(outcome):
            read(music(who), table, columns)


INDEXED = [  # who, table, columns, index, keys (None: all), rows or what it is refused with
    ("admin", "Albums", ("SingerId", "Title"), "ByTitle", None, [(1, "one")]),
    ("admin", "Albums", ("SingerId",), "bytitle", [["one", 1]], [(1,)]),
    ("admin", "Albums", ("SingerId",), "ByTitle", [["two", 1]], []),
    ("admin", "sales.Orders", ("Id",), "sales.ByWho", [[1]], [(7,)]),
    ("seller", "sales.Orders", ("Id",), "sales.ByWho", [[1]], exceptions.PermissionDenied),  # of Who it may know nothing
    ("seller", "sales.Orders", ("Id",), "sales.ByWho", None, exceptions.PermissionDenied),
    ("admin", "Albums", ("SingerId",), "Nix", None, exceptions.NotFound),
    ("admin", "Singers", ("SingerId",), "ByTitle", None, exceptions.NotFound),  # another table's
    ("admin", "sales.Orders", ("Id",), "ByWho", None, exceptions.NotFound),
]


def keys_of(keys):
    return spanner.KeySet(all_=True) if keys is None else spanner.KeySet(keys=keys)


@pytest.mark.parametrize("who, table, columns, index, keys, outcome", INDEXED)
def test_reads_by_an_index_ask_for_its_columns(music, who, table, columns, index, keys, outcome):
    def ask():
        with music(who).snapshot() as snapshot:
            return [tuple(row) for row in snapshot.read(table, columns, keys_of(keys), index=index)]
    if isinstance(outcome, list):
        assert ask() == outcome
    else:
        with pytest.raises(outcome) as refused:
            ask()
        assert outcome is exceptions.PermissionDenied or f"Index not found on table {table}: {index}" in refused.value.message


def test_partitions_of_an_index_read(music):
    snapshot = music("admin").batch_snapshot()
    try:
        batches = list(snapshot.generate_read_batches("Albums", ("SingerId", "Title"), spanner.KeySet(all_=True), index="ByTitle"))
        rows = [tuple(row) for batch in batches for row in snapshot.process_read_batch(batch)]
        assert rows == [(1, "one")]
        batches[0]["read"]["index"] = ""
        with pytest.raises(exceptions.InvalidArgument, match="partition token"):
            list(snapshot.process_read_batch(batches[0]))
    finally:
        snapshot.close()


def test_a_delete_asks_for_what_goes_with_it(music, behind):
    for who in ("analyst", "seller"):  # one is denied to delete Albums, the other was never allowed
        with pytest.raises(exceptions.PermissionDenied), music(who).batch() as batch:
            batch.delete("Singers", spanner.KeySet(keys=[(2,)]))
    assert len(sql(behind, "SELECT 1 FROM Singers")) == 2
    with music("admin").batch() as batch:
        batch.delete("Singers", spanner.KeySet(keys=[(2,)]))
    assert len(sql(behind, "SELECT 1 FROM Singers")) == 1
    with behind.batch() as batch:
        batch.insert("Singers", ("SingerId", "Name", "Phone"), [(2, "bob", "556")])


def test_writes_go_to_names_that_are_known(music):
    for table, column in (("Nowhere", "Id"), ("Singers", "Nix")):
        with pytest.raises(exceptions.NotFound), music("analyst").batch() as batch:
            batch.insert(table, (column,), [(1,)])


def test_what_changes_behind_our_back_is_seen(music, behind):
    """A minute would pass by age; who names what we do not know has it read at once."""
    analyst = music("analyst")
    assert sql(analyst, "SELECT COUNT(*) FROM Albums") == [(1,)]
    behind.update_ddl(["CREATE TABLE Fresh (Id INT64) PRIMARY KEY (Id)", "ALTER TABLE Albums ADD COLUMN Year INT64"]).result(60)
    end = time.monotonic() + 10
    while True:
        try:
            assert sql(analyst, "SELECT Year FROM Albums") == [(None,)]
            break
        except exceptions.InvalidArgument:
            assert time.monotonic() < end
            time.sleep(0.2)
    assert sql(analyst, "SELECT COUNT(*) FROM Fresh") == [(0,)]


def test_a_database_that_is_not_there(music):
    with pytest.raises(exceptions.NotFound):
        sql(music("admin", "nobodys"), "SELECT 1")


def test_information_schema_is_the_snapshots(music):
    """What it answers of names is what the upstream has, but only of what the caller holds something on."""
    names = "SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA != 'INFORMATION_SCHEMA' ORDER BY 1, 2"
    assert {("", "Albums"), ("", "Singers"), ("sales", "Orders")} <= set(sql(music("admin"), names))
    assert sql(music("seller"), names) == [("", "Singers"), ("sales", "Orders")]
    computed = "SELECT COLUMN_NAME, DEPENDENT_COLUMN FROM INFORMATION_SCHEMA.COLUMN_COLUMN_USAGE ORDER BY 1, 2"
    assert sql(music("admin"), computed) == [("Name", "Card"), ("Name", "Loud"), ("Phone", "Card")]
    types = "SELECT COLUMN_NAME, SPANNER_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'Singers' ORDER BY ORDINAL_POSITION"
    assert sql(music("admin"), types)[-1] == ("Extra", "JSON")


SAME = [
    "SELECT TABLE_NAME, PARENT_TABLE_NAME, ON_DELETE_ACTION FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE = 'BASE TABLE'"
    " AND TABLE_SCHEMA IN ('', 'sales') ORDER BY 1",
    "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, INDEX_TYPE, PARENT_TABLE_NAME, IS_UNIQUE, IS_NULL_FILTERED, INDEX_STATE, SPANNER_IS_MANAGED"
    " FROM INFORMATION_SCHEMA.INDEXES WHERE INDEX_TYPE = 'INDEX' ORDER BY 1, 2, 3",
    "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, ORDINAL_POSITION, COLUMN_ORDERING, IS_NULLABLE, SPANNER_TYPE"
    " FROM INFORMATION_SCHEMA.INDEX_COLUMNS WHERE TABLE_SCHEMA IN ('', 'sales') ORDER BY 1, 2, 3, 4",
    "SELECT CONSTRAINT_NAME, UNIQUE_CONSTRAINT_NAME, MATCH_OPTION, UPDATE_RULE, DELETE_RULE FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS",
    "SELECT CONSTRAINT_NAME, TABLE_NAME, IS_DEFERRABLE, INITIALLY_DEFERRED, ENFORCED FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS"
    " WHERE CONSTRAINT_TYPE = 'FOREIGN KEY'",
    "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.CONSTRAINT_TABLE_USAGE WHERE CONSTRAINT_NAME = 'FK_Who'",
]


@pytest.mark.parametrize("statement", SAME)
def test_what_the_snapshot_holds_is_what_the_upstream_says(music, behind, statement):
    assert sql(music("admin"), statement) == sql(behind, statement) != []


def test_a_foreign_key_is_seen_by_who_sees_both_tables(music):
    assert sql(music("seller"), "SELECT CONSTRAINT_NAME FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS") == []
    assert sql(music("seller"), "SELECT INDEX_NAME FROM INFORMATION_SCHEMA.INDEXES WHERE INDEX_TYPE = 'INDEX'") == [("ByWho",)]


@pytest.mark.parametrize("name", ["VIEWS", "SEQUENCES", "COLUMN_OPTIONS", "CONSTRAINT_COLUMN_USAGE", "KEY_COLUMN_USAGE"])
def test_what_it_does_not_hold_is_refused_by_name(music, name):
    with pytest.raises(exceptions.MethodNotImplemented, match=name):
        sql(music("admin"), f"SELECT * FROM INFORMATION_SCHEMA.{name}")


# --- between two Linkspans: no emulator is needed --------------------------------------------------------------------------

FAR_CONFIG = two_sites.FAR_CONFIG.replace("connections:\n", """  cloud: { preset: entra, tenant: @TENANT@, audiences: ["api://linkspan"], jwks_uri: "@PEOPLE@/keys" }
connections:
""")
FAR_POLICY = two_sites.FAR_POLICY.replace("identity callers", """identity admin is oidc cloud where tid = "@TENANT@" and oid = "admin"
identity callers""") + """home:  allow admin to change schema every table in spanner demo/* owner cloud until @UNTIL@
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory, linkspan):
    """Far, the administrator may do by himself what the near one then does not know."""
    folder = tmp_path_factory.mktemp("moving")
    config = two_sites.through_gateway(setting.CONFIG).replace("schema_age: 1s", "schema_age: 1h")
    near = conftest.make_site(folder, linkspan, config=config)
    far = two_sites.make_far(folder / "far", near, linkspan_site.fill(FAR_CONFIG, {"PEOPLE": near.issuer_url}), FAR_POLICY)
    far.issuer_url = near.issuer_url
    pair = two_sites.Pair(near, far)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()
    for site in (near, far):
        assert "Sanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


def alter(pair, name, *statements):
    plain.Plain(pair.far).ask("PATCH", f"{plain.INSTANCE}/databases/{name}/ddl", {"statements": list(statements)})


@pytest.mark.parametrize("method", ["executeSql", "executeStreamingSql"])
def test_a_schema_that_changes_under_a_statement(pair, method):
    """What was analysed as a number comes as a text: not a row of it goes out, the audit says so, and then the schema is read anew."""
    name, admin = f"moving-{method.lower()}", plain.Plain(pair.near)
    admin.create(f"`{name}`")
    session = admin.session(name)
    admin.commit(session, ("insert", "Singers", ["SingerId", "Score"], [["1", 1.5]]))
    asked = {"sql": "SELECT Score FROM Singers"}
    assert "1.5" in str(admin.ask("POST", f"{session}:{method}", asked))
    alter(pair, name, "ALTER TABLE Singers DROP COLUMN Score", "ALTER TABLE Singers ADD COLUMN Score STRING(MAX)")
    with pytest.raises(plain.Refused) as refused:
        admin.ask("POST", f"{session}:{method}", asked)
    assert refused.value.http == 400 and "SCHEMA_CHANGED" in refused.value.text and '"rows"' not in refused.value.text
    entry = setting.audit_entry(pair.near, lambda e: name in e["protoPayload"].get("resourceName", "") and e["protoPayload"].get("status", {}).get("code") == 9)
    assert entry, "the audit does not tell of it"
    assert "STRING" in str(setting.eventually(lambda: answer_of(admin, f"{session}:{method}", asked)))


def answer_of(client, path, body):
    try:
        return client.ask("POST", path, body)
    except plain.Refused:
        return None


def test_a_column_that_goes_under_a_statement(pair):
    admin = plain.Plain(pair.near)
    admin.create("narrower")
    session = admin.session("narrower")
    admin.sql(session, "SELECT Picture FROM Singers")
    alter(pair, "narrower", "ALTER TABLE Singers DROP COLUMN Picture")
    for _ in range(2):  # in the upstream's words, and then in ours
        with pytest.raises(plain.Refused) as refused:
            admin.sql(session, "SELECT Picture FROM Singers")
        assert refused.value.http == 400 and "Picture" in refused.value.text
    assert admin.sql(session, "SELECT SingerId, Name FROM Singers") == []
