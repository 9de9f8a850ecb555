"""Spark SQL over a table that it is given the name of."""
import sys

from pyspark.sql import SparkSession

SparkSession.builder.getOrCreate().sql(f"SELECT * FROM {sys.argv[1]}").show()
