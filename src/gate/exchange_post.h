/* exchange_post.h: how an outbound token exchange (identity/exchange.h) reaches its endpoints: by a dialer and its
 * rules (gate/outbound.h), 10 s a request, redirects not followed, loopback only in development. Any thread.
 *
 * What the dialer's own bounds keep back (RESOURCE_EXHAUSTED), or its end (UNAVAILABLE), is told from an endpoint that does
 * not answer. */
#pragma once
#include "gate/outbound.h"
#include "identity/exchange.h"

struct exchange_post {
    struct outbound *outbound; /* outlives the exchange: outbound_stop ends each post, then the exchange may be freed */
    bool development;
};

/* struct exchange_effects' post; `ctx` is a struct exchange_post. */
void exchange_post(void *ctx, const struct exchange_request *request, exchange_done *done, void *arg);
