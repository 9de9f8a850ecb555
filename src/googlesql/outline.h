/* outline.h: what a database's DDL text says of names: tables with their columns, roles with their privileges. For schemas
 * of other Spanners, whose statements hold types, defaults and constraints that parse.h does not serve: a column here has a
 * name and no type (and is generated or not), other statements are passed over. Not for executing anything. Any thread;
 * everything in the arena, and pointing into the text. Limits: as parse.h, 5,000 tables. */
#pragma once
#include "base/err.h"
#include "googlesql/role.h"

struct sql_outline;
struct sql_outline *sql_outline_new(struct arena *arena); /* NULL: the arena is full */

/* One statement, in the order of the text. *ret_passed: it says nothing of tables and roles, or of those in a named schema.
 * INVALID_ARGUMENT: text that cannot be GoogleSQL, a table without an end, a grant on a table or role that is not there. */
MUST_USE enum code sql_outline_add(struct sql_outline *outline, struct str statement, bool *ret_passed, struct err *err);
/* What was added. Tables have no keys. RESOURCE_EXHAUSTED. */
MUST_USE enum code sql_outline_catalog(const struct sql_outline *outline, struct sql_catalog *ret, struct err *err);
