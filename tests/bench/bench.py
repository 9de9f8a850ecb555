"""Measures Linkspan beside the programs that people would use otherwise, and prints one table (`./dev bench`).

Runs that are compared are interleaved; the server has core 0, the load core 1. Rates vary with the machine, CPU time per
operation and the ratios within one round much less: judge by those. Raw figures: build/bench/results.json."""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import exchange
import gateway
import goals
import idle
import inside
import machine
import place
import spanner
import spark_overhead
import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTIONS = {section.title: section for section in (gateway.Gateway, idle.Idle, exchange.Exchange, inside.Inside, spanner.Spanner)}
ROUNDS, QUICK_ROUNDS = 11, 2


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def attempt(title, here, act):
    """What `act` gives, or None: what fails leaves its round out and says why; the others go on."""
    try:
        return act()
    except (machine.BenchError, OSError, subprocess.TimeoutExpired) as fault:
        text = " ".join(str(fault).split())
        say(f"{title}: {text}")
        note = f"The rows of `{title}` are not complete: {text}"
        here.notes += [note] if note not in here.notes else []
        return None


def one_round(section, number, seconds):
    say(f"round {number + 1}: {section.title}")
    return [{"case": case, "peer": peer, "round": number} | figures for case, peer, figures in section.round(seconds)]


def run_sections(args, binary, scratch):
    """Every round takes all sections once: a machine drifts over minutes, and the rounds of each shall lie as far apart as they can."""
    titles = [title for title in SECTIONS if not args.name or title in args.name]
    if not titles:
        return [], []
    with place.Place(binary, pathlib.Path(args.cache), scratch) as here:
        made = [attempt(title, here, lambda title=title: SECTIONS[title](here)) for title in titles]
        results, sections = [], [section for section in made if section]
        for number in range(args.rounds):
            for section in sections:
                results += attempt(section.title, here, lambda: one_round(section, number, args.seconds)) or []
        return results, here.notes


def parse(argv):
    names = [*SECTIONS, "job"]
    p = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    p.add_argument("name", nargs="*", choices=[[], *names], help="only these: " + ", ".join(names))
    p.add_argument("--cache", default=os.path.expanduser("~/.cache/linkspan"), help="where the peers that are fetched are")
    p.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds: about three minutes")
    p.add_argument("--rounds", type=int, help=f"how often everything is measured (default {ROUNDS})")
    p.add_argument("--seconds", type=float, default=1, help="how long each measurement takes (default 1)")
    p.add_argument("--no-job", action="store_true", help="without the Spark job")
    p.add_argument("--write-readme", nargs="?", const=ROOT / "README.md", type=pathlib.Path, metavar="FILE",
                   help="write the table into README.md, or into FILE")
    p.add_argument("--from-raw", metavar="FILE", help="measure nothing: the table of an earlier run's raw results")
    args = p.parse_args(argv)
    args.rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
    return args


def measure_all(args):
    binary, started, load_before = ROOT / "build/release/src/cli/linkspan", time.monotonic(), os.getloadavg()[0]
    wants_job = not args.no_job and (not args.name or "job" in args.name)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="linkspan-bench-", dir=ROOT / "build"))
    try:
        results, notes = run_sections(args, binary, scratch)
        if wants_job:
            say("job")
        job = spark_overhead.measure(binary, pathlib.Path(args.cache), scratch, 1 if args.quick else 3) if wants_job else None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if load_before > 0.7:
        notes.append(f"The machine was busy with other work when the bench began (load {load_before:.1f}): ratios are less sure, rates too low.")
    return {"date": datetime.date.today().isoformat(), "machine": machine.describe(), "sections": args.name or [*SECTIONS],
            "seconds": args.seconds, "took_seconds": round(time.monotonic() - started), "notes": notes, "results": results,
            "job": job}


def main(argv):
    args = parse(argv)
    if args.from_raw:
        report = json.loads(pathlib.Path(args.from_raw).read_text(encoding="utf-8"))
    else:
        report = measure_all(args)
        folder = ROOT / "build/bench"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        say(f"took {report['took_seconds']} s; raw figures: build/bench/results.json")
    text = table.markdown(report, [row for row in goals.ROWS if row.section in report["sections"]])
    print(text)
    if args.write_readme:
        table.write_into(args.write_readme, text)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    try:
        sys.exit(main(sys.argv[1:]))
    except (machine.BenchError, subprocess.SubprocessError) as fault:
        say(fault)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
