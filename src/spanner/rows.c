#include "spanner/rows.h"
#include <math.h>
#include "base/decimal.h"
#include "wire/pb/pb_write.h"

enum { TOKEN_BYTES = 256 << 10, CHUNK_BYTES = 64 << 10, CHUNK_MAX = 128 << 20, UNARY_MAX = 10 << 20 };
enum { /* google.spanner.v1.PartialResultSet */
       PART_METADATA = 1,
       PART_VALUES = 2,
       PART_RESUME_TOKEN = 4,
       PART_STATS = 5,
       PART_PRECOMMIT = 8,
       PART_LAST = 9,
       SET_ROWS = 2,
       SET_STATS = 3,
       SET_PRECOMMIT = 5 /* ResultSet */
};

void rows_init(struct rows *r, struct call *call, bool unary) {
    *r = (struct rows){ .call = call, .unary = unary, .chunk = BUF_INIT(CHUNK_MAX) };
}

void rows_free(struct rows *r) {
    buf_free(&r->chunk);
}

/* ---- one value ---- */

static void put_int64(struct buf *out, uint32_t number, int64_t v) {
    char text[DECIMAL_MAX];
    size_t n = decimal_i64(v, text);
    pb_put_value_string(out, number, (struct str){ text, n });
}

static void put_printed(struct buf *out, uint32_t number, const struct sql_value *v) {
    DEFER(buf_free) struct buf text = BUF_INIT(CHUNK_MAX);
    value_print(v, &text);
    if (buf_ok(&text)) pb_put_value_string(out, number, buf_str(&text));
    else out->failed = true;
}

/* DATE and TIMESTAMP: short, so they need no memory of their own. */
static void put_time(struct buf *out, uint32_t number, const struct sql_value *v) {
    char space[40];
    struct buf text = { .p = space, .cap = sizeof space, .max = sizeof space };
    value_print(v, &text);
    pb_put_value_string(out, number, buf_str(&text));
}

static void put_float(struct buf *out, uint32_t number, double v) {
    if (isfinite(v)) pb_put_value_number(out, number, v);
    else pb_put_value_string(out, number, isnan(v) ? STR("NaN") : v > 0 ? STR("Infinity") : STR("-Infinity"));
}

enum code rows_put_value(struct buf *out, uint32_t number, enum sql_type type, sqlite3_value *value, struct err *err) {
    struct sql_value v;
    if (!value_read(value, type, &v))
        return err_set(err, OUT_OF_RANGE, "A value of type %s is out of range", sql_type_name(type));
    if (v.is_null) pb_put_value_null(out, number);
    else if (type == SQL_BOOL) pb_put_value_bool(out, number, v.i64 != 0);
    else if (type == SQL_INT64) put_int64(out, number, v.i64);
    else if (type == SQL_FLOAT64) put_float(out, number, v.f64);
    else if (type == SQL_STRING) pb_put_value_string(out, number, v.s);
    else if (type == SQL_DATE || type == SQL_TIMESTAMP) put_time(out, number, &v);
    else put_printed(out, number, &v);
    return OK;
}

/* ---- metadata ---- */

static bool put_fields(struct arena *arena, const struct rows *r, struct spanner_StructType *ret) {
    struct spanner_StructType_Field *fields = ARENA_ARRAY(arena, struct spanner_StructType_Field, r->n_columns + 1);
    struct spanner_Type *types = ARENA_ARRAY(arena, struct spanner_Type, r->n_columns + 1);
    if (!fields || !types) return false;
    for (size_t i = 0; i < r->n_columns; i++) {
        types[i].code = (int32_t)r->columns[i].type;
        fields[i] = (struct spanner_StructType_Field){ .name = r->columns[i].name, .type = &types[i] };
    }
    ret->fields.p = fields;
    ret->fields.n = r->n_columns;
    return true;
}

static bool put_undeclared(struct arena *arena, const struct rows *r, struct spanner_StructType *ret) {
    struct spanner_StructType_Field *fields = ARENA_ARRAY(arena, struct spanner_StructType_Field, r->n_undeclared + 1);
    struct spanner_Type *types = ARENA_ARRAY(arena, struct spanner_Type, r->n_undeclared + 1);
    if (!fields || !types) return false;
    for (size_t i = 0; i < r->n_undeclared; i++) {
        if (r->undeclared[i].declared) continue;
        types[ret->fields.n].code = (int32_t)r->undeclared[i].type;
        fields[ret->fields.n] = (struct spanner_StructType_Field){ .name = r->undeclared[i].name,
                                                                   .type = &types[ret->fields.n] };
        ret->fields.n++;
    }
    ret->fields.p = fields;
    return true;
}

enum code rows_begin(struct rows *r, struct err *err) {
    struct arena *arena = r->call->arena;
    struct spanner_StructType row_type = { 0 }, undeclared = { 0 };
    struct spanner_ResultSetMetadata metadata = { .row_type = &row_type };
    struct pb_Timestamp timestamp = convert_timestamp(r->timestamp_us);
    struct spanner_Transaction transaction = { .id = r->when->begun ? r->when->id : (struct str){ NULL, 0 } };
    if (r->with_timestamp) transaction.read_timestamp = &timestamp;
    if (r->when->begun || r->with_timestamp) metadata.transaction = &transaction;
    if (!put_fields(arena, r, &row_type) || !put_undeclared(arena, r, &undeclared)) return err_oom(err);
    if (undeclared.fields.n) metadata.undeclared_parameters = &undeclared;
    size_t mark = pb_begin(&r->chunk, PART_METADATA); /* ResultSet.metadata is field 1 as well */
    enum code rc = pb_encode(&spanner_ResultSetMetadata_msg, &metadata, &r->chunk, err);
    pb_end(&r->chunk, mark);
    r->begun = true;
    return rc;
}

/* Clients of multiplexed sessions hand the newest token back at Commit. */
static void put_precommit(struct rows *r) {
    if (!r->when->read_write) return;
    size_t mark = pb_begin(&r->chunk, r->unary ? SET_PRECOMMIT : PART_PRECOMMIT);
    pb_put_bytes(&r->chunk, 1, r->when->id);
    pb_put_u64(&r->chunk, 2, 1);
    pb_end(&r->chunk, mark);
}

/* Clients take the root of a PLAN's answer without looking whether there is one. It stands for the whole: SQLite plans when
 * the statement runs, and operators are not made up. */
static enum code put_plan(struct rows *r, struct err *err) {
    struct spanner_PlanNode root = { .kind = spanner_PlanNode_Kind_RELATIONAL, .display_name = STR("Query") };
    struct spanner_QueryPlan plan = { .plan_nodes = { &root, 1 } };
    const struct spanner_ResultSetStats stats = { .query_plan = &plan };
    if (!r->plan) return OK;
    size_t mark = pb_begin(&r->chunk, r->unary ? SET_STATS : PART_STATS);
    enum code rc = pb_encode(&spanner_ResultSetStats_msg, &stats, &r->chunk, err);
    pb_end(&r->chunk, mark);
    return rc;
}

/* ---- rows ---- */

static enum code flush(struct rows *r, bool last, struct err *err) {
    DEFER(arena_freep) struct arena *scratch = r->resume_token ? arena_new(TOKEN_BYTES) : NULL;
    struct str token = scratch ? r->resume_token(r, scratch, r->ctx) : (struct str){ NULL, 0 };
    if (token.n) pb_put_bytes(&r->chunk, PART_RESUME_TOKEN, token);
    put_precommit(r);
    if (last) pb_put_u64(&r->chunk, PART_LAST, 1);
    if (!buf_ok(&r->chunk)) return err_set(err, RESOURCE_EXHAUSTED, "A part of the result is too large");
    if (!call_write(r->call, buf_str(&r->chunk)))
        return err_set(err, CANCELLED, "The client does not take the result any more");
    buf_clear(&r->chunk);
    return OK;
}

enum code rows_add(struct rows *r, const struct engine_row *row, struct err *err) {
    size_t mark = r->unary ? pb_begin(&r->chunk, SET_ROWS) : 0;
    uint32_t number = r->unary ? 1 : PART_VALUES;
    for (size_t i = 0; i < r->n_columns; i++) {
        enum code rc = rows_put_value(&r->chunk, number, r->columns[i].type,
                                      sqlite3_column_value(row->stmt, row->first + (int)i), err);
        if (rc) return rc;
    }
    if (r->unary) pb_end(&r->chunk, mark);
    r->count++;
    r->call->outcome.rows = r->count;
    if (r->unary && r->chunk.n > UNARY_MAX)
        return err_set(err, FAILED_PRECONDITION, "Result set too large: use a streaming read or query");
    return !r->unary && r->chunk.n >= CHUNK_BYTES ? flush(r, false, err) : OK;
}

enum code rows_end(struct rows *r, struct err *err) {
    enum code rc = put_plan(r, err);
    if (rc) return rc;
    if (!r->unary) return flush(r, true, err);
    put_precommit(r);
    if (!buf_ok(&r->chunk)) return err_oom(err);
    return call_write(r->call, buf_str(&r->chunk)) ? OK : err_set(err, CANCELLED, "The client went away");
}
