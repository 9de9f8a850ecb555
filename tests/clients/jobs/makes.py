"""Asks for an instance and a database of each name that it is given, as the Spark-Spanner connector does before it reads; says what it
was told."""
import sys

from google.api_core import exceptions
from google.cloud import spanner


def tell(what, create):
    try:
        create()
        print(f"{what}: made", flush=True)
    except exceptions.GoogleAPICallError as error:
        print(f"{what}: {error.grpc_status_code.name}", flush=True)


client = spanner.Client(project="demo", disable_builtin_metrics=True)
for name in sys.argv[1:]:
    instance, _, database = name.partition("/")
    if database:
        tell(name, client.instance(instance).database(database).create)
    else:
        tell(name, client.instance(instance, configuration_name="projects/demo/instanceConfigs/linkspan-embedded").create)
