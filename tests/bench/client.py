"""Runs bench_client (client.c), our load generator, on the client's core: one measurement, one line of JSON."""
import json
import subprocess

import machine

PATIENCE_SECONDS = 120


class Client:
    def __init__(self, tools, ca, notes):
        self.program, self.ca, self.notes = tools / "bench_client", ca, notes
        self.next_token = {}  # by server, which has all tokens in turn: its cache has forgotten one when it comes again

    def run(self, mode, peer, **more):
        """Once more when it fails, and the report says so: a connection that is lost once costs one measurement, not the section."""
        try:
            return self.run_once(mode, peer, **more)
        except machine.BenchError as fault:
            figures = self.run_once(mode, peer, **more)
            self.notes.append(f"Measured a second time: {fault}")
            return figures

    def run_once(self, mode, peer, *, url=None, tokens=None, rotate=False, clients=64, connections=8, seconds=2, ca=None, **more):
        """`tokens`: a file, or text with one a line. `ca`: of a peer that has another. `more`: client.c's other options."""
        url = url or peer.url
        command = [*machine.pinned(1), str(self.program), "--url", url, "--server-pid", str(peer.pid), "--clients", str(clients),
                   "--connections", str(connections), "--seconds", str(seconds)]
        for name, value in more.items():
            command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        if url.startswith("https"):
            command += ["--ca", str(ca or self.ca)]
        if tokens:
            command += ["--tokens-stdin"] + (["--rotate-from", str(self.next_token.get(peer.pid, 0))] if rotate else [])
        done = subprocess.run(command + [mode], capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                              **({"input": tokens or ""} if isinstance(tokens, (str, type(None))) else {"stdin": open(tokens, encoding="ascii")}))
        if done.returncode:
            raise machine.BenchError(f"{peer.name}, {mode}: {done.stderr.strip() or done.returncode}")
        figures = json.loads(done.stdout)
        if rotate:
            self.next_token[peer.pid] = figures["next_token"]
        return figures
