"""A full disk: writes are refused by name, reads go on, nothing that was acknowledged is lost, and when there is space again all is as
before. Once with a small file system, for which one must be root, and once with a limit on the size of files."""
import contextlib
import json
import os
import resource
import shutil
import subprocess
import time

import pytest

import plain

SIZE_MB, FULL_ROUNDS = 48, 40
NO_ROOM = {"RESOURCE_EXHAUSTED", "UNAVAILABLE"}


class SmallDisk:
    """A tmpfs in the place of a folder. `full` leaves no byte of it."""

    def __init__(self, folder):
        self.folder, aside = folder, folder.with_name(folder.name + ".aside")
        folder.rename(aside)
        folder.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=700", "tmpfs", str(folder)], check=True, capture_output=True)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
        self.ballast = folder / "ballast"

    def full(self, _server):
        with open(self.ballast, "ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError:
                    pass

    def roomy(self, _server):
        self.ballast.unlink()

    def close(self):
        subprocess.run(["umount", "-l", str(self.folder)], check=False)


class SizeLimit:
    """No file may grow, and none may be written at all."""

    def __init__(self, _folder):
        pass

    def full(self, server):
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def roomy(self, server):
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self):
        pass


def small_disk(folder):
    if os.geteuid() != 0:
        pytest.skip("a file system can only be mounted by root")
    try:
        return SmallDisk(folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")


@pytest.fixture(params=["small disk", "size limit"])
def make_disk(request):
    made = []

    def make(folder):
        made.append(small_disk(folder) if request.param == "small disk" else SizeLimit(folder))
        return made[-1]

    yield make
    for disk in made:
        disk.close()


def count(client, session):
    return int(client.sql(session, "SELECT COUNT(*) FROM Singers")[0][0])


def write(client, session, n, size=2000):
    client.commit(session, ("insert", "Singers", ["SingerId", "Name"], [[str(2 * n), "x" * size], [str(2 * n + 1), "y" * size]]), timeout=20)


def refused(act):
    """What it is refused with, or None."""
    try:
        act()
    except plain.Refused as error:
        return error
    return None


def until(what, seconds, act):
    end = time.monotonic() + seconds
    while not act():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def test_a_full_disk(own_site, make_disk):
    site, disk = own_site, make_disk(own_site.data)
    site.start()
    client = plain.Plain(site)
    client.create("brim")
    session = client.session("brim")
    for n in range(20):
        write(client, session, n)
    disk.full(site.server)
    done, errors = set(range(20)), []
    for n in range(20, 20 + FULL_ROUNDS):  # what is there already of the WAL and the journal may still take some
        error = refused(lambda n=n: write(client, session, n, 200000))
        if error:
            errors.append(error)
        else:
            done.add(n)
        assert count(client, session) == 2 * len(done), "reads do not go on, or what was refused is there"
    assert len(errors) > FULL_ROUNDS // 2, "the disk was not full"
    assert all(error.status in NO_ROOM for error in errors), errors[-1]
    assert any("disk" in error.text or "audit" in error.text for error in errors), errors[-1]
    assert site.server.poll() is None, site.log()
    disk.roomy(site.server)
    until("commits work again", 20, lambda: refused(lambda: write(client, session, 10 ** 6)) is None)
    done.add(10 ** 6)
    assert count(client, session) == 2 * len(done)
    site.stop_server()
    assert site.run("audit", "verify", "--config", site.config).returncode == 0
    site.start_server()
    again = plain.Plain(site)
    found = {int(row[0]) for row in again.sql(again.session("brim"), "SELECT SingerId FROM Singers")}
    assert found == {m for n in done for m in (2 * n, 2 * n + 1)}


WIDE = [f"Column{n:03}{'x' * 90}" for n in range(400)]  # an entry names the columns: few entries, and the log's queue is full


@contextlib.contextmanager
def full_log(site):
    """The log's own disk is full, and there is a table so wide that few entries fill its queue: (disk, client, session)."""
    (site.data / "audit").mkdir(mode=0o700, exist_ok=True)
    disk = small_disk(site.data / "audit")
    try:
        site.start()
        client = plain.Plain(site)
        columns = ", ".join(f"{name} INT64" for name in WIDE)
        client.create("wide", [f"CREATE TABLE Wide (Id INT64 NOT NULL, {columns}) PRIMARY KEY (Id)"])
        session = client.session("wide")
        disk.full(site.server)
        yield disk, client, session
    finally:
        site.stop()
        disk.close()


def logged(site, method):
    """What a log that is whole again holds of a method; the server stops for it."""
    site.stop_server()
    assert site.run("audit", "verify", "--config", site.config).returncode == 0
    shown = site.run("audit", "show", "--config", site.config, "--json", "--method", method, "--limit", 100000).stdout
    return [json.loads(line) for line in shown.splitlines()]


def test_commits_while_the_audit_log_cannot_be_written(own_site):
    """They go on while the log can catch up with them (their entries wait in the database), and are refused before it cannot."""
    with full_log(own_site) as (disk, client, session):
        stamps, error = [], None
        for n in range(2000):
            row = [[str(n), *(str(n) for _ in WIDE)]]
            error = refused(lambda: stamps.append(client.commit(session, ("insert", "Wide", ["Id", *WIDE], row), timeout=20)))
            if error:
                break
        assert error and error.status == "UNAVAILABLE" and "AUDIT_UNAVAILABLE" in error.text, error
        written = len(stamps)
        until("the operator is told", 10, lambda: "the audit log cannot be written" in own_site.log())
        disk.roomy(own_site.server)
        until("commits work again", 20, lambda: refused(
            lambda: stamps.append(client.commit(session, ("insert", "Wide", ["Id"], [[str(10 ** 6)]]), timeout=20))) is None)
        assert int(client.sql(session, "SELECT COUNT(*) FROM Wide")[0][0]) == len(stamps) == written + 1 > 20
        told = [entry.get("outcome", {}).get("commitTimestamp") for entry in logged(own_site, "Commit")]
        assert sorted(stamp for stamp in told if stamp) == sorted(stamps)


def test_reads_while_the_audit_log_cannot_be_written(own_site):
    """They go on while the log can catch up with them, and are refused before it cannot: who was answered is in it."""
    with full_log(own_site) as (disk, client, session):
        answered, error = 0, None
        while not error and answered < 5000:
            error = refused(lambda: client.sql(session, f"SELECT * FROM Wide WHERE Id = {answered}"))
            answered += error is None
        assert error and error.status == "UNAVAILABLE" and "AUDIT_UNAVAILABLE" in error.text and answered > 20, (answered, error)
        disk.roomy(own_site.server)
        until("reads work again", 20, lambda: refused(lambda: client.sql(session, "SELECT 1")) is None)
        told = [entry for entry in logged(own_site, "ExecuteSql") if entry["atoms"][0].get("object") == "Wide" and entry["kind"] == "outcome"]
        assert len(told) == answered and "no audit entry" not in own_site.log()


def test_an_audit_log_that_cannot_be_written(own_site):
    """Only the log's disk is full: what must be written down first is refused, and what may be read is read."""
    site = own_site
    (site.data / "audit").mkdir(mode=0o700, exist_ok=True)
    disk = small_disk(site.data / "audit")
    try:
        site.start()
        client = plain.Plain(site)
        client.create("heard")
        session = client.session("heard")
        write(client, session, 1)
        disk.full(site.server)
        end, error = time.monotonic() + 60, None
        while not error:  # the journal has room for some
            assert time.monotonic() < end, "the log took all"
            error = refused(lambda: client.ask("PATCH", f"{plain.INSTANCE}/databases/heard/ddl", {"statements": ["CREATE TABLE T (Id INT64) PRIMARY KEY (Id)"]}))
            error = error if error and "AUDIT_UNAVAILABLE" in error.text else None
            client.sql(session, "SELECT COUNT(*) FROM Singers")
        assert error.status == "UNAVAILABLE"
        assert count(client, session) == 2, "reads do not go on"
        before = {row[0] for row in client.sql(session, "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES")}
        again = refused(lambda: client.ask("PATCH", f"{plain.INSTANCE}/databases/heard/ddl", {"statements": ["CREATE TABLE U (Id INT64) PRIMARY KEY (Id)"]}))
        assert "AUDIT_UNAVAILABLE" in again.text
        assert {row[0] for row in client.sql(session, "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES")} == before, "done though not recorded"
        assert site.server.poll() is None, site.log()
        disk.roomy(site.server)
        until("the log works again", 20, lambda: refused(lambda: client.create("after")) is None)
        site.stop_server()
        assert site.run("audit", "verify", "--config", site.config).returncode == 0
    finally:
        site.stop()
        disk.close()
