/* catalog.h: a database's schema as the analyser and the policy see it. Immutable once published; the engine, or the cache
 * of upstreams' schemas (spanner/far_schema.h), owns it and counts references. Names compare without case (ASCII), and keep
 * the spelling of their DDL. */
#pragma once
#include "base/arena.h"
#include "googlesql/type.h"

enum { SQL_MAX_KEY_PARTS = 16, SQL_MAX_COLUMNS = 1024, SQL_MAX_IDENTIFIER = 128 };

struct sql_column {
    struct str name;
    enum sql_type type;
    int64_t max_length; /* STRING(n): characters, BYTES(n): bytes; INT64_MAX for MAX; 0 for other types */
    bool not_null;
    bool generated;              /* computed from others: never written (an upstream's: see sources, too) */
    bool allow_commit_timestamp; /* OPTIONS (allow_commit_timestamp = true) */
    uint32_t id;                 /* storage: the column `c<id>` of SQLite's table; never used again after a DROP */
    /* An upstream's only: the text of a type that is none of ours ("JSON"). `type` is SQL_UNKNOWN then, and a statement
     * that uses the column is refused by name. */
    struct str other_type;
    const uint16_t *sources; /* an upstream's only, generated: the columns of its table that it is computed of */
    uint16_t n_sources;
};

struct sql_key_part {
    uint16_t column; /* index into columns */
    bool desc;
};

struct sql_index {           /* of an upstream */
    struct str name;         /* "ByTitle", "sales.ByTitle" */
    const uint16_t *columns; /* of its key, in order: what a range of it asks about */
    uint16_t n_columns;
    uint16_t desc;          /* bit i: part i of the key falls */
    const uint16_t *stored; /* columns that stand beside the key */
    uint16_t n_stored;
    bool unique, null_filtered, managed;
    struct str parent, state; /* as INFORMATION_SCHEMA has them */
};

struct sql_foreign_key { /* of an upstream */
    struct str schema, name;
    struct str unique_schema, unique_name; /* the constraint that it refers to */
    struct str delete_rule, enforced;      /* as INFORMATION_SCHEMA has them */
    const struct sql_table *child, *parent;
};

struct sql_table {
    struct str schema;                /* "" or "INFORMATION_SCHEMA" */
    struct str name;                  /* "Orders"; in an upstream's named schema "sales.Orders" */
    uint32_t id;                      /* storage: SQLite's table `t<id>` and its history `h<id>`; never used again */
    const struct sql_column *columns; /* in ordinal order */
    uint16_t n_columns;
    const struct sql_key_part *key; /* may be empty: a table of one row */
    uint16_t n_key;
    /* An upstream's only: */
    struct str parent, on_delete; /* the table in which it is interleaved, of its own schema, and "CASCADE", "NO ACTION" */
    const struct sql_index *indexes;
    size_t n_indexes;
    const struct sql_table *const *cascades; /* whose rows go with a row of this one; they have cascades of their own */
    size_t n_cascades;
};

/* A name that the database has and that resolves to nothing here: a view. */
struct sql_other {
    struct str name;
    const char *what; /* "a view" */
};

struct sql_role; /* role.h */

struct sql_catalog {
    uint64_t version;                      /* grows with each DDL statement */
    const struct sql_table *const *tables; /* sorted by name, without case */
    size_t n_tables;
    const struct sql_other *others;
    size_t n_others;
    const struct sql_foreign_key *foreign_keys; /* an upstream's only */
    size_t n_foreign_keys;
    const struct sql_role *roles; /* sorted by name, without case */
    size_t n_roles;
    bool upstream; /* statements are run elsewhere, by whoever reads their names again */
};

const struct sql_table *sql_catalog_find(const struct sql_catalog *catalog, struct str name); /* or NULL */
/* The same by the parts of a path: Orders, sales.Orders. */
const struct sql_table *sql_catalog_find_path(const struct sql_catalog *catalog, const struct str *path, size_t n_path);
const struct sql_other *sql_catalog_find_other(const struct sql_catalog *catalog, const struct str *path, size_t n_path);
int sql_table_find(const struct sql_table *table, struct str column);                    /* index or -1 */
const struct sql_index *sql_table_index(const struct sql_table *table, struct str name); /* or NULL */
/* Who reads a generated column reads what it is computed of: marks these too, and theirs. One mark a column. */
void sql_table_mark_sources(const struct sql_table *table, bool *used);
/* All tables whose rows may go with a row of this one, each once, without the table itself. False: the arena is full. */
MUST_USE bool sql_table_cascade(struct arena *arena, const struct sql_table *table, const struct sql_table *const **ret,
                                size_t *ret_n);
