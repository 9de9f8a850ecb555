/* partition.h: cutting a table into real key ranges, for PartitionQuery and PartitionRead. Loop thread; the answer comes
 * from the engine. */
#pragma once
#include "spanner/target.h"

MUST_USE enum code partition_start(struct call *call, struct target *t, struct when *when, const struct sql_table *table,
                                   const struct spanner_PartitionOptions *options, const uint8_t request[32],
                                   struct err *err);
