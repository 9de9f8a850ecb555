#!/usr/bin/env python3
"""Writes tools/NAME.lock from tools/NAME.in: every package that pip resolves, with its SHA-256, but for those that a line
"# never imported: …" of the .in names: installed without their dependencies, the others do not miss them.
Run it when an .in changes: /usr/bin/python3 tools/lock.py [NAME…] (needs python3-venv)."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
NAMES = ("requirements", "requirements-airflow", "requirements-go", "requirements-envoy")


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def never_imported(text):
    lines = re.findall(r"^# never imported: (.*)$", text, re.M)
    return {plain(name) for line in lines for name in line.split()}


def lock(name):
    source = HERE / f"{name}.in"
    unwanted = never_imported(source.read_text())
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["/usr/bin/python3", "-m", "venv", scratch + "/venv"], check=True)
        report = scratch + "/report.json"
        subprocess.run([scratch + "/venv/bin/pip", "install", "-q", "--dry-run", "--ignore-installed", "--report", report,
                        "-r", str(source)], check=True)
        rows = []
        for item in json.loads(pathlib.Path(report).read_text())["install"]:
            meta, archive = item["metadata"], item["download_info"]["archive_info"]
            if plain(meta["name"]) not in unwanted:
                rows.append(f"{meta['name']}=={meta['version']} --hash=sha256:{archive['hashes']['sha256']}")
        (HERE / f"{name}.lock").write_text("# Written by tools/lock.py.\n" + "\n".join(sorted(rows, key=str.lower)) + "\n")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES:
        lock(wanted)
