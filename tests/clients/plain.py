"""A client of an own site, over REST: a bearer token of the development issuer as it stands, one connection, no retries. Where
servers are killed and disks are full, what a client library does to hide it is not wanted."""
import requests

import linkspan_site
import setting

INSTANCE = "v1/projects/demo/instances/flights"


def token(site, who="admin", **more):
    query = {"shape": "entra", "tenant": linkspan_site.TENANT, "sub": who, "aud": linkspan_site.AUDIENCE, "format": "text", **more}
    return requests.get(f"{site.issuer_url}/token", params=query, timeout=10).text.strip()


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer.status_code} {answer.text[:500]}")
        self.http = answer.status_code
        error = answer.json().get("error", {}) if "json" in answer.headers.get("content-type", "") else {}
        self.status, self.text = error.get("status"), answer.text


class Plain:
    def __init__(self, site, who="admin", bearer=None):
        self.site, self.http, self.token = site, requests.Session(), bearer or token(site, who)
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def ask(self, verb, path, body=None, timeout=60):
        answer = self.http.request(verb, f"{self.site.url}/{path}", json=body, timeout=timeout, verify=str(self.site.ca))
        if answer.status_code != 200:
            raise Refused(answer)
        return answer.json()

    def create(self, name, ddl=setting.DDL):
        return self.ask("POST", f"{INSTANCE}/databases", {"createStatement": f"CREATE DATABASE {name}", "extraStatements": list(ddl)})

    def session(self, name):
        return "v1/" + self.ask("POST", f"{INSTANCE}/databases/{name}/sessions", {})["name"]

    def commit(self, session, *mutations, timeout=60):
        """Mutations are (kind, table, columns, rows). Returns the commit's timestamp as the server wrote it."""
        made = [{kind: {"table": table, "columns": columns, "values": rows}} for kind, table, columns, rows in mutations]
        return self.ask("POST", f"{session}:commit", {"singleUseTransaction": {"readWrite": {}}, "mutations": made}, timeout)["commitTimestamp"]

    def sql(self, session, sql, **more):
        return self.ask("POST", f"{session}:executeSql", {"sql": sql, **more}).get("rows", [])
