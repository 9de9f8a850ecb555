"""The short name "cloud-spanner" for Spark when the Spark-Spanner connector is not on the class path: a Spark 4 Python data
source over the unmodified google-cloud-spanner client, with the connector's own options, so that one job file runs on both.

Reading: the driver opens one batch snapshot and asks Spanner for partitions; each task opens a client of its own and reads one
partition at the snapshot's timestamp. Python data sources of Spark 4.0 are not told which columns a query needs, so the option
`columns` (comma-separated) says it; the connector, which is told, ignores that option. Without it all columns are read.
Writing: mutations of the option `mutationType` (insert_or_update), `mutationsPerTransaction` rows a commit.
Types: BOOL, INT64, FLOAT64, STRING, BYTES, DATE, TIMESTAMP; others are refused by name."""
import dataclasses

import pyarrow
from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceWriter, InputPartition, WriterCommitMessage
from pyspark.sql.types import (BinaryType, BooleanType, DateType, DoubleType, LongType, StringType, StructField, StructType,
                               TimestampType)

NAME = "cloud-spanner"
ROWS_A_BATCH = 8192
TYPES = {"BOOL": (BooleanType(), pyarrow.bool_()), "INT64": (LongType(), pyarrow.int64()),
         "FLOAT64": (DoubleType(), pyarrow.float64()), "STRING": (StringType(), pyarrow.string()),
         "BYTES": (BinaryType(), pyarrow.binary()), "DATE": (DateType(), pyarrow.date32()),
         "TIMESTAMP": (TimestampType(), pyarrow.timestamp("us", tz="UTC"))}
COLUMNS_SQL = """SELECT COLUMN_NAME, SPANNER_TYPE FROM INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA = '' AND UPPER(TABLE_NAME) = UPPER(@table) ORDER BY ORDINAL_POSITION"""
MUTATIONS = ("insert", "update", "replace", "insert_or_update")


def register(spark):
    """Registers the data source unless the connector is there. Returns the name of what serves "cloud-spanner"."""
    try:
        lookup = spark._jvm.org.apache.spark.sql.execution.datasources.DataSource.lookupDataSource
        return lookup(NAME, spark._jsparkSession.sessionState().conf()).getName()
    except Exception:  # nobody has the name
        spark.dataSource.register(SpannerSource)
        return "spanner_source"


class Options:
    """The connector's options, as far as they apply. Names ignore case, as Spark's do."""

    def __init__(self, given):
        options = {key.lower(): value for key, value in given.items()}
        missing = [key for key in ("projectId", "instanceId", "databaseId", "table") if key.lower() not in options]
        if missing:
            raise ValueError(f"cloud-spanner: these options are missing: {', '.join(missing)}")
        self.project, self.instance = options["projectid"], options["instanceid"]
        self.database, self.table = options["databaseid"], options["table"]
        self.emulator_host = options.get("emulatorhost")
        self.columns = [name.strip() for name in options.get("columns", "").split(",") if name.strip()]
        self.mutation = options.get("mutationtype", "insert_or_update")
        self.rows_a_commit = int(options.get("mutationspertransaction", "1000"))
        if self.mutation not in MUTATIONS:
            raise ValueError(f"cloud-spanner: mutationType is one of {', '.join(MUTATIONS)}, not {self.mutation}")
        if self.rows_a_commit < 1:
            raise ValueError("cloud-spanner: mutationsPerTransaction is at least 1")

    def open(self):
        """A database of a client of this process."""
        from google.cloud import spanner  # here: executors import it when they need it
        client = {}
        if self.emulator_host:
            from google.auth.credentials import AnonymousCredentials
            client = {"credentials": AnonymousCredentials(), "client_options": {"api_endpoint": self.emulator_host}}
        return spanner.Client(project=self.project, disable_builtin_metrics=True, **client) \
            .instance(self.instance).database(self.database)

    def schema(self):
        from google.cloud import spanner
        with self.open().snapshot() as snapshot:
            found = list(snapshot.execute_sql(COLUMNS_SQL, {"table": self.table}, {"table": spanner.param_types.STRING}))
        types = {name.lower(): (name, spanner_type) for name, spanner_type in found}
        if not types:
            self.why_not(self.columns)
        return StructType([self.field(*types.get(name.lower(), (name, None))) for name in self.columns or list(types)])

    def why_not(self, columns):
        """The schema shows only what one may use. To be told why a table is not in it, one has to ask for its rows."""
        with self.open().snapshot() as snapshot:
            list(snapshot.execute_sql(f"SELECT {', '.join(f'`{name}`' for name in columns) or '*'} FROM `{self.table}` LIMIT 0"))
        raise ValueError(f"cloud-spanner: the schema does not show {self.table}({', '.join(columns)})")

    def field(self, name, spanner_type):
        if spanner_type is None:
            raise ValueError(f"cloud-spanner: {self.table} has no column {name}")
        base = spanner_type.split("(")[0]
        if base not in TYPES:
            raise ValueError(f"cloud-spanner: {self.table}.{name} is {spanner_type}, which is not supported here")
        return StructField(name, TYPES[base][0])


@dataclasses.dataclass
class Part(InputPartition):
    """One partition: a token in a batch snapshot that all tasks share. Travels to the task that reads it."""
    snapshot: dict
    batch: dict


class SpannerSource(DataSource):
    @classmethod
    def name(cls):
        return NAME

    def schema(self):
        return Options(self.options).schema()

    def reader(self, schema):
        return SpannerReader(Options(self.options), schema)

    def writer(self, schema, overwrite):
        if overwrite:
            raise ValueError("cloud-spanner: only the mode append is supported here")
        return SpannerWriter(Options(self.options), schema.fieldNames())


class SpannerReader(DataSourceReader):
    def __init__(self, options, schema):
        self.options = options
        self.columns = schema.fieldNames()
        arrow = {spark.typeName(): arrow for spark, arrow in TYPES.values()}
        self.arrow = pyarrow.schema([(field.name, arrow[field.dataType.typeName()]) for field in schema])

    def partitions(self):
        from google.cloud.spanner_v1 import KeySet
        snapshot = self.options.open().batch_snapshot()
        batches = list(snapshot.generate_read_batches(self.options.table, self.columns, KeySet(all_=True)))
        shared = snapshot.to_dict()  # not closed: the tasks read in it; Spanner ends it when it is idle
        print(f"cloud-spanner: {self.options.table}({', '.join(self.columns)}) in {len(batches)} partitions", flush=True)
        return [Part(shared, batch) for batch in batches]

    def read(self, partition):
        from google.cloud.spanner_v1.database import BatchSnapshot
        snapshot = BatchSnapshot.from_dict(self.options.open(), partition.snapshot)
        rows = []
        for row in snapshot.process(partition.batch):
            rows.append(row)
            if len(rows) == ROWS_A_BATCH:
                yield self.batch(rows)
                rows = []
        if rows:
            yield self.batch(rows)

    def batch(self, rows):
        return pyarrow.RecordBatch.from_arrays(
            [pyarrow.array(values, type=field.type) for values, field in zip(zip(*rows), self.arrow)], schema=self.arrow)


@dataclasses.dataclass
class Written(WriterCommitMessage):
    rows: int
    commits: int


class SpannerWriter(DataSourceWriter):
    def __init__(self, options, columns):
        self.options, self.columns = options, columns

    def write(self, iterator):
        database, rows, written = None, [], Written(0, 0)
        for row in iterator:
            rows.append(tuple(row))
            if len(rows) == self.options.rows_a_commit:
                database = self.commit_rows(database, rows, written)
                rows = []
        if rows:
            self.commit_rows(database, rows, written)
        return written

    def commit_rows(self, database, rows, written):
        database = database or self.options.open()
        with database.batch() as batch:
            getattr(batch, self.options.mutation)(self.options.table, self.columns, rows)
        written.rows += len(rows)
        written.commits += 1
        return database

    def commit(self, messages):
        done = [message for message in messages if message is not None]
        print(f"cloud-spanner: wrote {sum(m.rows for m in done)} rows in {sum(m.commits for m in done)} commits", flush=True)

    def abort(self, messages):
        done = [message for message in messages if message is not None]
        print(f"cloud-spanner: the write failed; {sum(m.rows for m in done)} rows of other tasks stay written", flush=True)
