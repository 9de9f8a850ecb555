"""h2spec, the conformance suite for HTTP/2 servers, against the public door over TLS: every one of its 146 cases, --strict ones
included, on paths that answer a stranger. Its binary is built by ./dev from pinned modules (tests/clients/h2spec)."""
import pathlib
import re
import subprocess
import xml.etree.ElementTree

import pytest

CASES = 146


@pytest.fixture(scope="module")
def h2spec(request):
    path = pathlib.Path(request.config.getoption("--cache")) / "h2spec/h2spec"
    if not path.exists():
        pytest.fail(f"there is no {path}: ./dev setup builds it")
    return path


def found(path):
    """(case, what happened instead) of each that did not pass, and how many there were."""
    cases = list(xml.etree.ElementTree.parse(path).iter("testcase"))
    bad = [(f"{case.get('package')}: {case.get('classname')}", "".join(case.itertext()).strip())
           for case in cases if any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))]
    return bad, len(cases)


# One whose answer is long enough for the flow control cases to be run; one that refuses what it is sent, before it has read all.
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/v1/token"], ids=["answers", "refuses"])
def test_every_case_passes(site, h2spec, tmp_path, path):
    report = tmp_path / "report.xml"
    run = subprocess.run([h2spec, "--strict", "--tls", "--insecure", "--host", "127.0.0.1", "--port", str(site.port), "--path", path,
                          "--timeout", "5", "--junit-report", report], capture_output=True, text=True, timeout=300, check=False)
    bad, count = found(report)
    assert not bad, bad
    assert count == CASES and run.returncode == 0, run.stdout[-4000:]
    assert re.search(rf"{CASES} tests, {CASES} passed, 0 skipped, 0 failed", run.stdout), run.stdout[-4000:]
    assert site.server.poll() is None, site.log()
