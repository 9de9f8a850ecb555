#include "spanner/read.h"
#include <string.h>
#include "spanner/far.h"
#include "spanner/partition.h"
#include "spanner/rows.h"
#include "spanner/token.h"

enum { NO_COLUMN = UINT16_MAX };

struct read_work {
    struct target target;
    const struct sql_table *table;
    const struct sql_index *index; /* of an upstream; NULL: by the primary key, or there is none of that name */
    uint16_t *columns;             /* where each that is named stands in the table, or NO_COLUMN */
    size_t n_columns;
    struct sql_result_column *result;
    struct when when;
    struct engine_read read;
    struct key_set keys;
    struct rows rows;
    struct handle partition, resume, next;
    struct buf last; /* the key of the newest row, for its resume token */
};

/* ---- classify ---- */

/* Beside the columns that are named: the key's, the index's, and what generated ones are computed of. */
static size_t add_others(const struct read_work *w, bool by_key, bool *used, struct str *names, size_t count) {
    const struct sql_table *table = w->table;
    bool *named = used + table->n_columns;
    memcpy(named, used, table->n_columns * sizeof *used);
    for (size_t i = 0; by_key && i < table->n_key; i++) used[table->key[i].column] = true;
    for (size_t i = 0; w->index && i < w->index->n_columns; i++) used[w->index->columns[i]] = true;
    sql_table_mark_sources(table, used);
    for (uint16_t c = 0; c < table->n_columns; c++)
        if (used[c] && !named[c]) names[count++] = table->columns[c].name;
    return count;
}

/* An unknown table or column is asked for by the name that the caller gave: who holds nothing hears only that. Key columns
 * count as read only when keys are named: `all` shows none of them. Those of an index always do: its order shows them, and
 * which rows it has, even where it asks for all. */
static enum code add_atoms(struct call *call, struct read_work *w, struct str table, struct str index,
                           const struct str *columns, size_t n, const struct spanner_KeySet *keys, struct err *err) {
    const struct sql_table *t = w->table = sql_catalog_find(w->target.catalog, table);
    size_t n_table = t ? t->n_columns : 0, count = 0;
    struct str *names = ARENA_ARRAY(call->arena, struct str, n + n_table + 1);
    bool *used = ARENA_ARRAY(call->arena, bool, 2 * n_table + 1);
    w->columns = ARENA_ARRAY(call->arena, uint16_t, n + 1);
    w->n_columns = n;
    if (!names || !used || !w->columns) return err_oom(err);
    enum code rc = !t && w->target.far ? far_unresolved(call, &w->target, table, STR(""), err) : OK;
    w->index = t && index.n ? sql_table_index(t, index) : NULL;
    if (t && index.n && !w->index && w->target.far) rc = far_no_index(call, &w->target, table, index, err);
    for (size_t i = 0; !rc && i < n; i++) {
        int at = t ? sql_table_find(t, columns[i]) : -1;
        w->columns[i] = at < 0 ? NO_COLUMN : (uint16_t)at;
        if (at >= 0) used[at] = true;
        else if (t && w->target.far) rc = far_unresolved(call, &w->target, table, columns[i], err);
        names[count++] = at < 0 ? columns[i] : t->columns[at].name;
    }
    if (rc) return rc;
    const bool by_key = !index.n && keys && (keys->keys.n || keys->ranges.n);
    if (t) count = add_others(w, by_key, used, names, count);
    struct atom atom = { .verb = VERB_READ, .object = t ? t->name : table, .columns = names, .n_columns = count };
    return target_atom(call, &w->target, atom, err);
}

enum code classify_read(struct call *call, struct err *err) {
    const struct spanner_ReadRequest *q = call->request;
    struct read_work *w = ARENA_NEW(call->arena, struct read_work);
    if (!w) return err_oom(err);
    call->prepared = w;
    enum code rc = target_session(call, q->session, &w->target, err);
    if (!rc) rc = target_schema(call, &w->target, err);
    return rc ? rc : add_atoms(call, w, q->table, q->index, q->columns.p, q->columns.n, q->key_set, err);
}

enum code classify_partition_read(struct call *call, struct err *err) {
    const struct spanner_PartitionReadRequest *q = call->request;
    struct read_work *w = ARENA_NEW(call->arena, struct read_work);
    if (!w) return err_oom(err);
    call->prepared = w;
    enum code rc = target_session(call, q->session, &w->target, err);
    if (!rc) rc = target_schema(call, &w->target, err);
    return rc ? rc : add_atoms(call, w, q->table, q->index, q->columns.p, q->columns.n, q->key_set, err);
}

const struct target *read_target(const struct call *call, struct far_columns *ret_columns) {
    const struct read_work *w = call->prepared;
    if (ret_columns) *ret_columns = (struct far_columns){ .table = w->table, .read = w->columns, .n_read = w->n_columns };
    return &w->target;
}

bool read_index_is_known(const struct call *call, struct str index) {
    const struct read_work *w = call->prepared;
    return !index.n || w->index;
}

/* ---- what to read ---- */

static enum code find_columns(struct call *call, struct read_work *w, struct str table, struct str index,
                              const struct str *columns, size_t n, struct err *err) {
    if (index.n) return err_set(err, UNIMPLEMENTED, "Secondary indexes are not supported: read by the primary key");
    if (!w->table) return spanner_not_found(call, "spanner.googleapis.com/Table", "Table", table, err);
    if (n == 0) return err_set(err, INVALID_ARGUMENT, "Invalid read request: no columns are named");
    w->result = ARENA_ARRAY(call->arena, struct sql_result_column, n);
    if (!w->result) return err_oom(err);
    for (size_t i = 0; i < n; i++) {
        uint16_t at = w->columns[i];
        if (at == NO_COLUMN)
            return err_set(err, NOT_FOUND, "Column not found in table %.*s: %.*s", STR_ARG(w->table->name),
                           STR_ARG(str_upto(columns[i], 128)));
        w->result[i] = (struct sql_result_column){ .name = w->table->columns[at].name, .type = w->table->columns[at].type };
    }
    return OK;
}

static enum code find_keys(struct call *call, struct read_work *w, const struct spanner_KeySet *keys, struct err *err) {
    w->keys = (struct key_set){ .arena = call->arena, .table = w->table };
    if (!keys) return err_set(err, INVALID_ARGUMENT, "Invalid read request: the key_set is missing");
    return convert_key_set(keys, call->arena, &w->keys, err);
}

/* What a partition covers of the key set: the overlap of each range with [lo, hi). */
static enum code cut_keys(struct read_work *w, struct err *err) {
    struct key_set cut = { .arena = w->keys.arena, .table = w->table };
    key_set_finish(&w->keys);
    for (size_t i = 0; i < w->keys.n; i++) {
        struct str lo = w->keys.ranges[i].lo, hi = w->keys.ranges[i].hi;
        if (str_cmp(lo, w->partition.lo) < 0) lo = w->partition.lo;
        if (str_cmp(hi, w->partition.hi) > 0) hi = w->partition.hi;
        enum code rc = str_cmp(lo, hi) < 0 ? key_set_add_encoded(&cut, lo, hi, err) : OK;
        if (rc) return rc;
    }
    w->keys = cut;
    return OK;
}

static enum code open_tokens(struct call *call, struct read_work *w, const struct spanner_ReadRequest *q, struct err *err) {
    if (handle_is_used(call, q->partition_token, q->resume_token)) handle_request_of_read(q, w->next.request);
    w->next.kind = HANDLE_RESUME_READ;
    enum code rc = OK;
    if (q->partition_token.n) {
        rc = handle_open(&w->target, q->partition_token, HANDLE_PARTITION, w->next.request, call->arena, &w->partition,
                         err);
        if (!rc && (!w->when.engine.at || w->when.engine.timestamp_us != w->partition.timestamp_us))
            rc = err_set(err, INVALID_ARGUMENT, "The partition token belongs to another transaction");
        if (!rc) rc = cut_keys(w, err);
    } else if (q->data_boost_enabled) return err_set(err, INVALID_ARGUMENT, "data_boost_enabled needs a partition_token");
    if (rc || !q->resume_token.n) return rc;
    rc = handle_open(&w->target, q->resume_token, HANDLE_RESUME_READ, w->next.request, call->arena, &w->resume, err);
    w->next.lo = w->resume.lo; /* until a row comes, the same place */
    if (rc || w->when.engine.has_txn) return rc;
    w->when.engine.at = true;
    w->when.engine.timestamp_us = w->resume.timestamp_us;
    return OK;
}

/* ---- rows (reader thread) ---- */

static struct str next_token(struct rows *rows, struct arena *scratch, void *ctx) {
    struct read_work *w = ctx;
    struct str token = { NULL, 0 };
    struct err err;
    if (!buf_ok(&w->last)) return token;
    w->next.timestamp_us = rows->timestamp_us;
    w->next.rows = w->resume.rows + rows->count;
    if (handle_seal(&w->target, &w->next, scratch, &token, &err)) token = (struct str){ NULL, 0 };
    return token;
}

static enum code begin_rows(struct read_work *w, struct engine_read *read) {
    w->rows.timestamp_us = read->when.ret_timestamp_us;
    if (w->resume.timestamp_us && w->resume.timestamp_us != w->rows.timestamp_us)
        return err_set(&read->job.err, INVALID_ARGUMENT, "The resume token belongs to another transaction");
    return w->rows.begun ? OK : rows_begin(&w->rows, &read->job.err);
}

static enum engine_next add_row(struct engine_read *read, const struct engine_row *row) {
    struct call *call = read->ctx;
    struct read_work *w = call->prepared;
    if (begin_rows(w, read)) return ENGINE_FAIL;
    if (w->rows.resume_token) {
        buf_clear(&w->last);
        buf_add_str(&w->last, row->key);
        w->next.lo = buf_str(&w->last);
    }
    return rows_add(&w->rows, row, &read->job.err) ? ENGINE_FAIL : ENGINE_MORE;
}

static void read_done(struct engine_read *read) {
    struct call *call = read->ctx;
    struct read_work *w = call->prepared;
    enum code rc = read->job.code;
    if (!rc) rc = begin_rows(w, read); /* no rows: the metadata still goes out */
    if (!rc) rc = rows_end(&w->rows, &read->job.err);
    rows_free(&w->rows);
    buf_free(&w->last);
    buf_free(&read->ret_last);
    if (rc) when_failed(&w->target, &w->when);
    spanner_end(call, rc, &read->job.err);
}

/* ---- handle ---- */

static enum code start(struct call *call, struct read_work *w, const struct spanner_ReadRequest *q, struct err *err) {
    enum code rc = find_columns(call, w, q->table, q->index, q->columns.p, q->columns.n, err);
    if (!rc) rc = find_keys(call, w, q->key_set, err);
    if (!rc) rc = when_resolve(call, &w->target, q->transaction, &w->when, err);
    if (!rc) rc = open_tokens(call, w, q, err);
    if (rc) return rc;
    if (q->limit < 0) return err_set(err, INVALID_ARGUMENT, "Invalid read request: the limit is negative");
    key_set_finish(&w->keys);
    rows_init(&w->rows, call, !call->method->streaming);
    w->rows.columns = w->result;
    w->rows.n_columns = w->n_columns;
    w->rows.when = &w->when;
    w->rows.with_timestamp = w->when.return_timestamp;
    if (!w->rows.unary) w->rows.resume_token = next_token;
    w->rows.ctx = w;
    w->last = (struct buf)BUF_INIT(KEY_MAX_BYTES);
    w->read = (struct engine_read){ .when = w->when.engine,
                                    .table = w->table,
                                    .columns = w->columns,
                                    .n_columns = (uint16_t)w->n_columns,
                                    .ranges = w->keys.ranges,
                                    .n_ranges = w->keys.n,
                                    .limit = (uint64_t)q->limit,
                                    .after = w->resume.lo,
                                    .row = add_row,
                                    .done = read_done,
                                    .ctx = call,
                                    .ret_last = BUF_INIT(KEY_MAX_BYTES) };
    if (q->limit && q->resume_token.n)
        w->read.limit = (uint64_t)q->limit > w->resume.rows ? (uint64_t)q->limit - w->resume.rows : 0;
    if (q->limit && !w->read.limit) { /* the client has all of it */
        w->rows.timestamp_us = w->when.engine.timestamp_us;
        rc = rows_begin(&w->rows, err);
        if (!rc) rc = rows_end(&w->rows, err);
        rows_free(&w->rows);
        if (!rc) call_end_ok(call);
        return rc;
    }
    w->read.when.cancel = call_cancel_flag(call);
    rc = engine_post_read(w->target.db, &w->read, err);
    if (rc) rows_free(&w->rows);
    return rc;
}

void handle_read(struct call *call) {
    struct err err = { 0 };
    struct read_work *w = call->prepared;
    enum code rc = start(call, w, call->request, &err);
    if (!rc) return; /* the call may be gone */
    when_failed(&w->target, &w->when);
    spanner_end(call, rc, &err);
}

void handle_partition_read(struct call *call) {
    const struct spanner_PartitionReadRequest *q = call->request;
    struct read_work *w = call->prepared;
    struct err err = { 0 };
    uint8_t request[32];
    handle_request_of_partition_read(q, request);
    enum code rc = find_columns(call, w, q->table, q->index, q->columns.p, q->columns.n, &err);
    if (!rc) rc = find_keys(call, w, q->key_set, &err);
    if (!rc) rc = when_resolve(call, &w->target, q->transaction, &w->when, &err);
    if (!rc) rc = partition_start(call, &w->target, &w->when, w->table, q->partition_options, request, &err);
    if (rc) spanner_end(call, rc, &err);
}
