"""What the demo tells comes from the server's own records: this reads them. Standard library only."""
import collections
import csv
import datetime
import hashlib
import json

ALL = 1 << 40
COMMIT = "google.spanner.v1.Spanner.Commit"
WEB = "pipeline.WebActivity"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def count_records(path):
    """Records of a CSV file without its header."""
    with open(path, newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file)) - 1


def read_job(text):
    """job.yaml is a comment and JSON, which is YAML too: no YAML library is needed here."""
    return json.loads("\n".join(line for line in text.split("\n") if not line.startswith("#")))


def seconds(text):
    """RFC 3339 with any number of decimals → seconds since 1970."""
    whole, _, rest = text.rstrip("Z").partition(".")
    moment = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return moment.timestamp() + float(f"0.{rest or 0}")


def job_seconds(job):
    """From its submission to its end, by the job's own history."""
    times = [status.state_start_time.timestamp() for status in [*job.status_history, job.status]]
    return round(max(times) - min(times), 1)


class Records:
    """The audit log, read once. Entries are in the shape of Cloud Audit Logs (docs/audit.md)."""

    def __init__(self, site):
        shown = site.run("audit", "show", "--config", site.config, "--json", "--limit", ALL).stdout
        self.entries = [json.loads(line) for line in shown.splitlines() if line.strip()]

    @staticmethod
    def method(entry):
        return entry.get("protoPayload", {}).get("methodName", "")

    @staticmethod
    def actor(info):
        return info.get("principalEmail") or f"{info.get('principalSubject')} of {info.get('issuer')}"

    def account(self, entry):
        return entry.get("protoPayload", {}).get("authenticationInfo", {}).get("principalEmail")

    def outcomes(self):
        return [entry for entry in self.entries if entry["kind"] in ("outcome", "refusal")]

    def spanner_entries(self):
        return [entry for entry in self.outcomes() if self.method(entry).startswith("google.spanner.")]

    def load_seconds(self, account):
        """From the first to the last commit of the account: the time at which each began, and how long the last one took."""
        commits = [entry for entry in self.outcomes() if self.method(entry) == COMMIT and self.account(entry) == account]
        if not commits:
            return None
        ends = [seconds(entry["timestamp"]) for entry in commits]
        first = min(seconds(entry["timestamp"]) - entry.get("outcome", {}).get("latencyUs", 0) / 1e6 for entry in commits)
        return round(max(ends) - first, 3)

    def spanner(self):
        entries = self.spanner_entries()
        counts = collections.Counter(self.method(entry) for entry in entries)
        done = [entry for entry in entries if self.method(entry) == COMMIT and entry["protoPayload"]["status"]["code"] == 0]
        moved = sum(entry.get("outcome", {}).get(way, 0) for entry in entries for way in ("bytesIn", "bytesOut"))
        return {"rpcs": dict(sorted(counts.items())), "commits": len(done), "bytes": moved}

    def requests_of(self, run):
        return len([entry for entry in self.spanner_entries() if entry.get("jobRun") == run])

    def refused(self):
        return [entry for entry in self.outcomes() if entry.get("verdict", {}).get("allowed") is False]

    def denials(self):
        return len(self.refused())

    def of_job(self, job):
        return [entry for entry in self.outcomes() if entry.get("job") == job and entry.get("jobRun")]

    def first_refusal(self, job):
        for entry in self.refused():
            if entry.get("job") != job:
                continue
            verdict, atoms = entry["verdict"], entry.get("atoms", [])
            atom = atoms[verdict["atom"]] if "atom" in verdict else atoms[0] if atoms else {}
            column = f"({verdict['column']})" if "column" in verdict else ""
            return {"who": self.actor(entry["protoPayload"]["authenticationInfo"]),
                    "what": f"{atom.get('verb')} {atom.get('object')}{column} in {atom.get('path')}",
                    "reason": verdict["reason"], "id": entry["insertId"]}
        return None

    def job_chain(self, job, commit=None):
        """Who acted for whom when the job wrote (first, or by the request with this id): the first who asked, first."""
        for entry in self.of_job(job):
            if self.method(entry) == COMMIT and commit in (None, entry["insertId"]):
                info = entry["protoPayload"]["authenticationInfo"]
                links = [{"who": self.actor(link)} for link in info.get("serviceAccountDelegationInfo", [])]
                return [*links, {"who": self.actor(info), "job": entry["job"], "run": entry["jobRun"], "id": entry["insertId"]}]
        return []

    def submission(self, run):
        """The request that started this run of a job."""
        return next((entry for entry in self.outcomes() if f"run {run}" in entry["protoPayload"].get("status", {}).get("message", "")
                     and "/jobs/" in entry["protoPayload"].get("resourceName", "")), None)

    def call_with(self, token):
        """The Web activity that sent the token with this fingerprint."""
        return next((entry for entry in self.outcomes() if self.method(entry) == WEB and entry.get("tokenId") == token), None)

    def chain(self, job, commit=None):
        """The whole chain: person → pipeline's run → managed identity → account and job. Each step is found by an id that both sides
        wrote: the run that a person created, the token that the activity sent and the bridge verified, the run that the job has. Where a
        link is missing, the chain begins after it."""
        chain = self.job_chain(job, commit)
        submitted = self.submission(chain[-1]["run"]) if chain else None
        if not submitted:
            return chain
        chain[-2].update(token=submitted.get("tokenId"), id=submitted["insertId"])
        call = self.call_with(submitted.get("tokenId"))
        if not call:
            return chain
        _, pipeline, _, run = call["protoPayload"]["resourceName"].split("/")[2:6]
        account = {"who": self.account(call), "pipeline": pipeline, "run": run, "token": call["tokenId"], "id": call["insertId"]}
        created = next((entry for entry in self.outcomes() if entry["protoPayload"].get("resourceName", "").endswith(f"/pipelineruns/{run}")
                        and entry["insertId"] in call["protoPayload"]["status"]["message"]), None)
        if not created:
            return [account, *chain]
        person = {"who": self.actor(created["protoPayload"]["authenticationInfo"]), "id": created["insertId"]}
        return [person, account, *chain]
