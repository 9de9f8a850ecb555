"""Asks its metadata server for tokens of both kinds, again and again: prints the first one for the test, which wants to see what it
opens and until when, and then what is answered whenever that is something else than before."""
import json
import os
import time
import urllib.error
import urllib.request

ACCOUNT = f"http://{os.environ['GCE_METADATA_HOST']}/computeMetadata/v1/instance/service-accounts/default"


def ask(what):
    request = urllib.request.Request(f"{ACCOUNT}/{what}", headers={"Metadata-Flavor": "Google"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


print("first: " + json.loads(ask("token")[1])["access_token"], flush=True)
before = {}
while True:
    for kind, what in ("access", "token"), ("identity", "identity?audience=https://service.example"):
        status, text = ask(what)
        if before.get(kind) != status:
            before[kind] = status
            print(f"{kind}: {status} {text if status != 200 else ''}", flush=True)
    time.sleep(0.2)
