/* read.h: Read, StreamingRead and PartitionRead: rows by key, key range or all. */
#pragma once
#include "service/call.h"

enum code classify_read(struct call *call, struct err *err);
enum code classify_partition_read(struct call *call, struct err *err);
void handle_read(struct call *call); /* both, by the method's streaming */
void handle_partition_read(struct call *call);

/* What their classify prepared, of an upstream. ret_columns: NULL, or what its rows must have. */
struct target;
struct far_columns;
const struct target *read_target(const struct call *call, struct far_columns *ret_columns);
bool read_index_is_known(const struct call *call, struct str index); /* so its columns were decided; "" is none */
