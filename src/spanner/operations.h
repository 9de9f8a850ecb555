/* operations.h: long-running operations, which here have ended when they are first told of. The newest 10,000 are kept, in
 * memory: after a restart a client learns NOT_FOUND of one that it holds the result of already. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct operations;

struct operations *operations_new(void);
void operations_free(struct operations *operations);
/* Keeps the encoded google.longrunning.Operation under its name. False: out of memory. */
bool operations_put(struct operations *operations, struct str name, struct str encoded);
/* A copy in the arena; empty p when there is none. */
struct str operations_get(struct operations *operations, struct str name, struct arena *arena);
bool operations_delete(struct operations *operations, struct str name);
/* Those whose name begins with the prefix, at most `max`, in no order. */
size_t operations_list(struct operations *operations, struct str prefix, struct arena *arena, struct str *ret, size_t max);
