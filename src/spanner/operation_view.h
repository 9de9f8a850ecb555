/* operation_view.h: what an operation tells of the schema is for those who may read it. Loop thread. */
#pragma once
#include "service/call.h"
#include "wire/pb/lro.pb.h"

/* Of an operation that is about to be shown, in place: whoever may not `read schema` at the path that was decided (the
 * call's first atom) learns that it is there, whether it is done and with which code, but neither statements nor an error's
 * words. */
MUST_USE enum code operation_view(struct call *call, struct lro_Operation *operation, struct arena *arena, struct err *err);
