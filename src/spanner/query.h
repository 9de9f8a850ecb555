/* query.h: ExecuteSql, ExecuteStreamingSql, PartitionQuery: from text to rows. classify on the loop; rows from the engine's
 * reader threads. */
#pragma once
#include "service/call.h"

enum code classify_execute_sql(struct call *call, struct err *err);
enum code classify_partition_query(struct call *call, struct err *err);
void handle_execute_sql(struct call *call); /* both, by the method's streaming */
void handle_partition_query(struct call *call);

/* What their classify prepared. */
struct target;
struct analysis;
const struct target *query_target(const struct call *call, const struct analysis **ret_analysis);
/* The transaction that the query is to begin has begun upstream: its id as the client will know it; read_us: at which
 * timestamp it reads, 0 when the upstream does not say. Before handle_execute_sql. */
void query_begun(struct call *call, struct str id, int64_t read_us);
