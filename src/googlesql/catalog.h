/* catalog.h: a database's schema as the analyser and the policy see it. Immutable once published; the engine owns it and
 * counts references. Names compare without case (ASCII), and keep the spelling of their DDL. */
#pragma once
#include "googlesql/type.h"

enum { SQL_MAX_KEY_PARTS = 16, SQL_MAX_COLUMNS = 1024, SQL_MAX_IDENTIFIER = 128 };

struct sql_column {
    struct str name;
    enum sql_type type;
    int64_t max_length; /* STRING(n): characters, BYTES(n): bytes; INT64_MAX for MAX; 0 for other types */
    bool not_null;
    bool generated;              /* computed from others: never written */
    bool allow_commit_timestamp; /* OPTIONS (allow_commit_timestamp = true) */
    uint32_t id;                 /* storage: the column `c<id>` of SQLite's table; never used again after a DROP */
};

struct sql_key_part {
    uint16_t column; /* index into columns */
    bool desc;
};

struct sql_table {
    struct str schema; /* "" or "INFORMATION_SCHEMA" */
    struct str name;
    uint32_t id;                      /* storage: SQLite's table `t<id>` and its history `h<id>`; never used again */
    const struct sql_column *columns; /* in ordinal order */
    uint16_t n_columns;
    const struct sql_key_part *key; /* may be empty: a table of one row */
    uint16_t n_key;
};

struct sql_role; /* role.h */

struct sql_catalog {
    uint64_t version;                      /* grows with each DDL statement */
    const struct sql_table *const *tables; /* sorted by name, without case */
    size_t n_tables;
    const struct sql_role *roles; /* the same */
    size_t n_roles;
};

const struct sql_table *sql_catalog_find(const struct sql_catalog *catalog, struct str name); /* or NULL */
int sql_table_find(const struct sql_table *table, struct str column);                         /* index or -1 */
