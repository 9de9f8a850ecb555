"""Asks for a database of each name that it is given, as the Spark-Spanner connector does before it reads; says what it was told."""
import sys

from google.api_core import exceptions
from google.cloud import spanner

instance = spanner.Client(project="demo", disable_builtin_metrics=True).instance("flights")
for name in sys.argv[1:]:
    try:
        instance.database(name).create()
        print(f"{name}: made", flush=True)
    except exceptions.GoogleAPICallError as error:
        print(f"{name}: {error.grpc_status_code.name}", flush=True)
