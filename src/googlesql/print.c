#include "googlesql/print.h"
#include "googlesql/parse.h"

void sql_print_name(struct str name, struct buf *out) {
    bool quote = sql_reserved(name);
    if (quote) buf_add_char(out, '`');
    buf_add_str(out, name);
    if (quote) buf_add_char(out, '`');
}

void sql_print_type(const struct sql_column *column, struct buf *out) {
    if (column->other_type.n) {
        buf_add_str(out, column->other_type);
        return;
    }
    buf_add_z(out, sql_type_name(column->type));
    if (column->type != SQL_STRING && column->type != SQL_BYTES) return;
    if (column->max_length == INT64_MAX) buf_add_z(out, "(MAX)");
    else buf_printf(out, "(%lld)", (long long)column->max_length);
}

static void print_column(const struct sql_column *column, struct buf *out) {
    buf_add_z(out, "  ");
    sql_print_name(column->name, out);
    buf_add_char(out, ' ');
    sql_print_type(column, out);
    if (column->not_null) buf_add_z(out, " NOT NULL");
    if (column->allow_commit_timestamp) buf_add_z(out, " OPTIONS (\n    allow_commit_timestamp = true\n  )");
    buf_add_z(out, ",\n");
}

void sql_print_table(const struct sql_table *table, struct buf *out) {
    buf_add_z(out, "CREATE TABLE ");
    sql_print_name(table->name, out);
    buf_add_z(out, " (\n");
    for (uint16_t i = 0; i < table->n_columns; i++) print_column(&table->columns[i], out);
    buf_add_z(out, ") PRIMARY KEY(");
    for (uint16_t i = 0; i < table->n_key; i++) {
        if (i) buf_add_z(out, ", ");
        sql_print_name(table->columns[table->key[i].column].name, out);
        if (table->key[i].desc) buf_add_z(out, " DESC");
    }
    buf_add_char(out, ')');
}
