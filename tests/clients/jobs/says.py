"""Says what it was given, with Spark, in many lines."""
import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
total = spark.range(100).count()
for number in range(250):
    print(f"line {number}", flush=True)
print(f"{' '.join(sys.argv[1:])} {total}", flush=True)
