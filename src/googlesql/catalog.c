#include "googlesql/catalog.h"

const char *sql_type_name(enum sql_type type) {
    static const char *const names[] = {
        [SQL_UNKNOWN] = "UNKNOWN",     [SQL_BOOL] = "BOOL", [SQL_INT64] = "INT64",   [SQL_FLOAT64] = "FLOAT64",
        [SQL_TIMESTAMP] = "TIMESTAMP", [SQL_DATE] = "DATE", [SQL_STRING] = "STRING", [SQL_BYTES] = "BYTES",
    };
    return (unsigned)type < COUNT(names) ? names[type] : "UNKNOWN";
}

const struct sql_table *sql_catalog_find(const struct sql_catalog *catalog, struct str name) {
    for (size_t i = 0; i < catalog->n_tables; i++)
        if (str_eq_nocase(catalog->tables[i]->name, name)) return catalog->tables[i];
    return NULL;
}

int sql_table_find(const struct sql_table *table, struct str column) {
    for (uint16_t i = 0; i < table->n_columns; i++)
        if (str_eq_nocase(table->columns[i].name, column)) return i;
    return -1;
}
