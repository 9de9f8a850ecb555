/* query.h: reading entries back: `linkspan audit show`, `policy explain ID`, reports. Also while a server writes: what is
 * published (at most 100 ms old) is seen. Trusts the folder; verify.h is who does not. Blocks; not for a loop's thread. */
#pragma once
#include "audit/entry.h"

struct audit_filter { /* empty or 0 = any */
    struct str id;
    struct str method;    /* whole name, or what follows its last '.' */
    struct str principal; /* subject or e-mail of the actor, or of one in its chain */
    struct str job_run;
    struct str reason; /* "NO_RULE" */
    bool refused_only;
    int64_t from_us, until_us; /* wall time: from <= t < until */
    uint64_t from_index;
    uint64_t limit; /* entries to hand out */
};

/* False ends the walk (OK). What is passed lives until it returns. */
typedef bool audit_visit(void *ctx, uint64_t index, struct str json, const struct audit_entry *entry);
MUST_USE enum code audit_query(const char *dir, const struct audit_filter *filter, audit_visit *visit, void *ctx,
                               struct err *err);

/* For one entry: its index → proof as base64 lines of the inclusion path in the checkpoint's tree. OUT_OF_RANGE. */
MUST_USE enum code audit_prove_inclusion(const char *dir, uint64_t index, struct buf *out, struct err *err);
/* That the tree of `old_size` is a prefix of the checkpoint's. */
MUST_USE enum code audit_prove_consistency(const char *dir, uint64_t old_size, struct buf *out, struct err *err);
