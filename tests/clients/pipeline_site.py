"""A server with all of it: a Synapse workspace, Dataproc, the bridge between them, and who may cross it."""
import sys
import shutil

import linkspan_site
import plain
import setting
import synapse_setting

CLUSTER = "bridged"
POLICY = setting.POLICY.replace("dataproc demo/* owner", "dataproc demo/*, synapse demo/* owner", 1) + f"""
identity author  is oidc cloud where tid = "@TENANT@" and oid = "author"
identity synapse is oidc workspaces where oid = "{synapse_setting.PRINCIPAL}"
account workspace is "flights@demo.synapse"

make:  allow author to administer synapse demo/* and run jobs on synapse demo/* as workspace owner team until @UNTIL@
cross: allow workspace to call "@URL@/bridge/dataproc/demo/local/jobs" with audience "api://linkspan"
    and call "@URL@/bridge/jobs/*" with audience "" owner team until @UNTIL@
start: allow synapse to run jobs on dataproc demo/* as worker owner team until @UNTIL@
"""
CONFIG = setting.CONFIG + f"""    synapse:
      back: embedded
      workspace: flights
      tenant: @TENANT@
      principal: {synapse_setting.PRINCIPAL}
      client: 1b2c8d77-42a7-4b1f-8f0e-6f1f3a1d2e22
      audiences: ["api://linkspan"]
"""


def make(folder, linkspan, more_policy=""):
    site = linkspan_site.Site(linkspan, folder / "site")
    site.code = folder / "jobs"
    shutil.copytree(setting.JOBS, site.code)
    site.make(CONFIG, {"tests": POLICY + more_policy}, {"CODE": site.code, "PYTHON": sys.executable})
    return site


def start(site):
    site.start()
    plain.Plain(site, "admin").ask("POST", "v1/projects/demo/regions/local/clusters", {"projectId": "demo", "clusterName": CLUSTER})


def document(site, file, url=None):
    """In Synapse's JSON: one activity starts the job, the next one keeps what came of it."""
    return {"properties": {
        "parameters": {"word": {"type": "String"}}, "variables": {"outcome": {"type": "String"}},
        "activities": [
            {"name": "job", "type": "WebActivity", "typeProperties": {
                "method": "POST", "url": url or f"{site.url}/bridge/dataproc/demo/local/jobs",
                "authentication": {"type": "MSI", "resource": "api://linkspan"},
                "body": {"placement": {"clusterName": CLUSTER}, "pysparkJob": {
                    "mainPythonFileUri": f"file://{site.code}/{file}", "args": ["@pipeline().parameters.word"]}}}},
            {"name": "keep", "type": "SetVariable", "dependsOn": [{"activity": "job", "dependencyConditions": ["Succeeded"]}],
             "typeProperties": {"variableName": "outcome",
                                "value": "@concat(activity('job').output.jobId, ' ', activity('job').output.state)"}}]}}
