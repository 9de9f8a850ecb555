/* apply.h: mutations on the tables. Inside the engine, on the writer thread. */
#pragma once
#include "engine/cost.h"
#include "engine/db.h"

struct apply { /* one commit */
    struct engine_db *db;
    int64_t commit_us;
    struct write_set *writes;
    struct commit_cost *cost; /* the commit's writes from the start, its deletes as they come */
    uint64_t bytes;
};
MUST_USE enum code apply_mutation(struct apply *a, const struct engine_mutation *m, struct err *err);
