/* read.h: the request's bytes become the row's message, whatever they came in as. Loop thread. */
#pragma once
#include "gate/request.h"

/* Unknown fields are refused: what is decided is what is served. INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED. */
MUST_USE enum code read_request(struct request *r, struct err *err);
