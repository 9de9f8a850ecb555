"""Spanner's Go client, unmodified, at the door: the program of go/ runs the cases once, each is a test."""
import pathlib

import pytest

import linkspan_site
import spanner_cases


@pytest.fixture(scope="module")
def told(request, site, as_user):
    program = pathlib.Path(request.config.getoption("--cache")) / "go-spanner" / "go-spanner"
    if not program.exists():
        pytest.fail(f"there is no {program}: ./dev setup builds it")
    environment = linkspan_site.clean_environment(SSL_CERT_FILE=str(site.ca))
    return spanner_cases.answers([program], spanner_cases.question(site, as_user, "go"), environment)


@pytest.mark.parametrize("case", spanner_cases.CASES)
def test_case(told, case):
    spanner_cases.check(told, case)
