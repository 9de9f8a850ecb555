/* revoked.h: what was taken back before its end, kept over restarts: an append-only file, one line each, fsynced before it
 * is acknowledged; rewritten at start without what has ended. Any thread. */
#pragma once
#include "base/buf.h"
#include "identity/revoke.h"

struct revoked_file;

MUST_USE enum code revoked_open(const char *path, struct revoked_file **ret, struct revocations **ret_set, struct err *err);
void revoked_close(struct revoked_file *file); /* NULL is fine; the set is the caller's */
