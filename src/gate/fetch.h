/* fetch.h: key sets and discovery documents of issuers, by the one dialer and its rules (gate/outbound.h); loopback only in
 * development. */
#pragma once
#include "gate/outbound.h"
#include "identity/issuer.h"

struct fetch;

MUST_USE enum code fetch_new(struct outbound *outbound, bool development, struct fetch **ret, struct err *err);
struct fetcher fetch_fetcher(struct fetch *fetch); /* its get may be called from any thread */
void fetch_free(struct fetch *fetch);              /* after outbound_stop; NULL is fine */
