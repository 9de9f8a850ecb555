/* operation.h: databases and their schema: calls that answer with a long-running operation, waited for. */
#pragma once
#include "cli/channel.h"

/* Waits for the operation; its error is ours. */
MUST_USE enum code operation_wait(struct channel *channel, struct str name, struct arena *arena, struct err *err);
/* Fine when it exists. */
MUST_USE enum code database_create(struct channel *channel, const char *database, struct arena *arena, struct err *err);
MUST_USE enum code database_ddl(struct channel *channel, const char *database, struct str *statements, size_t n,
                                struct arena *arena, struct err *err);
