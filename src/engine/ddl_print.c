/* GetDatabaseDdl's text. */
#include <inttypes.h>
#include "engine/ddl.h"

void engine_print_type(const struct sql_column *c, struct buf *out) {
    buf_add_z(out, sql_type_name(c->type));
    if (c->type != SQL_STRING && c->type != SQL_BYTES) return;
    if (c->max_length == INT64_MAX) buf_add_z(out, "(MAX)");
    else buf_printf(out, "(%" PRId64 ")", c->max_length);
}

static bool is_reserved(struct str name) {
    static const char *const words[] = {
        "ALL",      "AND",     "ANY",      "ARRAY",    "AS",        "ASC",       "AT",     "BETWEEN", "BY",
        "CASE",     "CAST",    "COLLATE",  "CONTAINS", "CREATE",    "CROSS",     "CUBE",   "CURRENT", "DEFAULT",
        "DEFINE",   "DESC",    "DISTINCT", "ELSE",     "END",       "ENUM",      "ESCAPE", "EXCEPT",  "EXCLUDE",
        "EXISTS",   "EXTRACT", "FALSE",    "FETCH",    "FOLLOWING", "FOR",       "FROM",   "FULL",    "GROUP",
        "GROUPING", "GROUPS",  "HASH",     "HAVING",   "IF",        "IGNORE",    "IN",     "INNER",   "INTERSECT",
        "INTERVAL", "INTO",    "IS",       "JOIN",     "LATERAL",   "LEFT",      "LIKE",   "LIMIT",   "LOOKUP",
        "MERGE",    "NATURAL", "NEW",      "NO",       "NOT",       "NULL",      "NULLS",  "OF",      "ON",
        "OR",       "ORDER",   "OUTER",    "OVER",     "PARTITION", "PRECEDING", "PROTO",  "RANGE",   "RECURSIVE",
        "RESPECT",  "RIGHT",   "ROLLUP",   "ROWS",     "SELECT",    "SET",       "SOME",   "STRUCT",  "TABLESAMPLE",
        "THEN",     "TO",      "TREAT",    "TRUE",     "UNBOUNDED", "UNION",     "UNNEST", "USING",   "WHEN",
        "WHERE",    "WINDOW",  "WITH",     "WITHIN",
    };
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_eq_nocase(name, str_z(words[i]))) return true;
    return false;
}

static void print_name(struct str name, struct buf *out) {
    const char *quote = is_reserved(name) ? "`" : "";
    buf_printf(out, "%s%.*s%s", quote, STR_ARG(name), quote);
}

static void print_column(const struct sql_column *c, struct buf *out) {
    buf_add_z(out, "  ");
    print_name(c->name, out);
    buf_add_char(out, ' ');
    engine_print_type(c, out);
    if (c->not_null) buf_add_z(out, " NOT NULL");
    if (c->allow_commit_timestamp) buf_add_z(out, " OPTIONS (\n    allow_commit_timestamp = true\n  )");
    buf_add_z(out, ",\n");
}

void engine_print_table(const struct sql_table *t, struct buf *out) {
    buf_add_z(out, "CREATE TABLE ");
    print_name(t->name, out);
    buf_add_z(out, " (\n");
    for (uint16_t i = 0; i < t->n_columns; i++) print_column(&t->columns[i], out);
    buf_add_z(out, ") PRIMARY KEY(");
    for (uint16_t i = 0; i < t->n_key; i++) {
        if (i) buf_add_z(out, ", ");
        print_name(t->columns[t->key[i].column].name, out);
        if (t->key[i].desc) buf_add_z(out, " DESC");
    }
    buf_add_char(out, ')');
}
