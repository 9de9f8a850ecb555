/* tokens.h: Linkspan as an issuer: token exchange, service account tokens, its key set, and the metadata servers of jobs.
 * Raw methods: they read and answer bytes; identity/ does the thinking. */
#pragma once
#include "gate/gate.h"

/* POST /v1/token, POST /v1/projects/-/serviceAccounts/…, GET /v1/jwks, discovery, /healthz. */
struct service tokens_service(struct gate *gate);
/* One row: every path of a job's metadata listener. */
struct service metadata_service(struct gate *gate);
