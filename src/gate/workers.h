/* workers.h: the event loops that serve the public listener: one thread and one HTTP server each, all on one port. */
#pragma once
#include "gate/gate.h"

/* The loops, gate->config->workers of them: others post to them before they turn. */
MUST_USE enum code workers_make_loops(struct gate *gate, struct err *err);
/* Listeners on every loop, with the configured certificate, and what is looked after each second: requests that last,
 * refusals, the audit log. The tls context is the caller's to unref. */
MUST_USE enum code workers_open(struct gate *gate, struct tls_ctx **ret_tls, struct err *err);
void *workers_run(void *worker); /* a thread's function: turns the loop until it is stopped */
/* From any thread: doors close, what is under way may finish for config->drain_ms, then all loops stop. */
void workers_drain(struct gate *gate);
/* Once nothing turns the loop any more: requests end by its tasks, and give back what they hold of the systems behind us.
 */
void workers_finish_requests(struct worker *worker);
