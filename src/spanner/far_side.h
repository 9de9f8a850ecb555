/* far_side.h: what an upstream connection keeps here: the schemas of its databases, who reads them, and the key of what its
 * clients carry ("NAME.spanner.key" in `keys`: a restart of ours ends no session). */
#pragma once
#include "spanner/far_schema_read.h"
#include "spanner/target.h"

struct far_side {
    struct far_schema *schemas;
    struct far_reader *reader;
    struct sealer *sealer;
    struct principal principal; /* "schema@prod.linkspan": as whom the schema's token is asked for */
    char subject[128];
};

MUST_USE enum code far_side_new(const struct spanner_connection *connection, const char *keys, struct far_side **ret,
                                struct err *err);
void far_side_free(struct far_side *side); /* when nobody waits for a schema; NULL is fine */
struct far_side *far_side_of(const struct target *t);
/* What seals the handles of a target, of either back. */
const struct sealer *far_sealer_of(const struct target *t);
