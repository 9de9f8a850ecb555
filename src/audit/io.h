/* io.h: every write of the log goes through here, so that tests can make the n-th one fail. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

MUST_USE enum code io_write_at(int fd, struct str bytes, uint64_t at, struct err *err);
MUST_USE enum code io_sync(int fd, struct err *err); /* fdatasync */
MUST_USE enum code io_sync_dir(const char *path, struct err *err);
/* Makes or overwrites the file, durable but for its name: sync the folder. Never empties it first: a tile that is written
 * again has the same bytes, and a checkpoint may stand on it already. */
MUST_USE enum code io_write_file(const char *path, struct str bytes, struct err *err);
/* Beside it, then rename; the name too is durable. */
MUST_USE enum code io_replace_file(const char *dir, const char *name, struct str bytes, struct err *err);
MUST_USE enum code io_unlink(const char *path, struct err *err); /* one that is not there is fine */

/* Test only: the n-th call from now fails with this errno (for `times` calls); 0 = none. A failed write writes half. */
void io_fail_after(unsigned n, unsigned times, int error);
unsigned io_calls(void); /* since io_fail_after */
