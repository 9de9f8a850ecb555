/* mutation.h: what a commit writes, and the commit itself. Plain data; the caller's memory must stay until `done`. */
#pragma once
#include "engine/key.h"

enum { ENGINE_MAX_MUTATIONS = 80000, ENGINE_MAX_COMMIT_BYTES = 100 << 20 };

enum mutation_kind {
    MUTATION_INSERT,
    MUTATION_UPDATE,
    MUTATION_INSERT_OR_UPDATE,
    MUTATION_REPLACE,
    MUTATION_DELETE,
};

/* google.spanner.v1.KeySet, decoded against the columns of the table's key. */
typedef enum code mutation_keys_fn(void *ctx, const struct sql_table *table, struct key_set *set, struct err *err);
/* The next row: n cells in the order of `columns`. Called once a row, in order, on the writer thread. Text must stay valid
 * until the next call. The cells' types must be those of the columns. */
typedef enum code mutation_row_fn(void *ctx, const struct sql_column *const *columns, size_t n, struct sql_value *ret_cells,
                                  struct err *err);

struct engine_mutation {
    enum mutation_kind kind;
    struct str table;
    /* writes */
    const struct str *columns;
    size_t n_columns, n_rows;
    mutation_row_fn *row;
    /* MUTATION_DELETE: fills the set (on the writer thread; key_set_finish is done for it) */
    mutation_keys_fn *keys;
    void *ctx; /* of row or keys */
};
