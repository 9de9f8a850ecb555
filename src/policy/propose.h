/* propose.h: the statements that would let one refused request pass, and nothing wider. Internal. */
#pragma once
#include "base/buf.h"
#include "policy/snapshot.h"

/* What goes into one domain's file. */
struct proposal_part {
    const struct stmt *domain;
    struct buf rule;
};

struct proposal {
    const struct policy *policy;
    const struct policy_recorded *recorded;
    const struct policy_subject *subject;
    int64_t now_us;
    struct proposal_part *parts; /* of the arena, room for every domain */
    size_t n_parts;
    struct str who; /* the name that it grants to; may point at `fresh` */
    char fresh[32];
    struct buf definition; /* of that name, where the policy names nobody with this proof */
    const char *unhelpful; /* why there is none; NULL = there is one */
};

/* Fills parts, or unhelpful. The request is one that nothing denies. proposal_free afterwards. */
void propose(struct proposal *x, struct arena *arena);
void proposal_free(struct proposal *x);

enum reason proposal_judge(const struct proposal *x, const struct atom *atom); /* alone */
/* Writes the statement that the atom at `at` needs, unless an earlier one's holds it. */
void propose_statement(const struct proposal *x, struct proposal_part *part, size_t at);
