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
import two_sites  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--linkspan", help="the program to test", default=str(ROOT / "build/san/src/cli/linkspan"))
    parser.addoption("--through-gateway", action="store_true", help="the shared server forwards to a second one, which plays the cloud")
    parser.addoption("--cache", help="where ./dev keeps what it downloads", default=str(pathlib.Path.home() / ".cache/linkspan"))


def make_site(folder, linkspan, more_policy="", more_config="", config=setting.CONFIG):
    """A server, not started. `folder` must not exist. `more_config` goes on with connections.demo."""
    site = linkspan_site.Site(linkspan, folder / "site")
    code = folder / "jobs"
    shutil.copytree(setting.JOBS, code)
    shutil.copy(setting.JOBS.parent / "hostile_job.py", code)
    values = {"CODE": code, "PYTHON": sys.executable}
    site.make(config + more_config, {"tests": setting.POLICY + more_policy}, values)
    setting.one_authority(site)
    site.code = code
    return site


@pytest.fixture(scope="session")
def linkspan(request):
    path = pathlib.Path(request.config.getoption("--linkspan"))
    if not path.exists():
        pytest.fail(f"there is no {path}: build it first (./dev test does)")
    return path


@pytest.fixture(scope="session")
def site(request, tmp_path_factory, linkspan):
    """The shared server. With --through-gateway it is the near one of two, and forwards all of Spanner to `site.far`."""
    folder = tmp_path_factory.mktemp("shared")
    through = request.config.getoption("--through-gateway")
    site = make_site(folder, linkspan, config=two_sites.through_gateway(setting.CONFIG) if through else setting.CONFIG)
    site.far = two_sites.make_far(folder / "far", site) if through else None
    servers = [site.far, site] if through else [site]
    site.trust()
    try:
        if through:
            site.far.start_server()
        site.start()
        yield site
        for server in servers:
            assert server.server.poll() is None, f"the server died:\n{server.log()}"
    finally:
        for server in reversed(servers):
            server.stop()
    for server in servers:
        assert "ERROR: AddressSanitizer" not in server.log() and "runtime error:" not in server.log(), server.log()


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
