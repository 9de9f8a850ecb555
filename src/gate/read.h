/* read.h: the request's bytes become the row's message, whatever they came in as. */
#pragma once
#include "gate/request.h"

/* Unknown fields are refused: what is decided is what is served. INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED.
 * Loop thread; gRPC: any thread, the stream may be gone. */
MUST_USE enum code read_request(struct request *r, struct err *err);
