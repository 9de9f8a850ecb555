/* table.h: rows for a person: columns as wide as they need, numbers to the right. Sans-I/O; one thread. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

enum { TABLE_COLUMNS_MAX = 256, TABLE_CELL_MAX = 200 };

struct table_cell {
    struct str text;
    bool is_null;
};

struct table {
    struct arena *arena;
    struct str names[TABLE_COLUMNS_MAX];
    bool right[TABLE_COLUMNS_MAX];
    size_t n_columns;
    struct table_cell *cells; /* row by row */
    size_t n_cells, cap_cells;
};

/* Copies the text. False: the arena is full. */
MUST_USE bool table_add(struct table *t, struct str text, bool is_null);
void table_print(const struct table *t, struct buf *out);
void table_clear(struct table *t); /* the rows; resets the arena, which holds nothing else */
/* One field of RFC 4180, quoted where it must be. */
void csv_put_field(struct buf *out, struct str text);
