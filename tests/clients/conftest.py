"""One real server for all tests (`linkspan init`, development issuer, policy, embedded Spanner and Dataproc), and clients that are
none of ours. Tests that stop, break or reconfigure a server take one of their own (`own_site`)."""
import itertools
import pathlib
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples" / "flights"), str(pathlib.Path(__file__).parent)]

import linkspan_site  # noqa: E402
import setting  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--linkspan", help="the program to test", default=str(ROOT / "build/san/src/cli/linkspan"))
    parser.addoption("--cache", help="where ./dev keeps what it downloads", default=str(pathlib.Path.home() / ".cache/linkspan"))


def make_site(folder, linkspan, more_policy="", more_config=""):
    """A started server. `folder` must not exist. `more_config` goes on with connections.demo."""
    site = linkspan_site.Site(linkspan, folder / "site")
    code = folder / "jobs"
    shutil.copytree(setting.JOBS, code)
    shutil.copy(setting.JOBS.parent / "hostile_job.py", code)
    values = {"CODE": code, "PYTHON": sys.executable}
    site.make(setting.CONFIG + more_config, {"tests": setting.POLICY + more_policy}, values)
    site.code = code
    return site


@pytest.fixture(scope="session")
def linkspan(request):
    path = pathlib.Path(request.config.getoption("--linkspan"))
    if not path.exists():
        pytest.fail(f"there is no {path}: build it first (./dev test does)")
    return path


@pytest.fixture(scope="session")
def site(tmp_path_factory, linkspan):
    site = make_site(tmp_path_factory.mktemp("shared"), linkspan)
    site.trust()
    try:
        site.start()
        yield site
        assert site.server.poll() is None, f"the server died:\n{site.log()}"
    finally:
        site.stop()
    assert "ERROR: AddressSanitizer" not in site.log() and "runtime error:" not in site.log(), site.log()


@pytest.fixture
def own_site(tmp_path, linkspan):
    """A server of the test's own, not started yet."""
    site = make_site(tmp_path, linkspan)
    yield site
    site.stop()


@pytest.fixture(scope="session")
def as_user(site):
    """as_user("admin") → google-auth credentials; as_user("caller", account=…) impersonates."""
    return setting.Credentials(site)


NUMBERS = itertools.count(1)


@pytest.fixture
def empty_database(site, as_user):
    """A fresh database without tables, for the administrator."""
    return setting.create_database(site, as_user("admin"), f"db{next(NUMBERS)}")


@pytest.fixture
def database(site, as_user):
    """A fresh database with the tables of setting.DDL."""
    return setting.create_database(site, as_user("admin"), f"db{next(NUMBERS)}", setting.DDL)
