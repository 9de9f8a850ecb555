/* far_rows.c: queries and reads of an upstream, and their partitions. */
#include "spanner/analysis.h"
#include "spanner/far.h"
#include "spanner/far_handle.h"
#include "spanner/query.h"
#include "spanner/read.h"
#include "spanner/token.h"

/* ---- answers ---- */

/* Between the decision and now the schema may have changed: no row goes out whose columns were not decided. */
static enum code fence(struct far_call *f, const struct spanner_ResultSetMetadata *metadata, struct err *err) {
    if (f->fenced) return OK;
    f->fenced = true;
    enum code rc = far_columns_check(&f->columns, metadata, err);
    if (rc) far_schema_doubt(f->target);
    else f->count.columns = (uint32_t)metadata->row_type->fields.n;
    return rc;
}

static enum code show_metadata(struct far_call *f, struct spanner_ResultSetMetadata *metadata, struct arena *arena,
                               struct err *err) {
    if (!metadata) return OK;
    enum code rc = fence(f, metadata, err);
    return rc ? rc : far_seal_transaction(f, metadata->transaction, arena, err);
}

/* Rows that come before their columns are nobody's. */
static enum code check_order(const struct far_call *f, bool rows, struct err *err) {
    if (!rows || f->fenced) return OK;
    return err_set(err, INTERNAL, "the upstream answers with rows before it says their columns");
}

static enum code seal_resume(const struct far_call *f, struct str *token, struct arena *arena, struct err *err) {
    DEFER(buf_free) struct buf plain = BUF_INIT(SEAL_MAX_BYTES);
    far_count_put(&f->count, *token, &plain);
    if (!buf_ok(&plain)) return err_oom(err);
    return far_seal(f->target, FAR_RESUME, f->bind, buf_str(&plain), arena, token, err);
}

static enum code show_part(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct far_call *f = far_of(forward);
    struct spanner_PartialResultSet *part = message;
    part->cache_update = NULL;
    enum code rc = show_metadata(f, part->metadata, arena, err);
    if (!rc) rc = check_order(f, part->values.n > 0, err);
    if (!rc) rc = far_seal_precommit(f, part->precommit_token, arena, err);
    if (rc) return rc;
    far_count_part(&f->count, part->values.n, part->chunked_value);
    forward->call->outcome.rows = f->count.rows;
    return seal_resume(f, &part->resume_token, arena, err);
}

static enum code show_whole(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct far_call *f = far_of(forward);
    struct spanner_ResultSet *set = message;
    set->cache_update = NULL;
    enum code rc = show_metadata(f, set->metadata, arena, err);
    if (!rc) rc = check_order(f, set->rows.n > 0, err);
    if (rc) return rc;
    forward->call->outcome.rows = set->rows.n;
    return far_seal_precommit(f, set->precommit_token, arena, err);
}

static enum code show_partitions(struct forward *forward, void *message, struct arena *arena, struct err *err) {
    struct far_call *f = far_of(forward);
    struct spanner_PartitionResponse *r = message;
    enum code rc = far_seal_transaction(f, r->transaction, arena, err);
    for (size_t i = 0; !rc && i < r->partitions.n; i++) {
        struct str *token = &r->partitions.p[i].partition_token;
        rc = far_seal(f->target, FAR_PARTITION, f->bind, *token, arena, token, err);
    }
    return rc;
}

/* ---- requests ---- */

static struct far_call *new_bound(struct call *call, const struct target *t) {
    struct far_call *f = far_new(call, t);
    if (!f) return NULL;
    f->bind = (struct str){ (const char *)f->digest, sizeof f->digest };
    return f;
}

static enum code open_tokens(struct far_call *f, struct str *partition, struct str *resume, struct err *err) {
    struct arena *arena = f->forward.call->arena;
    enum code rc = far_open(f->target, FAR_PARTITION, f->bind, *partition, arena, partition, err);
    if (!rc) rc = far_open(f->target, FAR_RESUME, f->bind, *resume, arena, resume, err);
    if (rc || far_count_get(&f->count, resume)) return rc;
    return err_set(err, INVALID_ARGUMENT, "Invalid resume token");
}

/* From the snapshot, and only what the caller holds something on. */
static void query_info(struct call *call, const struct target *t) {
    const struct spanner_ExecuteSqlRequest *q = call->request;
    if (q->transaction && q->transaction->begin) far_begin_and_query(call, t, q->transaction->begin);
    else handle_execute_sql(call);
}

void far_execute_sql(struct call *call) {
    const struct analysis *analysis;
    const struct target *t = query_target(call, &analysis);
    if (analysis->access.n_info) {
        query_info(call, t);
        return;
    }
    struct spanner_ExecuteSqlRequest q = *(const struct spanner_ExecuteSqlRequest *)call->request;
    struct err err;
    struct far_call *f = new_bound(call, t);
    if (!f) return;
    f->columns.analysis = &analysis->sql;
    handle_request_of_sql(&q, f->digest);
    q.session = t->far_session;
    enum code rc = analysis->refused ? analysis_refuse(&err) : far_check_options(q.request_options, q.routing_hint, &err);
    if (!rc) rc = far_open_selector(f, q.transaction, &q.transaction, &err);
    if (!rc) rc = open_tokens(f, &q.partition_token, &q.resume_token, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, far_writes(q.transaction), call->method->streaming ? show_part : show_whole);
}

/* What the snapshot does not have was not decided. */
static enum code check_index(const struct call *call, struct str index, struct err *err) {
    if (read_index_is_known(call, index)) return OK;
    return err_set(err, NOT_FOUND, "Index not found: %.*s", STR_ARG(str_upto(index, SQL_MAX_IDENTIFIER)));
}

void far_read(struct call *call) {
    struct far_columns columns;
    const struct target *t = read_target(call, &columns);
    struct spanner_ReadRequest q = *(const struct spanner_ReadRequest *)call->request;
    struct err err;
    struct far_call *f = new_bound(call, t);
    if (!f) return;
    f->columns = columns;
    handle_request_of_read(&q, f->digest);
    q.session = t->far_session;
    enum code rc = far_check_options(q.request_options, q.routing_hint, &err);
    if (!rc) rc = check_index(call, q.index, &err);
    if (!rc) rc = far_open_selector(f, q.transaction, &q.transaction, &err);
    if (!rc) rc = open_tokens(f, &q.partition_token, &q.resume_token, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, far_writes(q.transaction), call->method->streaming ? show_part : show_whole);
}

void far_partition_query(struct call *call) {
    const struct analysis *analysis;
    const struct target *t = query_target(call, &analysis);
    struct spanner_PartitionQueryRequest q = *(const struct spanner_PartitionQueryRequest *)call->request;
    struct err err;
    struct far_call *f = new_bound(call, t);
    if (!f) return;
    handle_request_of_partition_sql(&q, f->digest);
    q.session = t->far_session;
    enum code rc = analysis->refused ? analysis_refuse(&err) : OK;
    if (!rc && analysis->access.n_info)
        rc = err_set(&err, INVALID_ARGUMENT, "A query over INFORMATION_SCHEMA has no partitions: run it whole");
    if (!rc) rc = far_open_selector(f, q.transaction, &q.transaction, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, false, show_partitions);
}

void far_partition_read(struct call *call) {
    const struct target *t = read_target(call, NULL);
    struct spanner_PartitionReadRequest q = *(const struct spanner_PartitionReadRequest *)call->request;
    struct err err;
    struct far_call *f = new_bound(call, t);
    if (!f) return;
    handle_request_of_partition_read(&q, f->digest);
    q.session = t->far_session;
    enum code rc = check_index(call, q.index, &err);
    if (!rc) rc = far_open_selector(f, q.transaction, &q.transaction, &err);
    if (rc) spanner_end(call, rc, &err);
    else far_send(f, &q, false, show_partitions);
}
