"""What clients do in load.py's storm. Each act is short and is done again and again by a thread of its own."""
import threading
import time

import google.auth.transport.requests
import grpc
import requests
import urllib3
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud import spanner_v1

import linkspan_site
import setting

EXPECTED = (exceptions.GoogleAPICallError, exceptions.RetryError, auth_exceptions.GoogleAuthError, grpc.RpcError, urllib3.exceptions.HTTPError)
COMMITS_OF = 100
INSTANCE = "projects/demo/instances/flights"


def fill(database, rows, size):
    def part(begin):
        with database.batch() as batch:
            batch.insert("Singers", ("SingerId", "Name", "Salary"), [(n, "x" * size, 0) for n in range(begin, begin + COMMITS_OF)])

    threads = [threading.Thread(target=lambda start=start: [part(n) for n in range(start, rows, 4 * COMMITS_OF)])
               for start in range(0, 4 * COMMITS_OF, COMMITS_OF)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Clouds:
    must_happen = ("whole stream", "slow stream", "cancelled stream", "late", "race", "commit", "rest", "exchange", "sessions", "ddl",
                   "expires", "stranger", "partitions", "metadata of the API")

    def __init__(self, site, as_user, name, rows, lists_sessions=True):
        self.site, self.as_user, self.rows, self.lists_sessions = site, as_user, rows, lists_sessions
        self.name = f"{INSTANCE}/databases/{name}"
        self.pooled = setting.open_database(site, as_user("admin"), name)
        self.local = threading.local()
        self.numbers, self.lock = 10 ** 6, threading.Lock()
        self.token = as_user.token("admin")

    def fresh(self, who):
        with self.lock:  # it writes a file each time
            return self.as_user.fresh(who)

    def exchanged(self, *who):
        with self.lock:
            found = self.as_user.fresh(*who)
        found.refresh(google.auth.transport.requests.Request())
        return found.token

    def actors(self, jobs, code):
        self.code = code
        return [("whole stream", self.whole, 1), ("slow stream", self.slow, 2), ("cancelled stream", self.cancelled, 2),
                ("late", self.late, 2), ("race", self.race, 3), ("commit", self.commit, 3), ("rest", self.rest, 2),
                ("exchange", self.exchange, 1), ("sessions", self.sessions, 1), ("ddl", self.ddl, 1), ("expires", self.expires, 1),
                ("stranger", self.stranger, 1), ("partitions", self.partitions, 1), ("metadata of the API", self.look_around, 1),
                ("job", self.job, jobs), ("cancelled job", self.cancelled_job, min(jobs, 1))]

    # --- native gRPC, one connection a thread --------------------------------------------------------------------------------

    def api(self, who="admin"):
        if not hasattr(self.local, "api"):
            self.local.api = spanner_v1.SpannerClient(credentials=self.fresh(who),
                                                      client_options={"api_endpoint": f"localhost:{self.site.port}"})
            self.local.session = self.local.api.create_session(database=self.name, timeout=30).name
        return self.local.api, self.local.session

    def stream(self, sql="SELECT SingerId, Name FROM Singers", timeout=60):
        api, session = self.api()
        return api.execute_streaming_sql(request={"session": session, "sql": sql}, timeout=timeout, retry=None)

    def whole(self, chance):
        api, session = self.api()
        ask = {"session": session, "table": "Singers", "columns": ["SingerId", "Name", "Salary"], "key_set": {"all_": True}}
        found = sum(len(part.values) for part in api.streaming_read(request=ask, timeout=120, retry=None))
        assert found >= 3 * self.rows, f"only {found} values"

    def slow(self, chance):
        for n, _ in enumerate(self.stream()):
            time.sleep(0.05 * chance.random())
            if n > 40:
                return

    def cancelled(self, chance):
        stream = self.stream()
        for n, _ in enumerate(stream):
            if n >= chance.randrange(4):
                break
        stream.cancel()
        time.sleep(0.05 * chance.random())

    def late(self, chance):
        """Deadlines that pass before, in the middle, and after."""
        try:
            for _ in self.stream("SELECT COUNT(*) FROM Singers AS a JOIN Singers AS b ON a.Salary = b.Salary" if chance.random() < 0.3
                                 else "SELECT Name FROM Singers", timeout=0.002 + 0.2 * chance.random()):
                pass
        except exceptions.DeadlineExceeded:
            pass

    def partitions(self, chance):
        api, session = self.api()
        begun = api.begin_transaction(session=session, options={"read_only": {"strong": True, "return_read_timestamp": True}}, timeout=30)
        ask = {"session": session, "transaction": {"id": begun.id}, "table": "Singers", "columns": ["SingerId"], "key_set": {"all_": True}}
        parts = api.partition_read(request={**ask, "partition_options": {"max_partitions": 4}}, timeout=30).partitions
        found = sum(len(part.values) for one in parts
                    for part in api.streaming_read(request={**ask, "partition_token": one.partition_token}, timeout=60, retry=None))
        assert found >= self.rows

    # --- writes ------------------------------------------------------------------------------------------------------------------

    def number(self):
        with self.lock:
            self.numbers += 1
            return self.numbers

    def commit(self, chance):
        with self.pooled.batch() as batch:
            batch.insert("Singers", ("SingerId", "Name"), [(self.number(), "new") for _ in range(chance.randrange(1, 40))])
            batch.insert_or_update("Notes", ("Owner", "Id", "Text"), [("all", chance.randrange(20), "text")])

    def race(self, chance):
        singer = chance.randrange(3)

        def add(transaction):
            have = transaction.read("Singers", ("Salary",), spanner_v1.KeySet(keys=[[singer]])).one()[0]
            transaction.execute_sql("SELECT COUNT(*) FROM Notes WHERE Owner = 'race'").one()
            transaction.update("Singers", ("SingerId", "Salary"), [(singer, have + 1)])

        self.pooled.run_in_transaction(add, timeout_secs=60)

    def ddl(self, chance):
        table = f"T{self.number()}"
        self.pooled.update_ddl([f"CREATE TABLE {table} (Id INT64 NOT NULL, Text STRING(MAX)) PRIMARY KEY (Id)"]).result(timeout=60)
        with self.pooled.batch() as batch:
            batch.insert(table, ("Id", "Text"), [(1, "a")])
        self.pooled.update_ddl([f"ALTER TABLE {table} ADD COLUMN More INT64"]).result(timeout=60)
        self.pooled.update_ddl([f"DROP TABLE {table}"]).result(timeout=60)
        time.sleep(0.2)

    # --- REST, exchanges, callers who end or are nobody -----------------------------------------------------------------------------

    def http(self, token=None):
        if not hasattr(self.local, "http"):
            self.local.http = requests.Session()
        self.local.http.headers["Authorization"] = f"Bearer {token or self.token}"
        return self.local.http

    def post(self, path, body, token=None, **more):
        return self.http(token).post(f"{self.site.url}/v1/{path}", json=body, timeout=60, verify=str(self.site.ca), **more)

    def rest(self, chance):
        session = self.post(f"{self.name}/sessions", {}).json()["name"]
        for sql in ("SELECT COUNT(*) FROM Singers", "SELECT SingerId FROM Singers LIMIT 10", "SELECT nothing FROM Singers", "SELEKT"):
            self.post(f"{session}:executeSql", {"sql": sql})
        if chance.random() < 0.3:  # goes away in the middle of the answer
            with self.post(f"{session}:executeStreamingSql", {"sql": "SELECT Name FROM Singers"}, stream=True) as answer:
                answer.raw.read(20000)
            self.local.http.close()
        self.http().delete(f"{self.site.url}/v1/{session}", timeout=60, verify=str(self.site.ca))

    def sessions(self, chance):
        api, _ = self.api()
        made = api.batch_create_sessions(database=self.name, session_count=20, timeout=30).session
        if self.lists_sessions:
            for _ in api.list_sessions(database=self.name, timeout=30):
                pass
        for session in made:
            api.delete_session(name=session.name, timeout=30)

    def exchange(self, chance):
        self.exchanged("admin")
        self.exchanged("caller", setting.WORKER)

    def expires(self, chance):
        """A stream whose token ends under it: the server ends it, or it ended before."""
        subject = requests.get(f"{self.site.issuer_url}/token", timeout=10, params={
            "shape": "entra", "tenant": linkspan_site.TENANT, "sub": "admin", "aud": linkspan_site.AUDIENCE, "format": "text",
            "life": 2}).text.strip()
        session = self.post(f"{self.name}/sessions", {}, subject).json().get("name")
        if not session:
            return
        with self.post(f"{session}:executeStreamingSql", {"sql": "SELECT Name FROM Singers"}, subject, stream=True) as answer:
            try:
                for _ in range(10):
                    if not answer.raw.read(100000):
                        break
                    time.sleep(0.4)
            except urllib3.exceptions.ProtocolError:
                pass  # the server cut it

    def stranger(self, chance):
        for token in ("", "x.y.z", self.token[:-4] + "AAAA", "A" * 3000):
            answer = self.post(f"{self.name}/sessions", {}, token or "-")
            assert answer.status_code in (401, 403), answer.text

    def look_around(self, chance):
        http, trust = self.http(), str(self.site.ca)
        for path in (f"/v1/{INSTANCE}/databases", f"/v1/{self.name}/ddl", "/healthz", "/.well-known/openid-configuration", "/keys",
                     "/v1/projects/demo/instances", "/nothing/here", f"/v1/{self.name}/operations"):
            http.get(self.site.url + path, timeout=30, verify=trust)

    # --- jobs --------------------------------------------------------------------------------------------------------------------------

    def jobs_api(self):
        if not hasattr(self.local, "jobs"):
            self.local.jobs = setting.dataproc_client(self.site, self.fresh("caller"))
            clusters = setting.dataproc_client(self.site, self.fresh("admin"), "ClusterControllerClient")
            try:
                clusters.create_cluster(project_id="demo", region="local", cluster={"project_id": "demo", "cluster_name": "batch"}).result(timeout=60)
            except exceptions.AlreadyExists:
                pass
        return self.local.jobs

    def submit(self):
        return self.jobs_api().submit_job(project_id="demo", region="local", timeout=60, job={
            "placement": {"cluster_name": "batch"}, "labels": {"linkspan-account": "worker"},
            "pyspark_job": {"main_python_file_uri": f"file://{self.code}/short.py"}}).reference.job_id

    def wait(self, job, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.jobs_api().get_job(project_id="demo", region="local", job_id=job, timeout=30).status.state.name
            if state in ("DONE", "ERROR", "CANCELLED"):
                return state
            time.sleep(0.3)
        raise AssertionError(f"job {job} did not end")

    def job(self, chance):
        state = self.wait(self.submit())
        assert state == "DONE", state

    def cancelled_job(self, chance):
        job = self.submit()
        time.sleep(3 * chance.random())
        self.jobs_api().cancel_job(project_id="demo", region="local", job_id=job, timeout=30)
        self.wait(job)
