"""Says as JSON who it is and what it can do: by the metadata server, through google-auth, and with the Spanner client."""
import json
import os
import sys
import time

import google.auth
import google.auth.transport.requests
from google.cloud import spanner

credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(google.auth.transport.requests.Request())
database = spanner.Client(project=project, disable_builtin_metrics=True).instance("flights").database(sys.argv[1])
with database.batch() as batch:
    batch.insert_or_update("Notes", ("Owner", "Id", "Text"), [("job", 1, "written by a job")])
with database.snapshot() as snapshot:
    rows = list(snapshot.execute_sql("SELECT Text FROM Notes WHERE Owner = 'job'"))
# The token is printed for the test alone: it wants to see that it dies with the job.
print("who: " + json.dumps({"email": credentials.service_account_email, "project": project, "rows": rows, "token": credentials.token,
                            "endpoint": os.environ["LINKSPAN_SPANNER_ENDPOINT"], "args": sys.argv[1:]}), flush=True)
time.sleep(float(sys.argv[2]))
