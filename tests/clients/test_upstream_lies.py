"""In front of an upstream that answers as the test says: only what was decided goes out, and what went out is what the log says."""
import os
import queue
import threading

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import spanner_v1
from google.cloud.spanner_v1 import TypeCode
from google.oauth2.credentials import Credentials
from google.rpc import error_details_pb2, status_pb2

import conftest
import lying_spanner
import plain
import setting
from lying_spanner import metadata, part

UPSTREAM = """{ back: upstream, project: demo, instance: flights, endpoint: "http://127.0.0.1:@LIAR@", schema_age: 60s }"""
INT64, STRING, JSON = TypeCode.INT64, TypeCode.STRING, TypeCode.JSON
HONEST = metadata(("SingerId", INT64), ("Name", STRING))


@pytest.fixture(scope="module")
def liar():
    liar = lying_spanner.Liar()
    yield liar
    liar.stop()


@pytest.fixture(scope="module")
def near(tmp_path_factory, linkspan, liar):
    embedded = "{ back: embedded, project: demo, instance: flights }"
    config = setting.CONFIG.partition("    dataproc:")[0].replace(embedded, UPSTREAM.replace("@LIAR@", str(liar.port)))
    policy = setting.POLICY.replace(", dataproc demo/*", "").replace(" and administer dataproc demo/*", "")
    policy = "\n".join(line for line in policy.splitlines() if "on dataproc" not in line)
    site = conftest.linkspan_site.Site(linkspan, tmp_path_factory.mktemp("near") / "site")
    site.make(config, {"tests": policy}, {})
    setting.one_authority(site)
    site.trust()
    try:
        site.start()
        yield site
        assert site.server.poll() is None, site.log()
    finally:
        site.stop()
    assert "ERROR: AddressSanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


@pytest.fixture
def asker(near, liar):
    return Asker(near, liar)


class Asker:
    def __init__(self, near, liar):
        self.near, self.liar = near, liar
        admin = plain.Plain(near)
        self.session = admin.session("music").removeprefix("v1/")
        self.api = spanner_v1.SpannerClient(credentials=Credentials(admin.token), client_options={"api_endpoint": f"127.0.0.1:{near.port}"})

    def read(self, parts, columns=("SingerId", "Name"), cut=False, **more):
        self.liar.parts, self.liar.cut = parts, cut
        request = {"session": self.session, "table": "Singers", "columns": columns, "key_set": {"all_": True}, **more}
        return self.take(self.api.streaming_read, request)

    def sql(self, parts, statement="SELECT SingerId, Name FROM Singers"):
        self.liar.parts, self.liar.cut = parts, False
        return self.take(self.api.execute_streaming_sql, {"session": self.session, "sql": statement})

    @staticmethod
    def take(ask, request):
        got = []
        try:
            for one in ask(request, retry=None):
                got.append(one)
        except exceptions.GoogleAPICallError as error:
            return got, error
        return got, None

    def recorded(self, method):
        """What the newest entry of this method says of its outcome, once all are there that reached the upstream."""
        asked = sum(name == method for name, _ in self.liar.asked)
        entries = lambda: [e for e in setting.audit(self.near).outcomes() if e["protoPayload"].get("methodName", "").endswith(method)]  # noqa: E731
        return setting.eventually(lambda: found[-1]["outcome"] if len(found := entries()) == asked else None)


STREAMS = [
    ("whole rows", [part(["1", "a", "2", "b"], metadata=HONEST), part(["3", "c"], last=True)], 3),
    ("a row in two parts", [part(["1", "a", "2"], metadata=HONEST), part(["b"])], 2),
    ("a value in three parts", [part(["1", "a"], metadata=HONEST, chunked_value=True), part(["a"], chunked_value=True), part(["a", "2", "b"])], 2),
    ("no rows", [part(metadata=HONEST)], 0),
    ("metadata first", [part(metadata=HONEST), part(["1", "a"])], 1),
]


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
@pytest.mark.parametrize("parts, rows", [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS])
def test_rows_and_bytes_are_what_went_out(asker, parts, rows, cut):
    got, error = asker.read(parts, cut=cut)
    assert len(got) == len(parts) and bool(error) == cut
    recorded = asker.recorded("StreamingRead")
    assert recorded.get("rows", 0) == rows
    assert recorded["bytesOut"] == sum(5 + type(one).pb(one).ByteSize() for one in got)


def test_a_stream_that_is_cut_in_a_row(asker):
    asker.read([part(["1", "a", "2", "b"], metadata=HONEST, chunked_value=True)], cut=True)
    assert asker.recorded("StreamingRead")["rows"] == 1


def test_a_resumed_stream_counts_what_it_brings(asker):
    """The token stands in the midst of a row, and of a value: the row is whole, and counted, in the second stream."""
    first, error = asker.read([part(["1", "a", "2", "b"], metadata=HONEST, chunked_value=True, resume_token=b"here")], cut=True)
    assert error and asker.recorded("StreamingRead")["rows"] == 1
    second, error = asker.read([part(["b", "3", "c"], metadata=HONEST)], resume_token=first[0].resume_token)
    assert not error and asker.recorded("StreamingRead")["rows"] == 2
    assert asker.liar.asked[-1][1].resume_token == b"here"


LIES = [
    ("another column", metadata(("SingerId", INT64), ("Salary", STRING))),
    ("another type", metadata(("SingerId", INT64), ("Name", INT64))),
    ("a column more", metadata(("SingerId", INT64), ("Name", STRING), ("Salary", INT64))),
    ("a column less", metadata(("SingerId", INT64))),
    ("another order", metadata(("Name", STRING), ("SingerId", INT64))),
    ("no columns", metadata()),
]


@pytest.mark.parametrize("ask", ["read", "sql"])
@pytest.mark.parametrize("said", [row[1] for row in LIES], ids=[row[0] for row in LIES])
def test_other_columns_than_were_decided_are_nobodys(asker, ask, said):
    for parts in ([part(["1", "secret"], metadata=said)], [part(metadata=said), part(["1", "secret"])]):
        got, error = getattr(asker, ask)(parts)
        assert not got and isinstance(error, exceptions.FailedPrecondition) and "SCHEMA_CHANGED" in error.message


@pytest.mark.parametrize("ask", ["read", "sql"])
def test_rows_before_their_columns_are_nobodys(asker, ask):
    got, error = getattr(asker, ask)([part(["1", "secret"]), part(metadata=HONEST)])
    assert not got and isinstance(error, exceptions.InternalServerError)


def test_a_type_that_is_none_of_ours_is_compared_too(asker):
    got, error = asker.read([part(["{}"], metadata=metadata(("Extra", JSON)))], columns=("Extra",))
    assert len(got) == 1 and not error
    got, error = asker.read([part(["x"], metadata=metadata(("Extra", STRING)))], columns=("Extra",))
    assert not got and isinstance(error, exceptions.FailedPrecondition)


TABLES = "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES"


def test_a_transaction_that_a_query_of_the_schema_begins(asker, liar):
    """It is begun there, in the caller's trace; what the upstream says of it comes in the client's names, with all its details."""
    heard = {}

    def begin(request, context):
        heard.update(context.invocation_metadata(), session=request.session)
        status = status_pb2.Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(7)
        status.details.add().Pack(retry)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"too many in {request.session}")

    trace, kept, liar.begin = os.urandom(16).hex(), liar.begin, begin
    request = {"session": asker.session, "sql": TABLES, "transaction": {"begin": {"read_only": {"strong": True}}}}
    try:
        with pytest.raises(exceptions.ResourceExhausted) as refused:
            asker.api.execute_sql(request, retry=None, metadata=[("traceparent", f"00-{trace}-00f067aa0ba902b7-01")])
    finally:
        liar.begin = kept
    assert heard["traceparent"].split("-")[1] == trace
    assert refused.value.message == f"too many in {asker.session}" and heard["session"] != asker.session
    assert [detail.retry_delay.seconds for detail in refused.value.details if isinstance(detail, error_details_pb2.RetryInfo)] == [7]
    assert asker.api.execute_sql(request, retry=None).metadata.transaction.id


def test_who_waits_for_a_schema_may_leave(near, liar):
    """The request ends with its client, and not with the reading, which goes on."""
    readings, go_on, trace = queue.Queue(), threading.Event(), os.urandom(16).hex()
    admin = plain.Plain(near)
    request = spanner_v1.ExecuteSqlRequest(session=admin.session("held").removeprefix("v1/"), sql="SELECT Name FROM Singers")
    kept, liar.before_schema = liar.before_schema, lambda context: (readings.put(context), go_on.wait(60))
    try:
        with grpc.secure_channel(f"127.0.0.1:{near.port}", grpc.ssl_channel_credentials(near.ca.read_bytes())) as channel:
            call = channel.unary_stream("/google.spanner.v1.Spanner/ExecuteStreamingSql")(
                type(request).serialize(request), metadata=(("authorization", f"Bearer {admin.token}"),
                                                            ("traceparent", f"00-{trace}-00f067aa0ba902b7-01")))
            reading = readings.get(timeout=30)
            call.cancel()
            left = setting.eventually(lambda: next((entry for entry in setting.audit(near).entries
                                                    if entry["kind"] == "outcome" and entry.get("trace") == trace), None))
            assert left["protoPayload"]["status"]["code"] == grpc.StatusCode.CANCELLED.value[0]
            assert reading.is_active()
    finally:
        liar.before_schema = kept
        go_on.set()
