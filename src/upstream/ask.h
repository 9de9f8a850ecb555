/* ask.h: one call to an upstream on a principal's behalf: its token first (identity/exchange.h), then the call
 * (upstream_call.h). Of the gate, the schema's reader and whoever else speaks to an upstream.
 *
 * An ask lives on its loop; functions and callbacks run on its thread, and no callback comes from inside ask_start. An
 * upstream's UNAUTHENTICATED, or HTTP 401 without gRPC, is about our token, never the caller's: the token is given up
 * (exchange_token_reject), and the status becomes UNAVAILABLE, ours. */
#pragma once
#include "model/principal.h"
#include "upstream/upstream.h"
#include "upstream/upstream_call.h"

struct ask;

struct ask_handler {
    /* As upstream_handler's. False: enough for now; ask_resume. */
    bool (*on_message)(struct ask *ask, struct str message, void *ctx);
    /* The last, exactly once; none after ask_cancel. The ask is freed. */
    void (*on_end)(struct ask *ask, const struct upstream_status *status, void *ctx);
};

/* Of `request`: path, metadata, message, max_message_bytes and deadline_us; the rest is the upstream's. Copies what it
 * needs, but `principal`, which must live until on_end. INVALID_ARGUMENT, RESOURCE_EXHAUSTED: no callback comes. */
MUST_USE enum code ask_start(struct loop *loop, const struct upstream *upstream, const struct principal *principal,
                             const struct upstream_request *request, const struct ask_handler *handler, void *ctx,
                             struct ask **ret, struct err *err);
void ask_resume(struct ask *ask);
void ask_cancel(struct ask *ask); /* also from inside on_message; NULL is fine */
