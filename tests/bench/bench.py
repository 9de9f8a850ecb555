"""Measures Linkspan beside Google's Spanner emulator and bare spark-submit, and prints one table (`./dev bench`).

Runs of the two servers are interleaved; the server has core 0, the client core 1. Rates vary with the machine, CPU time per
operation and the ratios within one run much less: judge by those. Raw figures: build/bench/results.json."""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import peers
import spark_overhead
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = ROOT / "build/release"
ROWS = 336_000  # as many as Flights has
EMULATOR_ROWS = 16_000  # it loads some 10,000 a second


class Case:
    """One line of the table. `aim`: (kind, number): "rate" a second, or "ratio" to the emulator."""

    def __init__(self, name, what, mode, clients=1, unit="operations", connections=None, aim=None):
        self.name, self.what, self.mode, self.clients, self.unit, self.aim = name, what, mode, clients, unit, aim
        self.connections = connections or clients


CASES = [
    Case("load", "durable load, 19 columns, 4,000 rows a commit", "load", 4, "rows", 2, ("rate", 100_000)),
    Case("reads-1", "point read (Read), 1 client", "reads", aim=("ratio", 10)),
    Case("reads-32", "point read (Read), 32 clients", "reads", 32, aim=("ratio", 10)),
    Case("sql-1", "point query (ExecuteSql), 1 client", "sql", aim=("ratio", 10)),
    Case("sql-32", "point query (ExecuteSql), 32 clients", "sql", 32, aim=("ratio", 10)),
    Case("commits-1", "durable commit of one row, 1 client", "commits", aim=("ratio", 10)),
    Case("commits-32", "durable commit of one row, 32 clients", "commits", 32, aim=("ratio", 10)),
    Case("stream", "StreamingRead of the whole table, 19 columns", "stream", 1, "rows"),
]


def say(text):
    print(text, file=sys.stderr, flush=True)


def run_client(peer, number, case, seconds, rows):
    """One measurement: the client's line of JSON. The emulator runs one transaction at a time, so it loads with one client."""
    options, token = peer.client_options()
    clients = 1 if case.mode == "load" and peer.name == "emulator" else case.clients
    command = [*peers.pinned(1), str(RELEASE / "tests/bench/bench_client"), *options, "--database", peer.database(number),
               "--server-pid", str(peer.pid), "--clients", str(clients), "--connections", str(min(clients, case.connections)),
               "--seconds", str(seconds), "--rows", str(rows), "--seed", str(number + 1), case.mode]
    done = subprocess.run(command, input=token, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise peers.BenchError(f"{peer.name}, {case.name}: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


SETUP = Case("setup", "", "setup")


def measure(peer, number, seconds, cases, results):
    """A round on one server: a database of its own, so that a load never meets what the last one left."""
    rows = EMULATOR_ROWS if peer.name == "emulator" else ROWS
    run_client(peer, number, SETUP, seconds, rows)
    for case in cases:
        if case.mode != "load" or case.name == "load":
            results.append({"peer": peer.name, "case": case.name, "round": number} |
                           run_client(peer, number, case, seconds, rows))


def choose(names):
    chosen = [c for c in CASES if not names or any(n == c.name or n == c.mode for n in names)]
    if names and not chosen and "job" not in names:
        raise peers.BenchError(f"no bench is named {names[0]}: {', '.join(c.name for c in CASES)}, job")
    return CASES[:1] + [c for c in chosen if c.name != "load"] if chosen else []  # the others need its rows


def run_rounds(servers, rounds, seconds, cases):
    results = []
    for number in range(rounds):
        for peer in servers:
            say(f"bench: round {number + 1} of {rounds}, {peer.name}")
            measure(peer, number, seconds, cases, results)
    return results


def run_servers(args, binary, scratch, cases):
    """The results, and what is to be said about peers that are missing."""
    notes, servers = [], [peers.Linkspan(binary, scratch)]
    emulator = peers.find_emulator()
    if emulator:
        servers.append(peers.Emulator(emulator))
    else:
        notes.append("The Spanner emulator is not installed here: no ratio to it (Debian package google-cloud-cli-spanner-emulator, "
                     "or SPANNER_EMULATOR=/path/to/emulator_main).")
    try:
        for server in servers:
            server.start()
        return run_rounds(servers, args.rounds, args.seconds, cases), notes
    finally:
        for server in servers:
            server.stop()


def parse(argv):
    p = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    p.add_argument("name", nargs="*", help="only these: " + ", ".join(c.name for c in CASES) + ", job")
    p.add_argument("--cache", default=os.path.expanduser("~/.cache/linkspan"), help="where the Python environment is")
    p.add_argument("--quick", action="store_true", help="one round of one second each")
    p.add_argument("--rounds", type=int, help="how often each server is measured (default 3)")
    p.add_argument("--seconds", type=float, help="how long each measurement takes (default 2)")
    p.add_argument("--no-job", action="store_true", help="without the Spark job")
    p.add_argument("--write-readme", action="store_true", help="write the table into README.md")
    args = p.parse_args(argv)
    args.rounds = args.rounds or (1 if args.quick else 3)
    args.seconds = args.seconds or (1 if args.quick else 2)
    return args


def main(argv):
    args = parse(argv)
    binary = RELEASE / "src/cli/linkspan"
    cases, started = choose(args.name), time.monotonic()
    wants_job = not args.no_job and (not args.name or "job" in args.name)
    load_before = os.getloadavg()[0]
    scratch = tempfile.mkdtemp(prefix="linkspan-bench-", dir=ROOT / "build")
    try:
        results, notes = run_servers(args, binary, scratch, cases) if cases else ([], [])
        job = spark_overhead.measure(binary, pathlib.Path(args.cache), scratch, 1 if args.quick else 3) if wants_job else None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if load_before > 0.7:
        notes.append(f"The machine was busy with other work when the bench began (load {load_before:.1f}): rates are too low.")
    report = {"date": datetime.date.today().isoformat(), "machine": peers.machine(), "rounds": args.rounds,
              "seconds": args.seconds, "took_seconds": round(time.monotonic() - started), "notes": notes, "results": results,
              "job": job}
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(report, indent=1))
    text = table.markdown(report, CASES)
    print(text)
    if args.write_readme:
        table.write_into(ROOT / "README.md", text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (peers.BenchError, subprocess.TimeoutExpired) as fault:
        say(f"bench: {fault}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
