/* query.h: one SQL statement of a client, its rows as they come. Main thread.
 *
 * Sessions are multiplexed: made once, never deleted, bound to the database. Source: google.spanner.v1. */
#pragma once
#include "cli/channel.h"

enum { QUERY_NAME_MAX = 512 };

/* "P/I/D" or "projects/P/instances/I/databases/D" → the long form. */
MUST_USE enum code query_database_name(const char *given, char out[QUERY_NAME_MAX], struct err *err);
/* The session's name, in the arena. */
MUST_USE enum code query_session(struct channel *channel, const char *database, struct arena *arena, struct str *ret,
                                 struct err *err);

struct spanner_StructType;
struct pb_Value;
struct query_rows {
    void *ctx;
    /* Once, before the rows; lives in query_run's arena. */
    enum code (*columns)(void *ctx, const struct spanner_StructType *type, struct err *err);
    enum code (*row)(void *ctx, const struct pb_Value *values, size_t n, struct err *err);
};
/* Reads until the end; not tried again once a row was handed on. Lists
 * and structs come as their JSON text. */
MUST_USE enum code query_run(struct channel *channel, struct str session, struct str sql, const struct query_rows *rows,
                             struct arena *arena, struct err *err);

/* A value as text: strings as they are, lists and structs as JSON. False: NULL. */
bool query_value_text(const struct pb_Value *value, struct buf *out);
/* The same as JSON: INT64 as a number. `code` is the column's spanner TypeCode. */
void query_value_json(const struct pb_Value *value, int code, struct buf *out);
