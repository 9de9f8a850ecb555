"""What ./dev itself promises."""
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
# As pytest does with servers: a child in a session of its own, whose parent ignores SIGINT; and one that has lost its parent.
TREE = "trap '' INT; setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &) ; echo ready; wait"
RUN = """
import signal, sys
sys.path.insert(0, sys.argv[1])
import run_tests
run_tests.PATIENCE_SECONDS = 1
run_tests.adopt()
for signum in run_tests.STOPPING:
    signal.signal(signum, run_tests.stop)
try:
    run_tests.stream(["sh", "-c", sys.argv[2]], 1)
except run_tests.Stopped:
    sys.exit(7)
"""


def below(pid):
    """Processes whose environment says that they are ours."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TEST_TOOLS={pid}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_stopped_test_run_leaves_no_process(signum):
    mark = f"{os.getpid()}-{signum}"
    process = subprocess.Popen([sys.executable, "-c", RUN, TOOLS, TREE], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "TEST_TOOLS": mark})
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    assert len(below(mark)) >= 5
    process.send_signal(signum)
    assert process.wait(30) == 7
    assert below(mark) == []
