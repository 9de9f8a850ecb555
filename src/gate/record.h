/* record.h: what the audit log learns of a request. Loop thread, but for record_entry. */
#pragma once
#include "gate/request.h"

/* Queues the intention; true: request_run goes on once it is durable (or the request is refused AUDIT_UNAVAILABLE). */
bool record_intention(struct request *r);
/* What was done already, made durable before its answer goes out: token exchanges, whose caller is known only afterwards.
 * `then` runs on the loop with r->intent_code; no further entry is written. */
void record_enforced(struct request *r, void (*then)(struct request *r));
/* What came of it: OK when the service did all of it, though nobody may have waited; UNKNOWN when it had gone on to an
 * upstream of which nobody heard any more. From `record` on. */
enum code record_code(const struct request *r);
/* Queues the outcome, once: also for refusals, failures and clients that went away. Of what a review ended amid its work
 * there are two entries: what it did, and that it was ended. */
void record_outcome(struct request *r);
/* The rest of an answer is held back, as what allowed it has ended. After the outcome. */
void record_ended(struct request *r);
/* A log that is failing and has much to catch up with, or one that is nearly full: what is recorded afterwards is refused.
 * Any thread. */
bool record_is_behind(const struct gate *gate);
/* Tells the operator when the log begins or ceases to fail. Now and then, on the first worker's loop. */
void record_watch(struct gate *gate);
/* The entry as JSON. The thread that has the call. */
MUST_USE enum code record_entry(struct request *r, enum event_kind kind, enum reason reason, enum code code,
                                struct buf *ret, struct err *err);
