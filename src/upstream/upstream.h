/* upstream.h: where a connection's requests go on to: address, proof, clients. Immutable after upstream_new; any thread. */
#pragma once
#include "base/arena.h"
#include "http/client.h"

struct upstream;
struct exchange;

enum { UPSTREAM_SCOPES_MAX = 4 };

struct upstream_config {
    struct str name;   /* "prod.spanner": what callers hear the upstream called */
    struct str scheme; /* "https"; "http" in development only (http/2 with prior knowledge) */
    struct str host;
    uint16_t port;
    int64_t timeout_us;        /* of what is forwarded without a deadline; 0: none */
    struct exchange *exchange; /* whose tokens prove who asks; NULL: none is sent. Outlives the upstream */
    struct str scopes[UPSTREAM_SCOPES_MAX];
    size_t n_scopes;
    /* The HTTP client that lives on this loop, with the dialer's rules. Loop thread; NULL: there is none (the server
     * stops). */
    struct http_client *(*client)(void *ctx, struct loop *loop);
    void *ctx;
};

/* Copies the texts. */
MUST_USE enum code upstream_new(const struct upstream_config *config, struct upstream **ret, struct err *err);
void upstream_free(struct upstream *upstream); /* after the last ask; NULL is fine */
const struct upstream_config *upstream_config(const struct upstream *upstream);
