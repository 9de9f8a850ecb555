/* outbox.h: audit entries that were committed with rows (DESIGN §7), on their way from a database into the log. */
#pragma once
#include "engine/engine.h"

struct outbox;
struct audit_log;

struct outbox *outbox_new(struct audit_log *audit); /* NULL: no memory */
void outbox_stop(struct outbox *outbox); /* writers no longer wait for room: what is left comes at the next start */
void outbox_free(struct outbox *outbox); /* after audit_close */

/* ctx: struct outbox. Waits while the log's queue is full */
void outbox_sink(void *ctx, struct engine_db *db, int64_t seq, struct str entry);
