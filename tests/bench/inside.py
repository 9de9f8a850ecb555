"""What is measured in process: policy decisions (decide.c), and durable audit entries beside SQLite's commits (journal.c)."""
import json
import subprocess

import machine


class Inside:
    title = "inside"

    def __init__(self, place):
        self.place = place

    def run(self, *command):
        done = subprocess.run([*machine.pinned(0), *map(str, command)], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise machine.BenchError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
        return json.loads(done.stdout)

    def round(self, seconds):
        tools = self.place.tools
        for rules in (10, 1000):
            yield f"decisions, {rules} rules", "linkspan", self.run(tools / "bench_decide", rules, seconds / 2)
        for peer, kind in (("sqlite", "sqlite"), ("linkspan", "log")):
            yield "durable entries", peer, self.run(tools / "bench_journal", kind, self.place.fresh_folder(), seconds)
