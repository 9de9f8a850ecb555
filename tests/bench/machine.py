"""The machine that measures: cores, ports, processes, and what it is called."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time


class BenchError(Exception):
    """Says in one line what stops the bench."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise BenchError(f"{what} ended at once with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise BenchError(f"{what} does not listen on port {port} after {seconds} s")


def pinned(core):
    """taskset's prefix, where there are two cores and taskset."""
    return ["taskset", "-c", str(core)] if os.cpu_count() > 1 and shutil.which("taskset") else []


def stop(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def program(name):
    """Of a Debian package: servers lie in sbin, which is not on every PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise BenchError(f"{name} is not installed: ./dev bench installs it")
    return found


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s*(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


class Process:
    """One server on the server's core, its output in a file. The name is what the results call it."""

    def __init__(self, name, command, port, log, environment=None, core=0):
        self.name, self.port, self.log = name, port, pathlib.Path(log)
        prefix = [] if core is None else pinned(core)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen([*prefix, *map(str, command)], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                            env=os.environ | (environment or {}))
        try:
            wait_for(port, self.process, name)
        except BenchError as e:
            stop(self.process)
            raise BenchError(f"{e}: {self.log.read_text(errors='replace')[-500:].strip()}") from None

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        stop(self.process)


def describe():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    release = pathlib.Path("/etc/os-release").read_text()
    system = re.search(r'PRETTY_NAME="([^"]*)"', release)
    return f"{os.cpu_count()} × {model.group(1) if model else 'unknown CPU'}, {system.group(1) if system else 'Linux'}, " \
           f"kernel {os.uname().release}"
