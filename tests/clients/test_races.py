"""The storm of load.py, short, over the server as it is given and over one built with the thread sanitizer, to the end of their drains."""
import os
import pathlib
import subprocess
import sys

import pytest

import conftest

HERE = pathlib.Path(__file__).parent
TSAN = pathlib.Path(os.environ.get("LINKSPAN_TSAN", conftest.ROOT / "build/tsan/src/cli/linkspan"))


@pytest.fixture(scope="module")
def way(request):
    return ["--through-gateway"] if request.config.getoption("--through-gateway") else []


def storm(binary, folder, *more, seconds):
    """Another process: gRPC trusts one authority in each. LINKSPAN_STORM=600 makes it long."""
    seconds = os.environ.get("LINKSPAN_STORM", seconds)
    options = {"TSAN_OPTIONS": "second_deadlock_stack=1:history_size=4", "UBSAN_OPTIONS": "print_stacktrace=1",
               "ASAN_OPTIONS": "detect_stack_use_after_return=1"}
    done = subprocess.run([sys.executable, HERE / "load.py", "--linkspan", binary, "--folder", folder / "load", "--seconds", str(seconds), *more],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=float(seconds) + 180, env={**os.environ, **options})
    assert done.returncode == 0, done.stdout[-20000:]


def test_a_storm_and_a_drain(linkspan, tmp_path, way):
    storm(linkspan, tmp_path, "--seed", "1", *way, seconds=15)


def test_a_storm_under_the_thread_sanitizer(tmp_path, way):
    if not TSAN.exists():
        pytest.skip(f"there is no {TSAN}: ./dev test builds it")
    storm(TSAN, tmp_path, "--seed", "2", "--rows", "2000", *way, seconds=20)
