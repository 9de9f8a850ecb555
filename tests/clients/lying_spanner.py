"""A Spanner that answers what a test tells it to: one database with one table, and streams that hold whatever they like. It plays the
upstream where the real one is too honest."""
import concurrent.futures
import contextlib

import grpc
from google.cloud.spanner_v1 import types
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import ListValue, NullValue, Value

SERVICE = "google.spanner.v1.Spanner"
SCHEMA = [  # by what the reader of the schema asks
    ("REFERENTIAL_CONSTRAINTS", []),
    ("COLUMN_COLUMN_USAGE", []),
    ("INFORMATION_SCHEMA.INDEXES", []),
    ("INDEX_COLUMNS", [["", "Singers", "PRIMARY_KEY", "PRIMARY_KEY", "SingerId", "1", "ASC"]]),
    ("INFORMATION_SCHEMA.COLUMNS", [["", "Singers", "SingerId", "1", "INT64", "NO"], ["", "Singers", "Name", "2", "STRING(MAX)", "YES"],
                                    ["", "Singers", "Extra", "3", "JSON", "YES"]]),
    ("INFORMATION_SCHEMA.TABLES", [["", "Singers", "BASE TABLE", None, None]]),
    ("DATABASE_OPTIONS", [["GOOGLE_STANDARD_SQL"]]),
]


def metadata(*columns):
    """(name, type code) each."""
    fields = [{"name": name, "type_": {"code": code}} for name, code in columns]
    return types.ResultSetMetadata(row_type=types.StructType(fields=fields))


def value(text):
    return Value(null_value=NullValue.NULL_VALUE) if text is None else Value(string_value=text)


def part(values=(), **more):
    made = types.PartialResultSet(**more)
    types.PartialResultSet.pb(made).values.extend(map(value, values))
    return made


class Liar:
    def __init__(self):
        self.parts, self.cut = [], False
        self.asked = []  # names of methods, but for the schema's reader
        self.before_schema = lambda context: None  # runs before the schema's reader is answered
        self.begin = lambda request, context: types.Transaction(id=b"begun")
        pool = concurrent.futures.ThreadPoolExecutor(8)
        self.server = grpc.server(pool)
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        rows = {
            "CreateSession": (unary, self.create_session, types.CreateSessionRequest, types.Session),
            "DeleteSession": (unary, lambda request, context: Empty(), types.DeleteSessionRequest, Empty),
            "BeginTransaction": (unary, lambda request, context: self.begin(request, context), types.BeginTransactionRequest, types.Transaction),
            "ExecuteSql": (unary, self.execute_sql, types.ExecuteSqlRequest, types.ResultSet),
            "ExecuteStreamingSql": (stream, self.stream, types.ExecuteSqlRequest, types.PartialResultSet),
            "StreamingRead": (stream, self.stream, types.ReadRequest, types.PartialResultSet),
        }
        handlers = {name: kind(self.noted(name, call), message.deserialize if hasattr(message, "deserialize") else message.FromString,
                               answer.serialize if hasattr(answer, "serialize") else answer.SerializeToString)
                    for name, (kind, call, message, answer) in rows.items()}
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def noted(self, name, call):
        def answer(request, context):
            if "INFORMATION_SCHEMA" not in getattr(request, "sql", ""):
                self.asked.append((name, request))
            return call(request, context)
        return answer

    def create_session(self, request, context):
        return types.Session(name=f"{request.database}/sessions/s{len(self.asked)}")

    def execute_sql(self, request, context):
        """For the schema's reader: any transaction is the one."""
        self.before_schema(context)
        rows = next(rows for words, rows in SCHEMA if words in request.sql)
        made = types.ResultSet(metadata=types.ResultSetMetadata(transaction=types.Transaction(id=b"one")))
        types.ResultSet.pb(made).rows.extend(ListValue(values=map(value, row)) for row in rows)
        return made

    def stream(self, request, context):
        yield from self.parts
        if self.cut:
            context.abort(grpc.StatusCode.UNAVAILABLE, "cut off")

    def stop(self):
        with contextlib.suppress(Exception):
            self.server.stop(None).wait(10)
