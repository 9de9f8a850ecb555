/* principal_copy.h: a principal that outlives the request which proved it: its texts in the arena, its claims its own. */
#pragma once
#include "base/arena.h"
#include "model/principal.h"

/* False: the arena is full; principal_forget is due all the same. Claims that could not be copied are unknown ones, by
 * which policy gives nothing. */
MUST_USE bool principal_copy(const struct principal *from, struct arena *arena, struct principal *ret);
void principal_forget(struct principal *copy); /* gives back the claims; a zeroed one is fine */
