/* rows.h: rows out: encoded straight from SQLite's values into PartialResultSet messages of about 64 KiB, each with a
 * resume token, or into one ResultSet. One thread at a time; it goes with the call. */
#pragma once
#include "engine/engine.h"
#include "googlesql/analyse.h"
#include "service/call.h"
#include "spanner/target.h"

struct rows {
    struct call *call;
    bool unary; /* ResultSet: at most 10 MiB */
    const struct sql_result_column *columns;
    size_t n_columns;
    const struct when *when;
    bool with_timestamp; /* tell the read timestamp in the metadata */
    int64_t timestamp_us;
    bool plan; /* PLAN mode: no rows, and at the end a plan; what follows is of it too */
    const struct sql_param *undeclared;
    size_t n_undeclared;
    /* The token that continues behind the rows written so far; empty: no token. In `scratch` or static: a long stream has
     * many. */
    struct str (*resume_token)(struct rows *rows, struct arena *scratch, void *ctx);
    void *ctx;

    struct buf chunk;
    bool begun;
    uint64_t count;
};

void rows_init(struct rows *rows, struct call *call, bool unary);
/* Before the first row, once the read timestamp stands. False: out of memory (err set). */
MUST_USE enum code rows_begin(struct rows *rows, struct err *err);
MUST_USE enum code rows_add(struct rows *rows, const struct engine_row *row, struct err *err);
/* What is left, and the end of the result (not of the call). */
MUST_USE enum code rows_end(struct rows *rows, struct err *err);
void rows_free(struct rows *rows);
/* One value as a google.protobuf.Value in field `number`. */
MUST_USE enum code rows_put_value(struct buf *out, uint32_t number, enum sql_type type, sqlite3_value *value,
                                  struct err *err);
