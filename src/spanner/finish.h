/* finish.h: the ends of admin calls. Any thread. */
#pragma once
#include "spanner/internal.h"
#include "wire/pb/lro.pb.h"
#include "wire/pb/spanner_db.pb.h"

/* One message, or the error. */
void finish_message(struct call *call, enum code rc, const void *message, struct err *err);
/* Empty is fine: one is made then. INVALID_ARGUMENT: not [a-z][a-z0-9_]*, at most 128. */
MUST_USE enum code operation_id_check(struct str id, struct err *err);
/* An operation of `parent` that has ended: kept, and told. An empty id makes one. */
void finish_operation(struct call *call, struct str parent, struct str id, const struct pb_msg *metadata_type,
                      const void *metadata, const struct pb_msg *response_type, const void *response);
