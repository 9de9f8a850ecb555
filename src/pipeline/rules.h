/* rules.h: when an activity begins, is skipped, and what all of them together mean. Pure; any thread.
 *
 * An activity begins when each dependency has ended in one of the ways it names, and is skipped when all have ended and one
 * in another. Skipped ones count as ended: so skipping goes on. Outcome: every leaf (what nothing depends on) must have
 * succeeded; in the place of a skipped one stand those that it depends on. Source: Microsoft Learn, "Pipeline failure and
 * error message" (leaf activity evaluation). */
#pragma once
#include "pipeline/document.h"
#include "pipeline/pipelines.h"

enum rules_next { NEXT_WAIT, NEXT_BEGIN, NEXT_SKIP };

/* The state of list->items[index]; ret_ended: whether it is its last. */
typedef enum run_state rules_state(const void *ctx, unsigned index, bool *ret_ended);

enum rules_next rules_next(const struct activity_list *list, unsigned index, rules_state *state, const void *ctx);
/* All have ended. False: ret_failed is the first, in the document's order of leaves, that decided it. */
bool rules_succeeded(const struct activity_list *list, rules_state *state, const void *ctx, unsigned *ret_failed);
