/* file.h: whole small files, and writes that survive a crash. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

/* Reads a regular file of at most `max_bytes` into the arena. NOT_FOUND, PERMISSION_DENIED; FAILED_PRECONDITION when
 * larger. */
MUST_USE enum code file_read(struct arena *arena, const char *path, size_t max_bytes, struct str *ret, struct err *err);

/* Writes beside the path, fsyncs, renames over it and fsyncs the folder: after OK the new contents are durable; after an
 * error the old ones are whole. `mode` as in open(2). */
MUST_USE enum code file_write_durable(const char *path, struct str contents, unsigned mode, struct err *err);

/* Writes all of it at the descriptor's place (retries short writes and EINTR). */
MUST_USE enum code file_write_all(int fd, struct str contents, struct err *err);
MUST_USE enum code file_sync_dir(const char *dir, struct err *err);
/* mkdir -p with the mode for what it makes. */
MUST_USE enum code file_make_dirs(const char *path, unsigned mode, struct err *err);
void file_close(int *fd); /* for DEFER; -1 is fine */
