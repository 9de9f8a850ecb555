"""Synapse's artifacts API with Azure's unmodified clients: Python's for all of it, Node's for one pipeline's whole life."""
import json
import os
import pathlib
import subprocess
import uuid

import pytest
from azure.core import exceptions
from azure.synapse.artifacts import models

import linkspan_site
import plain
import setting
from synapse_setting import AUDIENCE, activities, client, finish, fresh, keep, make_site, put, raw, resource, wait, window

NODE = pathlib.Path(__file__).parent / "node" / "synapse.cjs"


@pytest.fixture(scope="module")
def site(tmp_path_factory, linkspan):
    site = make_site(tmp_path_factory.mktemp("synapse"), linkspan)
    try:
        site.start()
        yield site
        assert site.server.poll() is None, f"the server died:\n{site.log()}"
    finally:
        site.stop()
    assert "ERROR: AddressSanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


@pytest.fixture(scope="module")
def author(site):
    return client(site)


# --- documents -----------------------------------------------------------------------------------------------------------------------


def test_create_read_change_delete(author):
    name = fresh()
    made = put(author, name, resource(wait(), keep("v", "@pipeline().parameters.word", after=["wait"]), parameters={"word": "String"},
                                      variables={"v": "String"}, description="it"))
    got = author.pipeline.get_pipeline(name)
    assert got.name == made.name == name and got.etag == made.etag and got.type == "Microsoft.Synapse/workspaces/pipelines"
    assert got.id == f"/workspaces/flights/pipelines/{name}"
    assert [type(item).__name__ for item in got.activities] == ["WaitActivity", "SetVariableActivity"]
    assert got.activities[1].value == "@pipeline().parameters.word" and got.parameters["word"].type == "String"
    changed = put(author, name, resource(wait(seconds=1)))
    assert changed.etag != made.etag and len(author.pipeline.get_pipeline(name).activities) == 1
    assert put(author, name, resource(wait(seconds=1))).etag
    author.pipeline.begin_delete_pipeline(name).result()
    with pytest.raises(exceptions.ResourceNotFoundError) as missing:
        author.pipeline.get_pipeline(name)
    assert missing.value.error.code == "PipelineNotFound" and name in missing.value.message
    author.pipeline.begin_delete_pipeline(name).result()  # none is there: 204, and no error


def test_etags(author):
    name = fresh()
    first = put(author, name, resource(wait())).etag
    assert author.pipeline.get_pipeline(name, if_none_match=first) is None, "304"
    assert author.pipeline.get_pipeline(name, if_none_match=f'"{first}"') is None
    assert author.pipeline.get_pipeline(name, if_none_match='"other"').etag == first
    second = put(author, name, resource(wait(seconds=1)), if_match=first).etag
    with pytest.raises(exceptions.HttpResponseError) as lost:
        put(author, name, resource(wait(seconds=2)), if_match=first)
    assert lost.value.status_code == 412 and lost.value.error.code == "PreconditionFailed"
    assert author.pipeline.get_pipeline(name).etag == second, "nothing was written"
    put(author, name, resource(wait(seconds=3)), if_match="*")
    with pytest.raises(exceptions.HttpResponseError) as none:
        put(author, fresh(), resource(wait()), if_match="*")
    assert none.value.status_code == 412
    with pytest.raises(exceptions.HttpResponseError) as kept:
        author.pipeline.begin_delete_pipeline(name, headers={"If-Match": f'"{first}"'}).result()
    assert kept.value.status_code == 412 and author.pipeline.get_pipeline(name)
    with pytest.raises(exceptions.HttpResponseError) as exists:
        put(author, name, resource(wait()), headers={"If-None-Match": "*"})
    assert exists.value.status_code == 412


def test_rename(author):
    old, new, other = fresh(), fresh("renamed"), fresh("other")
    put(author, old, resource(wait()))
    put(author, other, resource(wait()))
    author.pipeline.begin_rename_pipeline(old, new).result()
    assert author.pipeline.get_pipeline(new).name == new
    with pytest.raises(exceptions.ResourceNotFoundError):
        author.pipeline.get_pipeline(old)
    with pytest.raises(exceptions.ResourceExistsError):
        author.pipeline.begin_rename_pipeline(new, other).result()
    with pytest.raises(exceptions.ResourceNotFoundError):
        author.pipeline.begin_rename_pipeline(old, fresh()).result()


def test_lists_are_paged_and_show_what_one_holds(site, author):
    prefix = fresh("page")
    for number in range(205):
        raw(author, f"{prefix} {number:03}", {"activities": []})
    put(author, "ready", resource(wait()))
    names = [item.name for item in author.pipeline.get_pipelines_by_workspace()]
    assert [name for name in names if name.startswith(prefix)] == [f"{prefix} {number:03}" for number in range(205)]
    assert len(names) == len(set(names))
    assert [item.name for item in client(site, "starter").pipeline.get_pipelines_by_workspace()] == ["ready"]
    assert list(client(site, "idle").pipeline.get_pipelines_by_workspace()) == []
    for number in range(205):
        author.pipeline.begin_delete_pipeline(f"{prefix} {number:03}").result()


def test_linked_services(author):
    name = fresh("service")
    author.linked_service.begin_create_or_update_linked_service(
        name, models.HttpLinkedService(url="https://example.com", authentication_type="Anonymous")).result()
    got = author.linked_service.get_linked_service(name)
    assert got.properties.url == "https://example.com" and got.type == "Microsoft.Synapse/workspaces/linkedservices"
    assert author.linked_service.get_linked_service(name, if_none_match=got.etag) is None
    assert name in [item.name for item in author.linked_service.get_linked_services_by_workspace()]
    with pytest.raises(exceptions.HttpResponseError) as secret:
        author.linked_service.begin_create_or_update_linked_service(fresh(), models.HttpLinkedService(
            url="https://example.com", authentication_type="Basic", user_name="u", password=models.SecureString(value="hunter2"))).result()
    assert secret.value.status_code == 400 and "password" in str(secret.value) and "hunter2" not in str(secret.value)
    author.linked_service.begin_rename_linked_service(name, name + " 2").result()
    author.linked_service.begin_delete_linked_service(name + " 2").result()
    with pytest.raises(exceptions.ResourceNotFoundError) as missing:
        author.linked_service.get_linked_service(name)
    assert missing.value.error.code == "LinkedServiceNotFound"


# --- runs ------------------------------------------------------------------------------------------------------------------------------


def test_a_run_with_parameters(site, author):
    name, word = fresh(), uuid.uuid4().hex
    put(author, name, resource(wait(), keep("v", "@concat('<', pipeline().parameters.word, '>')", after=["wait"]),
                               parameters={"word": "String", "n": "Int"}, variables={"v": "String"}))
    run_id = author.pipeline.create_pipeline_run(name, parameters={"word": word, "n": 7}).run_id
    run = finish(author, run_id)
    assert (run.status, run.pipeline_name, run.parameters) == ("Succeeded", name, {"word": word, "n": "7"}), run.message
    assert run.run_group_id == run_id and run.run_end >= run.run_start and run.invoked_by.id == "author"
    found = activities(author, run)
    assert {key: item.status for key, item in found.items()} == {"wait": "Succeeded", "keep": "Succeeded"}
    assert f"<{word}>" in json.dumps(found["keep"].output) + json.dumps(found["keep"].input)
    assert found["wait"].activity_type == "Wait" and found["wait"].activity_run_end <= found["keep"].activity_run_end

    def written():
        entries = [entry for entry in setting.audit(site).entries if entry["protoPayload"].get("resourceName", "").endswith(run_id)]
        return entries if {entry["kind"] for entry in entries} >= {"intent", "outcome"} else None

    entries = setting.eventually(written)
    assert entries, "the run's id is in the intention"
    started = next(entry for entry in entries if entry["kind"] == "intent")["protoPayload"]
    assert started["resourceName"] == f"workspaces/flights/pipelines/{name}/pipelineruns/{run_id}"
    assert started["methodName"] == "/pipelines/{name}/createRun" and word not in json.dumps(entries)


def test_queries(site, author):
    name, other = fresh(), fresh()
    for pipeline in (name, other):
        put(author, pipeline, resource(wait()))
    runs = [author.pipeline.create_pipeline_run(name).run_id for _ in range(3)]
    author.pipeline.create_pipeline_run(other)
    for run_id in runs:
        finish(author, run_id)
    mine = [models.RunQueryFilter(operand="PipelineName", operator="Equals", values=[name])]
    order = [models.RunQueryOrderBy(order_by="RunStart", order="ASC")]
    found = author.pipeline_run.query_pipeline_runs_by_workspace(window(filters=mine, order_by=order)).value
    assert [run.run_id for run in found] == runs
    failed = [*mine, models.RunQueryFilter(operand="Status", operator="In", values=["Failed", "Cancelled"])]
    assert author.pipeline_run.query_pipeline_runs_by_workspace(window(filters=failed)).value == []
    assert [run.run_id for run in client(site, "watcher").pipeline_run.query_pipeline_runs_by_workspace(window(filters=mine, order_by=order)).value] == runs
    assert client(site, "starter").pipeline_run.query_pipeline_runs_by_workspace(window(filters=mine)).value == []
    with pytest.raises(exceptions.HttpResponseError) as unknown:
        author.pipeline_run.query_pipeline_runs_by_workspace(window(filters=[models.RunQueryFilter(operand="Colour", operator="In", values=["red"])]))
    assert unknown.value.status_code == 400 and "filters[0].operand" in unknown.value.message


def test_cancel(site, author):
    name = fresh()
    put(author, name, resource(wait(seconds=600)))
    run_id = author.pipeline.create_pipeline_run(name).run_id
    assert author.pipeline_run.get_pipeline_run(run_id).status in ("Queued", "InProgress")
    with pytest.raises(exceptions.HttpResponseError) as refused:
        client(site, "watcher").pipeline_run.cancel_pipeline_run(run_id)
    assert refused.value.status_code == 403
    author.pipeline_run.cancel_pipeline_run(run_id, is_recursive=True)
    run = finish(author, run_id, 20)
    assert run.status == "Cancelled" and activities(author, run)["wait"].status == "Cancelled"
    with pytest.raises(exceptions.HttpResponseError) as ended:
        author.pipeline_run.cancel_pipeline_run(run_id)
    assert ended.value.status_code == 400 and ended.value.error.code == "BadRequest"


def test_a_failed_activity_tells_why(author):
    name = fresh()
    put(author, name, resource(models.FailActivity(name="stop", message="@concat('no ', 'way')", error_code="42")))
    run = finish(author, author.pipeline.create_pipeline_run(name).run_id)
    error = activities(author, run)["stop"].error
    assert run.status == "Failed" and "no way" in run.message and (error["errorCode"], error["message"]) == ("42", "no way")


def test_runs_survive_a_killed_server(tmp_path, linkspan):
    site = make_site(tmp_path, linkspan)
    try:
        site.start()
        author, name = client(site), fresh()
        put(author, name, resource(wait(seconds=4), keep("v", "done", after=["wait"]), variables={"v": "String"}))
        run_id = author.pipeline.create_pipeline_run(name).run_id
        assert author.pipeline_run.get_pipeline_run(run_id).status in ("Queued", "InProgress")
        site.stop_server(hard=True)
        site.start_server()
        run = finish(author, run_id)
        assert run.status == "Succeeded", run.message
        assert {key: item.status for key, item in activities(author, run).items()} == {"wait": "Succeeded", "keep": "Succeeded"}
        assert 3900 < run.duration_in_ms < 60000 and author.pipeline.get_pipeline(name).name == name
        site.run("audit", "verify", "--config", site.config)
    finally:
        site.stop()


# --- what is refused -----------------------------------------------------------------------------------------------------------------


def activity(name="a", type="Wait", type_properties=None, **more):
    return {"name": name, "type": type, "typeProperties": {"waitTimeInSeconds": 1} if type_properties is None else type_properties, **more}


def after(*names):
    return {"dependsOn": [{"activity": name, "dependencyConditions": ["Succeeded"]} for name in names]}


DOCUMENTS = [
    ("an unknown activity", {"activities": [activity(type="Copy", type_properties={})]}, ["Copy", "activities[0]"]),
    ("a cycle", {"activities": [activity("a", **after("b")), activity("b", **after("a"))]}, ["a", "b"]),
    ("an expression, with its place", {"activities": [activity(type_properties={"waitTimeInSeconds": {"type": "Expression", "value": "@add(1,"}})]},
     ["activities[0].typeProperties.waitTimeInSeconds"]),
    ("an unknown function", {"activities": [activity(type_properties={"waitTimeInSeconds": {"type": "Expression", "value": "@frobnicate(1)"}})]}, ["frobnicate"]),
    ("an unknown key", {"activities": [], "triggers": []}, ["triggers"]),
    ("a parameter of no type", {"activities": [], "parameters": {"p": {"type": "Colour"}}}, ["parameters.p", "Colour"]),
    ("two faults, both told", {"activities": [activity("a", "Copy", {}), activity("b", "Lookup", {})]}, ["Copy", "Lookup"]),
]


@pytest.mark.parametrize("name, properties, words", DOCUMENTS, ids=[row[0] for row in DOCUMENTS])
def test_documents_that_are_not_understood(author, name, properties, words):
    pipeline = fresh("bad")
    with pytest.raises(exceptions.HttpResponseError) as refused:
        raw(author, pipeline, properties)
    assert refused.value.status_code == 400 and refused.value.error.target == f"pipelines/{pipeline}"
    told = refused.value.response.text()
    assert all(word in told for word in words), told
    with pytest.raises(exceptions.ResourceNotFoundError):
        author.pipeline.get_pipeline(pipeline)


def test_no_json(author):
    with pytest.raises(exceptions.HttpResponseError) as refused:
        put(author, fresh(), b'{"properties": {"activities": [}}')
    assert refused.value.status_code == 400


PARAMETERS = [("of another type", {"n": "seven"}, "n"), ("unknown", {"n": 1, "m": 2}, "m"), ("missing", {}, "n"), ("no object", b"[1]", "object")]


@pytest.mark.parametrize("name, parameters, word", PARAMETERS, ids=[row[0] for row in PARAMETERS])
def test_parameters_that_do_not_fit(author, name, parameters, word):
    put(author, "typed", resource(wait(), parameters={"n": "Int"}))
    with pytest.raises(exceptions.HttpResponseError) as refused:
        author.pipeline.create_pipeline_run("typed", parameters=parameters)
    assert refused.value.status_code == 400 and word in refused.value.message


def test_recovery_is_refused_by_name(author):
    put(author, "plain", resource(wait()))
    for name, value, word in (("reference_pipeline_run_id", "x", "referencePipelineRunId"), ("is_recovery", True, "isRecovery"),
                              ("start_activity_name", "wait", "startActivityName")):
        with pytest.raises(exceptions.HttpResponseError) as refused:
            author.pipeline.create_pipeline_run("plain", **{name: value})
        assert refused.value.status_code == 400 and word in refused.value.message
    assert finish(author, author.pipeline.create_pipeline_run("plain", is_recovery=False).run_id).status == "Succeeded"


def test_names_and_query_parameters(site, author):
    for name in ("a.b", "a#b", "x" * 141, " a"):
        with pytest.raises(exceptions.HttpResponseError) as refused:
            put(author, name, resource(wait()))
        assert refused.value.status_code == 400 and refused.value.error.code == "BadRequest"
    ask = plain.Plain(site, bearer=plain.token(site, "author", aud=AUDIENCE))
    for query, word in (("", "api-version"), ("?api-version=2020-12-01&$top=5", "$top"), ("?api-version=2020-12-01&api-version=2020-12-01", "twice")):
        with pytest.raises(plain.Refused) as refused:
            ask.ask("GET", f"pipelines{query}")
        assert refused.value.http == 400 and word in refused.value.text


def test_a_body_over_4_mib(author):
    document = json.dumps({"properties": {"activities": [], "description": "x" * (4 << 20)}}).encode()
    with pytest.raises(exceptions.HttpResponseError) as refused:
        put(author, fresh(), document)
    assert refused.value.status_code == 400 and refused.value.error.code == "RequestBodyTooLarge"
    with pytest.raises(exceptions.HttpResponseError) as refused:
        put(author, fresh(), b'{"properties":{"activities":' + b"[" * 2_000_000 + b"]" * 2_000_000 + b"}}")
    assert refused.value.status_code == 400
    assert list(author.pipeline.get_pipelines_by_workspace()) is not None, "the next request is fine"


def test_who_is_not_let_in(site, author):
    put(author, "ready", resource(wait()))
    assert client(site, "author", linkspan_site.AUDIENCE).pipeline.get_pipeline("ready"), "our own audience is taken as everywhere"
    for audience in ("https://management.azure.com", "https://dev.azuresynapse.net.evil.example", "https://dev.azuresynapse.net//"):
        with pytest.raises(exceptions.ClientAuthenticationError) as wrong:
            client(site, "author", audience).pipeline.get_pipeline("ready")
        assert wrong.value.status_code == 401 and wrong.value.error.code == "AuthenticationFailed"
    assert client(site, "author", AUDIENCE + "/").pipeline.get_pipeline("ready")
    other = plain.Plain(site, bearer=plain.token(site, "author", aud=AUDIENCE))
    with pytest.raises(plain.Refused) as elsewhere:
        other.ask("GET", "v1/projects/demo/instances/flights/databases")
    assert elsewhere.value.http == 401, "Synapse's audience opens Synapse's rows only"


def test_who_may_not(site, author):
    name = fresh()
    put(author, name, resource(wait()))
    put(author, "ready", resource(wait()))
    starter, idle = client(site, "starter"), client(site, "idle")
    for work in (lambda: put(starter, name, resource(wait())), lambda: starter.pipeline.create_pipeline_run(name),
                 lambda: starter.pipeline.begin_delete_pipeline(name).result(), lambda: starter.pipeline.begin_rename_pipeline("ready", "r2").result()):
        with pytest.raises(exceptions.HttpResponseError) as refused:
            work()
        assert refused.value.status_code == 403 and refused.value.error.code == "Unauthorized"
        assert refused.value.error.details[0].code == "NO_RULE"
    told = setting.explain(site, refused.value.error.details[0].target)
    assert told and "synapse demo/" in json.dumps(told)
    for missing in (name, "no such pipeline"):
        with pytest.raises(exceptions.ResourceNotFoundError):
            idle.pipeline.get_pipeline(missing)
    run_id = starter.pipeline.create_pipeline_run("ready").run_id
    assert finish(starter, run_id).status == "Succeeded", "who started it may see it"
    with pytest.raises(exceptions.HttpResponseError) as hidden:
        idle.pipeline_run.get_pipeline_run(run_id)
    assert hidden.value.status_code == 403
    with pytest.raises(exceptions.ResourceNotFoundError) as unknown:
        author.pipeline_run.get_pipeline_run(str(uuid.uuid4()))
    assert unknown.value.error.code == "PipelineRunNotFound"
    with pytest.raises(exceptions.ResourceNotFoundError):
        author.pipeline_run.query_activity_runs(name, run_id, window())


# --- Node ----------------------------------------------------------------------------------------------------------------------------


def node(request, site, ask):
    cache = pathlib.Path(request.config.getoption("--cache"))
    if not (cache / "node" / "node_modules").is_dir():
        pytest.fail(f"there are no Node clients in {cache}/node: ./dev setup fetches them")
    environment = linkspan_site.clean_environment(NODE_PATH=str(cache / "node" / "node_modules"), NODE_EXTRA_CA_CERTS=str(site.ca),
                                                  PATH=f"{cache / 'venv' / 'bin'}:{os.environ['PATH']}")
    done = subprocess.run(["node", NODE], input=json.dumps(ask), capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_node_client(request, site):
    name, word = fresh("node"), uuid.uuid4().hex
    document = {"activities": [{"name": "wait", "type": "Wait", "waitTimeInSeconds": 1},
                               {"name": "keep", "type": "SetVariable", "variableName": "v", "value": "@pipeline().parameters.word",
                                "dependsOn": [{"activity": "wait", "dependencyConditions": ["Succeeded"]}]}],
                "parameters": {"word": {"type": "String"}}, "variables": {"v": {"type": "String"}}}
    told = node(request, site, {"url": site.url, "token": plain.token(site, "author", aud=AUDIENCE), "name": name, "parameter": word, "document": document})
    assert told["made"]["name"] == told["got"]["name"] == name and told["got"]["activities"] == told["made"]["activities"]
    assert told["unchanged"] == {"value": {}}, "304"
    assert (told["conflict"]["error"]["status"], told["conflict"]["error"]["code"]) == (412, "PreconditionFailed")
    assert name in told["listed"]
    assert told["run"]["status"] == "Succeeded" and told["run"]["parameters"] == {"word": word}
    found = {item["activityName"]: item for item in told["activities"]}
    assert word in json.dumps(found["keep"]) and {item["status"] for item in found.values()} == {"Succeeded"}
    assert [run["runId"] for run in told["queried"]] == [told["run"]["runId"]]
    assert told["cancelEnded"]["error"]["status"] == 400
    assert told["unknown"]["error"]["status"] == 400 and "nothing" in told["unknown"]["error"]["message"]
    assert told["missing"]["error"] == {**told["missing"]["error"], "name": "RestError", "status": 404, "code": "PipelineNotFound"}
    assert told["bad"]["error"]["status"] == 400 and "Copy" in told["bad"]["error"]["message"]
    assert told["renamed"] == name + " again" and told["deleted"]["error"]["status"] == 404
    assert told["linkedService"]["type"] == "HttpServer" and "web" in told["linkedServices"]
