/* csv.h: CSV, strictly: RFC 4180 with LF or CRLF; quotes only around whole fields, doubled inside; no NUL, UTF-8 only.
 * Sans-I/O: rows are cut off a slice of the file. One thread. Limits: 1,024 fields a row; a row is at most 10 MiB. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum { CSV_FIELDS_MAX = 1024, CSV_ROW_MAX = 10 << 20 };

struct csv_field {
    struct str text; /* into the input, or into the arena when quotes were doubled */
    bool quoted;
};

struct csv {
    unsigned line; /* where the next row begins, from 1 */
    struct csv_field fields[CSV_FIELDS_MAX];
    size_t n_fields;
};

enum csv_got { CSV_ROW, CSV_MORE, CSV_END, CSV_BAD };
/* Takes the next row off `rest`. CSV_MORE: the row is not whole and the input goes on (`last` false). CSV_BAD: err holds
 * line and column; the row is skipped to the next line break, so that reading can go on. Empty lines are passed over. */
enum csv_got csv_next(struct csv *csv, struct str *rest, bool last, struct arena *arena, struct err *err);
