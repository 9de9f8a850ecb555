/* request_limits.h: a request and what it is counted under: the limits of the policy, and the configuration's for each
 * caller. Loop thread. */
#pragma once
#include "gate/request.h"

/* Takes its place in every count, or refuses the request LIMIT_REACHED, with google.rpc.RetryInfo. */
void limits_enter(struct request *r);
/* The request has its answer, or its service has let go of it: its places are free. May be called again. */
void limits_leave(struct request *r);
