/* refusals.h: callers without proof, counted by address and second, so that a flood costs bounded writes: at most 257
 * entries a second, whoever asks how often. Any thread. */
#pragma once
#include "audit/audit.h"
#include "model/reason.h"
#include "model/refused.h"

struct audit_refusals;

struct audit_refusals *audit_refusals_new(struct audit_log *log); /* NULL: no memory. Borrows the log */
void audit_refusals_free(struct audit_refusals *r);               /* writes what is counted first; NULL is fine */

/* Counts one; at the first of a new second, writes what the seconds before had. Past 256 addresses in one second the rest
 * share the address "others". A full queue keeps the counts for later. `token` may be NULL; of the tokens that an address
 * presented in a second, the first REFUSED_TOKENS_MAX are named in its entry. */
void audit_refusal_coalesce(struct audit_refusals *r, struct str source, enum reason reason,
                            const struct refused_token *token);
/* For a timer of a second: writes the seconds that are over. */
void audit_refusals_tick(struct audit_refusals *r);
