/* import.h: the parts of `linkspan import`: what the table is, rows out of the file in the order of its key, commits.
 *
 * Main thread. Memory is bounded by `memory_bytes` for the rows of one run; a file that needs more is sorted in runs. */
#pragma once
#include "cli/cells.h"
#include "cli/csv.h"
#include "cli/query.h"

enum { IMPORT_COLUMNS_MAX = 1024, IMPORT_KEYS_MAX = 16, IMPORT_NULLS_MAX = 8 };

struct import_column {
    struct str name; /* as the table spells it */
    enum cell_type type;
    bool supported, not_null;
};
struct import_key {
    size_t column;
    bool descending;
};
struct import_table {
    struct str name;
    struct import_column columns[IMPORT_COLUMNS_MAX];
    size_t n_columns;
    struct import_key key[IMPORT_KEYS_MAX];
    size_t n_key;
};
/* NOT_FOUND when there is no such table, or nothing in it that the caller may know of. */
MUST_USE enum code import_table_read(struct channel *channel, struct str session, const char *table, struct arena *arena,
                                     struct import_table *ret, struct err *err);

/* Which field goes to which column. */
struct import_map {
    const struct import_table *table;
    size_t n_fields;                        /* of the header */
    size_t column_of[CSV_FIELDS_MAX];       /* SIZE_MAX: not imported */
    struct str columns[IMPORT_COLUMNS_MAX]; /* in the order of the fields */
    size_t n_columns;
    size_t field_of_key[IMPORT_KEYS_MAX];
    struct str nulls[IMPORT_NULLS_MAX]; /* texts that are NULL when they are not quoted */
    size_t n_nulls;
};
/* From the header, names without regard to case. `only`: names split at commas, or NULL for all. */
MUST_USE enum code import_map_make(const struct import_table *table, const struct csv *header, const char *only,
                                   struct import_map *ret, struct err *err);

struct import_row {
    size_t key, value, end; /* in `bytes`: the key's bytes, then a ListValue's */
};
struct import_rows {
    struct buf bytes;
    struct import_row *items;
    size_t n, cap, max_bytes;
};
/* Adds the row in `csv`. INVALID_ARGUMENT: err says which line, column and why; the row is not added. */
MUST_USE enum code import_row_add(const struct import_map *map, const struct csv *csv, unsigned line,
                                  struct import_rows *rows, struct err *err);
bool import_rows_full(const struct import_rows *rows);
void import_rows_sort(struct import_rows *rows);
void import_rows_clear(struct import_rows *rows);
void import_rows_free(struct import_rows *rows);

struct import_limits {
    size_t cells, bytes; /* of one commit */
    unsigned in_flight;
};
/* How many rows from `from` on go into one commit: at least one. */
size_t import_chunk(const struct import_rows *rows, size_t from, size_t n_columns, const struct import_limits *limits);
/* Adds a framed CommitRequest with these rows. */
void import_commit_encode(struct str session, const struct import_map *map, const struct import_rows *rows, size_t from,
                          size_t count, struct buf *out);

struct import_counts {
    uint64_t rows, commits, bytes, retries;
    void (*progress)(void *ctx); /* now and then; may be NULL */
    void *ctx;
};
/* Sends all rows; returns when each is committed, or at the first that cannot be. Counts hold what was committed. */
MUST_USE enum code import_send(struct channel *channel, struct str session, const struct import_map *map,
                               const struct import_rows *rows, const struct import_limits *limits,
                               struct import_counts *counts, struct err *err);
