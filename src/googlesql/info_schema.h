/* info_schema.h: the tables of INFORMATION_SCHEMA that clients ask for: names, columns, types (Spanner's documentation,
 * "Information schema"). Rows are the API layer's: it materialises, filtered by policy, a TEMP table `is_<name in lower
 * case>` with columns `c<id>` (ids from 1, in ordinal order) on the connection that runs the lowered text. */
#pragma once
#include "googlesql/catalog.h"

const struct sql_table *sql_info_schema_table(struct str name); /* "TABLES", any case; NULL */
const struct sql_table *sql_info_schema_at(size_t index); /* each of them, for tests and TABLES itself; NULL at the end */
bool sql_info_schema_elsewhere(struct str name);          /* Spanner has this table, this program does not serve it yet */
