/* workspace_runs.h: the configuration's Synapse workspace: its pipelines' state, its API, and what its runs ask of the
 * world.
 *
 * Opened when policy and audit are there, as runs go on at once; closed while the first loop still turns, as what they
 * asked for ends on it. One per server. */
#pragma once
#include "gate/gate.h"

struct workspace_runs;

/* Opens DATA/synapse/<connection>.sqlite, and fills the API's service. OK with *ret NULL when the configuration has none.
 * Failed, *ret may be half open, with requests under way: close and free it all the same, with the first loop turning. */
MUST_USE enum code workspace_runs_open(struct gate *gate, struct workspace_runs **ret, struct service *ret_service,
                                       struct err *err);
/* Ends requests under way, and answers calls UNAVAILABLE from here on; runs go on at the next start. Blocks: not on a
 * loop's thread; the first loop must turn. Again is fine, when the first has returned. NULL is fine. */
void workspace_runs_close(struct workspace_runs *runs);
/* When no call is under way any more. NULL is fine. */
void workspace_runs_free(struct workspace_runs *runs);
