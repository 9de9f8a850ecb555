/* info_far.c: INFORMATION_SCHEMA of an upstream: secondary indexes and foreign keys, as the snapshot holds them. A foreign
 * key is seen by who sees both its tables. */
#include "googlesql/print.h"
#include "spanner/info_fill.h"

static struct str index_name(const struct sql_table *table, const struct sql_index *index) {
    struct str schema = info_schema_of(table);
    return schema.n ? str_from(index->name, schema.n + 1) : index->name;
}

/* As of a table's parent: not told to whom it is not there. */
static struct str parent_of(const struct filler *f, const struct sql_index *index) {
    const struct sql_table *parent = index->parent.n ? sql_catalog_find(f->target->catalog, index->parent) : NULL;
    return parent && info_is_visible(f, parent) ? index->parent : STR("");
}

enum code info_fill_far_indexes(struct filler *f, const struct sql_table *table) {
    enum code rc = OK;
    for (size_t i = 0; !rc && i < table->n_indexes; i++) {
        const struct sql_index *index = &table->indexes[i];
        const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                      { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                      { "TABLE_NAME", TEXT(info_name_of(table)) },
                                      { "INDEX_NAME", TEXT(index_name(table, index)) },
                                      { "INDEX_TYPE", WORD("INDEX") },
                                      { "PARENT_TABLE_NAME", TEXT(parent_of(f, index)) },
                                      { "IS_UNIQUE", VALUE_BOOL(index->unique) },
                                      { "IS_NULL_FILTERED", VALUE_BOOL(index->null_filtered) },
                                      { "INDEX_STATE", TEXT(index->state) },
                                      { "SPANNER_IS_MANAGED", VALUE_BOOL(index->managed) } };
        rc = info_put(f, cells, COUNT(cells));
    }
    return rc;
}

/* `part`: of the key; -1: stored beside it. */
static enum code put_index_column(struct filler *f, const struct sql_table *table, const struct sql_index *index, int part,
                                  uint16_t at) {
    const struct sql_column *column = &table->columns[at];
    DEFER(buf_free) struct buf type = BUF_INIT(256);
    bool nullable = !column->not_null && !(part >= 0 && index->null_filtered);
    sql_print_type(column, &type);
    const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                  { "TABLE_SCHEMA", TEXT(info_schema_of(table)) },
                                  { "TABLE_NAME", TEXT(info_name_of(table)) },
                                  { "INDEX_NAME", TEXT(index_name(table, index)) },
                                  { "INDEX_TYPE", WORD("INDEX") },
                                  { "COLUMN_NAME", TEXT(column->name) },
                                  { "IS_NULLABLE", TEXT(nullable ? STR("YES") : STR("NO")) },
                                  { "SPANNER_TYPE", TEXT(buf_str(&type)) },
                                  { "ORDINAL_POSITION", VALUE_INT64(part + 1) },
                                  { "COLUMN_ORDERING",
                                    TEXT(part >= 0 && index->desc >> part & 1 ? STR("DESC") : STR("ASC")) } };
    return info_put(f, cells, part < 0 ? COUNT(cells) - 2 : COUNT(cells));
}

enum code info_fill_far_index_columns(struct filler *f, const struct sql_table *table) {
    enum code rc = OK;
    for (size_t i = 0; !rc && i < table->n_indexes; i++) {
        const struct sql_index *index = &table->indexes[i];
        for (uint16_t k = 0; !rc && k < index->n_columns; k++) rc = put_index_column(f, table, index, k, index->columns[k]);
        for (uint16_t k = 0; !rc && k < index->n_stored; k++) rc = put_index_column(f, table, index, -1, index->stored[k]);
    }
    return rc;
}

/* ---- foreign keys ---- */

static enum code each_key(struct filler *f, enum code (*put)(struct filler *f, const struct sql_foreign_key *key)) {
    const struct sql_catalog *catalog = f->target->catalog;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < catalog->n_foreign_keys; i++) {
        const struct sql_foreign_key *key = &catalog->foreign_keys[i];
        if (info_is_visible(f, key->child) && info_is_visible(f, key->parent)) rc = put(f, key);
    }
    return rc;
}

static enum code put_reference(struct filler *f, const struct sql_foreign_key *key) {
    const struct cell cells[] = { { "CONSTRAINT_CATALOG", WORD("") },
                                  { "CONSTRAINT_SCHEMA", TEXT(key->schema) },
                                  { "CONSTRAINT_NAME", TEXT(key->name) },
                                  { "MATCH_OPTION", WORD("SIMPLE") },
                                  { "UPDATE_RULE", WORD("NO ACTION") },
                                  { "DELETE_RULE", TEXT(key->delete_rule) },
                                  { "SPANNER_STATE", WORD("COMMITTED") },
                                  { "UNIQUE_CONSTRAINT_CATALOG", WORD("") },
                                  { "UNIQUE_CONSTRAINT_SCHEMA", TEXT(key->unique_schema) },
                                  { "UNIQUE_CONSTRAINT_NAME", TEXT(key->unique_name) } };
    return info_put(f, cells, key->unique_name.n ? COUNT(cells) : COUNT(cells) - 3);
}

static enum code put_constraint(struct filler *f, const struct sql_foreign_key *key) {
    const struct cell cells[] = { { "CONSTRAINT_CATALOG", WORD("") },
                                  { "CONSTRAINT_SCHEMA", TEXT(key->schema) },
                                  { "CONSTRAINT_NAME", TEXT(key->name) },
                                  { "TABLE_CATALOG", WORD("") },
                                  { "TABLE_SCHEMA", TEXT(info_schema_of(key->child)) },
                                  { "TABLE_NAME", TEXT(info_name_of(key->child)) },
                                  { "CONSTRAINT_TYPE", WORD("FOREIGN KEY") },
                                  { "IS_DEFERRABLE", WORD("NO") },
                                  { "INITIALLY_DEFERRED", WORD("NO") },
                                  { "ENFORCED", TEXT(key->enforced) } };
    return info_put(f, cells, COUNT(cells));
}

static enum code put_constraint_table(struct filler *f, const struct sql_foreign_key *key) {
    const struct cell cells[] = { { "TABLE_CATALOG", WORD("") },
                                  { "TABLE_SCHEMA", TEXT(info_schema_of(key->parent)) },
                                  { "TABLE_NAME", TEXT(info_name_of(key->parent)) },
                                  { "CONSTRAINT_CATALOG", WORD("") },
                                  { "CONSTRAINT_SCHEMA", TEXT(key->schema) },
                                  { "CONSTRAINT_NAME", TEXT(key->name) } };
    return info_put(f, cells, COUNT(cells));
}

static enum code refuse_key(struct filler *f, const struct sql_foreign_key *key) {
    return err_set(f->err, UNIMPLEMENTED,
                   "INFORMATION_SCHEMA.KEY_COLUMN_USAGE: the columns of foreign keys (%.*s) are not supported yet on an "
                   "upstream connection; those of primary keys are in INDEX_COLUMNS",
                   STR_ARG(str_upto(key->name, 200)));
}

enum code info_fill_far_references(struct filler *f) {
    return each_key(f, put_reference);
}

enum code info_fill_far_constraints(struct filler *f) {
    return each_key(f, put_constraint);
}

enum code info_fill_far_constraint_tables(struct filler *f) {
    return each_key(f, put_constraint_table);
}

enum code info_refuse_far_key_usage(struct filler *f) {
    return each_key(f, refuse_key);
}
