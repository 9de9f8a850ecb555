/* parse.h: GoogleSQL text → tree (ast.h). Any thread; everything in the arena; the text must live as long as the tree.
 *
 * Errors carry `[at L:C]`: INVALID_ARGUMENT "Syntax error: …" for what is no GoogleSQL, UNIMPLEMENTED with the name of the
 * thing for what Spanner knows and this program does not serve yet. Limits: ast.h. */
#pragma once
#include "base/buf.h"
#include "googlesql/ast.h"

enum sql_statement { SQL_QUERY, SQL_DML, SQL_DDL, SQL_OTHER };
/* By the first keyword (after hints and comments): SELECT, WITH, FROM, ( and unknown text are queries. */
enum sql_statement sql_classify(struct str text);

/* One query. DML and DDL are UNIMPLEMENTED by name here. A trailing ';' is taken. */
MUST_USE enum code sql_parse_query(struct arena *arena, struct str text, struct sql_query **ret_query, struct err *err);
/* One DDL statement of CreateDatabase or UpdateDatabaseDdl. */
MUST_USE enum code sql_parse_ddl(struct arena *arena, struct str text, struct sql_ddl **ret_ddl, struct err *err);

/* Appends the statement with literals as `?`, comments and hints dropped, one space between tokens: what an audit may keep.
 * Text that cannot be read ends it with `<unreadable>`; nothing of it is kept. */
void sql_fingerprint(struct str text, struct buf *out);
bool sql_reserved(struct str name); /* GoogleSQL's reserved words */
