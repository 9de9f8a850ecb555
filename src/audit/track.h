/* track.h: what the log must know about the entries in it: intentions still open, each outbox's highest number, the latest
 * time.
 *
 * Learned from each entry as it becomes durable, by looking at its first and last members only: the encoder fixes their
 * order, and a quote inside a text is always escaped, so text cannot pass for a member. The log writes what is known as an
 * entry of its own
 * (`state`) now and then, so that opening reads from there instead of from the beginning. One thread at a time. */
#pragma once
#include "audit/audit.h"
#include "base/arena.h"
#include "base/map.h"

enum { STATE_EVERY = 16384 }; /* entries between two states */

struct source {
    char name[AUDIT_SOURCE_MAX + 1];
    uint64_t durable;  /* highest number in the log */
    uint64_t accepted; /* highest number in the queue or the log */
    uint64_t built;    /* highest number in the log or the batch in hand; the owner thread's alone */
    uint64_t refused;  /* the number that the full queue turned away, which must come first; 0 = none */
};

struct track {
    struct map *open; /* id → index + 1 of the intention */
    struct source sources[AUDIT_MAX_SOURCES];
    size_t n_sources;
    int64_t latest_us;
    uint64_t untracked;  /* the index of the first intention that did not fit, or UINT64_MAX */
    uint64_t next_state; /* size at which a state is due */
};

MUST_USE bool track_init(struct track *t);
void track_free(struct track *t);
void track_add(struct track *t, uint64_t index, struct str entry);
struct source *track_source(struct track *t, struct str name); /* found or made; NULL: too many */
/* Adds `{"scanFrom":…,"sources":{…}}`. */
void track_state(const struct track *t, uint64_t size, struct buf *out);
/* When the entry is a state: takes its sources and says from which index on the entries must be read. */
bool track_take_state(struct track *t, struct str entry, uint64_t *ret_scan_from);

/* The first members of an entry: what verify and query look at without parsing all. */
struct entry_head {
    struct str id, time, kind; /* as they stand in the text */
};
bool entry_head(struct str entry, struct entry_head *ret);
