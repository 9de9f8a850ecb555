/* request_log.h: a line of the log for a request, as Cloud Logging reads it (docs/observe.md). Loop thread.
 *
 * It holds no SQL, no token and no query string. gate->log_requests says which requests have one; of strangers' refusals
 * only so many a second are told, as a flood of them must not fill a disk. */
#pragma once
#include "gate/request.h"

void request_log(struct request *r); /* at `record`: the outcome is known */
