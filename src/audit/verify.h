/* verify.h: is this log whole? Offline, with the public key and, at best, a checkpoint that was kept elsewhere.
 *
 * Reads every byte of the folder once, in bounded memory, and recomputes every hash: a flipped byte, a dropped, swapped or
 * cut entry, a file that should not be there, all fail with their place. While a server has the log open, only what its
 * checkpoint covers is judged. Blocks; any thread but a loop's. RFC 6962 §2.1; C2SP tlog-tiles, tlog-checkpoint,
 * signed-note. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct key;

struct audit_report {
    bool verified;
    bool live;                   /* a server has it open */
    uint64_t entries;            /* recomputed, journal included */
    uint64_t open_intents;       /* intentions without an outcome so far */
    bool open_intents_at_least;  /* more were open at once than are tracked */
    uint64_t size;               /* the checkpoint's */
    uint64_t journal_entries;    /* durable beyond it: after a crash, until the next start */
    char root[45];               /* base64 */
    char origin[256];            /* the checkpoint's first line */
    char time[40];               /* when it was signed, RFC 3339 */
    bool kept_given, kept_found; /* the kept checkpoint lies on this history */
    char where[512];             /* not verified: the file and what is wrong with it */
};

/* Called now and then; false stops the work with CANCELLED. */
typedef bool audit_progress(void *ctx, uint64_t entries, uint64_t size);

/* OK: verified. DATA_LOSS: it is not what was signed; NOT_FOUND: no log there; others: could not be read. The report is
 * always filled as far as it goes. `kept` may be empty, `progress` NULL. */
MUST_USE enum code audit_verify(const char *dir, const struct key *public_key, struct str kept, audit_progress *progress,
                                void *ctx, struct audit_report *ret_report, struct err *err);
void audit_report_json(const struct audit_report *report, struct buf *out);
