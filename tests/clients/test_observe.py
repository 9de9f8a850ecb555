"""What can be seen of a server: metrics that equal what clients did, the trace that goes through, a line of the log a request."""
import json
import re
import signal
import socket
import subprocess
import threading

import pytest
import requests

import conftest
import linkspan_site
import plain
import setting
import two_sites

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
QUERY = "google.spanner.v1.Spanner.ExecuteStreamingSql"

# --- a strict reader of the text format ----------------------------------------------------------------------------------

HEAD = re.compile(r"# (HELP|TYPE) ([a-z_]+) (.+)")
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?[0-9]+(?:\.[0-9]{6})?)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(,|$)')


def labels_of(text):
    found = LABEL.findall(text or "")
    assert sum(len(name) + len(value) + 3 + len(comma) for name, value, comma in found) == len(text or ""), text
    return tuple((name, re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value)) for name, value, _ in found)


def parse(text):
    """(name, labels) → value. Fails on a line that is not lawful, a sample outside its family, one that is there twice, and a histogram
    whose buckets fall or do not sum up."""
    samples, family, kind = {}, None, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if match := HEAD.fullmatch(line):
            if match[1] == "TYPE":
                assert match[2] == family and match[3] in ("counter", "gauge", "histogram"), line
                kind = match[3]
            family = match[2]
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels = match[1], labels_of(match[2])
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        assert name in [family + suffix for suffix in suffixes], line
        assert kind != "counter" or name.endswith("_total"), line
        assert (name, labels) not in samples, line
        samples[name, labels] = float(match[3])
    check_histograms(samples)
    return samples


def check_histograms(samples):
    last = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket"):
            key = (name, labels[:-1])
            bound = float(labels[-1][1])
            assert labels[-1][0] == "le" and (key not in last or (last[key][0] < bound and last[key][1] <= value)), (name, labels)
            last[key] = (bound, value)
    for (name, labels), (bound, value) in last.items():
        assert bound == float("inf") and samples[name[:-len("_bucket")] + "_count", labels] == value


def total(samples, name, **wanted):
    return sum(value for (found, labels), value in samples.items() if found == name and wanted.items() <= dict(labels).items())


# --- a site with an admin listener ---------------------------------------------------------------------------------------


class Watched:
    def __init__(self, site, log="none"):
        self.site, self.port = site, linkspan_site.free_port()
        text = site.config.read_text().replace("listen: {", f'listen: {{ admin: "127.0.0.1:{self.port}",')
        site.config.write_text(text + f"log: {{ requests: {log} }}\n")
        self.url = f"http://127.0.0.1:{self.port}"

    def scrape(self):
        answer = requests.get(f"{self.url}/metrics", timeout=30)
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return parse(answer.text)

    def lines(self):
        return [json.loads(line) for line in (self.site.folder / "server.log").read_text().splitlines() if line.startswith("{")]

    def request_line(self, wanted):
        return setting.eventually(lambda: next((line for line in self.lines() if "httpRequest" in line and wanted(line)), None))


def started(site):
    watched = Watched(site, log="all")
    site.trust()
    site.start()
    return watched


@pytest.fixture
def watched(own_site):
    return started(own_site)


def test_metrics_equal_what_a_client_did(watched):
    as_user = setting.Credentials(watched.site)
    database = setting.create_database(watched.site, as_user("admin"), "seen", setting.DDL)
    setting.put_singers(database, [(n, f"name {n}", n) for n in range(5)])
    before = watched.scrape()
    for _ in range(7):
        with database.snapshot() as snapshot:
            assert len(list(snapshot.execute_sql("SELECT SingerId, Name FROM Singers"))) == 5
    refused = setting.open_database(watched.site, as_user("reader"), "seen")
    with refused.snapshot() as snapshot, pytest.raises(Exception, match="may not read Notes"):
        list(snapshot.execute_sql("SELECT Owner, Id FROM Notes"))
    after = watched.scrape()

    def more(name, **labels):
        return total(after, name, **labels) - total(before, name, **labels)
    assert more("linkspan_requests_total", method=QUERY, code="OK", reason="") == 7
    assert more("linkspan_requests_total", method=QUERY, code="PERMISSION_DENIED") == 1
    assert more("linkspan_request_seconds_count", method=QUERY) == 8
    assert 0 < more("linkspan_request_seconds_sum", method=QUERY) < 60
    assert more("linkspan_response_bytes_total", method=QUERY) > 7 * 5 * 6
    assert more("linkspan_requests_total") == more("linkspan_request_seconds_count") == more("linkspan_account_request_seconds_count")
    assert more("linkspan_token_verifications_total", result="cached") >= 6
    assert more("linkspan_audit_entries_total") >= 8
    accounts = {dict(labels)["account"] for name, labels in after if name == "linkspan_account_request_seconds_count"}
    assert sum(name.startswith("cloud:") for name in accounts) >= 2 and "unidentified" in accounts
    assert after["linkspan_requests_under_way", ()] == 0 and after["linkspan_audit_failing", ()] == 0
    assert after["process_resident_memory_bytes", ()] > 1e6 and after["process_open_fds", ()] > 5
    assert total(after, "linkspan_upstream_requests_total") == 0
    assert setting.eventually(lambda: watched.scrape()["linkspan_connections", ()] > 0 or None)


def test_scrapes_under_load(watched):
    client = plain.Plain(watched.site)
    client.create("busy")
    session, asked = client.session("busy"), []

    def work():
        mine = plain.Plain(watched.site)
        for _ in range(40):
            mine.ask("POST", f"{session}:executeSql", {"sql": "SELECT 1"})
            asked.append(1)
    before = watched.scrape()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = [before]
    while any(thread.is_alive() for thread in threads):
        seen.append(watched.scrape())
    for thread in threads:
        thread.join()
    seen.append(watched.scrape())
    for earlier, later in zip(seen, seen[1:]):  # what is counted never falls
        for key, value in earlier.items():
            assert later[key] >= value or not key[0].endswith(("_total", "_bucket", "_count", "_sum")), key
    method = "google.spanner.v1.Spanner.ExecuteSql"
    assert len(asked) == 160
    assert total(seen[-1], "linkspan_requests_total", method=method) - total(before, "linkspan_requests_total", method=method) == 160


def test_strangers_are_no_labels(watched):
    for n in range(30):
        requests.get(f"{watched.site.url}/stranger-{n}", verify=str(watched.site.ca), timeout=10)
    samples = watched.scrape()
    assert total(samples, "linkspan_requests_total", method="unknown", service="", reason="METHOD_UNKNOWN") == 30
    assert not any("stranger" in value for _, labels in samples for _, value in labels)


def test_what_is_asked_of_a_generic_service_is_no_label(own_site):
    """Its methods are a client's words, with a proof and without one."""
    behind = f'  behind:\n    service: {{ back: upstream, hosts: [behind.internal], endpoint: "http://127.0.0.1:{linkspan_site.free_port()}" }}\n'
    own_site.config.write_text(own_site.config.read_text().replace("connections:\n", "connections:\n" + behind))
    watched = Watched(own_site)
    own_site.trust()
    own_site.start()
    client = plain.Plain(own_site)
    for headers in ({}, {"Authorization": f"Bearer {client.token}"}):
        for n in range(5):
            requests.get(f"{own_site.url}/madeup{n}", headers={"Host": "behind.internal", **headers}, verify=str(own_site.ca), timeout=20)
    samples = watched.scrape()
    assert total(samples, "linkspan_requests_total", method="behind.service") == 10
    assert not any("madeup" in value for _, labels in samples for _, value in labels)


def entry_of(site, text):
    return setting.eventually(lambda: next((line for line in site.run(
        "audit", "show", "--config", site.config, "--json", "--limit", 1000).stdout.splitlines() if all(part in line for part in text)), None))


@pytest.mark.parametrize("given, taken", [(f"00-{TRACE}-00f067aa0ba902b7-01", True), (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", False),
                                          (f"01-{TRACE}-00f067aa0ba902b7-01", False)])
def test_trace(watched, given, taken):
    client = plain.Plain(watched.site)
    client.http.headers["traceparent"] = given
    client.ask("GET", f"{plain.INSTANCE}/databases?pageSize=7")
    line = watched.request_line(lambda line: line["httpRequest"].get("requestUrl") == f"/{plain.INSTANCE}/databases")
    trace, span = line["logging.googleapis.com/trace"], line["logging.googleapis.com/spanId"]
    assert (trace == TRACE) == taken and re.fullmatch("[0-9a-f]{32}", trace) and re.fullmatch("[0-9a-f]{16}", span)
    assert span != "00f067aa0ba902b7"
    labels = line["logging.googleapis.com/labels"]
    entry = entry_of(watched.site, [labels["request"], trace])
    assert entry, "the entry of this request does not hold its trace"
    assert line["severity"] == "INFO" and labels["code"] == "OK" and labels["account"].startswith("cloud:")
    assert line["httpRequest"]["status"] == 200 and re.fullmatch(r"[0-9]+\.[0-9]{6}s", line["httpRequest"]["latency"])
    assert "pageSize" not in (watched.site.folder / "server.log").read_text()


def test_through_the_gateway(tmp_path, linkspan):
    """What went on to the other server is counted by its name, and both audits hold the caller's trace."""
    near = conftest.make_site(tmp_path, linkspan, config=two_sites.through_gateway(setting.CONFIG))
    pair = two_sites.Pair(near, two_sites.make_far(tmp_path / "far", near))
    watched = Watched(near, log="all")
    near.trust()
    try:
        pair.start()
        client = plain.Plain(near)
        client.create("beyond")
        session = client.session("beyond")
        before = watched.scrape()
        client.http.headers.update({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "congo=t61rcWkgMzE"})
        for _ in range(3):
            client.ask("POST", f"{session}:executeSql", {"sql": "SELECT SingerId FROM Singers"})
        after = watched.scrape()
        line = watched.request_line(lambda line: line.get("logging.googleapis.com/trace") == TRACE)
        far_entry = entry_of(pair.far, [TRACE, "Spanner.Execute"])
    finally:
        pair.stop()
    upstream = "demo.spanner"
    asked = {"upstream": upstream, "code": "OK"}
    assert total(after, "linkspan_upstream_requests_total", **asked) - total(before, "linkspan_upstream_requests_total", **asked) == 3
    spent = total(after, "linkspan_upstream_seconds_sum", upstream=upstream) - total(before, "linkspan_upstream_seconds_sum", upstream=upstream)
    assert 0 < spent <= total(after, "linkspan_request_seconds_sum", method="google.spanner.v1.Spanner.ExecuteSql")
    assert total(after, "linkspan_exchange_fetches_total", exchange="far", result="ok") >= 1
    assert total(after, "linkspan_exchange_fetches_total", result="failed") == 0
    assert total(after, "linkspan_exchange_asks_total", exchange="far", result="had") >= 3
    assert total(after, "linkspan_exchange_breaker_open") == 0
    assert line["logging.googleapis.com/labels"]["upstream"] == upstream
    assert far_entry, "the far audit does not hold the trace"


def test_a_refusal_has_its_line_without_sql(watched):
    client = plain.Plain(watched.site)
    client.create("quiet")
    reader = plain.Plain(watched.site, "reader")
    session = reader.session("quiet")
    with pytest.raises(plain.Refused):
        reader.ask("POST", f"{session}:executeSql", {"sql": "SELECT Owner FROM Notes WHERE Text = 'hunter2'"})
    line = watched.request_line(lambda line: line["logging.googleapis.com/labels"]["code"] == "PERMISSION_DENIED")
    assert line["severity"] == "WARNING" and line["httpRequest"]["status"] == 403
    assert line["logging.googleapis.com/labels"]["reason"].startswith("NO_RULE")
    text = (watched.site.folder / "server.log").read_text()
    assert "hunter2" not in text and "SELECT" not in text and client.token not in text


@pytest.mark.parametrize("verb, path, host, status", [
    ("GET", "/healthz", None, 200), ("GET", "/metrics", "localhost", 200), ("GET", "/", None, 404), ("GET", "/metrics/", None, 404),
    ("GET", "/v1/token", None, 404), ("POST", "/metrics", None, 405), ("DELETE", "/healthz", None, 405),
    ("GET", "/metrics", "evil.example", 421), ("GET", "/healthz", "127.0.0.1.evil.example", 421)])
def test_the_listener_has_two_pages(watched, verb, path, host, status):
    answer = requests.request(verb, watched.url + path, headers={"Host": host} if host else {}, timeout=10)
    assert answer.status_code == status, answer.text
    assert path != "/healthz" or status != 200 or answer.text == "ready\n"


def test_healthz_while_draining(own_site):
    """After SIGTERM, as long as somebody's answer is under way, on whichever worker (almost never the first, which has the admin
    listener): a balancer hears it by a connection that it has, and by a new one."""
    own_site.config.write_text(own_site.config.read_text() + "workers: 16\n")
    watched = started(own_site)
    client = plain.Plain(watched.site)
    client.create("slowly")
    session = client.session("slowly")
    client.commit(session, ("insert", "Notes", ["Owner", "Id", "Text"], [["a", str(n), "x" * (1 << 20)] for n in range(6)]))
    kept = requests.Session()
    assert kept.get(f"{watched.url}/healthz", timeout=10).text == "ready\n"
    unread = client.http.post(f"{watched.site.url}/{session}:executeStreamingSql", json={"sql": "SELECT a.Text FROM Notes AS a CROSS JOIN Notes AS b"},
                              verify=str(watched.site.ca), stream=True, timeout=30)
    assert unread.status_code == 200
    watched.site.server.send_signal(signal.SIGTERM)
    assert setting.eventually(lambda: True if (answer := kept.get(f"{watched.url}/healthz", timeout=10)).status_code == 503 else None)
    answer = requests.get(f"{watched.url}/healthz", timeout=10)
    assert (answer.status_code, answer.text) == (503, "draining\n")
    assert kept.get(f"{watched.url}/metrics", timeout=10).status_code == 200 and watched.site.server.poll() is None
    unread.close()
    assert watched.site.server.wait(20) == 0


def test_who_never_reads_holds_nobody_up(watched):
    socks = [socket.create_connection(("127.0.0.1", watched.port)) for _ in range(20)]
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
    assert setting.eventually(lambda: requests.get(f"{watched.url}/metrics", timeout=30).status_code == 200 or None, 60)
    assert requests.get(f"{watched.site.url}/healthz", verify=str(watched.site.ca), timeout=10).status_code == 200
    for sock in socks:
        sock.close()


def test_loopback_only(own_site):
    text = own_site.config.read_text()
    for address in ("0.0.0.0:8444", ":8444", "10.0.0.1:8444", "[::]:8444"):
        own_site.config.write_text(text.replace("listen: {", f'listen: {{ admin: "{address}",'))
        told = own_site.run("check", "--config", own_site.config, check=False)
        assert told.returncode != 0 and "must be a loopback address" in told.stderr, address


def test_a_log_that_nobody_reads(own_site):
    watched = Watched(own_site, log="all")
    own_site.trust()
    own_site.start()
    own_site.stop_server()
    own_site.server = subprocess.Popen([own_site.linkspan, "serve", "--config", str(own_site.config)], stdin=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, env=linkspan_site.clean_environment(), start_new_session=True)
    own_site.wait_for(own_site.server, f"{own_site.url}/healthz", "server")
    client, path = plain.Plain(own_site), f"{plain.INSTANCE}/databases/{'x' * 900}"
    for _ in range(2000):  # some 2 KB a line, and 2 MiB may wait
        answer = client.http.get(f"{own_site.url}/{path}", verify=str(own_site.ca), timeout=10)
        assert answer.status_code in (400, 403, 404)
    assert total(watched.scrape(), "linkspan_log_dropped_total") > 0
    text = []
    reader = threading.Thread(target=lambda: text.append(own_site.server.stderr.read().decode()))
    reader.start()  # read again: the log says what is missing
    own_site.stop_server()
    reader.join(60)
    lines = [json.loads(line) for line in text[0].splitlines() if line.startswith("{")]
    assert any("lines of the log were dropped" in line["message"] for line in lines)
