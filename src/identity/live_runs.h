/* live_runs.h: the job runs that are under way now. A token of ours that carries a run holds only while its run is in here:
 * who ends a run takes it out, and that cannot fail. So the end of a run needs no memory, no table with room left and no
 * disk, nothing can be forgotten, and after a crash there is nothing to catch up on: no run outlives the server that runs
 * it (docs/worlds.md), and the set begins empty, so whatever was minted for an earlier one is refused. Times play no part:
 * `iat` counts seconds, and clocks are set back.
 *
 * In memory alone; as many as run at once, which the runners bound. Any thread. */
#pragma once
#include "base/attr.h"
#include "base/str.h"

struct live_runs;

struct live_runs *live_runs_new(void);       /* NULL: out of memory */
void live_runs_free(struct live_runs *runs); /* NULL is fine */
/* Before the run can get a token. False: out of memory, or a run of this id is there. */
MUST_USE bool live_runs_begin(struct live_runs *runs, struct str id);
void live_runs_end(struct live_runs *runs, struct str id); /* when it returns, no token of the run is taken any more */
bool live_runs_has(struct live_runs *runs, struct str id); /* NULL: none is under way */
