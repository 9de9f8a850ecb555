/* journal.h: what is durable but not yet published: batches, one after the other, each with the signed head of the tree
 * after it.
 *
 *   "LSJ1"  u32 length of all  u64 index of the first entry  u32 entries  u32 length of the note   (big-endian)
 *   entries, each u16 length and bytes;  the note (note.h)
 * The file is preallocated and overwritten, as an overwrite is durable twice as fast as an append. Past the last batch
 * there are zeros only, so that every byte can be checked. A batch counts only when its entries lead to the root that its
 * note signs: a torn one does not. */
#pragma once
#include "audit/tree.h"
#include "base/buf.h"
#include "crypto/key.h"

enum { JOURNAL_BYTES = 4 << 20, BATCH_BYTES = 1 << 20, BATCH_ENTRIES = 4096, BATCH_HEADER = 24 };

struct batch {
    uint64_t first;
    uint32_t count;
    struct str entries, note;
    size_t length; /* of all */
};

/* A batch is made as: batch_begin, entry_put for each, batch_end with the note. */
void batch_begin(struct buf *out);
MUST_USE bool batch_end(struct buf *out, uint64_t first, uint32_t count, struct str note);
/* False: no batch stands here (its form is wrong, or `at` is empty). */
bool batch_parse(struct str at, struct batch *ret);
/* True when the batch continues `tree` and its note is signed for what then results; `tree` has grown by it. */
bool batch_verify(const struct batch *batch, struct tree *tree, const char *origin, const struct key *key);
/* True when a well-formed, signed batch of entries past `size` stands here: what a torn batch at `size` cannot be followed
 * by. (Batches of an earlier round may follow: their entries come before.) */
bool batch_follows(struct str at, uint64_t size, const struct key *key);
bool journal_blank(struct str rest); /* zeros only */
