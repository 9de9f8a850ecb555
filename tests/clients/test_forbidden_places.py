"""Web activities that try to reach what they must not, by real pipeline runs in a network of their own (forbidden_places.py): every
address of it listens and counts, a name server there rebinds names, and 169.254.169.254 is there to be reached."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

import forbidden_places

PROGRAM = pathlib.Path(forbidden_places.__file__)


def own_network():
    """Root makes namespaces; others may inside a user namespace, where the kernel lets them."""
    command = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net", "--mount", "--"]
    probe = subprocess.run([*command, "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"needs a network namespace, which takes root or user namespaces: {probe.stderr.strip()}")
    return command


@pytest.fixture(scope="module")
def told(linkspan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("network") / "inside"
    done = subprocess.run([*own_network(), sys.executable, PROGRAM, linkspan, folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_everything_listens(told):
    addresses = ["127.0.0.1", "::1", forbidden_places.GOOD, *forbidden_places.OTHERS]
    assert told["ours"] == [f"{address} {port}" for address in addresses for port in forbidden_places.PORTS], "a count that can count"


@pytest.mark.parametrize("number, name, calls", [(number, *row) for number, row in enumerate(forbidden_places.PLACES)],
                         ids=[row[0] for row in forbidden_places.PLACES])
def test_place(told, number, name, calls):
    tried = told["tried"][number]
    assert tried["name"] == name
    for (url, code, connections), call in zip(calls, tried["calls"], strict=True):
        assert (call["url"], call["code"], call["reached"]) == (url, code, connections), call
        assert call["status"] == ("Failed" if code else "Succeeded")
        entries = [entry for entry in told["audit"] if call["run"] in entry["protoPayload"]["resourceName"]]
        assert entries, "each try is in the audit log"
        if code in (forbidden_places.REFUSED, forbidden_places.SPELLING):
            last = [entry for entry in entries if entry["insertId"] == call["request"]][-1]
            assert last["kind"] in ("outcome", "refusal") and last["protoPayload"]["status"]["code"] != 0
            assert "ADDRESS_REFUSED" in json.dumps(last) or last["verdict"]["reason"] in ("NOT_UNDERSTOOD", "NO_RULE"), last


def test_nothing_else_was_reached(told):
    """Not later, not by another activity, not while the server stopped."""
    assert set(told["reached"]) == {f"{forbidden_places.GOOD} {port}" for port in forbidden_places.PORTS}
    assert "AddressSanitizer" not in told["log"] and "runtime error:" not in told["log"], told["log"]
