/* observe.h: what is counted of the server, for /metrics (docs/observe.md). One for the server; gate->observe is NULL where
 * nobody can ask.
 *
 * A request is counted once, at `record`, on its loop. What systems count themselves is read when somebody asks; what only
 * a loop's thread may read (its connections), each second. */
#pragma once
#include "gate/request.h"

struct observe;
struct log_writer;

enum { OBSERVE_ACCOUNTS = 200, OBSERVE_UPSTREAMS = 64 };

/* Before the loops turn. `log` may be NULL. */
MUST_USE enum code observe_new(struct gate *gate, struct log_writer *log, struct observe **ret, struct err *err);
void observe_free(struct observe *observe); /* NULL is fine */

void observe_request(struct request *r);         /* loop thread: the outcome is known */
void observe_connections(struct worker *worker); /* loop thread, each second */
/* All families (watch/metrics.h). Any thread but a loop's; one at a time waits for another. `out` fails when they do not
 * fit. */
void observe_print(struct observe *observe, struct buf *out);

/* Who asks, as metrics and log lines call it: an account's e-mail; "ISSUER:SUBJECT"; "unidentified". At most `max` bytes.
 */
enum { OBSERVE_NAME_BYTES = 256 };
struct str observe_account(const struct request *r, char out[OBSERVE_NAME_BYTES]);
/* "google.spanner.v1.Spanner.Commit"; a raw row by its path; "unknown" when no row was found: a stranger's words are no
 * label. */
struct str observe_method(const struct request *r, char out[OBSERVE_NAME_BYTES]);
