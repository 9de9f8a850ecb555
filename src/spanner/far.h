/* far.h: the rows of an upstream connection: handles opened, the request sent on, handles of the answer sealed. Each is the
 * `forward` of its row, after the same classify as the embedded back's. Loop thread. */
#pragma once
#include "spanner/far_columns.h"
#include "spanner/far_count.h"
#include "spanner/target.h"
#include "upstream/forward.h"

/* One call under way; in the call's arena. */
struct far_call {
    struct forward forward;
    const struct target *target;
    struct far_columns columns; /* that the rows must have */
    struct far_count count;
    struct str bind; /* what tokens of the answer belong to: the request's digest */
    uint8_t digest[32];
    bool fenced; /* the columns were compared */
};

/* A far_call of the call's, which names the database, or the session, to the upstream's routing. NULL: the call is over. */
struct far_call *far_new(struct call *call, const struct target *t);
/* `message`: of call->method->request, its handles opened; `to_leader`: it takes part in a read-write transaction. */
void far_send(struct far_call *f, const void *message, bool to_leader,
              enum code (*answer)(struct forward *forward, void *message, struct arena *arena, struct err *err));
struct far_call *far_of(struct forward *forward);

/* The schema's snapshot of an upstream: target_schema. */
enum code far_target_schema(struct call *call, struct target *t, struct err *err);
/* The upstream's answer may mean that its schema is another one by now: the next request reads it anew. */
void far_schema_doubt(const struct target *t);
void far_schema_is_another(const struct target *t); /* for certain: DDL went through us */
/* A table, or a column of one, that the schema of an upstream lacks: refused here, for a rule about every table would let
 * pass what a rule about this one denies under another name (a synonym, a view). OK for who holds nothing in the database:
 * the atoms refuse that. */
MUST_USE enum code far_unresolved(struct call *call, const struct target *t, struct str table, struct str column,
                                  struct err *err);
MUST_USE enum code far_no_index(struct call *call, const struct target *t, struct str table, struct str index,
                                struct err *err); /* the same of an index */

/* What every request may carry besides. UNIMPLEMENTED, by name: what only we may set, or what belongs to another server. */
enum code far_check_options(const struct spanner_RequestOptions *options, const struct spanner_RoutingHint *hint,
                            struct err *err);
enum code far_open_selector(const struct far_call *f, const struct spanner_TransactionSelector *from,
                            struct spanner_TransactionSelector **ret, struct err *err);
enum code far_open_options(const struct far_call *f, const struct spanner_TransactionOptions *from,
                           struct spanner_TransactionOptions **ret, struct err *err);
enum code far_seal_transaction(const struct far_call *f, struct spanner_Transaction *transaction, struct arena *arena,
                               struct err *err);
enum code far_seal_precommit(const struct far_call *f, struct spanner_MultiplexedSessionPrecommitToken *token,
                             struct arena *arena, struct err *err);
bool far_writes(const struct spanner_TransactionSelector *selector);

/* A query over INFORMATION_SCHEMA that begins a transaction: far_begin.c. INVALID_ARGUMENT: not a read-only one. */
void far_begin_and_query(struct call *call, const struct target *t, struct spanner_TransactionOptions *options);

void far_create_session(struct call *call);
void far_batch_create(struct call *call);
void far_get_session(struct call *call);
void far_delete_session(struct call *call);
void far_execute_sql(struct call *call);
void far_read(struct call *call);
void far_partition_query(struct call *call);
void far_partition_read(struct call *call);
void far_begin(struct call *call);
void far_commit(struct call *call);
void far_rollback(struct call *call);
void far_create_database(struct call *call);
void far_get_database(struct call *call);
void far_list_databases(struct call *call);
void far_drop_database(struct call *call);
void far_get_ddl(struct call *call);
void far_update_ddl(struct call *call);
void far_get_operation(struct call *call);
void far_list_operations(struct call *call);
void far_delete_operation(struct call *call);
void far_cancel_operation(struct call *call);
