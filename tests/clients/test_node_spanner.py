"""Spanner's Node client, unmodified, at the door: node/spanner.cjs runs the cases once, each is a test."""
import os
import pathlib

import pytest

import linkspan_site
import spanner_cases

PROGRAM = pathlib.Path(__file__).parent / "node" / "spanner.cjs"


@pytest.fixture(scope="module")
def told(request, site, as_user):
    cache = pathlib.Path(request.config.getoption("--cache"))
    if not (cache / "node" / "node_modules" / "@google-cloud" / "spanner").is_dir():
        pytest.fail(f"there is no Spanner client in {cache}/node: ./dev setup fetches it")
    environment = linkspan_site.clean_environment(NODE_PATH=str(cache / "node" / "node_modules"), NODE_EXTRA_CA_CERTS=str(site.ca),
                                                  PATH=f"{cache / 'venv' / 'bin'}:{os.environ['PATH']}")
    return spanner_cases.answers(["node", PROGRAM], spanner_cases.question(site, as_user, "node"), environment)


@pytest.mark.parametrize("case", spanner_cases.CASES)
def test_case(told, case):
    spanner_cases.check(told, case)
