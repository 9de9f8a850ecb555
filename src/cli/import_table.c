/* import_table.c: what the table is, and which field of the file goes where. */
#include "cli/import.h"
#include "wire/pb/wkt.pb.h"
#include "wire/pb/pb_write.h"

static bool is_name(struct str s) {
    if (s.n == 0 || s.n > 128) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return true;
}

struct reading {
    struct import_table *table;
    struct arena *arena;
};

static struct str text_of(const struct pb_Value *v) {
    return v->kind_case == PB_VALUE_STRING ? v->string_value : STR("");
}

static enum code no_columns(UNUSED void *ctx, UNUSED const struct spanner_StructType *type, UNUSED struct err *err) {
    return OK;
}

/* TABLE_NAME, COLUMN_NAME, SPANNER_TYPE, IS_NULLABLE */
static enum code on_column(void *ctx, const struct pb_Value *v, size_t n, struct err *err) {
    struct reading *r = ctx;
    struct import_table *t = r->table;
    if (n != 4 || t->n_columns == IMPORT_COLUMNS_MAX)
        return err_set(err, INTERNAL, "unexpected INFORMATION_SCHEMA.COLUMNS");
    struct import_column *c = &t->columns[t->n_columns++];
    t->name = str_dup(r->arena, text_of(&v[0]));
    c->name = str_dup(r->arena, text_of(&v[1]));
    c->supported = cell_type_of(text_of(&v[2]), &c->type);
    c->not_null = str_eq(text_of(&v[3]), STR("NO"));
    return c->name.p && t->name.p ? OK : err_oom(err);
}

/* COLUMN_NAME, COLUMN_ORDERING */
static enum code on_key(void *ctx, const struct pb_Value *v, size_t n, struct err *err) {
    struct import_table *t = ((struct reading *)ctx)->table;
    if (n != 2 || t->n_key == IMPORT_KEYS_MAX) return err_set(err, INTERNAL, "unexpected INFORMATION_SCHEMA.INDEX_COLUMNS");
    for (size_t i = 0; i < t->n_columns; i++)
        if (str_eq(t->columns[i].name, text_of(&v[0])))
            t->key[t->n_key++] = (struct import_key){ i, str_eq(text_of(&v[1]), STR("DESC")) };
    return OK;
}

enum code import_table_read(struct channel *channel, struct str session, const char *table, struct arena *arena,
                            struct import_table *ret, struct err *err) {
    struct reading reading = { ret, arena };
    const struct query_rows columns = { &reading, no_columns, on_column }, keys = { &reading, no_columns, on_key };
    if (!is_name(str_z(table))) return err_set(err, INVALID_ARGUMENT, "\"%.64s\" is no table's name", table);
    struct str sql = arena_printf(
        arena,
        "SELECT TABLE_NAME, COLUMN_NAME, SPANNER_TYPE, IS_NULLABLE FROM INFORMATION_SCHEMA.COLUMNS "
        "WHERE TABLE_SCHEMA = '' AND LOWER(TABLE_NAME) = LOWER('%s') ORDER BY ORDINAL_POSITION",
        table);
    if (!sql.p) return err_oom(err);
    enum code rc = query_run(channel, session, sql, &columns, arena, err);
    if (rc) return rc;
    if (ret->n_columns == 0) return err_set(err, NOT_FOUND, "there is no table %s here, or none that you may use", table);
    sql = arena_printf(
        arena,
        "SELECT COLUMN_NAME, COLUMN_ORDERING FROM INFORMATION_SCHEMA.INDEX_COLUMNS WHERE TABLE_SCHEMA = '' AND "
        "TABLE_NAME = '%.*s' AND INDEX_NAME = 'PRIMARY_KEY' ORDER BY ORDINAL_POSITION",
        STR_ARG(ret->name));
    return sql.p ? query_run(channel, session, sql, &keys, arena, err) : err_oom(err);
}

static size_t column_named(const struct import_table *t, struct str name) {
    for (size_t i = 0; i < t->n_columns; i++)
        if (str_eq_nocase(t->columns[i].name, name)) return i;
    return SIZE_MAX;
}

static bool is_listed(const char *only, struct str name) {
    for (struct str rest = str_z(only); rest.n;)
        if (str_eq_nocase(str_trim(str_cut(&rest, ',')), name)) return true;
    return false;
}

static enum code check_listed(const char *only, const struct csv *header, struct err *err) {
    for (struct str rest = str_z(only); rest.n;) {
        struct str name = str_trim(str_cut(&rest, ','));
        bool there = false;
        for (size_t i = 0; i < header->n_fields; i++) there = there || str_eq_nocase(header->fields[i].text, name);
        if (!there) return err_set(err, INVALID_ARGUMENT, "--columns: the file has no column %.*s", STR_ARG(name));
    }
    return OK;
}

static enum code map_field(struct import_map *m, size_t field, struct str name, struct err *err) {
    const struct import_table *t = m->table;
    size_t column = column_named(t, name);
    if (column == SIZE_MAX)
        return err_set(err, INVALID_ARGUMENT,
                       "table %.*s has no column %.*s that you may use: name those to import with --columns",
                       STR_ARG(t->name), STR_ARG(str_upto(name, 128)));
    if (!t->columns[column].supported)
        return err_set(err, UNIMPLEMENTED, "column %.*s is of a type that import does not support yet", STR_ARG(name));
    for (size_t i = 0; i < field; i++)
        if (m->column_of[i] == column)
            return err_set(err, INVALID_ARGUMENT, "the file has column %.*s twice", STR_ARG(name));
    m->column_of[field] = column;
    m->columns[m->n_columns++] = t->columns[column].name;
    for (size_t k = 0; k < t->n_key; k++)
        if (t->key[k].column == column) m->field_of_key[k] = field;
    return OK;
}

enum code import_map_make(const struct import_table *table, const struct csv *header, const char *only,
                          struct import_map *ret, struct err *err) {
    ret->table = table;
    ret->n_fields = header->n_fields;
    ret->n_columns = 0;
    for (size_t k = 0; k < IMPORT_KEYS_MAX; k++) ret->field_of_key[k] = SIZE_MAX;
    enum code rc = only ? check_listed(only, header, err) : OK;
    for (size_t i = 0; !rc && i < header->n_fields; i++) {
        ret->column_of[i] = SIZE_MAX;
        struct str name = str_trim(header->fields[i].text);
        if (!only || is_listed(only, name)) rc = map_field(ret, i, name, err);
    }
    for (size_t k = 0; !rc && k < table->n_key; k++)
        if (ret->field_of_key[k] == SIZE_MAX)
            rc = err_set(err, INVALID_ARGUMENT, "the file lacks column %.*s of the key",
                         STR_ARG(table->columns[table->key[k].column].name));
    return rc;
}
