/* functions.h: GoogleSQL's functions, registered from C on a SQLite connection, and their errors.
 *
 * Every connection that runs lowered text registers them once. They hold no state; the time of CURRENT_TIMESTAMP is in the
 * lowered text. One thread at a time per connection. */
#pragma once
#include <sqlite3.h>
#include "base/err.h"

/* RESOURCE_EXHAUSTED when SQLite has no memory. */
MUST_USE enum code sql_functions_register(sqlite3 *db, struct err *err);

/* Turns what sqlite3_step or _prepare answered into a code and Spanner's message: OUT_OF_RANGE "int64 overflow: 1 + 2" and
 * the like from our functions; INTERNAL for the rest. `rc` is not SQLITE_OK, _ROW or _DONE. */
enum code sql_error_from_sqlite(sqlite3 *db, int rc, struct err *err);
