#!/usr/bin/env python3
"""The main job, end to end, on real data. `./dev demo` runs it; it needs nothing but what ./dev has put into the cache.

Two clouds are played on one machine: an Entra-shaped issuer with a Synapse workspace (the other cloud), and embedded Spanner and
Dataproc. A person starts a pipeline there, whose Web activity starts the job here; with --direct a managed identity of the other
cloud submits the job itself. Clients, libraries, Spark, tokens, policy and audit are the real ones. Figures come from the server's own records: its
audit log, its job history, its tables."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import urllib.request

import linkspan_site
import records
import two_sites
from linkspan_site import CommandFailed, Site

HERE = pathlib.Path(__file__).resolve().parent
DATABASE = "demo/flights/flights"
TABLES = ["Airlines", "Airports", "Planes", "Weather", "Flights"]
VM, DEPLOYER = "7d0e54c1-2f2b-4c0e-9d4e-6f1b8f3a1c01", "7d0e54c1-2f2b-4c0e-9d4e-6f1b8f3a1c02"
LOADER, TRANSFORM = "loader@demo.iam.gserviceaccount.com", "transform@demo.iam.gserviceaccount.com"
WORST_SQL = """SELECT carrier, origin, flights, departed, mean_delay, max_delay, mean_visibility FROM CarrierDelay
ORDER BY mean_delay DESC, carrier, origin LIMIT 10"""
JOB = "nightly/transform"
JOB_TIMEOUT_SECONDS = 1800


class Stopped(Exception):
    """Ctrl-C or SIGTERM."""


class Screen:
    """Lines for a person; on a terminal also one line that changes while something is under way."""

    def __init__(self):
        self.terminal, self.began, self.number = sys.stdout.isatty(), time.monotonic(), 0

    def step(self, text):
        self.number += 1
        self.line(f"\033[1m[{self.number}/6] {text}\033[0m" if self.terminal else f"[{self.number}/6] {text}")

    def line(self, text=""):
        print(("\r\033[K" if self.terminal else "") + text, flush=True)

    def passing(self, text):
        if self.terminal:
            print(f"\r\033[K      {text}", end="", flush=True)


class Demo:
    def __init__(self, options):
        self.options, self.screen, self.report = options, Screen(), {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="linkspan-demo-"))
        self.site = Site(options.linkspan, self.folder / "site", detached=options.keep)
        self.far = None  # --through-gateway: the Linkspan that plays the cloud behind the site
        self.csv = pathlib.Path(options.data or pathlib.Path(options.cache) / "nycflights13").resolve()
        self.code = self.folder / "code"
        self.job_id, self.run_id, self.logs = None, None, ""

    # --- 1 ---------------------------------------------------------------------------------------------------------------

    def prepare_code(self):
        """The folder from which jobs may be run: the job, and the connector where there is one."""
        self.code.mkdir()
        for name in ("delays.py", "spanner_source.py"):
            shutil.copy(HERE / name, self.code)
        connector = os.environ.get("LINKSPAN_CONNECTOR_JAR")
        self.jar = None
        if connector:
            self.jar = self.code / "spark-4.0-spanner-1.4.0.jar"
            shutil.copy(connector, self.jar)

    def policy(self):
        text = (HERE / "flights.policy.in").read_text()
        for label in self.options.without:
            statements = text.split("\n")
            begin = next((i for i, line in enumerate(statements) if line.startswith(f"{label}:")), None)
            if begin is None:
                raise SystemExit(f"demo: the policy has no rule {label}")
            end = begin + 1
            while end < len(statements) and statements[end].startswith(" "):
                end += 1
            text = "\n".join(statements[:begin] + statements[end:])
        return text + "".join("\n" + pathlib.Path(path).read_text() for path in self.options.paste)

    def start(self):
        self.screen.step("a server of its own: keys, certificates, a development issuer, the policy")
        self.prepare_code()
        config = (HERE / "linkspan.yaml.in").read_text()
        if self.options.through_gateway:
            config = two_sites.through_gateway(config)
        self.site.make(config, {"flights": self.policy()},
                       {"CODE": self.code, "PYTHON": sys.executable, "MAIN": f"file://{self.code}/delays.py",
                        "SHA256": records.sha256(self.code / "delays.py")})
        if self.options.through_gateway:
            self.far = two_sites.make_far(self.folder / "far", self.site, detached=self.options.keep)
            self.far.start_server()
        self.site.run("check", "--config", self.site.config)
        self.site.start()
        site = self.site
        self.as_deployer = site.credentials("deployer", DEPLOYER)
        self.as_loader = site.credentials("loader", DEPLOYER, account=LOADER)
        self.as_vm = site.credentials("vm", VM)
        self.as_operator = site.credentials("operator", "operator-1", groups="linkspan-operators")
        self.as_analyst = site.credentials("analyst", "analyst-1", groups="analysts")
        self.screen.line(f"      {site.url}, everything in {self.folder}")
        if self.far:
            self.screen.line(f"      Spanner is behind it: {self.far.url}, another Linkspan, which takes nothing but tokens that it gave for ours")

    # --- 2 ---------------------------------------------------------------------------------------------------------------

    def sql(self, statement, credentials):
        result = self.site.client("sql", DATABASE, "--json", "-e", statement, credentials=credentials)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def load(self):
        self.screen.step("the tables: DDL, then import over TLS as the account loader")
        site = self.site
        site.client("sql", DATABASE, "--create", credentials=self.as_operator)
        site.client("sql", DATABASE, credentials=self.as_deployer, input=(HERE / "schema.sql").read_text())
        began = time.monotonic()
        for table in TABLES:
            self.screen.passing(f"{table} …")
            site.client("import", DATABASE, table, self.csv / f"{table.lower()}.csv", "--null", "NA", credentials=self.as_loader)
            rows = self.count(table)
            lines = records.count_records(self.csv / f"{table.lower()}.csv")
            self.screen.line(f"      {table:<9} {rows:>9,} rows of {lines:,} in the file")
            if rows != lines:
                raise SystemExit(f"demo: {table} holds {rows} rows, and its file {lines}")
        self.screen.line(f"      loaded in {time.monotonic() - began:.1f} s")

    def count(self, table):
        return int(self.sql(f"SELECT COUNT(*) AS n FROM {table}", self.as_loader)[0]["n"])

    # --- 3, 4 ------------------------------------------------------------------------------------------------------------

    def dataproc(self, kind, credentials):
        """An unmodified google-cloud-dataproc client: gRPC over TLS; google-auth exchanges the other cloud's token at our STS."""
        from google.auth import identity_pool
        from google.cloud import dataproc_v1
        found = identity_pool.Credentials.from_file(str(credentials), scopes=[linkspan_site.CLOUD_PLATFORM])
        client = getattr(dataproc_v1, kind)(credentials=found, client_options={"api_endpoint": f"127.0.0.1:{self.site.port}"})
        return client, dataproc_v1

    def make_cluster(self):
        clusters, _ = self.dataproc("ClusterControllerClient", self.as_operator)
        clusters.create_cluster(project_id="demo", region="local",
                                cluster={"project_id": "demo", "cluster_name": "batch"}).result(timeout=60)

    def submit(self):
        self.make_cluster()
        if self.options.direct:
            self.submit_job()
        else:
            self.start_pipeline()

    def say_source(self):
        self.screen.line("      reads by " + ("the Spark-Spanner connector" if self.jar else
                         "spanner_source.py, as LINKSPAN_CONNECTOR_JAR names no Spark-Spanner connector"))

    def submit_job(self):
        self.screen.step("the job: submitted by a managed identity of the other cloud, to run as transform")
        job = records.read_job(linkspan_site.fill((HERE / "job.yaml").read_text(), {"CODE": self.code}))
        if self.jar:
            job["pysparkJob"]["jarFileUris"] = [f"file://{self.jar}"]
        client, dataproc = self.dataproc("JobControllerClient", self.as_vm)
        message = dataproc.Job.from_json(json.dumps(job))
        self.job_id = client.submit_job(project_id="demo", region="local", job=message).reference.job_id
        self.screen.line(f"      {self.job_id}")
        self.say_source()

    def synapse(self, who, groups=""):
        """An unmodified azure-synapse-artifacts client. Its token is fetched from the other cloud's issuer each time, kept in no file."""
        from azure.core.credentials import AccessToken
        from azure.synapse.artifacts import ArtifactsClient
        site = self.site

        class Credential:
            def get_token(self, *scopes, **_):
                with urllib.request.urlopen(site.token_url(who, scopes[0].removesuffix("/.default"), groups)) as answer:
                    token = json.load(answer)
                return AccessToken(token["access_token"], int(time.time()) + int(token["expires_in"]))
        return ArtifactsClient(Credential(), site.url, connection_verify=str(site.ca))

    def start_pipeline(self):
        from azure.synapse.artifacts import models
        self.screen.step("the pipeline: started by a person in the other cloud; its managed identity asks the bridge to run the job")
        document = json.loads((HERE / "pipeline.json").read_text())
        saved = self.synapse(DEPLOYER).pipeline.begin_create_or_update_pipeline(
            document["name"], models.PipelineResource.deserialize(document))
        saved.wait()  # and not result(): the client would read one answer twice, and complain of what its first reading took out
        self.pipeline = self.synapse("operator-1", "linkspan-operators")
        parameters = {"linkspan": self.site.url, "code": f"file://{self.code}", "note": f"started {time.time():.0f}",
                      "jars": [f"file://{self.jar}"] if self.jar else []}
        self.run_id = self.pipeline.pipeline.create_pipeline_run(document["name"], parameters=parameters).run_id
        self.screen.line(f"      {document['name']}, run {self.run_id}")
        self.say_source()
        self.find_job()

    def pipeline_run(self):
        return self.pipeline.pipeline_run.get_pipeline_run(self.run_id)

    def find_job(self):
        """The job that the bridge has made for the run: the only one on the cluster."""
        client, _ = self.dataproc("JobControllerClient", self.as_operator)
        end = time.monotonic() + 60
        while not self.job_id and time.monotonic() < end and self.pipeline_run().status in ("Queued", "InProgress"):
            jobs = list(client.list_jobs(project_id="demo", region="local"))
            self.job_id = jobs[0].reference.job_id if jobs else None
            time.sleep(0.2)

    def follow(self):
        self.screen.step("Spark, in the job's own world")
        if self.job_id:
            self.follow_job()
        else:
            self.report["job_state"], self.report["job_seconds"] = "NEVER_STARTED", None
        if not self.options.direct:
            self.follow_pipeline()

    def follow_job(self):
        client, dataproc = self.dataproc("JobControllerClient", self.as_operator)
        ended, end = ("DONE", "ERROR", "CANCELLED"), time.monotonic() + JOB_TIMEOUT_SECONDS
        while True:
            job = client.get_job(project_id="demo", region="local", job_id=self.job_id)
            state = job.status.state.name
            progress = ", ".join(f"{app.name} {app.progress:.0%}" for app in job.yarn_applications)
            self.screen.passing(f"{state} {progress}")
            if state in ended or time.monotonic() > end:
                break
            time.sleep(0.5)
        self.report["job_state"] = state
        self.report["job_seconds"] = records.job_seconds(job)
        self.logs = self.site.client("jobs", "logs", self.job_id, "--project", "demo", "--region", "local",
                                     credentials=self.as_operator, check=False).stdout
        for line in self.logs.splitlines():
            if line.startswith(("flights:", "cloud-spanner:")):
                self.screen.line(f"      {line}")
        self.screen.line(f"      {state} after {self.report['job_seconds']} s")
        if state != "DONE":
            self.screen.line(f"      {job.status.details}")

    def follow_pipeline(self):
        end = time.monotonic() + 60  # the poll that sees the job's end
        while (run := self.pipeline_run()).status in ("Queued", "InProgress") and time.monotonic() < end:
            time.sleep(0.2)
        self.report["pipeline_state"] = run.status
        self.screen.line(f"      pipeline: {run.status}" + (f", {run.message}" if run.message else ""))
        if run.status != "Succeeded":
            doctor = self.site.run("doctor", self.run_id, "--config", self.site.config, check=False)
            for line in (doctor.stdout or doctor.stderr).splitlines():
                self.screen.line(f"      {line}")

    # --- 5, 6 ------------------------------------------------------------------------------------------------------------

    def explain(self):
        self.screen.step("what was refused, and the rule that is missing")
        refused = self.records.first_refusal(JOB)
        if not refused:
            self.screen.line("      nothing was refused")
            return
        text = self.site.run("policy", "explain", refused["id"], "--config", self.site.config, "--json").stdout
        refused["rule"] = json.loads(text)["rule"]
        self.report["denied"] = refused
        self.screen.line(f"      {refused['who']} {refused['what']}: {refused['reason']}, request {refused['id']}")
        for line in refused["rule"].splitlines():
            self.screen.line(f"      + {line}")

    def result(self):
        self.screen.step("the result, and who did what")
        self.report["result_rows"] = int(self.sql("SELECT COUNT(*) AS n FROM CarrierDelay", self.as_analyst)[0]["n"])
        self.report["worst"] = self.sql(WORST_SQL, self.as_analyst)
        self.screen.line("      carrier airport  flights  mean delay  max  mean visibility")
        for row in self.report["worst"]:
            self.screen.line("      {carrier:<7} {origin:<8} {flights:>6,} {mean_delay:>10.2f} min {max_delay:>5} {mean_visibility:>11.2f} mi"
                             .format(**row))

    def account(self):
        """What the audit log says. It is read once more at the end, so that it holds the demo's own last reads too."""
        self.records = records.Records(self.site)
        self.report["rows_loaded"] = sum(self.count(table) for table in TABLES)
        self.report["load_seconds"] = self.records.load_seconds(LOADER)
        self.report["chain"] = self.records.chain(JOB)
        self.report["spanner"] = self.records.spanner()

    def show_chain(self):
        """Each link by the ids that both of its sides wrote into the audit log."""
        self.screen.line("      chain:")
        for link in self.report["chain"]:
            what = (f"pipeline {link['pipeline']}, run {link['run']}" if "pipeline" in link else
                    f"job {link['job']}, run {link['run']}" if "job" in link else
                    f"token {link['token']}" if "token" in link else "")
            self.screen.line("      " + " · ".join(part for part in (f"→ {link['who']}", what, f"request {link['id']}" if "id" in link else "") if part))
        run = self.report["chain"][-1]["run"] if self.report["chain"] else None
        self.screen.line(f"      → {self.records.requests_of(run):,} requests to Spanner, each recorded under that run")

    def show_records(self):
        report, spanner = self.report, self.report["spanner"]
        verified = self.site.run("audit", "verify", "--config", self.site.config, "--json", check=False)
        verdict = json.loads(verified.stdout or "{}")
        report["audit"] = {"entries": verdict.get("entries"), "verified": verified.returncode == 0,
                           "checkpoint": (self.site.data / "audit" / "checkpoint").read_text()}
        self.show_chain()
        self.screen.line(f"      {report['rows_loaded']:,} rows loaded in {report['load_seconds']} s; {sum(spanner['rpcs'].values()):,} RPCs, "
                         f"{spanner['commits']:,} commits, {self.records.denials()} denied, {spanner['bytes']:,} bytes")
        self.screen.line(f"      audit log: {report['audit']['entries']} entries, "
                         + ("verified" if report["audit"]["verified"] else f"NOT VERIFIED: {verified.stderr.strip()}"))

    # --- all -------------------------------------------------------------------------------------------------------------

    def run(self):
        self.start()
        self.site.trust()
        self.load()
        self.submit()
        self.follow()
        self.account()
        self.explain()
        self.result()
        self.show_records()
        self.write_report()
        return self.verdict()

    def write_report(self):
        order = ["rows_loaded", "load_seconds", "job_state", "job_seconds", "result_rows", "worst", "denied", "chain", "spanner", "audit"]
        if self.options.report:
            text = json.dumps({key: self.report.get(key) for key in order}, indent=2)
            pathlib.Path(self.options.report).write_text(text + "\n")

    def verdict(self):
        report = self.report
        wrong = [text for text, holds in (
            ("the job did not end well", report["job_state"] == "DONE"),
            ("the job wrote nothing", report["result_rows"] > 0),
            ("nothing was refused", report.get("denied") is not None),
            ("the refused column is not Flights(tailnum)", "tailnum" in (report.get("denied") or {}).get("what", "")),
            ("the pipeline did not end well", report.get("pipeline_state", "Succeeded") == "Succeeded"),
            ("the chain is not whole", len(report["chain"]) == (2 if self.options.direct else 4)),
            ("the audit log does not verify", report["audit"]["verified"])) if not holds]
        for text in wrong:
            print(f"demo: {text}", file=sys.stderr)
        if wrong:
            print(f"demo: the job's last lines:\n{self.logs[-3000:]}", file=sys.stderr)
        return 1 if wrong else 0

    def say_more(self):
        site, common = self.site, f"--server {self.site.url} --ca {self.site.ca}"
        say = self.screen.line
        say(f"""
The server runs on (process {site.server.pid}, issuer {site.issuer.pid}). To look further:
  {site.linkspan} sql {DATABASE} {common} --credentials {self.as_analyst}
  {site.linkspan} jobs list --project demo --region local {common} --credentials {self.as_operator}
  {site.linkspan} doctor {self.run_id or self.job_id} --config {site.config}
  {site.linkspan} audit show --config {site.config}
  {site.linkspan} policy explain ID --config {site.config}
  $EDITOR {site.policies}/flights.policy && kill -HUP {site.server.pid}
To end it: kill {site.server.pid} {site.issuer.pid}{f" {self.far.server.pid}" if self.far else ""}; rm -r {self.folder}""")

    def close(self, keep):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing may stop the cleaning up
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if keep:
            return
        self.site.stop()
        if self.far:
            self.far.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def stop_on_signal(number, _frame):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped(signal.Signals(number).name)


def parse():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.split("\n")[0])
    parser.add_argument("--linkspan", required=True, help="the program")
    parser.add_argument("--cache", required=True, help="where ./dev keeps the data")
    parser.add_argument("--direct", action="store_true", help="submit the job by Dataproc's own client, without the pipeline")
    parser.add_argument("--through-gateway", action="store_true", help="Spanner is served by a second Linkspan, behind the first")
    parser.add_argument("--keep", action="store_true", help="leave the server running")
    parser.add_argument("--data", metavar="DIR", help="other CSV files of the same shape")
    parser.add_argument("--report", metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--without", metavar="RULE", action="append", default=[], help="leave this rule out of the policy")
    parser.add_argument("--paste", metavar="FILE", action="append", default=[], help="add these statements to the policy")
    return parser.parse_args()


def main():
    options = parse()
    signal.signal(signal.SIGINT, stop_on_signal)
    signal.signal(signal.SIGTERM, stop_on_signal)
    demo, status = None, 1
    try:
        demo = Demo(options)
        status = demo.run()
        if status == 0:
            demo.screen.line(f"      all of it in {time.monotonic() - demo.screen.began:.0f} s")
            if options.keep:
                demo.say_more()
    except Stopped as stopped:
        print(f"\ndemo: stopped by {stopped}", file=sys.stderr)
        status = 130
    except (CommandFailed, RuntimeError, OSError) as error:
        print(f"\ndemo: {error}\n{demo.site.log() if demo else ''}", file=sys.stderr)
    finally:
        if demo:
            demo.close(options.keep and status == 0)
    return status


if __name__ == "__main__":
    sys.exit(main())
