"""Our proto/ against the messages of Google's own Python clients: every message that both declare must have the same fields
(name, number, type, repeated, oneof, JSON name) and the same enum values. A field that their next version adds fails here, and
the gateway would refuse it until proto/ has it too."""
import importlib
import pathlib
import pkgutil
import subprocess

import pytest

descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
proto = pytest.importorskip("proto")
ROOT = pathlib.Path(__file__).resolve().parents[2] / "proto"
PLUS = ["google.cloud.spanner_v1.types", "google.cloud.spanner_admin_database_v1.types",
        "google.cloud.spanner_admin_instance_v1.types", "google.cloud.dataproc_v1.types"]
PLAIN = ["google.protobuf.struct_pb2", "google.protobuf.timestamp_pb2", "google.protobuf.duration_pb2", "google.protobuf.any_pb2",
         "google.protobuf.empty_pb2", "google.protobuf.field_mask_pb2", "google.rpc.status_pb2", "google.rpc.error_details_pb2",
         "google.longrunning.operations_pb2", "google.iam.v1.iam_policy_pb2", "google.iam.v1.policy_pb2",
         "google.iam.v1.options_pb2", "google.type.expr_pb2"]


def theirs():
    found = {}

    def add(descriptor):
        found.setdefault(descriptor.full_name, descriptor)
        for nested in descriptor.nested_types:
            add(nested)

    for package in map(importlib.import_module, PLUS):
        for module in pkgutil.iter_modules(package.__path__):
            for thing in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
                if isinstance(thing, type) and issubclass(thing, proto.Message) and thing is not proto.Message:
                    add(thing.pb(thing()).DESCRIPTOR)
    for module in map(importlib.import_module, PLAIN):
        for descriptor in module.DESCRIPTOR.message_types_by_name.values():
            add(descriptor)
    return found


def ours(tmp_path):
    out = tmp_path / "pb.desc"
    names = sorted(str(p.relative_to(ROOT)) for p in ROOT.rglob("*.proto"))
    subprocess.run(["protoc", "-I", str(ROOT), f"--descriptor_set_out={out}", *names], check=True)
    messages, enums = {}, {}

    def walk(prefix, message):
        name = f"{prefix}.{message.name}"
        messages[name] = message
        enums.update((f"{name}.{e.name}", e) for e in message.enum_type)
        for nested in message.nested_type:
            walk(name, nested)

    for file in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
        enums.update((f"{file.package}.{e.name}", e) for e in file.enum_type)
        for message in file.message_type:
            walk(file.package, message)
    return messages, enums


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def their_field(f):
    """Their generator puts "_" behind names that Python keeps for itself; on the wire and in JSON it is not there."""
    name, kind = f.name.rstrip("_"), f.message_type or f.enum_type
    repeated = f.is_repeated if hasattr(f, "is_repeated") else f.label == f.LABEL_REPEATED
    oneof = f.containing_oneof
    return (name, f.number, f.type, bool(repeated), kind.full_name if kind is not None else "",
            oneof.name.rstrip("_") if oneof is not None else "", camel(name))


def our_field(m, f):
    oneof = m.oneof_decl[f.oneof_index].name.lstrip("_") if f.HasField("oneof_index") and not f.proto3_optional else ""
    if f.proto3_optional:
        oneof = "_" + f.name
    return (f.name, f.number, f.type, f.label == f.LABEL_REPEATED, f.type_name.lstrip("."), oneof, f.json_name)


def test_messages_are_those_of_the_clients(tmp_path):
    real, (messages, enums) = theirs(), ours(tmp_path)
    assert len(messages) > 250
    for name, message in messages.items():
        assert name in real, f"{name} is not one of theirs"
        assert {our_field(message, f) for f in message.field} == {their_field(f) for f in real[name].fields}, name
        for f in real[name].fields:
            if f.enum_type is not None:
                mine = [(v.name, v.number) for v in enums[f.enum_type.full_name].value]
                assert mine == [(v.name, v.number) for v in f.enum_type.values], f.enum_type.full_name
