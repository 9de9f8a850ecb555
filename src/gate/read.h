/* read.h: the request's bytes become the row's message, whatever they came in as. */
#pragma once
#include "gate/request.h"

/* Unknown fields are refused: what is decided is what is served. INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED.
 * A raw method: loop thread. Others: any thread, and the stream may be gone when the query is a copy. */
MUST_USE enum code read_request(struct request *r, struct err *err);
