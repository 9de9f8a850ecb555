/* info_fill.h: how a table of INFORMATION_SCHEMA gets its rows. Internal to spanner/; the thread of such queries. */
#pragma once
#include <sqlite3.h>
#include "engine/value.h"
#include "spanner/target.h"

struct hash;

/* One row, by column name; columns that are not named are NULL. */
struct cell {
    const char *column;
    struct sql_value value;
};

struct filler {
    sqlite3 *db;
    sqlite3_stmt *insert;
    const struct sql_table *info;
    struct call *call;
    const struct target *target;
    struct hash *seen; /* of all rows that the caller may see */
    struct err *err;
};

#define TEXT(s) VALUE_STRING(s)
#define WORD(z) VALUE_STRING(STR(z))

enum code info_put(struct filler *f, const struct cell *cells, size_t n);
/* The caller holds something on the table, and so does the session's role, where it has one. */
bool info_is_visible(const struct filler *f, const struct sql_table *table);

struct str info_schema_of(const struct sql_table *table);
struct str info_name_of(const struct sql_table *table);

/* info_far.c: what only an upstream has */
enum code info_fill_far_indexes(struct filler *f, const struct sql_table *table);
enum code info_fill_far_index_columns(struct filler *f, const struct sql_table *table);
enum code info_fill_far_constraints(struct filler *f);
enum code info_fill_far_constraint_tables(struct filler *f);
enum code info_fill_far_references(struct filler *f);
enum code info_refuse_far_key_usage(struct filler *f); /* UNIMPLEMENTED: the columns of a foreign key would be in it */

/* info_roles.c */
enum code info_fill_roles(struct filler *f);
enum code info_fill_table_grants(struct filler *f, const struct sql_table *table);
enum code info_fill_column_grants(struct filler *f, const struct sql_table *table);
