/* look.h: one job as the server last wrote it, read beside a running server: for the operator's commands, who are on its
 * machine. Blocks; any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "wire/pb/dataproc.pb.h"

/* `folder` is the connection's in the data directory. NOT_FOUND: no such job, or no state at all. */
MUST_USE enum code dataproc_look(const char *folder, struct str id, struct arena *arena, const struct dataproc_Job **ret,
                                 struct err *err);
