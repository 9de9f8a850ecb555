/* audit.h: the log itself: an append-only Merkle tree on disk, written by one owner thread.
 *
 * Callers on any thread queue entries; the owner gathers what waits into one batch, signs the tree's new head, writes batch
 * and head into the journal with one fdatasync, and only then calls each entry's `done`, on the owner thread: the caller
 * posts it to its own loop, and never blocks there. Within 100 ms the batch is published as static tiles (docs/audit.md,
 * C2SP tlog-tiles) under a signed `checkpoint`, which `audit_verify` (verify.h) checks alone.
 *
 * Limits: an entry is one JSON object of at most 60,000 bytes (entry.h makes it); the queue holds queue_max_bytes; 256
 * outbox sources with names up to 128 bytes. The key is Ed25519. A second opener of the folder is refused (flock on the
 * folder). */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct audit_log;
struct key;

enum audit_care {
    AUDIT_PROMPT,   /* durable within 100 ms; kept and tried again while the disk refuses */
    AUDIT_ENFORCED, /* done(OK) only after the fsync; done(UNAVAILABLE) at once when it cannot be written */
};

#define AUDIT_NO_INDEX UINT64_MAX
enum { AUDIT_ENTRY_MAX = 60000, AUDIT_MAX_SOURCES = 256, AUDIT_SOURCE_MAX = 128 };

/* On the owner thread, once for each entry that was queued. OK: durable at `index` (AUDIT_NO_INDEX: this source's sequence
 * number was in the log before). UNAVAILABLE: not known to be durable. Must not block and may not append. */
typedef void audit_done(void *ctx, enum code code, uint64_t index);

struct audit_options {
    const char *dir;   /* made when absent, mode 0700 */
    struct str origin; /* the checkpoint's first line and the key's name: "linkspan.example/audit"; no spaces, no '+' */
    struct key *key;   /* private, Ed25519; a reference is taken */
    size_t queue_max_bytes; /* 0 = 16 MiB */
};

/* Opens or makes the log: recovers what a crash left, losing no acknowledged entry, raises clock_floor to the latest time
 * in it. ALREADY_EXISTS: open elsewhere. DATA_LOSS: what is there does not verify. Writes nothing but the repair. */
MUST_USE enum code audit_open(const struct audit_options *options, struct audit_log **ret, struct err *err);
/* Writes and publishes what is queued, ends the thread. What could not be written gets done(UNAVAILABLE). NULL is fine. */
void audit_close(struct audit_log *log);
void audit_closep(struct audit_log **log); /* for DEFER */

/* Queues a copy. `done` may be NULL. RESOURCE_EXHAUSTED: the queue is full (the request ends with AUDIT_UNAVAILABLE);
 * INVALID_ARGUMENT: not a JSON object within the limits. After an error `done` is not called. */
MUST_USE enum code audit_append(struct audit_log *log, struct str entry, enum audit_care care, audit_done *done, void *ctx,
                                struct err *err);

/* The same for what an embedded database wrote in its own transaction: exactly once for each (source, sequence). Numbers of
 * one source come ascending, from 1, gaps allowed; after an error send again from that number on. They are kept and retried
 * while the disk refuses. */
MUST_USE enum code audit_append_from_outbox(struct audit_log *log, struct str source, uint64_t sequence, struct str entry,
                                            audit_done *done, void *ctx, struct err *err);
/* The highest durable number of the source; 0 = none. What the outbox need not send again. */
uint64_t audit_outbox_highest(struct audit_log *log, struct str source);

/* Closes the intentions that were open when the log was opened with an outcome `unknown` each; call it after the outboxes
 * were drained, as they may hold the true outcome. Waits until they are durable. Not on the owner thread. */
MUST_USE enum code audit_recover(struct audit_log *log, size_t *ret_closed, struct err *err);

/* Waits until all that was queued before is durable and published. Not on the owner thread. */
MUST_USE enum code audit_flush(struct audit_log *log, struct err *err);

struct audit_stats {
    uint64_t size;      /* durable entries */
    uint64_t published; /* of these, in tiles under the checkpoint */
    uint64_t batches;   /* since it was opened */
    uint64_t failures;  /* batches or publications that the disk refused */
    size_t queued_bytes;
    bool failing; /* the last try failed: the alarm to raise */
};
void audit_stats(struct audit_log *log, struct audit_stats *ret);
/* The head of the durable tree as a signed note: what to keep elsewhere. */
MUST_USE enum code audit_checkpoint(struct audit_log *log, struct buf *out, struct err *err);
