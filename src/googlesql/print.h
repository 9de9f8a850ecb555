/* print.h: canonical DDL text, as GetDatabaseDdl gives it. Any thread. */
#pragma once
#include "base/buf.h"
#include "googlesql/role.h"

/* "CREATE TABLE T (\n  k INT64 NOT NULL,\n  v STRING(MAX),\n) PRIMARY KEY(k)" */
void sql_print_table(const struct sql_table *table, struct buf *out);
void sql_print_type(const struct sql_column *column, struct buf *out); /* "STRING(MAX)", as SPANNER_TYPE shows it */
void sql_print_name(struct str name, struct buf *out);                 /* back-quoted when reserved */
void sql_print_role(struct str name, struct buf *out);                 /* "CREATE ROLE r" */
/* "GRANT SELECT(a, b), DELETE ON TABLE T TO ROLE r", "REVOKE … FROM ROLE r" */
void sql_print_grants(const struct sql_grants *grants, bool revoke, struct buf *out);
