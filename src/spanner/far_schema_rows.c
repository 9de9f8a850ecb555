/* far_schema_rows.c: what is asked of INFORMATION_SCHEMA, and what each row adds to a schema. */
#include <stdio.h>
#include <string.h>
#include "spanner/far_schema_priv.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"

enum {
    MAX_TABLES = 10000,
    MAX_COLUMNS = 50000,
    MAX_EDGES = 20000,
    MAX_INDEXES = 128,
    MAX_CELLS = 10,
    MAX_TYPE_TEXT = 4096
};

enum code far_odd(struct err *err, const char *fmt, ...) {
    char what[600];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return err_set(err, INTERNAL, "the upstream's INFORMATION_SCHEMA is not understood: %s", what);
}

/* ---- cells ---- */

struct cell {
    bool null;
    struct str text;
    int64_t number;
};

static bool read_cell(char kind, const struct pb_Value *v, struct cell *ret) {
    *ret = (struct cell){ .null = v->kind_case == pb_Value_kind_null_value };
    bool may_be_null = kind == 't' || kind == 'i';
    if (ret->null) return may_be_null;
    if (v->kind_case != pb_Value_kind_string_value) return false;
    ret->text = v->string_value;
    return kind == 'T' || kind == 't' || str_i64(v->string_value, &ret->number);
}

static bool is_identifier(struct str name) {
    if (name.n == 0 || name.n > SQL_MAX_IDENTIFIER) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9')) return false;
    }
    return true;
}

static enum code check_name(struct str name, bool may_be_empty, struct err *err) {
    if (is_identifier(name) || (may_be_empty && name.n == 0)) return OK;
    return far_odd(err, "\"%.*s\" is no identifier", STR_ARG(str_upto(name, 100)));
}

static enum code full_name(struct far_build *b, struct str schema, struct str name, struct str *ret, struct err *err) {
    *ret = schema.n ? arena_printf(b->arena, "%.*s.%.*s", STR_ARG(schema), STR_ARG(name)) : str_dup(b->arena, name);
    return ret->p ? OK : err_oom(err);
}

/* NULL is an empty text. False: no memory. */
static bool keep(struct far_build *b, struct str text, struct str *ret) {
    *ret = text.n ? str_dup(b->arena, text) : STR("");
    return ret->p != NULL;
}

/* ---- one function a query ---- */

/* A PostgreSQL statement reads otherwise: "x" is a column there and a text here. */
static enum code add_dialect(struct far_build *b, const struct cell *c, struct err *err) {
    if (b->dialect) return far_odd(err, "the database has two dialects");
    if (!str_eq(c[0].text, STR("GOOGLE_STANDARD_SQL")))
        return err_set(err, UNIMPLEMENTED, "databases of dialect %.*s are not supported: only GOOGLE_STANDARD_SQL",
                       STR_ARG(str_upto(c[0].text, 100)));
    b->dialect = true;
    return OK;
}

static const char *other_kind(struct str type) {
    if (str_eq(type, STR("BASE TABLE"))) return NULL;
    if (str_eq(type, STR("VIEW"))) return "a view";
    return str_eq(type, STR("SYNONYM")) ? "a synonym" : "no base table";
}

/* schema, name, type, parent, on delete */
static enum code add_table(struct far_build *b, const struct cell *c, struct err *err) {
    if (b->n_tables >= MAX_TABLES)
        return err_set(err, RESOURCE_EXHAUSTED, "the database has more than %d tables", MAX_TABLES);
    enum code rc = check_name(c[0].text, true, err);
    if (!rc) rc = check_name(c[1].text, false, err);
    if (rc) return rc;
    struct far_table *t = ARENA_NEW(b->arena, struct far_table);
    if (!t) return err_oom(err);
    rc = full_name(b, c[0].text, c[1].text, &t->sql.name, err);
    if (rc) return rc;
    t->schema = c[0].text.n ? str_upto(t->sql.name, c[0].text.n) : STR("");
    t->what = other_kind(c[2].text);
    if (str_eq(c[4].text, STR("CASCADE")) && !c[3].text.n)
        return far_odd(err, "table %.*s cascades from no parent", STR_ARG(t->sql.name));
    if (!keep(b, c[3].text, &t->sql.parent) || !keep(b, c[4].text, &t->sql.on_delete)) return err_oom(err);
    if (b->last) b->last->next = t;
    else b->first = t;
    b->last = t;
    b->n_tables++;
    return far_put_table(b, c[0].text, c[1].text, t, err);
}

/* "STRING(20)", "BYTES(MAX)": how long. */
static bool read_length(struct str text, struct str word, int64_t *ret) {
    uint64_t n = 0;
    if (!str_strip_prefix(&text, word) || !str_strip_prefix(&text, STR("(")) || !str_strip_suffix(&text, STR(")")))
        return false;
    bool max = str_eq(text, STR("MAX"));
    if (!max && (!str_u64(text, &n) || n > INT32_MAX)) return false;
    *ret = max ? INT64_MAX : (int64_t)n;
    return true;
}

static enum code read_type(struct far_build *b, struct str text, struct sql_column *column, struct err *err) {
    static const enum sql_type plain[] = { SQL_BOOL, SQL_INT64, SQL_FLOAT64, SQL_TIMESTAMP, SQL_DATE };
    static const enum sql_type sized[] = { SQL_STRING, SQL_BYTES };
    for (size_t i = 0; i < COUNT(plain); i++)
        if (str_eq_z(text, sql_type_name(plain[i]))) return column->type = plain[i], OK;
    for (size_t i = 0; i < COUNT(sized); i++)
        if (read_length(text, str_z(sql_type_name(sized[i])), &column->max_length)) return column->type = sized[i], OK;
    if (text.n == 0 || text.n > MAX_TYPE_TEXT) return far_odd(err, "a type of %zu bytes", text.n);
    column->other_type = str_dup(b->arena, text);
    return column->other_type.p ? OK : err_oom(err);
}

/* schema, table, column, ordinal, type, nullable */
static enum code add_column(struct far_build *b, const struct cell *c, struct err *err) {
    struct far_table *t = far_find_table(b, c[0].text, c[1].text);
    if (!t || t->what) return OK;
    enum code rc = check_name(c[2].text, false, err);
    if (rc) return rc;
    if (c[3].number <= t->last_ordinal)
        return far_odd(err, "the columns of table %.*s are in no order", STR_ARG(t->sql.name));
    if (t->sql.n_columns >= SQL_MAX_COLUMNS || b->n_columns >= MAX_COLUMNS)
        return err_set(err, RESOURCE_EXHAUSTED, "the database has more than %d columns, or a table more than %d",
                       MAX_COLUMNS, SQL_MAX_COLUMNS);
    rc = far_put_column(b, t, c[2].text, t->sql.n_columns, err);
    if (rc) return rc;
    if (!arena_grow(b->arena, &t->columns, &t->cap_columns, t->sql.n_columns + 1u, sizeof *t->columns)) return err_oom(err);
    struct sql_column *column = &t->columns[t->sql.n_columns];
    *column = (struct sql_column){ .name = str_dup(b->arena, c[2].text), .not_null = str_eq(c[5].text, STR("NO")) };
    if (!column->name.p) return err_oom(err);
    t->last_ordinal = c[3].number;
    t->sql.columns = t->columns;
    column->id = ++t->sql.n_columns;
    b->n_columns++;
    return read_type(b, c[4].text, column, err);
}

static enum code add_key_part(struct far_build *b, struct far_table *t, uint16_t column, bool desc, struct err *err) {
    if (t->sql.n_key >= SQL_MAX_KEY_PARTS) return far_odd(err, "the key of table %.*s is too long", STR_ARG(t->sql.name));
    if (!t->key) t->key = ARENA_ARRAY(b->arena, struct sql_key_part, SQL_MAX_KEY_PARTS);
    if (!t->key) return err_oom(err);
    t->key[t->sql.n_key++] = (struct sql_key_part){ column, desc };
    t->sql.key = t->key;
    return OK;
}

/* The index that the rows are at: those of one come together. */
static struct sql_index *index_at(struct far_build *b, struct far_table *t, struct str name, struct err *err) {
    struct sql_index *index = t->sql.n_indexes ? &t->indexes[t->sql.n_indexes - 1] : NULL;
    if (index && str_eq_nocase(index->name, name)) return index;
    if (sql_table_index(&t->sql, name) || t->sql.n_indexes >= MAX_INDEXES) {
        (void)far_odd(err, "the indexes of table %.*s", STR_ARG(t->sql.name));
        return NULL;
    }
    uint16_t *columns = ARENA_ARRAY(b->arena, uint16_t, SQL_MAX_KEY_PARTS);
    if (!columns || !arena_grow(b->arena, &t->indexes, &t->cap_indexes, t->sql.n_indexes + 1, sizeof *t->indexes)) {
        (void)err_oom(err);
        return NULL;
    }
    index = &t->indexes[t->sql.n_indexes++];
    *index = (struct sql_index){ .name = name, .columns = columns };
    t->sql.indexes = t->indexes;
    return index;
}

static enum code add_stored(struct far_build *b, const struct far_table *t, struct sql_index *index, uint16_t column,
                            struct err *err) {
    if (!index->stored) index->stored = ARENA_ARRAY(b->arena, uint16_t, t->sql.n_columns);
    if (!index->stored) return err_oom(err);
    if (index->n_stored >= t->sql.n_columns) return far_odd(err, "index %.*s stores too much", STR_ARG(index->name));
    ((uint16_t *)(uintptr_t)index->stored)[index->n_stored++] = column; /* ours: made above */
    return OK;
}

static enum code add_index_part(struct sql_index *index, uint16_t column, bool desc, struct err *err) {
    if (index->n_columns >= SQL_MAX_KEY_PARTS)
        return far_odd(err, "the key of index %.*s is too long", STR_ARG(index->name));
    if (desc) index->desc |= (uint16_t)(1u << index->n_columns);
    ((uint16_t *)(uintptr_t)index->columns)[index->n_columns++] = column; /* ours: made by index_at */
    return OK;
}

/* schema, table, index, kind, column, ordinal (null: stored beside the key), ordering */
static enum code add_key(struct far_build *b, const struct cell *c, struct err *err) {
    struct far_table *t = far_find_table(b, c[0].text, c[1].text);
    bool primary = str_eq(c[3].text, STR("PRIMARY_KEY")), stored = c[5].null;
    if (!t || t->what || (primary ? stored : !str_eq(c[3].text, STR("INDEX")))) return OK;
    int column = far_find_column(b, t, c[4].text);
    if (column < 0)
        return far_odd(err, "table %.*s has a key of a column that it lacks", STR_ARG(str_upto(t->sql.name, 200)));
    bool desc = str_eq(c[6].text, STR("DESC"));
    int64_t due = primary ? t->sql.n_key + 1 : c[5].number;
    if (c[5].number != due) return far_odd(err, "the key of table %.*s has gaps", STR_ARG(t->sql.name));
    if (primary) return add_key_part(b, t, (uint16_t)column, desc, err);
    struct str name;
    enum code rc = check_name(c[2].text, false, err);
    if (!rc) rc = full_name(b, c[0].text, c[2].text, &name, err);
    if (rc) return rc;
    struct sql_index *index = index_at(b, t, name, err);
    if (!index) return err->code;
    return stored ? add_stored(b, t, index, (uint16_t)column, err) : add_index_part(index, (uint16_t)column, desc, err);
}

/* schema, table, index, kind, parent, unique, null-filtered, state, managed */
static enum code add_index(struct far_build *b, const struct cell *c, struct err *err) {
    struct far_table *t = far_find_table(b, c[0].text, c[1].text);
    if (!t || t->what || !str_eq(c[3].text, STR("INDEX"))) return OK;
    struct sql_index *index = NULL;
    for (size_t i = 0; i < t->sql.n_indexes && !index; i++) {
        struct str name = t->indexes[i].name;
        if (c[0].text.n) name = str_from(name, t->schema.n + 1);
        if (str_eq_nocase(name, c[2].text)) index = &t->indexes[i];
    }
    if (!index) return far_odd(err, "table %.*s has an index without a key", STR_ARG(str_upto(t->sql.name, 200)));
    index->unique = str_eq_nocase(c[5].text, STR("true"));
    index->null_filtered = str_eq_nocase(c[6].text, STR("true"));
    index->managed = str_eq_nocase(c[8].text, STR("true"));
    return keep(b, c[4].text, &index->parent) && keep(b, c[7].text, &index->state) ? OK : err_oom(err);
}

/* schema, table, column, and the generated column that is computed of it */
static enum code add_source(struct far_build *b, const struct cell *c, struct err *err) {
    struct far_table *t = far_find_table(b, c[0].text, c[1].text);
    if (!t || t->what) return OK;
    int from = far_find_column(b, t, c[2].text), to = far_find_column(b, t, c[3].text);
    if (from < 0 || to < 0)
        return far_odd(err, "table %.*s computes a column of one that it lacks", STR_ARG(str_upto(t->sql.name, 200)));
    struct sql_column *column = &t->columns[to];
    uint16_t *sources = ARENA_ARRAY(b->arena, uint16_t, column->n_sources + 1u);
    if (!sources) return err_oom(err);
    if (column->n_sources) memcpy(sources, column->sources, column->n_sources * sizeof *sources);
    for (uint16_t i = 0; i < column->n_sources; i++)
        if (sources[i] == from) return far_odd(err, "a column is computed of another one twice");
    sources[column->n_sources++] = (uint16_t)from;
    column->sources = sources;
    return OK;
}

/* the child's schema and table, the parent's, delete rule, the key's schema and name, those of what it refers to, enforced.
 *
 * A delete that goes on to a child must be decided there too: a key that carries it on is known whole, or nothing is. One
 * that merely refuses (NO ACTION) widens nobody's request: when a table of it was not read, it is only not shown. */
static enum code add_foreign_key(struct far_build *b, const struct cell *c, struct err *err) {
    struct far_table *child = far_find_table(b, c[0].text, c[1].text), *parent = far_find_table(b, c[2].text, c[3].text);
    bool refuses = str_eq(c[4].text, STR("NO ACTION"));
    bool whole = !c[0].null && !c[2].null && !c[9].null && child && parent && !child->what && !parent->what;
    if (!whole && refuses) return OK;
    if (!whole) return far_odd(err, "a foreign key of a table that is not there");
    if (b->n_foreign_keys >= MAX_EDGES)
        return err_set(err, RESOURCE_EXHAUSTED, "the database has more than %d foreign keys", MAX_EDGES);
    if (!arena_grow(b->arena, &b->foreign_keys, &b->cap_foreign_keys, b->n_foreign_keys + 1, sizeof *b->foreign_keys))
        return err_oom(err);
    struct sql_foreign_key *key = &b->foreign_keys[b->n_foreign_keys++];
    *key = (struct sql_foreign_key){ .child = &child->sql, .parent = &parent->sql };
    if (!keep(b, c[4].text, &key->delete_rule) || !keep(b, c[5].text, &key->schema) || !keep(b, c[6].text, &key->name) ||
        !keep(b, c[7].text, &key->unique_schema) || !keep(b, c[8].text, &key->unique_name) ||
        !keep(b, c[9].text, &key->enforced))
        return err_oom(err);
    return refuses ? OK : far_add_edge(b, parent, child, err);
}

/* ---- the queries ---- */

#define OURS "NOT IN ('INFORMATION_SCHEMA', 'SPANNER_SYS')"

static const struct {
    const char *sql;
    const char *cells; /* a letter each: text, or integer; small: may be NULL */
    enum code (*add)(struct far_build *b, const struct cell *c, struct err *err);
} queries[FAR_QUERIES] = {
    [FAR_DIALECT] = { "SELECT OPTION_VALUE FROM INFORMATION_SCHEMA.DATABASE_OPTIONS"
                      " WHERE OPTION_NAME = 'database_dialect' ORDER BY OPTION_VALUE",
                      "T", add_dialect },
    [FAR_TABLES] = { "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, PARENT_TABLE_NAME, ON_DELETE_ACTION"
                     " FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA " OURS " ORDER BY TABLE_SCHEMA, TABLE_NAME",
                     "TTTtt", add_table },
    [FAR_COLUMNS] = { "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, SPANNER_TYPE, IS_NULLABLE"
                      " FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA " OURS
                      " ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME",
                      "TTTITT", add_column },
    [FAR_KEYS] = { "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, INDEX_TYPE, COLUMN_NAME, ORDINAL_POSITION, COLUMN_ORDERING"
                   " FROM INFORMATION_SCHEMA.INDEX_COLUMNS WHERE TABLE_SCHEMA " OURS
                   " ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, ORDINAL_POSITION, COLUMN_NAME",
                   "TTTTTit", add_key },
    [FAR_SOURCES] = { "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DEPENDENT_COLUMN"
                      " FROM INFORMATION_SCHEMA.COLUMN_COLUMN_USAGE WHERE TABLE_SCHEMA " OURS
                      " ORDER BY TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DEPENDENT_COLUMN",
                      "TTTT", add_source },
    [FAR_FOREIGN_KEYS] = { "SELECT DISTINCT c.TABLE_SCHEMA, c.TABLE_NAME, p.TABLE_SCHEMA, p.TABLE_NAME, r.DELETE_RULE,"
                           " r.CONSTRAINT_SCHEMA, r.CONSTRAINT_NAME, r.UNIQUE_CONSTRAINT_SCHEMA, r.UNIQUE_CONSTRAINT_NAME,"
                           " c.ENFORCED"
                           " FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS AS r"
                           " LEFT JOIN INFORMATION_SCHEMA.TABLE_CONSTRAINTS AS c"
                           " ON c.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = r.CONSTRAINT_NAME"
                           " LEFT JOIN INFORMATION_SCHEMA.CONSTRAINT_TABLE_USAGE AS p"
                           " ON p.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND p.CONSTRAINT_NAME = r.CONSTRAINT_NAME"
                           " ORDER BY 1, 2, 3, 4, 6, 7",
                           "ttttTTTttt", add_foreign_key },
    [FAR_INDEXES] = { "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, INDEX_TYPE, PARENT_TABLE_NAME,"
                      " CAST(IS_UNIQUE AS STRING), CAST(IS_NULL_FILTERED AS STRING), INDEX_STATE,"
                      " CAST(SPANNER_IS_MANAGED AS STRING)"
                      " FROM INFORMATION_SCHEMA.INDEXES WHERE INDEX_TYPE = 'INDEX' AND TABLE_SCHEMA " OURS
                      " ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME",
                      "TTTTtTTtT", add_index },
};

const char *far_query_sql(enum far_query query) {
    return queries[query].sql;
}

static enum code add_row(struct far_build *b, enum far_query query, const struct pb_ListValue *row, struct err *err) {
    struct cell cells[MAX_CELLS] = { 0 };
    size_t n = strlen(queries[query].cells);
    if (row->values.n != n) return far_odd(err, "a row of %zu values, not %zu", row->values.n, n);
    for (size_t i = 0; i < n; i++)
        if (!read_cell(queries[query].cells[i], &row->values.p[i], &cells[i]))
            return far_odd(err, "value %zu of a row is of another type", i + 1);
    return queries[query].add(b, cells, err);
}

enum code far_build_page(struct far_build *b, enum far_query query, const struct spanner_ResultSet *page, struct err *err) {
    enum code rc = OK;
    if (page->rows.n > FAR_PAGE_ROWS) return far_odd(err, "a page of %zu rows", page->rows.n);
    for (size_t i = 0; !rc && i < page->rows.n; i++) rc = add_row(b, query, &page->rows.p[i], err);
    return rc;
}
