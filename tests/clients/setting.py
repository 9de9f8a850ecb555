"""Who may do what in these tests, and how clients reach the server."""
import atexit
import json
import pathlib
import shutil
import tempfile
import time

import linkspan_site

JOBS = pathlib.Path(__file__).parent / "jobs"
WORKER, OTHER = "worker@demo.iam.gserviceaccount.com", "other@demo.iam.gserviceaccount.com"
CLOUD_PLATFORM = linkspan_site.CLOUD_PLATFORM

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
    spanner: { back: embedded, project: demo, instance: flights }
    dataproc:
      back: embedded
      project: demo
      region: local
      master: "local[1]"
      code: [@CODE@]
      python: @PYTHON@
      memory: 1GiB
"""

POLICY = """domain tests covers spanner demo/*, dataproc demo/* owner team

identity admin    is oidc cloud where tid = "@TENANT@" and oid = "admin"
identity reader   is oidc cloud where tid = "@TENANT@" and oid = "reader"
identity writer   is oidc cloud where tid = "@TENANT@" and oid = "writer"
identity caller   is oidc cloud where tid = "@TENANT@" and oid = "caller"
identity watcher  is oidc cloud where "watchers" in groups
identity hasty    is oidc cloud where tid = "@TENANT@" and oid = "hasty"
identity eager    is oidc cloud where tid = "@TENANT@" and oid = "eager"
account worker is "worker@demo.iam.gserviceaccount.com"
account other  is "other@demo.iam.gserviceaccount.com"

setup:   allow admin to administer spanner demo/* and administer dataproc demo/* owner team until @UNTIL@
work:    allow admin, worker to read, insert, update, delete every table and change schema every table and change grants and
    read schema in spanner demo/* owner team until @UNTIL@
look:    allow reader to read Singers(SingerId, Name) in spanner demo/* owner team until @UNTIL@
note:    allow writer to insert Singers(SingerId, Name) in spanner demo/* owner team until @UNTIL@
become:  allow caller to act as worker owner team until @UNTIL@
run:     allow caller to run jobs on dataproc demo/* as worker owner team until @UNTIL@
follow:  allow caller to see jobs on dataproc demo/* and cancel jobs on dataproc demo/* owner team until @UNTIL@
watch:   allow watcher to see jobs on dataproc demo/* owner team until @UNTIL@
rush:    allow hasty, eager to read every table in spanner demo/capped owner team until @UNTIL@
crowd:   limit hasty to 3 requests at once in spanner demo/capped owner team
pace:    limit eager to 20 requests per second in spanner demo/capped owner team
"""

DDL = ["""CREATE TABLE Singers (
  SingerId INT64 NOT NULL, Name STRING(MAX), Score FLOAT64, Born DATE, Updated TIMESTAMP, Active BOOL, Picture BYTES(MAX),
  Salary INT64) PRIMARY KEY (SingerId)""",
       "CREATE TABLE Notes (Owner STRING(64) NOT NULL, Id INT64 NOT NULL, Text STRING(MAX)) PRIMARY KEY (Owner, Id DESC)"]


AUTHORITY = []


def one_authority(site):
    """gRPC trusts one authority in a process, the first that it is told: the sites of a run have the first one's."""
    if AUTHORITY:
        shutil.rmtree(site.folder / "tls")
        shutil.copytree(AUTHORITY[0], site.folder / "tls")
    else:
        AUTHORITY.append(tempfile.mkdtemp(prefix="linkspan-authority-"))
        atexit.register(shutil.rmtree, AUTHORITY[0], ignore_errors=True)
        shutil.copytree(site.folder / "tls", AUTHORITY[0], dirs_exist_ok=True)


class Credentials:
    """google-auth's, through external_account files: fetched from the issuer, exchanged at our STS. No secret anywhere."""

    def __init__(self, site):
        self.site, self.made = site, {}

    def file(self, who, account=None, groups="", life=3600):
        name = f"{who}-{(account or 'self').partition('@')[0]}-{life}"
        return self.site.credentials(name, who, groups=groups, account=account, life=life)

    def __call__(self, who, account=None, groups=""):
        key = (who, account, groups)
        if key not in self.made:
            self.made[key] = self.fresh(who, account, groups)
        return self.made[key]

    def fresh(self, who, account=None, groups="", life=3600):
        from google.auth import identity_pool
        return identity_pool.Credentials.from_file(str(self.file(who, account, groups, life)), scopes=[CLOUD_PLATFORM])

    def token(self, who, account=None, groups=""):
        import google.auth.transport.requests
        found = self.fresh(who, account, groups)
        found.refresh(google.auth.transport.requests.Request())
        return found.token


def spanner_client(site, credentials):
    from google.cloud import spanner
    return spanner.Client(project="demo", credentials=credentials, client_options={"api_endpoint": f"127.0.0.1:{site.port}"},
                          disable_builtin_metrics=True)


def open_database(site, credentials, name):
    return spanner_client(site, credentials).instance("flights").database(name)


def create_database(site, credentials, name, ddl=()):
    database = spanner_client(site, credentials).instance("flights").database(name)
    database.create().result(timeout=60)
    if ddl:
        database.update_ddl(list(ddl)).result(timeout=60)
    return database


def dataproc_client(site, credentials, kind="JobControllerClient"):
    from google.cloud import dataproc_v1
    return getattr(dataproc_v1, kind)(credentials=credentials, client_options={"api_endpoint": f"127.0.0.1:{site.port}"})


def audit(site):
    import records
    return records.Records(site)


def eventually(ask, seconds=10):
    """The first answer that is not None: what is prompt rather than immediate (refusals in the audit log: 100 ms)."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer is not None or time.monotonic() > end:
            return answer
        time.sleep(0.05)


def audit_entry(site, wanted):
    """The newest entry of which `wanted` is true, or None."""
    return eventually(lambda: next((entry for entry in reversed(audit(site).entries) if wanted(entry)), None))


def explain(site, request):
    def ask():
        result = site.run("policy", "explain", request, "--config", site.config, "--json", check=False)
        return json.loads(result.stdout) if result.returncode == 0 else None
    return eventually(ask)


def put_singers(database, rows, columns=("SingerId", "Name", "Salary")):
    with database.batch() as batch:
        batch.insert("Singers", columns, rows)
