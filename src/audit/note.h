/* note.h: signed notes and checkpoints. C2SP signed-note, tlog-checkpoint. Any thread.
 *
 *   origin\n  size\n  base64(root)\n  time 2026-11-21T22:57:00Z\n  \n  — origin base64(key hash (4) ‖ signature (64))\n
 * The fourth line is an extension line, which other readers of checkpoints pass over. Exactly one signature is taken, and
 * only the canonical spelling of every number, so that no byte can change and still verify. */
#pragma once
#include "audit/tree.h"
#include "base/buf.h"
#include "crypto/key.h"

enum { NOTE_MAX = 1024, ORIGIN_MAX = 200 };

struct checkpoint {
    char origin[ORIGIN_MAX + 1];
    uint64_t size;
    struct tree_hash root;
    int64_t time_us;
};

bool note_origin_valid(struct str origin); /* 1..200 bytes of printable ASCII; no space, no '+' */
/* Adds the signed note to `out`. */
MUST_USE enum code note_sign(struct str origin, uint64_t size, const struct tree_hash *root, int64_t time_us,
                             const struct key *key, struct buf *out, struct err *err);
/* Parses without checking who signed: for the fuzzer, and to learn the size. INVALID_ARGUMENT. */
MUST_USE enum code note_parse(struct str note, struct checkpoint *ret, struct err *err);
/* DATA_LOSS when the note is malformed or this key did not sign it. */
MUST_USE enum code note_open(struct str note, const struct key *key, struct checkpoint *ret, struct err *err);
/* The verifier key as signed-note spells it: "origin+hash+base64". */
MUST_USE enum code note_verifier_key(struct str origin, const struct key *key, struct buf *out, struct err *err);
