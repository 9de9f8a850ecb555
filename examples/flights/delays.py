"""The job of the flights example: delays by carrier and airport, from Spanner to Spanner.

It reads Flights and Weather and writes CarrierDelay, through Spark's "cloud-spanner" format. The file is the same wherever it
runs: the Spark-Spanner connector where it is on the class path, else spanner_source.py beside it; the connector's `emulatorHost`
option is passed only when the environment names one. There is no key here: the job's identity is what the machine's metadata
server says. Sums are of whole numbers, so the result does not depend on the order in which rows arrive.

Lines that begin with "flights:" are JSON for whoever reads the driver's output."""
import argparse
import json
import os

from pyspark.sql import SparkSession, functions as F

import spanner_source


def say(what, **values):
    print("flights: " + json.dumps({"what": what, **values}, sort_keys=True), flush=True)


class Tables:
    def __init__(self, spark, args):
        self.spark = spark
        self.options = {"projectId": args.project, "instanceId": args.instance, "databaseId": args.database}
        emulator = os.environ.get("SPANNER_EMULATOR_HOST")
        if emulator:
            self.options["emulatorHost"] = emulator

    def read(self, table, *columns):
        options = {**self.options, "table": table, "columns": ",".join(columns)}
        frame = self.spark.read.format("cloud-spanner").options(**options).load()
        if set(columns) - set(frame.columns):  # the connector takes a table that it may not see for one without columns
            spanner_source.Options(options).why_not(columns)
        return frame.select(*columns)

    def write(self, frame, table):
        frame.write.format("cloud-spanner").options(**self.options).option("table", table).mode("append").save()


def carrier_delays(flights, weather):
    """One row a carrier and airport. `visib` has two decimals: hundredths are whole numbers."""
    weather = weather.select("origin", "time_hour", F.round(F.col("visib") * 100).cast("long").alias("hundredths"))
    joined = flights.join(weather, ["origin", "time_hour"], "left")
    sums = joined.groupBy("carrier", "origin").agg(
        F.count(F.lit(1)).alias("flights"), F.count("dep_delay").alias("departed"), F.sum("dep_delay").alias("delay"),
        F.max("dep_delay").alias("max_delay"), F.sum("hundredths").alias("hundredths"), F.count("hundredths").alias("seen"))
    mean = F.col("delay").cast("double") / F.when(F.col("departed") > 0, F.col("departed"))
    visibility = F.col("hundredths").cast("double") / 100 / F.when(F.col("seen") > 0, F.col("seen"))
    return sums.select("carrier", "origin", "flights", "departed", mean.alias("mean_delay"), "max_delay",
                       visibility.alias("mean_visibility"))


def who_am_i():
    """The account that google-auth finds without being told: the metadata server of the job's own machine."""
    import google.auth
    import google.auth.transport.requests
    credentials, project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(google.auth.transport.requests.Request())
    say("identity", account=credentials.service_account_email, project=project, token=bool(credentials.token),
        credentials=type(credentials).__module__)


def try_forbidden(args):
    """Asks for a column that the account may not read, with the Python client. The policy must say no."""
    from google.api_core import exceptions
    from google.cloud import spanner
    database = spanner.Client(project=args.project, disable_builtin_metrics=True).instance(args.instance).database(args.database)
    with database.snapshot() as snapshot:
        rows = list(snapshot.execute_sql("SELECT COUNT(carrier) FROM Flights"))
        say("python", rows=rows[0][0])
    try:
        with database.snapshot() as snapshot:
            list(snapshot.execute_sql("SELECT tailnum FROM Flights LIMIT 1"))
    except exceptions.PermissionDenied as denied:
        say("denied", column="Flights(tailnum)", code="PERMISSION_DENIED", reason=denied.reason,
            id=(denied.metadata or {}).get("id"), message=denied.message)
        return
    raise SystemExit("flights: the forbidden column could be read")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--project", required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--note", default="", help="said again, so that whoever started the job finds it in its output")
    args = parser.parse_args()
    if args.note:
        say("note", text=args.note)
    spark = SparkSession.builder.appName("delays").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    say("source", spark=spark.version, format=spanner_source.register(spark))
    tables = Tables(spark, args)
    delays = carrier_delays(tables.read("Flights", "carrier", "origin", "time_hour", "dep_delay"),
                            tables.read("Weather", "origin", "time_hour", "visib")).coalesce(1)
    tables.write(delays, "CarrierDelay")
    who_am_i()
    try_forbidden(args)
    spark.stop()


if __name__ == "__main__":
    main()
