"""The gateway and the cloud behind it, each by itself: what the far side sees, what a client carries, and what becomes of both when
one is not there. What clients do to Spanner runs through a gateway as a whole: `pytest --through-gateway`."""
import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import time

import conftest
import grpc
import plain
import pytest
import requests
import setting
import two_sites
from google.cloud import spanner_v1
from google.oauth2.credentials import Credentials
from siege import resident_mb

CREATE_SESSION = "/google.spanner.v1.Spanner/CreateSession"
TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{20,}")


@pytest.fixture(scope="module")
def pair(tmp_path_factory, linkspan):
    folder = tmp_path_factory.mktemp("gateway")
    near = conftest.make_site(folder, linkspan, config=two_sites.through_gateway(setting.CONFIG))
    pair = two_sites.Pair(near, two_sites.make_far(folder / "far", near))
    near.trust()
    try:
        with pytest.MonkeyPatch.context() as patch:  # what a sanitizer keeps of freed memory is not the server's
            patch.setenv("ASAN_OPTIONS", os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=16")
            pair.start()
        plain.Plain(near).create("beyond")
        yield pair
        for site in (pair.near, pair.far):
            assert site.server.poll() is None, site.log()
    finally:
        pair.stop()
    for site in (pair.near, pair.far):
        assert "Sanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


@pytest.fixture
def admin(pair):
    return plain.Plain(pair.near)


@pytest.fixture
def session(admin):
    return admin.session("beyond")


def far_entries(pair, method):
    """What the far side recorded of a method of Spanner's."""
    return [e["protoPayload"] for e in setting.audit(pair.far).entries if method in json.dumps(e.get("protoPayload", {}).get("methodName", ""))]


MARKS = itertools.count(1)


def far_calls(pair, method, who):
    """How often the far side was asked so for somebody, up to now: what reaches it last is a database of no such name."""
    mark = f"mark-{next(MARKS)}"
    with pytest.raises(plain.Refused):
        plain.Plain(pair.near).session(mark)
    assert setting.audit_entry(pair.far, lambda e: mark in json.dumps(e))
    return sum(f"cloud/{who}" in json.dumps(e["authenticationInfo"]) for e in far_entries(pair, method))


def test_nobody_gets_what_the_gateway_proves_itself_by(pair):
    """Who may act as an account may have ID tokens of it, but not for where the gateway's own tokens are exchanged: they would be the
    same tokens. The entry says for whom one was made."""
    def ask(audience):
        answer = requests.post(f"{pair.near.url}/v1/projects/-/serviceAccounts/{setting.WORKER}:generateIdToken", json={"audience": audience},
                               headers={"Authorization": f"Bearer {plain.token(pair.near, 'caller')}"}, verify=str(pair.near.ca), timeout=20)
        return answer.status_code, answer.json()

    for audience in (two_sites.NEAR, f"https:{two_sites.NEAR}", f"{two_sites.NEAR}/"):
        code, answer = ask(audience)
        assert code == 400 and "exchanges tokens" in answer["error"]["message"], answer
        assert setting.audit_entry(pair.near, lambda e: f"ID token for {audience}" in e["protoPayload"].get("status", {}).get("message", ""))
    code, answer = ask("https://somebody.example")
    assert code == 200 and answer["token"].count(".") == 2
    made = setting.audit_entry(pair.near, lambda e: "ID token for https://somebody.example" in json.dumps(e))
    assert made["protoPayload"]["methodName"].endswith("generateIdToken"), made


def test_the_far_side_sees_only_exchanged_tokens(pair, admin, session):
    admin.commit(session, ("insert", "Notes", ["Owner", "Id", "Text"], [["a", "1", "x"]]))
    entries = setting.eventually(lambda: far_entries(pair, "Commit") or None)
    who = entries[-1]["authenticationInfo"]
    assert who["principalEmail"] == two_sites.GATEWAY
    assert "cloud/admin" in json.dumps(who), "and for whom the gateway asks"
    spanner = [e["protoPayload"]["authenticationInfo"]["principalEmail"] for e in setting.audit(pair.far).entries
               if "spanner" in e.get("protoPayload", {}).get("methodName", "") and e["protoPayload"].get("authenticationInfo")]
    assert set(spanner) <= {two_sites.GATEWAY, two_sites.SCHEMA}


def test_no_token_is_written_down(pair, admin, session):
    assert admin.sql(session, "SELECT COUNT(*) FROM Notes")
    files = [p for p in pair.near.folder.rglob("*") if p.is_file() and p.suffix not in (".pem", ".key") and "far" not in p.relative_to(pair.near.folder).parts]
    assert len(files) > 5
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # a part of the log that became a whole one meanwhile
            assert not TOKEN.search(path.read_bytes().decode(errors="replace")), path


def test_the_callers_token_is_worth_nothing_behind(pair, admin):
    straight = plain.Plain(pair.far, bearer=admin.token)
    with pytest.raises(plain.Refused) as refused:
        straight.session("beyond")
    assert refused.value.http == 401


def test_a_handle_is_its_owners(pair, admin, session):
    reader = plain.Plain(pair.near, "reader")
    with pytest.raises(plain.Refused) as refused:
        reader.sql(session, "SELECT SingerId FROM Singers")
    assert refused.value.status == "NOT_FOUND" and session.removeprefix("v1/") in refused.value.text


def test_a_session_that_is_gone_is_called_by_the_clients_name(pair, admin, session):
    far_session = far_entries(pair, "CreateSession")  # the far side's own name is nowhere in an answer
    admin.ask("DELETE", session)
    with pytest.raises(plain.Refused) as refused:
        admin.sql(session, "SELECT SingerId FROM Singers")
    assert refused.value.status == "NOT_FOUND" and session.removeprefix("v1/") in refused.value.text
    assert far_session and len(re.findall(r"sessions/", refused.value.text)) == len(re.findall(session.removeprefix("v1/"), refused.value.text))


def test_what_is_denied_here_is_not_asked_there(pair):
    reader = plain.Plain(pair.near, "reader")
    mine = reader.session("beyond")
    before = far_calls(pair, "ExecuteSql", "reader")
    with pytest.raises(plain.Refused) as refused:
        reader.sql(mine, "SELECT Salary FROM Singers")
    assert "NO_RULE_FOR_COLUMN" in refused.value.text
    assert reader.sql(mine, "SELECT SingerId FROM Singers") == []
    assert far_calls(pair, "ExecuteSql", "reader") == before + 1, "the allowed one"


def test_who_holds_nothing_reaches_nobody(pair):
    with pytest.raises(plain.Refused) as refused:
        plain.Plain(pair.near, "stranger").session("beyond")
    assert refused.value.http == 403
    time.sleep(0.3)  # what is prompt is durable within 100 ms
    assert "stranger" not in json.dumps(setting.audit(pair.far).entries)


@pytest.mark.parametrize("field, value, http", [
    ("requestOptions", {"clientContext": {"secureContext": {"user": "root"}}}, 403),
    ("routingHint", {"operationUid": "1"}, 501),
])
def test_what_only_the_gateway_may_say(admin, session, field, value, http):
    with pytest.raises(plain.Refused) as refused:
        admin.sql(session, "SELECT SingerId FROM Singers", **{field: value})
    assert refused.value.http == http, refused.value.text


def test_the_schema_has_no_partitions(admin, session):
    begun = admin.ask("POST", f"{session}:beginTransaction", {"options": {"readOnly": {"strong": True}}})
    with pytest.raises(plain.Refused) as refused:
        admin.ask("POST", f"{session}:partitionQuery", {"transaction": {"id": begun["id"]},
                                                        "sql": "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES"})
    assert refused.value.http == 400 and "run it whole" in refused.value.text


def test_the_schema_may_begin_a_transaction(pair, admin, session):
    """What follows is in it: the transaction is the upstream's, and the answer the snapshot's."""
    admin.commit(session, ("insert_or_update", "Notes", ["Owner", "Id", "Text"], [["begun", "1", "x"]]))
    strong = {"strong": True, "returnReadTimestamp": True}
    names = "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = '' ORDER BY 1"
    got = admin.ask("POST", f"{session}:executeSql", {"sql": names, "transaction": {"begin": {"readOnly": strong}}})
    begun = got["metadata"]["transaction"]
    assert got["rows"] == [["Notes"], ["Singers"]] and begun["id"] and begun["readTimestamp"]
    later = admin.commit(session, ("insert_or_update", "Notes", ["Owner", "Id", "Text"], [["begun", "2", "x"]]))
    assert begun["readTimestamp"] < later
    count = "SELECT COUNT(*) FROM Notes WHERE Owner = 'begun'"
    assert admin.sql(session, count, transaction={"id": begun["id"]}) == [["1"]] and admin.sql(session, count) == [["2"]]
    assert admin.sql(session, names, transaction={"id": begun["id"]}) == [["Notes"], ["Singers"]]


def test_the_schema_begins_no_read_write_transaction(admin, session):
    with pytest.raises(plain.Refused) as refused:
        admin.sql(session, "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES", transaction={"begin": {"readWrite": {}}})
    assert refused.value.status == "INVALID_ARGUMENT" and "read-only" in refused.value.text


def test_a_transaction_that_the_schema_cannot_begin(pair, admin, session):
    """The upstream's refusal is the answer; it names the session as its client does."""
    admin.ask("DELETE", session)
    with pytest.raises(plain.Refused) as refused:
        admin.sql(session, "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES", transaction={"begin": {"readOnly": {"strong": True}}})
    assert refused.value.status == "NOT_FOUND" and session.removeprefix("v1/") in refused.value.text


def test_the_upstreams_instance_is_shown_to_who_may_use_it(pair):
    """Nobody is asked: the connection names it."""
    config = "projects/demo/instanceConfigs/linkspan-upstream"
    for who in ("admin", "reader"):
        client = plain.Plain(pair.near, who)
        listed = client.ask("GET", "v1/projects/demo/instances")["instances"]
        assert [(i["name"], i["config"], i["state"]) for i in listed] == [(plain.INSTANCE.removeprefix("v1/"), config, "READY")]
        assert client.ask("GET", plain.INSTANCE) == listed[0]
        assert [c["name"] for c in client.ask("GET", "v1/projects/demo/instanceConfigs")["instanceConfigs"]] == [config]
        assert client.ask("GET", f"v1/{config}")["name"] == config
    stranger = plain.Plain(pair.near, "stranger")
    assert "instances" not in stranger.ask("GET", "v1/projects/demo/instances")
    for path in (plain.INSTANCE, "v1/projects/demo/instances/other"):
        with pytest.raises(plain.Refused) as refused:
            stranger.ask("GET", path)
        assert refused.value.http == 403
    assert not [e for e in setting.audit(pair.far).entries if "Instance" in e.get("protoPayload", {}).get("methodName", "")]


def test_a_role_is_not_the_clients_to_choose(admin):
    with pytest.raises(plain.Refused) as refused:
        admin.ask("POST", f"{plain.INSTANCE}/databases/beyond/sessions", {"session": {"creatorRole": "boss"}})
    assert refused.value.status == "UNIMPLEMENTED"


# --- operations ----------------------------------------------------------------------------------------------------------


def operations(site, who):
    from google.longrunning import operations_pb2_grpc
    import grpc
    trust = grpc.ssl_channel_credentials(site.ca.read_bytes())
    return operations_pb2_grpc.OperationsStub(grpc.secure_channel(f"127.0.0.1:{site.port}", trust)), (("authorization", f"Bearer {plain.token(site, who)}"),)


@pytest.mark.parametrize("method, message", [("GetOperation", "GetOperationRequest"), ("ListOperations", "ListOperationsRequest"),
                                             ("CancelOperation", "CancelOperationRequest"), ("DeleteOperation", "DeleteOperationRequest")])
def test_an_operation_of_no_database(pair, method, message):
    """Spanner has operations of instances, too: here nobody's."""
    import grpc
    from google.longrunning import operations_pb2
    stub, metadata = operations(pair.near, "admin")
    name = "projects/demo/instances/flights/operations" + ("" if method == "ListOperations" else "/x")
    ask = lambda: getattr(stub, method)(getattr(operations_pb2, message)(name=name), metadata=metadata, timeout=20)  # noqa: E731
    if method in ("GetOperation", "DeleteOperation"):
        with pytest.raises(grpc.RpcError) as refused:
            ask()
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND, refused.value
    else:
        assert not ask().ListFields()


def test_an_operation_tells_its_statements_to_who_may_read_the_schema(pair, admin):
    import grpc
    from google.longrunning import operations_pb2
    parent = f"{plain.INSTANCE}/databases/beyond"
    admin.ask("PATCH", f"{parent}/ddl", {"statements": ["CREATE TABLE Hidden (Id INT64) PRIMARY KEY (Id)"], "operationId": "hides"})
    assert "Hidden" in json.dumps(admin.ask("GET", f"{parent}/operations"))
    reader = plain.Plain(pair.near, "reader")
    for who in (admin, reader):
        one = who.ask("GET", f"{parent}/operations/hides")
        assert one["done"] and ("Hidden" in json.dumps(one)) == (who is admin)
    assert "Hidden" not in json.dumps(reader.ask("GET", f"{parent}/operations"))
    stub, metadata = operations(pair.near, "reader")
    for method, message in ((stub.CancelOperation, operations_pb2.CancelOperationRequest), (stub.DeleteOperation, operations_pb2.DeleteOperationRequest)):
        with pytest.raises(grpc.RpcError) as refused:
            method(message(name=f"{parent}/operations/hides".removeprefix("v1/")), metadata=metadata, timeout=20)
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert admin.ask("GET", f"{parent}/operations/hides")["done"]


COLD, LINES = 1000, 10


def test_a_thousand_cold_callers_make_one_exchange(pair):
    """One caller, of whom no token is there yet, by ten connections and a hundred calls on each, all before the first answer."""
    exchanges = lambda: [e["protoPayload"]["methodName"] for e in setting.audit(pair.far).entries  # noqa: E731
                         if e["kind"] == "outcome" and re.search("/v1/token|generateAccessToken", e["protoPayload"].get("methodName", ""))]
    before = len(exchanges())

    async def ask():
        async with contextlib.AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(grpc.aio.secure_channel(
                f"127.0.0.1:{pair.near.port}", grpc.ssl_channel_credentials(pair.near.ca.read_bytes()), [("grpc.use_local_subchannel_pool", 1)]))
                for _ in range(LINES)]
            await asyncio.gather(*(channel.channel_ready() for channel in channels))
            heads = [(("authorization", f"Bearer {plain.token(pair.near, 'writer')}"),) for _ in channels]
            calls = [channel.unary_unary(CREATE_SESSION)(database, timeout=60, metadata=head)
                     for _ in range(COLD // LINES) for channel, head in zip(channels, heads)]
            return [await call for call in calls]

    database = spanner_v1.CreateSessionRequest.serialize(spanner_v1.CreateSessionRequest(database=plain.INSTANCE[3:] + "/databases/beyond"))
    assert len(asyncio.run(ask())) == COLD
    made = exchanges()[before:]
    assert sorted(made) == sorted(set(made)) and len(made) == 2, f"one token of the far side, and with it one of the account: {made}"


def waiting_on_disk(pid):
    """Bytes of answers that a server keeps in unlinked files for clients that do not read."""
    total = 0
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            if "(deleted)" in os.readlink(entry.path):
                total += os.stat(entry.path).st_size
        except FileNotFoundError:
            pass
    return total


ROWS, ROW_BYTES, GROWTH_MB = 32, 1 << 20, 16
PRODUCT = "SELECT a.Text FROM Notes AS a CROSS JOIN Notes AS b WHERE a.Owner = 'big' AND b.Owner = 'big'"  # 1 GiB of 32 MiB


@pytest.fixture(scope="module")
def big(pair):
    admin = plain.Plain(pair.near)
    session = admin.session("beyond")
    for first in range(0, ROWS, 8):
        admin.commit(session, ("insert", "Notes", ["Owner", "Id", "Text"], [["big", str(n), "x" * ROW_BYTES] for n in range(first, first + 8)]))
    return session


@pytest.fixture
def query(pair, admin, big):
    """A statement's answer in its messages, unread: the client library would spend minutes on them."""
    trust = grpc.ssl_channel_credentials(pair.near.ca.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{pair.near.port}", trust, [("grpc.max_receive_message_length", -1)]) as channel:
        def ask(sql):
            request = spanner_v1.ExecuteSqlRequest.serialize(spanner_v1.ExecuteSqlRequest(session=big.removeprefix("v1/"), sql=sql))
            return channel.unary_stream("/google.spanner.v1.Spanner/ExecuteStreamingSql")(
                request, timeout=300, metadata=(("authorization", f"Bearer {admin.token}"),))
        yield ask


def test_a_gibibyte_for_a_client_that_pauses(pair, query):
    got, most = 0, []
    assert sum(len(message) for message in query(f"{PRODUCT} LIMIT 32")) > 32 * ROW_BYTES
    before = resident_mb(pair.near.server.pid)
    for message in query(PRODUCT):
        got += len(message)
        if got >> 28 > len(most):
            time.sleep(0.5)
            most.append(resident_mb(pair.near.server.pid) - before)
            assert waiting_on_disk(pair.near.server.pid) < 8 << 20
    assert got > 1 << 30 and len(most) == 4 and max(most) < GROWTH_MB, most


def test_clients_that_never_read(pair, admin, session, query):
    before = resident_mb(pair.near.server.pid)
    silent = [query(f"{PRODUCT} LIMIT 64") for _ in range(4)]
    for stream in silent:
        next(stream)
    time.sleep(1)
    assert resident_mb(pair.near.server.pid) - before < GROWTH_MB and waiting_on_disk(pair.near.server.pid) < 8 << 20
    assert admin.sql(session, "SELECT COUNT(*) FROM Notes")
    for stream in silent:
        stream.cancel()


def test_an_upstream_killed_in_the_midst(pair, query):
    """Its readers hear UNAVAILABLE; the near server's own pages go on."""
    stream, got = query(PRODUCT), 0
    got += len(next(stream))
    pair.far.stop_server(hard=True)
    try:
        with pytest.raises(grpc.RpcError) as caught:
            for message in stream:
                got += len(message)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE and "demo.spanner" in caught.value.details(), caught.value
        assert got < 1 << 28
        entry = setting.audit_entry(pair.near, lambda e: "ExecuteStreamingSql" in e["protoPayload"]["methodName"]
                                    and e["protoPayload"].get("status", {}).get("code") == 14)
        assert entry, "the audit does not tell of it"
    finally:
        pair.far.start_server()


def begin_with(admin, session, key):
    return admin.ask("POST", f"{session}:beginTransaction", {"options": {"readWrite": {}}, "mutationKey": key})


def test_a_mutation_key_is_a_mutation(pair, admin, session):
    """An upstream sees its values: it is decided before it goes on."""
    key = lambda column: {"insert": {"table": "Singers", "columns": ["SingerId", column], "values": [["1", "2"]]}}  # noqa: E731
    writer = plain.Plain(pair.near, "writer")
    mine = writer.session("beyond")
    assert begin_with(writer, mine, key("Name"))["id"]
    before = far_calls(pair, "BeginTransaction", "writer")
    with pytest.raises(plain.Refused) as refused:
        begin_with(writer, mine, key("Salary"))
    assert refused.value.http == 403 and "NO_RULE_FOR_COLUMN" in refused.value.text
    assert begin_with(writer, mine, key("Name"))["id"]
    assert far_calls(pair, "BeginTransaction", "writer") == before + 1


def test_a_restart_of_ours_ends_no_session(pair, admin, session):
    """Sessions, transactions and resume tokens are the client's to carry on with: the key that sealed them is kept."""
    admin.commit(session, ("insert_or_update", "Notes", ["Owner", "Id", "Text"], [["restart", str(i), "x" * 1000] for i in range(300)]))
    ask = {"session": session.removeprefix("v1/"), "table": "Notes", "columns": ["Id", "Text"],
           "key_set": {"ranges": [{"start_closed": ["restart"], "end_closed": ["restart"]}]}}
    begun = admin.ask("POST", f"{session}:beginTransaction", {"options": {"readOnly": {"strong": True}}})["id"]
    ask["transaction"] = {"id": base64.b64decode(begun)}
    stream = lambda **more: spanner_v1.SpannerClient(  # noqa: E731
        credentials=Credentials(admin.token), client_options={"api_endpoint": f"127.0.0.1:{pair.near.port}"}).streaming_read({**ask, **more})
    whole = list(stream())
    key = pair.near.folder / "data" / "keys" / "demo.spanner.key"
    assert key.stat().st_mode & 0o777 == 0o600 and len(kept := key.read_bytes()) == 32
    pair.near.stop_server()
    pair.near.start_server()
    assert key.read_bytes() == kept
    assert admin.sql(session, "SELECT COUNT(*) FROM Notes WHERE Owner = 'restart'", transaction={"id": begun}) == [["300"]]
    assert len(whole) > 2 and whole[0].resume_token, "and where a stream stood, it goes on"
    assert sum(len(part.values) for part in stream(resume_token=whole[0].resume_token)) == 600 - len(whole[0].values)


def test_an_upstream_that_dies_and_comes_back(pair, admin, session):
    pair.far.stop_server(hard=True)
    with pytest.raises(plain.Refused) as refused:
        admin.sql(session, "SELECT SingerId FROM Singers")
    assert refused.value.http == 503 and "127.0.0.1" not in refused.value.text, "and the address is not the caller's to know"
    assert "demo.spanner" in refused.value.text
    with pytest.raises(plain.Refused) as refused:  # no token for him yet, and nobody to give one
        plain.Plain(pair.near, "caller").session("beyond")
    assert refused.value.http in (403, 503)
    assert admin.http.get(f"{pair.near.url}/healthz", verify=str(pair.near.ca), timeout=10).status_code == 200
    pair.far.start_server()
    again = setting.eventually(lambda: try_session(admin), 20)
    assert again and admin.sql(again, "SELECT COUNT(*) FROM Notes")


def try_session(client):
    try:
        return client.session("beyond")
    except plain.Refused:
        return None


@pytest.fixture
def with_roles(tmp_path, linkspan):
    """Where sessions have a role made from the rules: the second fence."""
    config = two_sites.through_gateway(setting.CONFIG).replace("back: upstream,", "back: upstream, roles: generated,")
    near = conftest.make_site(tmp_path, linkspan, config=config)
    far = two_sites.make_far(tmp_path / "far", near)
    pair = two_sites.Pair(near, far)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()


def test_sessions_have_the_role_of_the_rules(with_roles):
    near, admin = with_roles.near, plain.Plain(with_roles.near)
    admin.create("fenced")
    reader = plain.Plain(near, "reader")
    with pytest.raises(plain.Refused) as refused:
        reader.session("fenced")
    assert refused.value.status == "FAILED_PRECONDITION" and "linkspan policy roles" in refused.value.text
    schema = near.folder / "fenced.sql"
    schema.write_text(";\n".join(setting.DDL))
    told = near.run("policy", "roles", "spanner demo/fenced", "--schema", schema, "--config", near.config, "--json")
    statements = [line for role in json.loads(told.stdout)["roles"] for line in role["statements"]]
    admin.ask("PATCH", f"{plain.INSTANCE}/databases/fenced/ddl", {"statements": statements})
    mine = reader.session("fenced")
    assert reader.sql(mine, "SELECT SingerId, Name FROM Singers") == []
    made = [e for e in far_entries(with_roles, "CreateSession") if e.get("status", {}).get("code", 0) == 0]
    assert made, "the far side took the role"


@pytest.fixture
def three(tmp_path, linkspan):
    """A gateway in front of a gateway: the schema of the middle one is what it answers of INFORMATION_SCHEMA."""
    front = conftest.make_site(tmp_path / "front", linkspan, config=two_sites.through_gateway(setting.CONFIG))
    middle = two_sites.make_far(tmp_path / "middle", front, config=two_sites.through_gateway(two_sites.FAR_CONFIG))
    far = two_sites.make_far(tmp_path / "far", middle)
    try:
        far.start_server()
        middle.start_server()
        front.start()
        yield front, middle, far
        for site in (front, middle, far):
            assert site.server.poll() is None and "ERROR: AddressSanitizer" not in site.log(), site.log()
    finally:
        for site in (front, middle, far):
            site.stop()


def test_a_gateway_in_front_of_a_gateway(three):
    admin, reader = plain.Plain(three[0]), plain.Plain(three[0], "reader")
    admin.create("beyond")
    session, mine = admin.session("beyond"), reader.session("beyond")
    admin.commit(session, ("insert", "Singers", ["SingerId", "Name", "Salary"], [["1", "ann", "7"], ["2", "bob", "8"]]))
    assert reader.sql(mine, "SELECT Name FROM Singers ORDER BY SingerId") == [["ann"], ["bob"]]
    with pytest.raises(plain.Refused) as refused:
        reader.sql(mine, "SELECT Salary FROM Singers")
    assert refused.value.http == 403
    keys = "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_ORDERING FROM INFORMATION_SCHEMA.INDEX_COLUMNS WHERE TABLE_SCHEMA = '' ORDER BY 1, ORDINAL_POSITION"
    assert admin.sql(session, keys) == [["Notes", "Owner", "ASC"], ["Notes", "Id", "DESC"], ["Singers", "SingerId", "ASC"]]
