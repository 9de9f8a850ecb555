/* fetch.h: key sets and discovery documents of issuers, fetched by the one dialer: the address that was checked is the one
 * connected, redirects are not followed, loopback and link-local addresses only in development. */
#pragma once
#include "identity/issuer.h"
#include "net/loop.h"

struct fetch;

/* The client lives on `loop` (which must not run yet, or be the caller's). */
MUST_USE enum code fetch_new(struct loop *loop, bool development, struct fetch **ret, struct err *err);
struct fetcher fetch_fetcher(struct fetch *fetch); /* its get may be called from any thread */
void fetch_free(struct fetch *fetch);              /* after the loop has ended; NULL is fine */
