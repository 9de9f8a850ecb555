"""Lawful messages of no sense to every row that goes on to an upstream: each gets an answer, and both servers live."""
import random

import grpc
from google.cloud.spanner_admin_database_v1.types import spanner_database_admin as database
from google.cloud.spanner_v1.types import spanner
from google.longrunning import operations_pb2
from google.protobuf.descriptor import FieldDescriptor

import plain
from test_gateway import pair  # noqa: F401

DATABASE = "projects/demo/instances/flights/databases/beyond"
ROWS = [("google.spanner.v1.Spanner", spanner, {"ExecuteStreamingSql": "ExecuteSql", "StreamingRead": "Read", **{name: name for name in (
            "CreateSession", "BatchCreateSessions", "GetSession", "ExecuteSql", "Read", "BeginTransaction", "Commit", "Rollback", "PartitionQuery",
            "PartitionRead")}}),
        ("google.spanner.admin.database.v1.DatabaseAdmin", database, {name: name for name in (
            "CreateDatabase", "GetDatabase", "ListDatabases", "GetDatabaseDdl", "UpdateDatabaseDdl")}),
        ("google.longrunning.Operations", operations_pb2, {name: name for name in (
            "GetOperation", "ListOperations", "CancelOperation", "DeleteOperation")})]
WORDS = {"sql": ["SELECT SingerId FROM Singers", "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES", "SELECT @x", "x"],
         "table": ["Singers", "Notes", "x"], "columns": ["SingerId", "Id", "Text", "x"], "create_statement": ["CREATE DATABASE beyond", "x"]}
NUMBERS = {FieldDescriptor.TYPE_BOOL: [False, True], FieldDescriptor.TYPE_DOUBLE: [0.5, 1e308], FieldDescriptor.TYPE_FLOAT: [0.5],
           FieldDescriptor.TYPE_ENUM: [0, 1, 2, 3]}


class Storm:
    def __init__(self, session):
        self.random = random.Random(20261122)
        self.names = [session, DATABASE, DATABASE + "/operations/x", "projects/demo/instances/flights", "projects/demo/instances/flights/operations/x"]
        self.texts = [*self.names, "", "x", "é" * 40, "a/b", "x" * 5000]

    def value(self, field):
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            named = field.name in ("session", "name", "database", "parent")
            text = self.random.choice(self.names if named else WORDS.get(field.name, self.texts))
            if field.name == "session" and self.random.random() < 0.9:
                text = self.names[0]
            return text if field.type == FieldDescriptor.TYPE_STRING else text.encode()
        return self.random.choice(NUMBERS.get(field.type, [0, 1, 5, 2**31 - 1]))

    def fill(self, message, depth=0):
        for field in message.DESCRIPTOR.fields:
            needed = field.name in ("session", "name", "database", "parent", *WORDS)
            if self.random.random() < (0.05 if needed else 0.5) or (field.message_type and (depth > 4 or field.message_type.GetOptions().map_entry)):
                continue
            place = getattr(message, field.name)
            if field.message_type and field.is_repeated:
                for _ in range(self.random.choice([1, 2])):
                    self.fill(place.add(), depth + 1)
            elif field.message_type:
                place.SetInParent()
                self.fill(place, depth + 1)
            elif field.is_repeated:
                place.extend([self.value(field)] * self.random.choice([1, 2]))
            else:
                setattr(message, field.name, self.value(field))


def test_no_message_brings_a_server_down(pair):  # noqa: F811
    admin = plain.Plain(pair.near)
    storm = Storm(admin.session("beyond").removeprefix("v1/"))
    rows = [(f"/{service}/{name}", getattr(module, f"{request}Request")) for service, module, names in ROWS for name, request in names.items()]
    trust = grpc.ssl_channel_credentials(pair.near.ca.read_bytes())
    codes = set()
    with grpc.secure_channel(f"127.0.0.1:{pair.near.port}", trust) as channel:
        for _ in range(1000):
            path, kind = storm.random.choice(rows)
            message = kind.pb()() if hasattr(kind, "pb") else kind()
            storm.fill(message)
            ask = channel.unary_stream if "Streaming" in path else channel.unary_unary
            answer = ask(path, request_serializer=lambda m: m.SerializeToString())
            try:
                told = answer(message, metadata=(("authorization", f"Bearer {admin.token}"),), timeout=30)
                codes.add("OK" if "Streaming" not in path else f"{len(list(told)) > 0}")
            except grpc.RpcError as error:
                codes.add(error.code().name)
                assert all(site.server.poll() is None for site in (pair.near, pair.far)), (path, message, pair.near.log())
    assert {"OK", "NOT_FOUND", "INVALID_ARGUMENT", "PERMISSION_DENIED", "UNIMPLEMENTED"} <= codes and "INTERNAL" not in codes, codes
