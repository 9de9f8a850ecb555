#include "spanner/query.h"
#include <string.h>
#include "base/clock.h"
#include "crypto/hash.h"
#include "engine/sql/lower.h"
#include "spanner/analysis.h"
#include "spanner/info.h"
#include "spanner/partition.h"
#include "spanner/read_ranges.h"
#include "spanner/rows.h"
#include "spanner/token.h"
#include "spanner/worker.h"

enum { MAX_RESUMED_TABLES = 64 }; /* bits of handle.histories; Spanner has at most 20 joins */

struct query_work {
    struct target target;
    struct arena *arena; /* the call's */
    struct analysis analysis;
    struct when when;
    struct engine_query query;
    struct rows rows;
    const struct sql_source *partitioned; /* the scan that `partition` cuts, or NULL */
    struct handle partition, resume;
    bool resuming, tokens; /* tokens: one came, or some go out */
    struct handle next;    /* what the next resume token says */
    struct engine_snapshot *snapshot;
    struct sql_value *params;
};

/* ---- classify ---- */

enum code classify_execute_sql(struct call *call, struct err *err) {
    const struct spanner_ExecuteSqlRequest *q = call->request;
    struct query_work *w = ARENA_NEW(call->arena, struct query_work);
    if (!w) return err_oom(err);
    call->prepared = w;
    w->arena = call->arena;
    enum code rc = target_session(call, q->session, &w->target, err);
    if (!rc) rc = target_schema(call, &w->target, err);
    if (!rc) rc = analysis_make(call, &w->target, q->sql, q->param_types.p, q->param_types.n, &w->analysis, err);
    return rc;
}

/* The two entry types have the same shape by construction of the API. */
enum code classify_partition_query(struct call *call, struct err *err) {
    const struct spanner_PartitionQueryRequest *q = call->request;
    struct query_work *w = ARENA_NEW(call->arena, struct query_work);
    struct spanner_ExecuteSqlRequest_ParamTypesEntry *types = ARENA_ARRAY(
        call->arena, struct spanner_ExecuteSqlRequest_ParamTypesEntry, q->param_types.n + 1);
    if (!w || !types) return err_oom(err);
    call->prepared = w;
    w->arena = call->arena;
    for (size_t i = 0; i < q->param_types.n; i++)
        types[i] = (struct spanner_ExecuteSqlRequest_ParamTypesEntry){ .key = q->param_types.p[i].key,
                                                                       .value = q->param_types.p[i].value };
    enum code rc = target_session(call, q->session, &w->target, err);
    if (!rc) rc = target_schema(call, &w->target, err);
    if (!rc) rc = analysis_make(call, &w->target, q->sql, types, q->param_types.n, &w->analysis, err);
    return rc;
}

const struct target *query_target(const struct call *call, const struct analysis **ret_analysis) {
    const struct query_work *w = call->prepared;
    *ret_analysis = &w->analysis;
    return &w->target;
}

void query_begun(struct call *call, struct str id, int64_t read_us) {
    struct query_work *w = call->prepared;
    w->target.begun = id;
    w->target.begun_read_us = read_us;
}

/* ---- the statement, once the snapshot stands (reader thread) ---- */

static void put_blob(struct buf *out, struct str bytes) {
    static const char hex[] = "0123456789abcdef";
    buf_add_z(out, "x'");
    for (size_t i = 0; i < bytes.n; i++) {
        buf_add_char(out, hex[(unsigned char)bytes.p[i] >> 4]);
        buf_add_char(out, hex[(unsigned char)bytes.p[i] & 15]);
    }
    buf_add_char(out, '\'');
}

static size_t table_number(const struct query_work *w, const struct sql_table *table) {
    const struct sql_access_list *access = &w->analysis.access;
    size_t i = 0;
    while (i < access->n_tables && access->tables[i].table != table) i++;
    return i;
}

/* The first run notes which tables it reads with their history; one that resumes reads them in the same way. */
static enum code write_table(struct query_work *w, const struct sql_source *source, struct buf *out, struct err *err) {
    const struct sql_table *table = source->table;
    size_t number = table_number(w, table);
    uint64_t bit = number < MAX_RESUMED_TABLES ? UINT64_C(1) << number : 0;
    bool history = w->next.histories & bit;
    struct key_set read = { .arena = w->arena, .table = table };
    enum code rc = w->when.engine.has_txn ? read_ranges(source, w->query.params, &read, err) : OK;
    if (rc) return rc;
    if (w->resuming) return engine_snapshot_replay(w->snapshot, table, &read, history, w->resume.seen_us, out, err);
    rc = engine_snapshot_table(w->snapshot, table, &read, out, &history, err);
    if (history) w->next.histories |= bit;
    return rc;
}

static enum code write_source(void *ctx, const struct sql_source *source, struct buf *out, struct err *err) {
    struct query_work *w = ctx;
    if (source != w->partitioned) return write_table(w, source, out, err);
    buf_add_z(out, "(SELECT * FROM ");
    enum code rc = write_table(w, source, out, err);
    buf_add_z(out, " WHERE key >= ");
    put_blob(out, w->partition.lo);
    buf_add_z(out, " AND key < ");
    put_blob(out, w->partition.hi);
    buf_add_char(out, ')');
    return rc;
}

static struct str next_token(struct rows *rows, struct arena *scratch, void *ctx) {
    struct query_work *w = ctx;
    struct str token = { NULL, 0 };
    struct err err;
    w->next.rows = rows->count + (w->resuming ? w->resume.rows : 0);
    if (w->analysis.access.n_tables > MAX_RESUMED_TABLES) return token;
    if (handle_seal(&w->target, &w->next, scratch, &token, &err)) token = (struct str){ NULL, 0 };
    return token;
}

static enum code check_replay(const struct query_work *w, struct err *err) {
    if (!w->resuming) return OK;
    if (w->next.timestamp_us != w->resume.timestamp_us)
        return err_set(err, INVALID_ARGUMENT, "The resume token belongs to another transaction");
    if (memcmp(w->next.lowered, w->resume.lowered, sizeof w->next.lowered) == 0) return OK;
    return err_set(err, INVALID_ARGUMENT, "The resume token belongs to another partition of the query");
}

static enum code write_sql(struct engine_query *q, struct engine_snapshot *snapshot, struct buf *out, struct err *err) {
    struct call *call = q->ctx;
    struct query_work *w = call->prepared;
    struct sql_lowering how = { .source = write_source, .ctx = w, .now_us = w->next.now_us };
    struct sql_lowered lowered;
    w->snapshot = snapshot;
    if (!w->resuming) w->next.seen_us = engine_snapshot_seen(snapshot);
    enum code rc = sql_lower(call->arena, &w->analysis.sql, &how, &lowered, err);
    if (rc) return rc;
    if (w->tokens) hash_sha256(lowered.sql, w->next.lowered);
    w->next.timestamp_us = w->rows.timestamp_us = engine_snapshot_timestamp(snapshot);
    rc = check_replay(w, err);
    if (rc) return rc;
    buf_add_str(out, lowered.sql);
    return rows_begin(&w->rows, err);
}

static enum engine_next add_row(struct engine_query *q, const struct engine_row *row) {
    struct call *call = q->ctx;
    struct query_work *w = call->prepared;
    if (w->resuming && w->query.ret_rows < w->resume.rows) return ENGINE_MORE; /* the client has it */
    return rows_add(&w->rows, row, &q->job.err) ? ENGINE_FAIL : ENGINE_MORE;
}

static void query_done(struct engine_query *q) {
    struct call *call = q->ctx;
    struct query_work *w = call->prepared;
    enum code rc = q->job.code;
    if (!rc) rc = rows_end(&w->rows, &q->job.err);
    rows_free(&w->rows);
    if (rc) when_failed(&w->target, &w->when);
    spanner_end(call, rc, &q->job.err);
}

/* ---- handle (loop thread) ---- */

/* A partition runs in the read-only transaction that it was made in, and reads at its timestamp. */
static enum code open_tokens(struct call *call, struct query_work *w, const struct spanner_ExecuteSqlRequest *q,
                             struct err *err) {
    const char *why;
    w->tokens = handle_is_used(call, q->partition_token, q->resume_token);
    if (w->tokens) handle_request_of_sql(q, w->next.request);
    w->next.kind = HANDLE_RESUME_QUERY;
    w->next.now_us = clock_wall_us();
    if (q->partition_token.n) {
        enum code rc = handle_open(&w->target, q->partition_token, HANDLE_PARTITION, w->next.request, call->arena,
                                   &w->partition, err);
        if (rc) return rc;
        if (!w->when.engine.at || w->when.engine.timestamp_us != w->partition.timestamp_us)
            return err_set(err, INVALID_ARGUMENT, "The partition token belongs to another transaction");
        w->partitioned = sql_root_partitionable(&w->analysis.sql, &why);
        if (!w->partitioned) return err_set(err, INVALID_ARGUMENT, "The statement is not root-partitionable: %s", why);
    } else if (q->data_boost_enabled) return err_set(err, INVALID_ARGUMENT, "data_boost_enabled needs a partition_token");
    if (!q->resume_token.n) return OK;
    enum code rc = handle_open(&w->target, q->resume_token, HANDLE_RESUME_QUERY, w->next.request, call->arena, &w->resume,
                               err);
    if (rc) return rc;
    w->resuming = true;
    w->next = w->resume;
    if (w->when.engine.has_txn) return OK;
    w->when.engine.at = true;
    w->when.engine.timestamp_us = w->resume.timestamp_us;
    return OK;
}

static enum code check_mode(const struct spanner_ExecuteSqlRequest *q, struct err *err) {
    if (q->query_mode == spanner_ExecuteSqlRequest_QueryMode_NORMAL ||
        q->query_mode == spanner_ExecuteSqlRequest_QueryMode_PLAN)
        return OK;
    return err_set(err, UNIMPLEMENTED, "Query mode %d (PROFILE, WITH_STATS, …) is not supported: use NORMAL or PLAN",
                   (int)q->query_mode);
}

static void only_plan(struct call *call, struct query_work *w) {
    struct err err;
    w->rows.plan = true;
    w->rows.undeclared = w->analysis.sql.params;
    w->rows.n_undeclared = w->analysis.sql.n_params;
    w->rows.timestamp_us = w->when.engine.timestamp_us;
    w->rows.with_timestamp = w->when.return_timestamp && w->when.engine.at; /* strong: nothing was read */
    enum code rc = rows_begin(&w->rows, &err);
    if (!rc) rc = rows_end(&w->rows, &err);
    rows_free(&w->rows);
    spanner_end(call, rc, &err);
}

/* A person may join INFORMATION_SCHEMA with itself for a while: not on the loop. */
static void info_on_thread(struct call *call) {
    struct query_work *w = call->prepared;
    struct err err = { 0 };
    enum code rc = info_query(call, &w->target, &w->analysis, &w->rows, w->params, &w->next,
                              w->resuming ? &w->resume : NULL, &err);
    if (!rc) return; /* the call may be gone */
    when_failed(&w->target, &w->when);
    spanner_end(call, rc, &err);
}

static enum code start(struct call *call, struct query_work *w, const struct spanner_ExecuteSqlRequest *q,
                       struct err *err) {
    struct sql_value *params = NULL;
    enum code rc = w->analysis.refused ? analysis_refuse(err) : check_mode(q, err);
    bool plan = q->query_mode == spanner_ExecuteSqlRequest_QueryMode_PLAN;
    if (!rc) rc = when_resolve(call, &w->target, q->transaction, &w->when, err);
    if (!rc) rc = open_tokens(call, w, q, err);
    if (!rc && !plan) rc = analysis_params(&w->analysis, q->params, call->arena, &params, err);
    if (rc) return rc;
    rows_init(&w->rows, call, !call->method->streaming);
    w->rows.columns = w->analysis.sql.columns;
    w->rows.n_columns = w->analysis.sql.n_columns;
    w->rows.when = &w->when;
    w->rows.with_timestamp = w->when.return_timestamp;
    if (!w->rows.unary) w->rows.resume_token = next_token;
    w->rows.ctx = w;
    if (plan) {
        only_plan(call, w);
        return OK;
    }
    if (w->analysis.access.n_info) {
        w->params = params;
        if (admin_thread_post(w->target.spanner->info, info_on_thread, call)) return OK;
        return err_set(err, UNAVAILABLE, "Too many queries over INFORMATION_SCHEMA wait: try again");
    }
    w->query = (struct engine_query){ .when = w->when.engine,
                                      .sql = write_sql,
                                      .params = params,
                                      .n_params = w->analysis.sql.n_params,
                                      .row = add_row,
                                      .done = query_done,
                                      .ctx = call };
    w->query.when.cancel = call_cancel_flag(call);
    rc = engine_post_query(w->target.db, &w->query, err);
    if (rc) rows_free(&w->rows);
    return rc;
}

void handle_execute_sql(struct call *call) {
    struct query_work *w = call->prepared;
    struct err err = { 0 };
    enum code rc = start(call, w, call->request, &err);
    if (!rc) return; /* the call may be gone */
    when_failed(&w->target, &w->when);
    spanner_end(call, rc, &err);
}

/* ---- PartitionQuery ---- */

void handle_partition_query(struct call *call) {
    const struct spanner_PartitionQueryRequest *q = call->request;
    struct query_work *w = call->prepared;
    struct err err = { 0 };
    const char *why = "";
    uint8_t request[32];
    handle_request_of_partition_sql(q, request);
    enum code rc = w->analysis.refused ? analysis_refuse(&err) : OK;
    if (!rc) rc = when_resolve(call, &w->target, q->transaction, &w->when, &err);
    const struct sql_source *root = rc ? NULL : sql_root_partitionable(&w->analysis.sql, &why);
    if (!rc && !root) rc = err_set(&err, INVALID_ARGUMENT, "The statement is not root-partitionable: %s", why);
    if (!rc && root) rc = partition_start(call, &w->target, &w->when, root->table, q->partition_options, request, &err);
    if (rc) spanner_end(call, rc, &err);
}
