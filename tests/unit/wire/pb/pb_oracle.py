#!/usr/bin/python3
"""Holds our codec against Python's protobuf: seeded random messages of every type that proto/ declares.

usage: pb_oracle.py PB_PIPE PB_DESC"""
import contextlib
import json
import os
import random
import struct
import subprocess
import sys
import unittest

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message, message_factory
from google.protobuf.descriptor import FieldDescriptor as F

PIPE, DESC = sys.argv[1:3]
PER_TYPE = 4
INTS = {F.TYPE_INT64: (64, True), F.TYPE_UINT64: (64, False), F.TYPE_INT32: (32, True), F.TYPE_UINT32: (32, False),
        F.TYPE_FIXED64: (64, False), F.TYPE_FIXED32: (32, False), F.TYPE_SFIXED32: (32, True), F.TYPE_SFIXED64: (64, True),
        F.TYPE_SINT32: (32, True), F.TYPE_SINT64: (64, True)}
LETTERS = 'aZ09 _-"\\/\n\x00\x7f<>&\u00e9\u2028\u20ac\ud7ff\ue000\U0001f6a2'


@contextlib.contextmanager
def quiet():
    """The C++ library writes to stderr about each string that is not UTF-8."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


class Pipe:
    def __init__(self):
        self.process = subprocess.Popen([PIPE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, op, name, data):
        self.process.stdin.write(f"{op} {name} {data.hex()}\n".encode())
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"pb_pipe died at {op} {name} {data.hex()}")
        verdict, _, rest = line.strip().partition(b" ")
        if verdict == b"broken":
            raise AssertionError(line)
        return bytes.fromhex(rest.decode()) if verdict == b"ok" else None, rest.decode(errors="replace")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


class Types:
    def __init__(self):
        self.pool = descriptor_pool.DescriptorPool()
        self.names = []
        with open(DESC, "rb") as f:
            files = descriptor_pb2.FileDescriptorSet.FromString(f.read())
        for f in files.file:
            self.pool.Add(f)
            for m in f.message_type:
                self.walk(f.package, m)
        self.factory = message_factory.MessageFactory(self.pool)

    def walk(self, prefix, m):
        if m.options.map_entry:
            return
        name = f"{prefix}.{m.name}"
        self.names.append(name)
        for n in m.nested_type:
            self.walk(name, n)

    def canonical(self, m):
        """Python's JSON reader packs Anys in any order of map keys: packs them again in order. Returns the bytes of all."""
        if m.DESCRIPTOR.full_name == "google.protobuf.Any" and m.type_url:
            inner = self.make(m.type_url.rpartition("/")[2])
            inner.ParseFromString(m.value)
            m.value = self.canonical(inner)
        for f, v in m.ListFields():
            if f.message_type and f.message_type.full_name != "google.protobuf.Struct":
                if f.label != F.LABEL_REPEATED:
                    self.canonical(v)
                elif not f.message_type.GetOptions().map_entry:
                    for item in v:
                        self.canonical(item)
        return m.SerializeToString(deterministic=True)

    def make(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))()


class Filler:
    """Random contents within what JSON can hold, so that one message serves all directions."""

    def __init__(self, types, seed):
        self.types, self.r = types, random.Random(seed)

    def key(self, f):
        """jansson refuses NUL in an object's key, so JSON cannot bring one (docs/protobuf.md)."""
        return self.scalar(f).replace("\0", "k") if f.type == F.TYPE_STRING else self.scalar(f)

    def text(self):
        return "".join(self.r.choice(LETTERS) for _ in range(self.r.choice((0, 1, 3, 8, 140))))

    def scalar(self, f):
        r = self.r
        if f.type in INTS:
            bits, signed = INTS[f.type]
            low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
            return r.choice((0, 1, low, high, max(low, -1), 127, 128, r.randint(low, high)))
        if f.type == F.TYPE_BOOL:
            return r.random() < 0.7
        if f.type == F.TYPE_STRING:
            return self.text()
        if f.type == F.TYPE_BYTES:
            return r.randbytes(r.choice((0, 1, 2, 3, 200)))
        if f.type == F.TYPE_ENUM:
            return r.choice([v.number for v in f.enum_type.values] + [987, -5])
        specials = (0.0, -0.0, 1.5, -2.25, 1e300, 5e-324, 0.1, float("nan"), float("inf"), -float("inf"))
        value = r.choice(specials + (r.uniform(-1e6, 1e6),))
        if f.type == F.TYPE_FLOAT:
            value = r.choice((0.0, 0.1, 0.25, float("nan"), float("inf"), 16777217.0, r.uniform(-1, 1)))
            return struct.unpack("<f", struct.pack("<f", value))[0]
        return value

    def well_known(self, m, depth):
        r, name = self.r, m.DESCRIPTOR.name
        if name == "Timestamp":
            m.seconds = r.choice((0, -62135596800, 253402300799, -1, 951782400, r.randint(-62135596800, 253402300799)))
            m.nanos = r.choice((0, 1, 999999999, 500000000, 120000, r.randint(0, 999999999)))
        elif name == "Duration":
            sign = r.choice((1, -1))
            m.seconds = sign * r.choice((0, 1, 315575999999, r.randint(0, 10**6)))
            m.nanos = sign * r.choice((0, 1, 999999999, 500000000, 120000))
        elif name == "FieldMask":
            m.paths.extend(r.choice(("a", "foo_bar", "config.worker_config", "x1.y_z")) for _ in range(r.randint(0, 3)))
        elif name == "Value":
            kind = r.choice(("null_value", "number_value", "string_value", "bool_value") + ("struct_value", "list_value") * (depth < 5))
            if kind == "null_value":
                m.null_value = 0
            elif kind == "number_value":
                m.number_value = r.choice((0.0, -0.0, 1.0, 0.1, 1e300, 123456789.0, r.uniform(-1, 1)))
            elif kind == "bool_value":
                m.bool_value = r.random() < 0.5
            elif kind == "string_value":
                m.string_value = self.text()
            else:
                getattr(m, kind).SetInParent()
                self.fill(getattr(m, kind), depth + 1)
        elif name == "Any":
            inner = self.types.make(r.choice([n for n in self.types.names if not n.endswith(".Any")]))
            self.fill(inner, depth + 4)
            m.type_url = "type.googleapis.com/" + inner.DESCRIPTOR.full_name
            m.value = inner.SerializeToString(deterministic=True)
        else:
            return False
        return True

    def fill(self, m, depth=0):
        if m.DESCRIPTOR.file.package == "google.protobuf" and self.well_known(m, depth):
            return m
        for f in m.DESCRIPTOR.fields:
            if self.r.random() < (0.45 if depth < 2 else 0.7):
                continue
            if f.message_type and depth > 6:
                continue
            if f.label == F.LABEL_REPEATED:
                self.fill_repeated(m, f, depth)
            elif f.message_type:
                getattr(m, f.name).SetInParent()
                self.fill(getattr(m, f.name), depth + 1)
            else:
                setattr(m, f.name, self.scalar(f))
        return m

    def fill_repeated(self, m, f, depth):
        field, many = getattr(m, f.name), self.r.choice((1, 2, 5, 6))
        if f.message_type and f.message_type.GetOptions().map_entry:
            key, value = (f.message_type.fields_by_name[n] for n in ("key", "value"))
            for _ in range(many):
                if value.message_type:
                    self.fill(field[self.key(key)], depth + 1)
                else:
                    field[self.key(key)] = self.scalar(value)
        elif f.message_type:
            for _ in range(many):
                self.fill(field.add(), depth + 1)
        else:
            field.extend(self.scalar(f) for _ in range(many))


class Oracle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.types, cls.pipe = Types(), Pipe()
        filler = Filler(cls.types, 20)
        cls.messages = [(n, filler.fill(cls.types.make(n))) for n in cls.types.names for _ in range(PER_TYPE)]

    @classmethod
    def tearDownClass(cls):
        if cls.pipe.close():
            raise AssertionError("pb_pipe ended badly (see above)")

    def ask(self, op, name, data):
        result, why = self.pipe.ask(op, name, data)
        self.assertIsNotNone(result, f"{op} {name} refused: {why}; input {data!r}")
        return result

    def test_binary_is_byte_equal(self):
        sizes = 0
        for name, m in self.messages:
            data = m.SerializeToString(deterministic=True)
            self.assertEqual(self.ask("strict", name, data), data, name)
            sizes += len(data)
        self.assertGreater(sizes, 100_000, "the messages are too empty to prove anything")

    def test_two_messages_in_a_row_merge(self):
        for (name, a), (other, b) in zip(self.messages, self.messages[1:]):
            if name != other:
                continue
            data = a.SerializeToString() + b.SerializeToString()
            merged = self.types.make(name)  # not parsed from data: C++ keeps both of two equal map keys of a dynamic message
            merged.CopyFrom(a)
            merged.MergeFrom(b)
            self.assertEqual(self.ask("strict", name, data), merged.SerializeToString(deterministic=True), name)

    def test_json_out(self):
        for name, m in self.messages:
            ours = json.loads(self.ask("tojson", name, m.SerializeToString()))
            theirs = json.loads(json_format.MessageToJson(m, descriptor_pool=self.types.pool))
            self.assertEqual(ours, theirs, name)

    def test_json_in(self):
        styles = ({}, {"preserving_proto_field_name": True}, {"use_integers_for_enums": True}, {"sort_keys": True})
        for i, (name, m) in enumerate(self.messages):
            text = json_format.MessageToJson(m, descriptor_pool=self.types.pool, **styles[i % len(styles)])
            back = json_format.Parse(text, self.types.make(name), descriptor_pool=self.types.pool)
            self.assertEqual(self.ask("fromjson", name, text.encode()), self.types.canonical(back), f"{name} {text}")

    def test_damaged_input(self):
        """What Python refuses we refuse; what we take means the same to both."""
        r, taken, refused = random.Random(7), 0, 0
        for name, m in self.messages[::2]:
            data = bytearray(m.SerializeToString())
            if not data:
                continue
            for _ in range(r.randint(1, 3)):
                at = r.randrange(len(data))
                if r.random() < 0.3:
                    del data[at:at + r.randint(1, 4)]
                    data += b"\x00"
                else:
                    data[at] = r.choice((0, 1, 0x7f, 0x80, 0xff, r.randrange(256)))
            theirs = self.types.make(name)
            ours, _ = self.pipe.ask("skip", name, bytes(data))
            try:
                with quiet():
                    theirs.ParseFromString(bytes(data))
            except message.DecodeError:
                self.assertIsNone(ours, f"{name}: Python refuses {data.hex()}")
                refused += 1
                continue
            if ours is not None:
                theirs.DiscardUnknownFields()
                self.assertEqual(ours, theirs.SerializeToString(deterministic=True), f"{name}: {data.hex()}")
                taken += 1
        self.assertGreater(taken, 50)
        self.assertGreater(refused, 50)


unittest.main(argv=sys.argv[:1])
