/* store.h: SQLite as this house opens it: pragmas, a statement cache, one way to report its errors.
 *
 * A `struct store` belongs to one thread at a time (opened with NOMUTEX). Statements are prepared once per text and kept,
 * up to STORE_MAX_STATEMENTS; the least recently used goes first. */
#pragma once
#include <sqlite3.h>
#include "base/err.h"
#include "base/str.h"

enum { STORE_MAX_STATEMENTS = 128, STORE_PAGE_BYTES = 8192 };

struct store;
enum store_mode { STORE_CREATE, STORE_WRITE, STORE_READ };

/* WAL, synchronous=FULL, 8 KiB pages, no automatic checkpoint. FAILED_PRECONDITION for a file that is no database,
 * NOT_FOUND, ALREADY_EXISTS (STORE_CREATE on an existing file). */
MUST_USE enum code store_open(const char *path, enum store_mode mode, struct store **ret, struct err *err);
void store_close(struct store *s);   /* NULL is fine; finalizes the statements */
void store_closep(struct store **s); /* for DEFER */
sqlite3 *store_sqlite(struct store *s);

/* A statement of this text, reset and without bindings; give it back with store_done before the same text is asked again.
 * It is the store's. NULL text error: INTERNAL with SQLite's words. */
MUST_USE enum code store_prepare(struct store *s, struct str sql, sqlite3_stmt **ret, struct err *err);
void store_done(sqlite3_stmt *stmt);   /* resets and clears */
void store_donep(sqlite3_stmt **stmt); /* for DEFER */
void store_forget(struct store *s);    /* drops all cached statements, none may be in use (before DDL) */

/* Runs statements that give no rows. */
MUST_USE enum code store_exec(struct store *s, const char *sql, struct err *err);
/* The same for one statement that comes often (BEGIN, COMMIT): prepared once and kept. */
MUST_USE enum code store_exec_kept(struct store *s, struct str sql, struct err *err);
/* One step of a statement that gives no rows, then store_done. */
MUST_USE enum code store_run(sqlite3_stmt *stmt, struct err *err);
/* What SQLite's result means: FULL, IOERR, NOMEM → RESOURCE_EXHAUSTED; INTERRUPT → CANCELLED; BUSY → UNAVAILABLE; CORRUPT,
 * NOTADB → DATA_LOSS; else INTERNAL. */
enum code store_error(sqlite3 *db, int sqlite_rc, struct err *err);
