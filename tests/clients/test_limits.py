"""Limits as Google's own client meets them: so many at once, so many a second, neighbours left alone, and what a commit may hold."""
import concurrent.futures
import datetime
import threading
import time

import grpc
import pytest
import requests
from google.api_core import exceptions
from google.cloud.spanner_v1 import CommitRequest, TransactionOptions
from google.rpc import error_details_pb2

import linkspan_site
import plain
import setting
from siege import field

ROWS = 130
LONG = "SELECT COUNT(*) FROM Singers AS a CROSS JOIN Singers AS b CROSS JOIN Singers AS c WHERE a.Name < b.Name OR b.Name < c.Name"


@pytest.fixture(scope="module")
def capped(site, as_user):
    database = setting.create_database(site, as_user("admin"), "capped", setting.DDL)
    setting.put_singers(database, [(n, f"name {n}", n) for n in range(ROWS)])
    return database


def ask(database, sql):
    with database.snapshot() as snapshot:
        return list(snapshot.execute_sql(sql))


def limited(error):
    return error.reason == "LIMIT_REACHED" and error.domain == "linkspan"


def wait_of(error):
    """Seconds, as RetryInfo tells."""
    for detail in error.details:
        if isinstance(detail, error_details_pb2.RetryInfo):
            return detail.retry_delay.ToTimedelta().total_seconds()
    raise AssertionError(f"no RetryInfo in {error.details}")


def entries(site, reason=None):
    return [entry for entry in setting.audit(site).entries
            if "ExecuteStreamingSql" in entry["protoPayload"]["methodName"] and "capped" in entry["protoPayload"]["resourceName"]
            and (entry.get("verdict", {}).get("reason") == reason if reason else entry.get("verdict", {}).get("allowed"))]


def most_at_once(spans):
    """The largest number of spans over one moment; each is cut by 20 ms at both ends, as it begins before it is admitted."""
    marks = sorted([(begin + 0.02, 1) for begin, end in spans] + [(end - 0.02, -1) for begin, end in spans], key=lambda m: (m[0], m[1]))
    now = most = 0
    for _, step in marks:
        now += step
        most = max(most, now)
    return most


def span(entry):
    end = datetime.datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00")).timestamp()
    return end - entry["outcome"]["latencyUs"] / 1e6, end


def test_so_many_at_once(site, as_user, capped):
    database = setting.open_database(site, as_user("hasty"), "capped")
    ask(database, "SELECT 1")
    before, refused, stop = len(entries(site)), [], time.monotonic() + 120

    def work(_):
        while time.monotonic() < stop:
            try:
                return ask(database, LONG)
            except exceptions.ResourceExhausted as error:
                refused.append(error)
                time.sleep(wait_of(error))
        raise AssertionError("never came through")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(12)))
    assert all(answer == answers[0] for answer in answers) and len(answers) == 12, "a retry after the refusal works"
    assert refused and all(limited(error) and "rule crowd" in error.message for error in refused)
    spans = setting.eventually(lambda: [span(e) for e in entries(site)][before:] if len(entries(site)) >= before + 12 else None)
    assert most_at_once(spans) == 3
    assert setting.eventually(lambda: len(entries(site, "LIMIT_REACHED")) >= len(refused) or None)
    entry = entries(site, "LIMIT_REACHED")[-1]
    assert entry["verdict"]["rule"] == "crowd" and not entry["verdict"]["allowed"]
    request = refused[-1].metadata["id"]
    assert "limit hasty to 3 requests at once" in setting.explain(site, request)["text"]


def test_so_many_a_second_and_neighbours_none_the_worse(site, as_user, capped):
    database = setting.open_database(site, as_user("eager"), "capped")
    ask(database, "SELECT 1")
    time.sleep(1.1)
    through, refused, stop = [], [], threading.Event()

    def hammer():
        while not stop.is_set():
            try:
                ask(database, "SELECT 1")
                through.append(time.monotonic())
            except exceptions.ResourceExhausted as error:
                refused.append(error)

    begin = time.monotonic()
    threads = [threading.Thread(target=hammer) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        assert ask(capped, "SELECT 1") == [[1]]
    time.sleep(max(0, begin + 3 - time.monotonic()))
    stop.set()
    for thread in threads:
        thread.join()
    passed = time.monotonic() - begin
    assert refused and all(limited(error) and "20 requests per second" in error.message for error in refused)
    assert len(through) <= 20 + 20 * passed + 1
    assert 0 < wait_of(refused[-1]) <= 0.05
    time.sleep(1.1)
    assert ask(database, "SELECT 1") == [[1]]


def test_a_commit_that_is_too_large_says_how_to_split(database):
    rows = [(n, "x", n) for n in range(26667)]  # of three columns each: 80,001
    with pytest.raises(exceptions.InvalidArgument, match="The transaction contains too many mutations") as refused:
        setting.put_singers(database, rows)
    assert "one commit holds 26666" in refused.value.message and "Split it into 2 commits" in refused.value.message
    setting.put_singers(database, rows[:26666])
    setting.put_singers(database, rows[26666:])
    with database.snapshot() as snapshot:
        assert list(snapshot.execute_sql("SELECT COUNT(*) FROM Singers")) == [[26667]]


def commit_of(session, values):
    """A Commit of one row of so many values "1": five bytes each, and some twenty times that in decoded form."""
    head = CommitRequest.serialize(CommitRequest(session=session, single_use_transaction=TransactionOptions(read_write={})))
    return head + field(4, field(1, field(1, b"Singers") + field(2, b"SingerId") + field(3, field(1, b"\x1a\x011") * values)))


@pytest.mark.parametrize("memory, code", [("64MiB", grpc.StatusCode.RESOURCE_EXHAUSTED), ("1GiB", grpc.StatusCode.INVALID_ARGUMENT)])
def test_the_memory_of_all_requests(own_site, memory, code):
    """limits.memory: what does not fit beside the others is refused, as the server's memory is everybody's. Then it is free again. By
    itself the request may take 512 MiB: where it fits it is read, and is a row of too many columns."""
    admin = linkspan_site.free_port()
    text = own_site.config.read_text().replace("listen: {", f'listen: {{ admin: "127.0.0.1:{admin}",')
    own_site.config.write_text(text + f"limits: {{ memory: {memory} }}\n")
    own_site.start()
    client = plain.Plain(own_site)
    client.create("memory")
    session, trust = client.session("memory"), grpc.ssl_channel_credentials(own_site.ca.read_bytes())

    def held():
        metrics = requests.get(f"http://127.0.0.1:{admin}/metrics", timeout=10).text
        return next(int(line.split()[1]) for line in metrics.splitlines() if line.startswith("linkspan_decoded_bytes "))

    with grpc.secure_channel(f"127.0.0.1:{own_site.port}", trust) as channel:
        commit = channel.unary_unary("/google.spanner.v1.Spanner/Commit")

        def refusal(values):
            with pytest.raises(grpc.RpcError) as refused:
                commit(commit_of(session.removeprefix("v1/"), values), metadata=(("authorization", f"Bearer {client.token}"),), timeout=60)
            assert refused.value.code() != grpc.StatusCode.RESOURCE_EXHAUSTED or "in smaller parts" in refused.value.details()
            return refused.value.code()
        assert refusal(2_500_000) == code
        assert refusal(100) == grpc.StatusCode.INVALID_ARGUMENT
    assert setting.eventually(lambda: held() == 0 or None)
    client.commit(session, ("insert", "Singers", ["SingerId", "Name"], [["1", "one"]]))
