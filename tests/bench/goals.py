"""The rows of the table: what is compared with what, the goal, and what no program could pass.

A limit is computed from the same run where it can be: from HAProxy without verification, from a gRPC service that does nothing, and
from these costs, measured once and alone: checking RS256 15 µs, signing ES256 17 µs, a row into SQLite within a group commit 10 µs, a
look-up in a table that stays in the cache 60 ns (16 million decisions), 64 entries an fsync instead of one: 20 times."""
import dataclasses

VERIFY_US, SIGN_US, INSERT_US, HTTP_US = 15, 17, 10, 8


@dataclasses.dataclass
class Row:
    section: str
    what: str
    ours: str  # the case
    peer: str = ""  # whose
    theirs: str = ""  # the peer's case, where it has another name
    measure: str = "cpu"  # table.py
    goal: float = None
    of: str = "ratio"  # or "figure": what the goal is about
    at_most: bool = False
    limit: object = None  # a number, or a function of us(case, peer): CPU time an operation, the median
    block: int = 1


def plus_verify(us):
    return us("unary, unverified", "haproxy") + VERIFY_US


GATEWAY = [
    Row("gateway", "gRPC unary, RS256 verified every time, 100 rules, audit (durable within 100 ms) ÷ HAProxy `jwt_verify`", "unary, every", "haproxy", goal=1.0,
        limit=lambda us: us("unary, every", "haproxy") / plus_verify(us)),
    Row("gateway", "the same with the cache of verified tokens ÷ HAProxy `jwt_verify`", "unary, kept", "haproxy", goal=2.0,
        limit=lambda us: us("unary, kept", "haproxy") / us("unary, unverified", "haproxy")),
    Row("gateway", "gRPC unary, RS256 verified every time ÷ Envoy `jwt_authn`", "unary, every", "envoy", goal=2.0,
        limit=lambda us: us("unary, every", "envoy") / plus_verify(us)),
    Row("gateway", "stream of 10 MiB ÷ HAProxy", "bulk", "haproxy", measure="bytes", goal=0.9),
    Row("idle", "memory of an idle TLS connection, HTTP/2 ÷ nginx (inverted)", "idle connection", "nginx", measure="kib", goal=40,
        of="figure", at_most=True, limit=1.0),
    Row("idle", "the same ÷ HAProxy (inverted)", "idle connection", "haproxy", measure="kib"),
]
EXCHANGE = [
    Row("exchange", "token exchange, RS256 in, ES256 out, audit ÷ `oidc-provider`'s client credentials", "token", "oidc-provider", goal=5,
        limit=lambda us: us("token", "oidc-provider") / (VERIFY_US + SIGN_US + HTTP_US)),
]
INSIDE = [
    Row("inside", "policy decisions a second, 1,000 rules", "decisions, 1000 rules", measure="cpu rate", goal=1_000_000, of="figure",
        limit=16_000_000),
    Row("inside", "flatness: a decision with 1,000 rules ÷ with 10, time", "decisions, 10 rules", "linkspan", "decisions, 1000 rules",
        goal=1.5, at_most=True, limit=1.0),
    Row("inside", "durable audit entries a second, 64 writers ÷ SQLite, a commit each", "durable entries", "sqlite", measure="rate",
        goal=10, limit=20),
]
SPANNER = [
    Row("spanner", "point reads ÷ emulator", "point read, 32 clients", "emulator", goal=20,
        limit=lambda us: us("point read, 32 clients", "emulator") / us("bare echo, 32 clients", "echo")),
    Row("spanner", "commits of one row ÷ emulator", "commit, 32 clients", "emulator", goal=10,
        limit=lambda us: us("commit, 32 clients", "emulator") / (us("bare echo, 32 clients", "echo") + INSERT_US)),
    Row("spanner", "point reads ÷ a bare C gRPC echo", "point read, 32 clients", "echo", "bare echo, 32 clients", goal=0.5, limit=1.0),
    Row("spanner", "commits of one row ÷ a bare C gRPC echo", "commit, 32 clients", "echo", "bare echo, 32 clients", goal=0.5,
        limit=lambda us: us("bare echo, 32 clients", "echo") / (us("bare echo, 32 clients", "echo") + INSERT_US)),
]
MORE = [
    Row("gateway", "gRPC unary, verified every time, `record: enforced` (an entry durable before the request goes on, another after it) ÷ "
        "HAProxy `jwt_verify`", "unary, every, enforced", "haproxy", "unary, every"),
    Row("gateway", "gRPC unary with the cache ÷ HAProxy without verification", "unary, kept", "haproxy", "unary, unverified", limit=1.0),
    Row("spanner", "durable load, 19 columns, 4,000 rows a commit", "load", "emulator", measure="row rate", goal=100_000, of="figure"),
    Row("spanner", "point read, 1 client", "point read, 1 client", "emulator"),
    Row("spanner", "point query, 1 client", "point query, 1 client", "emulator"),
    Row("spanner", "point query, 32 clients", "point query, 32 clients", "emulator"),
    Row("spanner", "commit of one row, 1 client", "commit, 1 client", "emulator"),
    Row("spanner", "StreamingRead of the whole table, 19 columns", "stream", "emulator", measure="row cpu"),
]
for row in MORE:
    row.block = 2
ROWS = GATEWAY + EXCHANGE + INSIDE + SPANNER + MORE
