#!/usr/bin/env python3
"""Writes tools/requirements.lock from tools/requirements.in: every package that pip resolves, with its SHA-256.
Run it when requirements.in changes: /usr/bin/python3 tools/lock.py (needs python3-venv)."""
import json
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent


def main():
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["/usr/bin/python3", "-m", "venv", scratch + "/venv"], check=True)
        report = scratch + "/report.json"
        subprocess.run([scratch + "/venv/bin/pip", "install", "-q", "--dry-run", "--ignore-installed", "--report", report,
                        "-r", str(HERE / "requirements.in")], check=True)
        rows = []
        for item in json.loads(pathlib.Path(report).read_text())["install"]:
            meta, archive = item["metadata"], item["download_info"]["archive_info"]
            rows.append(f"{meta['name']}=={meta['version']} --hash=sha256:{archive['hashes']['sha256']}")
        (HERE / "requirements.lock").write_text("# Written by tools/lock.py.\n" + "\n".join(sorted(rows, key=str.lower)) + "\n")


if __name__ == "__main__":
    main()
