#include "pipeline/rules.h"

static bool meets(unsigned conditions, enum run_state state) {
    bool succeeded = state == RUN_SUCCEEDED, skipped = state == RUN_SKIPPED;
    bool failed = !succeeded && !skipped; /* a cancelled one has not succeeded */
    return ((conditions & DEPEND_SUCCEEDED) && succeeded) || ((conditions & DEPEND_FAILED) && failed) ||
           ((conditions & DEPEND_SKIPPED) && skipped) || ((conditions & DEPEND_COMPLETED) && !skipped);
}

enum rules_next rules_next(const struct activity_list *list, unsigned index, rules_state *state, const void *ctx) {
    const struct activity *a = &list->items[index];
    bool all_met = true;
    for (size_t i = 0; i < a->n_depends_on; i++) {
        bool ended = false;
        enum run_state s = state(ctx, a->depends_on[i].activity, &ended);
        if (!ended) return NEXT_WAIT;
        all_met = all_met && meets(a->depends_on[i].conditions, s);
    }
    return all_met ? NEXT_BEGIN : NEXT_SKIP;
}

/* ---- the leaves ---- */

struct marks {
    bool is[PIPELINE_ACTIVITIES_MAX];
};

static void mark_parents(const struct activity *a, struct marks *marks) {
    for (size_t i = 0; i < a->n_depends_on; i++) marks->is[a->depends_on[i].activity] = true;
}

/* Looks at `at` and, as long as they are skipped, at what stands behind it. `seen`: once each, as graphs have diamonds.
 * Depth: at most the number of activities, 80. */
static bool holds(const struct activity_list *list, unsigned at, rules_state *state, const void *ctx, struct marks *seen,
                  unsigned *ret_failed) {
    bool ended;
    if (seen->is[at]) return true;
    seen->is[at] = true;
    enum run_state s = state(ctx, at, &ended);
    if (s != RUN_SKIPPED) {
        *ret_failed = at;
        return s == RUN_SUCCEEDED;
    }
    const struct activity *a = &list->items[at];
    for (size_t i = 0; i < a->n_depends_on; i++)
        if (!holds(list, a->depends_on[i].activity, state, ctx, seen, ret_failed)) return false;
    return true;
}

bool rules_succeeded(const struct activity_list *list, rules_state *state, const void *ctx, unsigned *ret_failed) {
    struct marks has_child = { 0 }, seen = { 0 };
    unsigned failed = 0;
    for (size_t i = 0; i < list->n; i++) mark_parents(&list->items[i], &has_child);
    for (unsigned i = 0; i < list->n; i++) {
        if (has_child.is[i] || holds(list, i, state, ctx, &seen, &failed)) continue;
        *ret_failed = failed;
        return false;
    }
    return true;
}
