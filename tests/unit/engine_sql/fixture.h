/* fixture.h: a small database in the fixed representation, and a query's answer as text. */
#pragma once
#include <sqlite3.h>
#include "base/buf.h"
#include "engine/sql/functions.h"
#include "engine/sql/lower.h"

struct fixture {
    sqlite3 *db;
    /* What lowering asks for a row source (lower.h), or NULL. */
    enum code (*source)(const struct sql_source *source, const struct sql_analysis *analysis, struct buf *out);
};

/* Tab(k | s, f, b, y, d, t): (1, 'a', 1.5, true, b'xx', 2020-01-01, 2020-01-01T00:00:00Z), (2, 'b', NaN, false), (3)
 * U(k, j DESC | v): (1, 1, 'x'), (1, 2, 'y'), (2, 1, NULL), (4, 4, 'z');  N(i | f, s): numbers for arithmetic */
extern const struct sql_catalog fixture_catalog;
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

/* "k:INT64, s:STRING | 1, a | 2, NULL": columns, then rows; or the error: "OUT_OF_RANGE: int64 overflow". Parameters: @i =
 * 2 (INT64), @s = 'a' (STRING), @f = 1.5, @nan, @null (INT64, NULL), @u = 2 (undeclared). */
void fixture_ask(struct fixture *f, const char *sql, bool key_ranges, struct buf *out);
/* The lowered text alone. */
void fixture_lower(const char *sql, struct buf *out);
