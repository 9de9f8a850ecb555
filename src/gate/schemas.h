/* schemas.h: the schemas of the embedded databases for a command that has no server: while none has the data directory,
 * they are opened (and its lock held) so that the policy's check knows tables and columns. Blocks; not for a loop. */
#pragma once
#include "gate/config.h"

struct schemas;
struct spanner;
struct engine;

/* NULL: a server has the directory, or there is none, or a database cannot be opened: then no schema is known. */
struct schemas *schemas_open(const struct config *config);
struct spanner *schemas_spanner(struct schemas *schemas); /* NULL is fine; returns NULL then */
struct engine *schemas_engine(struct schemas *schemas);   /* the same */
void schemas_close(struct schemas *schemas);              /* NULL is fine */
