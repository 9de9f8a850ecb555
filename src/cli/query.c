#include "cli/query.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json_text.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"
#include "wire/pb/pb_json.h"
#include "wire/pb/pb_write.h"

enum { ARENA_BYTES = 256 << 20, REQUEST_BYTES = 4 << 20, LIST_BYTES = 16 << 20 };

enum code query_database_name(const char *given, char out[QUERY_NAME_MAX], struct err *err) {
    struct str rest = str_z(given), parts[6];
    size_t n = 0;
    while (rest.n && n < COUNT(parts)) parts[n++] = str_cut(&rest, '/');
    int length = 0;
    if (n == 3 && !rest.n)
        length = snprintf(out, QUERY_NAME_MAX, "projects/%.*s/instances/%.*s/databases/%.*s", STR_ARG(parts[0]),
                          STR_ARG(parts[1]), STR_ARG(parts[2]));
    else if (n == 6 && !rest.n && str_eq(parts[0], STR("projects")) && str_eq(parts[2], STR("instances")) &&
             str_eq(parts[4], STR("databases")))
        length = snprintf(out, QUERY_NAME_MAX, "%s", given);
    if (length > 0 && length < QUERY_NAME_MAX) return OK;
    return err_set(err, INVALID_ARGUMENT,
                   "\"%.200s\" is no database: write PROJECT/INSTANCE/DATABASE or "
                   "projects/…/instances/…/databases/…",
                   given);
}

enum code query_session(struct channel *channel, const char *database, struct arena *arena, struct str *ret,
                        struct err *err) {
    struct spanner_Session wanted = { .multiplexed = true };
    struct spanner_CreateSessionRequest request = { .database = str_z(database), .session = &wanted };
    void *reply;
    enum code rc = rpc_unary(channel, "google.spanner.v1.Spanner/CreateSession", &spanner_CreateSessionRequest_msg,
                             &request, &spanner_Session_msg, true, arena, &reply, err);
    if (!rc) *ret = ((const struct spanner_Session *)reply)->name;
    return rc;
}

/* ---- rows out of PartialResultSets: values run on across messages; one may be cut in two ---- */

struct reader {
    const struct query_rows *rows;
    struct arena *arena; /* of the row under way */
    struct arena *keep;  /* of the columns */
    size_t n_columns, n_values, cap_values;
    struct pb_Value *values;
    bool chunked;
    size_t n_rows;
};

/* The first message's names point into its bytes: they are decoded from a copy that lives on. */
static enum code take_columns(struct reader *r, struct str message, struct err *err) {
    void *msg;
    struct str copy = str_dup(r->keep, message);
    if (!copy.p) return err_oom(err);
    enum code rc = pb_decode(&spanner_PartialResultSet_msg, copy, r->keep, PB_SKIP_UNKNOWN, &msg, err);
    if (rc) return rc;
    const struct spanner_PartialResultSet *set = msg;
    const struct spanner_StructType *type = set->metadata->row_type;
    if (!type) return OK;
    r->n_columns = type->fields.n;
    return r->rows->columns(r->rows->ctx, type, err);
}

static enum code join(struct reader *r, struct pb_Value *first, const struct pb_Value *rest, struct err *err) {
    if (first->kind_case == PB_VALUE_STRING && rest->kind_case == PB_VALUE_STRING) {
        struct str text = arena_printf(r->arena, "%.*s%.*s", STR_ARG(first->string_value), STR_ARG(rest->string_value));
        first->string_value = text;
        return text.p ? OK : err_oom(err);
    }
    return err_set(err, UNIMPLEMENTED, "a list that is cut in two is not supported by this client: select less at once");
}

static enum code take_value(struct reader *r, const struct pb_Value *value, struct err *err) {
    if (!arena_grow(r->arena, &r->values, &r->cap_values, r->n_values + 1, sizeof *r->values)) return err_oom(err);
    r->values[r->n_values] = *value;
    if (value->kind_case == PB_VALUE_STRING) {
        struct str copy = str_dup(r->arena, value->string_value);
        if (value->string_value.n && !copy.p) return err_oom(err);
        r->values[r->n_values].string_value = copy;
    } else if (value->kind_case == PB_VALUE_LIST || value->kind_case == PB_VALUE_STRUCT) {
        /* What it points at goes with its message: its text stays. */
        DEFER(buf_free) struct buf text = BUF_INIT(LIST_BYTES);
        (void)query_value_text(value, &text);
        struct str copy = str_dup(r->arena, buf_str(&text));
        if (!copy.p) return err_oom(err);
        r->values[r->n_values] = (struct pb_Value){ .kind_case = PB_VALUE_STRING, .string_value = copy };
    }
    r->n_values++;
    return OK;
}

static enum code give_row(struct reader *r, struct err *err) {
    enum code rc = r->rows->row(r->rows->ctx, r->values, r->n_values, err);
    r->n_rows++;
    r->n_values = r->cap_values = 0;
    r->values = NULL;
    arena_reset(r->arena);
    return rc;
}

static enum code take_values(struct reader *r, const struct spanner_PartialResultSet *set, struct err *err) {
    enum code rc = OK;
    for (size_t i = 0; !rc && i < set->values.n; i++) {
        bool more = i == 0 && r->chunked;
        if (more && r->n_values == 0) return err_set(err, INTERNAL, "a cut value has no beginning");
        rc = more ? join(r, &r->values[r->n_values - 1], &set->values.p[i], err) : take_value(r, &set->values.p[i], err);
        bool cut = set->chunked_value && i + 1 == set->values.n;
        if (!rc && !cut && r->n_columns && r->n_values == r->n_columns) rc = give_row(r, err);
    }
    if (set->values.n) r->chunked = set->chunked_value;
    return rc;
}

static void on_message(struct rpc *rpc, struct str message) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    struct reader *r = rpc->ctx;
    void *msg;
    if (!arena) {
        (void)err_oom(&rpc->err);
        return;
    }
    enum code rc = pb_decode(&spanner_PartialResultSet_msg, message, arena, PB_SKIP_UNKNOWN, &msg, &rpc->err);
    if (rc) return;
    const struct spanner_PartialResultSet *set = msg;
    if (set->metadata && !r->n_columns && take_columns(r, message, &rpc->err)) return;
    rc = take_values(r, set, &rpc->err);
    (void)rc; /* rpc->err ends the call */
}

static enum code frame_request(struct str session, struct str sql, struct buf *frame, struct err *err) {
    DEFER(buf_free) struct buf message = BUF_INIT(REQUEST_BYTES);
    struct spanner_TransactionOptions_ReadOnly read = {
        .timestamp_bound_case = spanner_TransactionOptions_ReadOnly_timestamp_bound_strong, .strong = true
    };
    struct spanner_TransactionOptions options = { .mode_case = spanner_TransactionOptions_mode_read_only,
                                                  .read_only = &read };
    struct spanner_TransactionSelector selector = { .selector_case = spanner_TransactionSelector_selector_single_use,
                                                    .single_use = &options };
    struct spanner_ExecuteSqlRequest request = { .session = session, .transaction = &selector, .sql = sql };
    enum code rc = pb_encode(&spanner_ExecuteSqlRequest_msg, &request, &message, err);
    if (rc) return rc;
    grpc_frame(frame, buf_str(&message));
    return buf_ok(frame) ? OK : err_oom(err);
}

static enum code attempt(struct rpc *rpc, struct err *err) {
    enum code rc = rpc_start(rpc, err);
    return rc ? rc : rpc_wait(rpc, err);
}

enum code query_run(struct channel *channel, struct str session, struct str sql, const struct query_rows *rows,
                    struct arena *keep, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf frame = BUF_INIT(REQUEST_BYTES + 16);
    if (!arena) return err_oom(err);
    enum code rc = frame_request(session, sql, &frame, err);
    if (rc) return rc;
    struct reader reader = { .rows = rows, .arena = arena, .keep = keep };
    struct rpc rpc = { .channel = channel,
                       .method = "google.spanner.v1.Spanner/ExecuteStreamingSql",
                       .request = buf_str(&frame),
                       .timeout_ms = UINT_MAX,
                       .on_message = on_message,
                       .ctx = &reader };
    for (unsigned tries = 1; (rc = attempt(&rpc, err)) == UNAVAILABLE && !reader.n_columns && tries < RPC_ATTEMPTS;
         tries++) {
        uint64_t wait_ms = rpc_backoff_ms(&rpc, tries);
        rpc_finish(&rpc);
        channel_pause(channel, wait_ms);
    }
    rpc_finish(&rpc);
    return rc;
}

/* ---- values ---- */

static void put_number(struct buf *out, double v) {
    for (int digits = 15; digits <= 17; digits++) {
        char text[40];
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (digits < 17 && (back < v || back > v)) continue;
        buf_add_z(out, text);
        return;
    }
}

bool query_value_text(const struct pb_Value *value, struct buf *out) {
    struct err err;
    switch (value->kind_case) {
    case PB_VALUE_STRING: buf_add_str(out, value->string_value); return true;
    case PB_VALUE_NUMBER: put_number(out, value->number_value); return true;
    case PB_VALUE_BOOL: buf_add_z(out, value->bool_value ? "true" : "false"); return true;
    case PB_VALUE_LIST:
    case PB_VALUE_STRUCT:
        if (pb_to_json(&pb_Value_msg, value, out, &err)) buf_add_z(out, "(not printable)");
        return true;
    default: return false;
    }
}

void query_value_json(const struct pb_Value *value, int code, struct buf *out) {
    DEFER(buf_free) struct buf text = BUF_INIT(16 << 20);
    int64_t ignored;
    if (!query_value_text(value, &text)) {
        buf_add_z(out, "null");
        return;
    }
    bool plain = value->kind_case != PB_VALUE_STRING;
    plain = plain || (code == spanner_TypeCode_INT64 && str_i64(buf_str(&text), &ignored));
    if (plain) buf_add_str(out, buf_str(&text));
    else json_text_string(out, buf_str(&text));
}
