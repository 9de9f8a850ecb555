"""A result that is cut off goes on behind its resume token with the rows that would have come, whatever was committed meanwhile."""
import random
import socket
import threading

import pytest
from google.api_core import exceptions
from google.cloud.spanner_v1 import ExecuteSqlRequest, TransactionOptions, TransactionSelector
from google.protobuf.json_format import MessageToDict

import setting

ROWS, TEXT = 1500, "x" * 200
STATEMENTS = {
    "a scan": "SELECT SingerId, Name FROM Singers",
    "a range of the key": "SELECT SingerId, Name FROM Singers WHERE SingerId > 100",
    "no order of its own": "SELECT Name, Score FROM Singers WHERE Score >= 0",
    "an order with equals": "SELECT SingerId, Name FROM Singers ORDER BY Score",
    "groups": "SELECT Name, COUNT(*), SUM(Score) FROM Singers GROUP BY Name",
    "distinct": "SELECT DISTINCT Name, Score FROM Singers",
    "a join": "SELECT s.Name, n.Text FROM Singers s JOIN Notes n ON n.Id = s.SingerId",
    "a join the other way": "SELECT s.Name, n.Text FROM Notes n JOIN Singers s ON s.SingerId = n.Id",
    "any rows of a table": "SELECT s.Name, x.Text FROM (SELECT Text FROM Notes LIMIT 20) x CROSS JOIN Singers s LIMIT 3000",
    "a union": "SELECT Name FROM Singers UNION ALL SELECT Text FROM Notes",
    "the time": "SELECT SingerId, Name, CURRENT_TIMESTAMP() FROM Singers",
    "the same table twice": "SELECT a.Name, b.SingerId FROM Singers a LEFT JOIN Singers b ON b.SingerId = a.SingerId + 1",
}


def singer(number, rng):
    return number, f"{TEXT}{number}", float(rng.randrange(7))


def change(database, rng):
    """Commits that move rows of both tables into their history."""
    with database.batch() as batch:
        batch.insert_or_update("Singers", ("SingerId", "Name", "Score"), [singer(rng.randrange(ROWS * 2), rng) for _ in range(100)])
        batch.insert_or_update("Notes", ("Owner", "Id", "Text"), [("ann", rng.randrange(ROWS), TEXT + "new") for _ in range(100)])


@pytest.fixture
def full(database):
    rng = random.Random(7)
    with database.batch() as batch:
        batch.insert("Singers", ("SingerId", "Name", "Score"), [singer(number, rng) for number in range(ROWS)])
        batch.insert("Notes", ("Owner", "Id", "Text"), [("ann", number, f"{TEXT}{number}") for number in range(ROWS)])
    return database


class Stream:
    """ExecuteStreamingSql by hand: the messages as they come, each with its token."""

    def __init__(self, database):
        self.api = database.spanner_api
        self.session = self.api.create_session(database=database.name).name

    def __call__(self, sql, token=b"", options=None):
        only = TransactionSelector(single_use=TransactionOptions(read_only=options)) if options else None
        request = ExecuteSqlRequest(session=self.session, sql=sql, resume_token=token, transaction=only)
        return self.api.execute_streaming_sql(request=request)


def values(messages):
    """All values; none is cut in two by this server."""
    found = []
    for message in messages:
        assert message.resume_token and not message.chunked_value
        found += MessageToDict(type(message).pb(message)).get("values", [])
    return found


@pytest.mark.parametrize("aged", [False, True], ids=["strong", "through history"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_goes_on_after_commits(full, name, aged):
    rng, stream, options = random.Random(3), Stream(full), None
    if aged:  # the first run reads rows in the table and rows in the history
        first = next(iter(stream("SELECT 1", options=TransactionOptions.ReadOnly(strong=True, return_read_timestamp=True))))
        options = TransactionOptions.ReadOnly(read_timestamp=first.metadata.transaction.read_timestamp)
        change(full, rng)
    whole = list(stream(STATEMENTS[name], options=options))
    assert len(whole) > 3, "one message tests nothing"
    for cut in (1, 2, len(whole) - 1):
        change(full, rng)
        rest = stream(STATEMENTS[name], whole[cut - 1].resume_token, options)
        assert values(whole[:cut]) + values(rest) == values(whole)
    change(full, rng)
    again = list(stream(STATEMENTS[name], whole[0].resume_token, options))  # and from a resumed stream's own token
    change(full, rng)
    assert values(whole[:1]) + values(again[:1]) + values(stream(STATEMENTS[name], again[0].resume_token, options)) == values(whole)


def test_of_a_table_that_has_changed_its_schema(full):
    stream = Stream(full)
    token = next(iter(stream("SELECT Name FROM Singers"))).resume_token
    full.update_ddl(["ALTER TABLE Singers ADD COLUMN Later INT64"]).result(timeout=60)
    with pytest.raises(exceptions.FailedPrecondition, match="schema of table Singers changed"):
        list(stream("SELECT Name FROM Singers", token))


def test_information_schema(full):
    full.update_ddl([f"CREATE TABLE T{n} ({', '.join(f'C{k:04}_{TEXT[:90]} INT64' for k in range(100))}) PRIMARY KEY (C0000_{TEXT[:90]})"
                     for n in range(20)]).result(timeout=60)
    stream, sql = Stream(full), "SELECT TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS"
    whole = list(stream(sql))
    assert len(whole) > 2
    for cut in range(1, len(whole) + 1):
        assert values(whole[:cut]) + values(stream(sql, whole[cut - 1].resume_token)) == values(whole)
    full.update_ddl(["DROP TABLE T3"]).result(timeout=60)
    with pytest.raises(exceptions.FailedPrecondition, match="run the query again"):
        list(stream(sql, whole[0].resume_token))


class Cutter:
    """A line to the server that breaks once, behind `limit` bytes of answers."""

    def __init__(self, port, limit, then):
        self.target, self.left, self.then, self.cuts = port, limit, then, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            for pair in ((near, far, False), (far, near, True)):
                threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def carry(self, source, sink, counted):
        try:
            while data := source.recv(16384):
                if counted and not self.cuts:
                    self.left -= len(data)
                    if self.left < 0:
                        self.cuts += 1
                        self.then()
                        break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Line:
    """What setting.open_database asks of a site."""

    def __init__(self, port):
        self.port = port


def with_tokens(database):
    """The database, and the resume tokens of the calls that its client makes from now on."""
    api, tokens = database.spanner_api, []
    call = api.execute_streaming_sql

    def watched(request, **more):
        tokens.append(bytes(request.resume_token))
        return call(request=request, **more)

    api.execute_streaming_sql = watched
    return database, tokens


@pytest.mark.parametrize("sql", ["SELECT SingerId, Name FROM Singers ORDER BY Score", "SELECT s.SingerId, n.Text FROM Singers s JOIN Notes n ON n.Id = s.SingerId"])
def test_the_client_itself_goes_on_when_its_line_breaks(site, as_user, full, sql):
    """With the rows of its snapshot. Where no message had reached it by then it has no token and asks anew, which is another snapshot."""
    rng = random.Random(5)

    def rows(database):
        with database.snapshot() as snapshot:
            return [tuple(row) for row in snapshot.execute_sql(sql)]

    for _ in range(5):
        before = rows(full)
        line = Cutter(site.port, 100_000, lambda: change(full, rng))  # the answer has over 300,000 bytes
        database, tokens = with_tokens(setting.open_database(Line(line.port), as_user("admin"), full.database_id))
        found = rows(database)
        line.listener.close()
        assert line.cuts == 1 and tokens[0] == b"" and before != rows(full)
        assert found == (before if any(tokens) else rows(full))
        if any(tokens):
            return
    pytest.fail("the client never had a message when its line broke")
