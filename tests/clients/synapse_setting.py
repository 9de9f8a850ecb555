"""A server with a Synapse workspace, and Azure's own Python client of it."""
import datetime
import json
import time
import uuid

from azure.core.credentials import AccessToken
from azure.synapse.artifacts import ArtifactsClient, models

import linkspan_site
import plain

AUDIENCE = "https://dev.azuresynapse.net"
PRINCIPAL = "7d0e54c1-5f0a-4a9b-9d1e-0b6f6a1f6c11"

CONFIG = """environment: development
data: @DATA@
policy: @POLICY@
listen: { public: "@LISTEN@" }
url: @URL@
drain: 3s
issuers:
  cloud: { preset: entra, tenant: @TENANT@, audiences: ["api://linkspan"], jwks_uri: "@ISSUER@/keys" }
connections:
  demo:
    synapse:
      back: embedded
      workspace: flights
      tenant: @TENANT@
      principal: @PRINCIPAL@
      client: 1b2c8d77-42a7-4b1f-8f0e-6f1f3a1d2e22
"""

POLICY = """domain pipelines covers synapse demo/* owner team

identity author  is oidc cloud where tid = "@TENANT@" and oid = "author"
identity starter is oidc cloud where tid = "@TENANT@" and oid = "starter"
identity watcher is oidc cloud where tid = "@TENANT@" and oid = "watcher"
identity idle    is oidc cloud where tid = "@TENANT@" and oid = "idle"
account workspace is "flights@demo.synapse"

make:  allow author to administer synapse demo/* owner team until @UNTIL@
run:   allow author to run jobs on synapse demo/* as workspace owner team until @UNTIL@
ready: allow starter to run jobs on synapse demo/ready as workspace owner team until @UNTIL@
watch: allow watcher to see jobs on synapse demo/* owner team until @UNTIL@
"""


def make_site(folder, linkspan, more_policy="", config=CONFIG):
    site = linkspan_site.Site(linkspan, folder / "site")
    site.make(config, {"pipelines": POLICY + more_policy}, {"PRINCIPAL": PRINCIPAL})
    return site


class Credential:
    """A token of the development issuer, for the audience that the client asks for."""

    def __init__(self, site, who, audience=None):
        self.site, self.who, self.audience, self.scopes = site, who, audience, []

    def get_token(self, *scopes, **_):
        self.scopes += scopes
        audience = self.audience or scopes[0].removesuffix("/.default")
        return AccessToken(plain.token(self.site, self.who, aud=audience), int(time.time()) + 3600)


def client(site, who="author", audience=None, **more):
    return ArtifactsClient(Credential(site, who, audience), site.url, connection_verify=str(site.ca), retry_total=0, polling_interval=0, **more)


def fresh(prefix="p"):
    return f"{prefix} {uuid.uuid4().hex[:8]}"


def wait(name="wait", seconds=0, **more):
    return models.WaitActivity(name=name, wait_time_in_seconds=seconds, **more)


def keep(variable, value, name="keep", after=()):
    return models.SetVariableActivity(name=name, variable_name=variable, value=value, depends_on=[
        models.ActivityDependency(activity=other, dependency_conditions=["Succeeded"]) for other in after])


def resource(*activities, parameters=None, variables=None, **more):
    return models.PipelineResource(
        activities=list(activities), parameters={name: models.ParameterSpecification(type=kind) for name, kind in (parameters or {}).items()},
        variables={name: models.VariableSpecification(type=kind) for name, kind in (variables or {}).items()}, **more)


def put(author, name, document, **more):
    return author.pipeline.begin_create_or_update_pipeline(name, document, **more).result()


def raw(author, name, properties):
    """A document that the client's models could not hold."""
    return put(author, name, json.dumps({"properties": properties}).encode())


def window(**more):
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    return models.RunFilterParameters(last_updated_after=now - hour, last_updated_before=now + hour, **more)


def finish(client_, run_id, seconds=60):
    end = time.monotonic() + seconds
    while True:
        run = client_.pipeline_run.get_pipeline_run(run_id)
        if run.status not in ("Queued", "InProgress", "Canceling"):
            return run
        assert time.monotonic() < end, f"{run_id} does not end: {run.status} {run.message}"
        time.sleep(0.1)


def activities(client_, run):
    return {item.activity_name: item for item in client_.pipeline_run.query_activity_runs(run.pipeline_name, run.run_id, window()).value}
