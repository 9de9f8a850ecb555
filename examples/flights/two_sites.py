"""Two Linkspans: a near one, whose clients are people and jobs, and behind it a far one that plays the cloud: it trusts the near
one's issuer alone, and takes nothing but tokens that it gave out in exchange. Both are real servers, on loopback."""
import json
import shutil

import linkspan_site

NEAR = linkspan_site.PROVIDER.format("near")
GATEWAY, SCHEMA = "gateway@far.iam.gserviceaccount.com", "schema@far.iam.gserviceaccount.com"

FAR_CONFIG = """environment: development
data: @DATA@
policy: @POLICY@
listen: { public: "@LISTEN@" }
url: @URL@
drain: 3s
issuers:
  near: { preset: plain, issuer: "@NEAR@", audiences: ["@NEAR_AUDIENCE@"], jwks_uri: "@NEAR@/v1/jwks" }
connections:
  demo:
    spanner: { back: embedded, project: demo, instance: flights }
"""

FAR_POLICY = """domain far covers spanner demo/* owner cloud

identity callers is oidc near
account gateway is "gateway@far.iam.gserviceaccount.com"
account schema is "schema@far.iam.gserviceaccount.com"

enter: allow callers to act as gateway, schema owner cloud until @UNTIL@
setup: allow gateway to administer spanner demo/* owner cloud until @UNTIL@
work:  allow gateway to read, insert, update, delete every table and change schema every table and change grants and read schema
    in spanner demo/* owner cloud until @UNTIL@
look:  allow schema to read every table and read schema in spanner demo/* owner cloud until @UNTIL@
"""

EXCHANGES = """exchanges:
  far: { file: far.json }
  far-schema: { file: far-schema.json }
"""
UPSTREAM = """{ back: upstream, project: demo, instance: flights, endpoint: "@FAR@", exchange: far, schema_exchange: far-schema,
               schema_age: 1s }"""


def exchange_file(far, account):
    return {"type": "external_account", "audience": NEAR, "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{far.url}/v1/token",
            "service_account_impersonation_url": f"{far.url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"}


def through_gateway(config):
    """The configuration of a server that serves by itself, as one that forwards."""
    embedded = "{ back: embedded, project: demo, instance: flights }"
    assert embedded in config
    return config.replace(embedded, UPSTREAM).replace("connections:\n", EXCHANGES + "connections:\n", 1)


def make_far(folder, near, config=FAR_CONFIG, policy=FAR_POLICY, detached=False):
    """The far server for a near one that `linkspan init` has made. One authority signs for both: each verifies the other."""
    far = linkspan_site.Site(near.linkspan, folder, detached)
    far.make(config, {"far": policy}, {"NEAR": near.url, "NEAR_AUDIENCE": NEAR})
    shutil.rmtree(far.folder / "tls")
    shutil.copytree(near.folder / "tls", far.folder / "tls")
    for name, account in (("far", GATEWAY), ("far-schema", SCHEMA)):
        (near.folder / f"{name}.json").write_text(json.dumps(exchange_file(far, account)))
    near.config.write_text(near.config.read_text().replace("@FAR@", far.url))
    return far


class Pair:
    """The near site as tests know one; `far` is behind it."""

    def __init__(self, near, far):
        self.near, self.far = near, far

    def start(self):
        self.far.start_server()
        self.near.start()

    def stop(self):
        self.near.stop()
        self.far.stop()
